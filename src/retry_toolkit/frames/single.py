"""What costs one request a task: chosen tasks, their files, their attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pandas as pd

from retry_toolkit.errors import BadAnswer, NotFound
from retry_toolkit.frames.progress import progress_bar
from retry_toolkit.platforms.base import Platform, Rejected, TaskFiles, TaskRecord

Tasks = pd.DataFrame | Iterable[str | TaskRecord]
"""Tasks to load something of: a frame with `task_id`, ids, or records."""

IN_FLIGHT = 4
"""Requests for single tasks that run at a time."""

T = TypeVar("T")


def task_ids(tasks: Tasks) -> tuple[str, ...]:
    """Ids of these tasks, each once, in order."""
    if isinstance(tasks, pd.DataFrame):
        return tuple(dict.fromkeys(tasks["task_id"].dropna()))
    if isinstance(tasks, str):
        raise TypeError("Give a list of ids, not one id as text.")
    return tuple(dict.fromkeys(task.task_id if isinstance(task, TaskRecord) else task for task in tasks))


def read_records(
    platform: Platform, tasks: Tasks, *, progress: bool = False
) -> tuple[tuple[TaskRecord, ...], tuple[Rejected, ...]]:
    """Records of chosen tasks, and those that are gone; records that are given ask nothing."""
    given = task_ids(tasks) if isinstance(tasks, pd.DataFrame | str) else tuple(tasks)
    known = tuple(task for task in given if isinstance(task, TaskRecord))
    if len(known) == len(given):
        return known, ()
    found, rejected = read_each(task_ids(given), platform.task, what="tasks", progress=progress)
    return tuple(found), rejected


def read_files(platform: Platform, tasks: Tasks, *, progress: bool = False) -> tuple[TaskFiles, ...]:
    """Input files of each task; a task whose files the platform does not know is left out. One request a task."""
    found, _ = read_each(task_ids(tasks), platform.files, what="files", progress=progress)
    return tuple(files for files in found if files is not None)


def read_each(
    ids: Sequence[str], read: Callable[[str], T], *, what: str, progress: bool
) -> tuple[list[T], tuple[Rejected, ...]]:
    """`read` of every id, in order; an id that is gone or unreadable is reported, any other error ends the load."""
    found: list[T] = []
    rejected: list[Rejected] = []
    pool = ThreadPoolExecutor(max_workers=IN_FLIGHT, thread_name_prefix="retry-toolkit-load")
    try:
        with progress_bar(what, shown=progress and len(ids) > 1, total=len(ids)) as bar:
            for index, future in enumerate([pool.submit(read, task_id) for task_id in ids]):
                try:
                    found.append(future.result())
                except (NotFound, BadAnswer) as error:
                    rejected.append(Rejected(page=0, index=index, path=ids[index], reason=error.message))
                bar.update(1)
    finally:
        pool.shutdown(cancel_futures=True)
    return found, tuple(rejected)

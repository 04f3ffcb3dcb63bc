"""Loaders: a platform's tasks, stages, attempts and logs as canonical frames."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar, get_args

import pandas as pd

from retry_toolkit.errors import BadAnswer, NotFound
from retry_toolkit.frames.build import attempts_frame, logs_frame, stages_frame, tasks_frame
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.progress import progress_bar
from retry_toolkit.frames.schema import ATTEMPTS, LOGS, STAGES, TASKS
from retry_toolkit.platforms.base import AttemptRecord, Platform, Rejected, Status, TaskFiles, TaskQuery, TaskRecord

__all__ = [
    "AttemptSource",
    "Moment",
    "RejectedRows",
    "TaskSet",
    "Tasks",
    "load_attempts",
    "load_logs",
    "load_stages",
    "load_tasks",
    "read_files",
    "read_tasks",
    "stages_frame",
    "task_ids",
    "tasks_frame",
]

Moment = datetime | timedelta | str
"""A time (naive means UTC), a span before now, or ISO 8601 text."""

Tasks = pd.DataFrame | Iterable[str | TaskRecord]
"""Tasks to load something of: a frame with `task_id`, ids, or records."""

IN_FLIGHT = 4
"""Requests for single tasks that run at a time."""

T = TypeVar("T")


class AttemptSource(Protocol):
    """Where attempts are kept that a platform may have erased."""

    def attempts(self, origin: str, task_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt of a task that was kept."""


class RejectedRows(UserWarning):
    """Some rows could not be read; `frame.attrs["rejected"]` tells which, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSet:
    """Tasks that were read, newest first, and the rows that could not be."""

    tasks: tuple[TaskRecord, ...]
    rejected: tuple[Rejected, ...] = ()


@describes(TASKS)
def load_tasks(
    platform: Platform,
    *,
    status: Status | None = None,
    project: str | None = None,
    title: str | None = None,
    since: Moment | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Tasks, one row each, newest first; rows that cannot be read are in `frame.attrs["rejected"]`.

    Args:
        platform: Where to read, from `connect()`.
        status: Only tasks in this status.
        project: Only tasks of this project, by its name or id.
        title: Only tasks whose name contains this, whatever its case.
        since: Only tasks created since then; those of unknown time stay.
        limit: At most so many tasks, the newest.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.
        BadAnswer: The platform answered with something else than tasks.

    Source: `GET /api/v1/tasks` (pipeline dialect) or `GET /api/tasks` (queue dialect).
    """
    found = read_tasks(platform, _query(status, project, title, since, limit), progress=progress)
    return _noted(tasks_frame(found.tasks), found.rejected)


@describes(STAGES)
def load_stages(
    platform: Platform,
    tasks: Tasks | None = None,
    *,
    status: Status | None = None,
    project: str | None = None,
    title: str | None = None,
    since: Moment | None = None,
    limit: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Stages, one row each, tasks newest first and stages in template order.

    Pages of tasks carry their stages: without `tasks` nothing is asked for twice. Records already hold them and ask
    nothing; a frame or ids cost one request a task, and tasks that are gone are in `frame.attrs["rejected"]`.

    Args:
        platform: Where to read, from `connect()`.
        tasks: Whose stages: a frame with `task_id`, ids, or records; None for all that the filters let through.
        status: Only stages of tasks in this status; like the other filters it serves when `tasks` is None.
        project: Only stages of tasks of this project.
        title: Only stages of tasks whose name contains this.
        since: Only stages of tasks created since then.
        limit: Stages of at most so many tasks, the newest.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.
        BadAnswer: The platform answered with something else than tasks.

    Source: the `stages` of `GET /api/v1/tasks` and `GET /api/v1/tasks/{id}` (pipeline dialect); a queue has none.
    """
    if tasks is None:
        found = read_tasks(platform, _query(status, project, title, since, limit), progress=progress)
    else:
        found = _records(platform, tasks, progress=progress)
    return _noted(stages_frame(found.tasks), found.rejected)


@describes(ATTEMPTS)
def load_attempts(
    platform: Platform, tasks: Tasks | None = None, *, evidence: AttemptSource | None = None, progress: bool = True
) -> pd.DataFrame:
    """Attempts that the platform still knows, one row each; tasks in the order given, then by stage and attempt.

    A platform that keeps no attempts (`capabilities.keeps_attempts`) knows the latest of each stage only.

    Args:
        platform: Where to read, from `connect()`.
        tasks: Whose attempts: a frame with `task_id`, ids, or records; None for all tasks. One request a task.
        evidence: What was kept of attempts that the platform does not know any more; their `source` says so.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.

    Source: `GET /api/v1/tasks/{id}/attempts` (embedded), else the stages of `GET /api/v1/tasks/{id}`.
    """
    ids = task_ids(read_tasks(platform, progress=progress).tasks if tasks is None else tasks)
    found, rejected = _each(
        ids, lambda task_id: _attempts(platform, evidence, task_id), what="attempts", progress=progress
    )
    return _noted(attempts_frame(attempt for attempts in found for attempt in attempts), rejected)


@describes(LOGS)
def load_logs(platform: Platform, task_id: str, stage: str | None = None) -> pd.DataFrame:
    """Log lines of one task in their order, one row each.

    Args:
        platform: Where to read, from `connect()`.
        task_id: Whose log.
        stage: Name of the stage; None for all.

    Returns:
        {columns}

    Raises:
        NotFound: No such task.
        Unsupported: The platform keeps no logs.
        Unavailable: The platform did not answer, also when asked again.

    Source: `GET /api/v1/task-logs` (pipeline dialect).
    """
    return logs_frame(platform.logs(task_id, stage))


def read_tasks(platform: Platform, query: TaskQuery | None = None, *, progress: bool = False) -> TaskSet:
    """The records behind `load_tasks` and `load_stages`: every page of a query, once."""
    tasks: list[TaskRecord] = []
    rejected: list[Rejected] = []
    with progress_bar("tasks", shown=progress) as bar:
        for page in platform.tasks(query or TaskQuery()):
            tasks.extend(page.tasks)
            rejected.extend(page.rejected)
            bar.total = page.total
            bar.update(len(page.tasks))
    return TaskSet(tasks=tuple(tasks), rejected=tuple(rejected))


def read_files(platform: Platform, tasks: Tasks, *, progress: bool = False) -> tuple[TaskFiles, ...]:
    """Input files of each task; a task whose files the platform does not know is left out. One request a task."""
    found, _ = _each(task_ids(tasks), platform.files, what="files", progress=progress)
    return tuple(files for files in found if files is not None)


def task_ids(tasks: Tasks) -> tuple[str, ...]:
    """Ids of these tasks, each once, in order."""
    if isinstance(tasks, pd.DataFrame):
        return tuple(dict.fromkeys(tasks["task_id"].dropna()))
    if isinstance(tasks, str):
        raise TypeError("Give a list of ids, not one id as text.")
    return tuple(dict.fromkeys(task.task_id if isinstance(task, TaskRecord) else task for task in tasks))


def _attempts(platform: Platform, evidence: AttemptSource | None, task_id: str) -> tuple[AttemptRecord, ...]:
    """What the platform knows, and what was kept of the rest; stages in the platform's order, attempts in theirs."""
    kept = evidence.attempts(platform.origin, task_id) if evidence is not None else ()
    try:
        known = platform.attempts(task_id)
    except NotFound:
        if not kept:
            raise
        known = ()  # the task is gone, its evidence is not
    if not kept:
        return known
    order = {stage_id: at for at, stage_id in enumerate(dict.fromkeys(each.stage_id for each in (*known, *kept)))}
    every = {(each.stage_id, each.attempt): each for each in (*kept, *known)}
    return tuple(sorted(every.values(), key=lambda each: (order[each.stage_id], each.attempt)))


def _records(platform: Platform, tasks: Tasks, *, progress: bool) -> TaskSet:
    given = task_ids(tasks) if isinstance(tasks, pd.DataFrame | str) else tuple(tasks)
    known = tuple(task for task in given if isinstance(task, TaskRecord))
    if len(known) == len(given):
        return TaskSet(tasks=known)
    found, rejected = _each(task_ids(given), platform.task, what="tasks", progress=progress)
    return TaskSet(tasks=tuple(found), rejected=rejected)


def _each(
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


def _query(
    status: Status | None, project: str | None, title: str | None, since: Moment | None, limit: int | None
) -> TaskQuery:
    if status is not None and status not in get_args(Status):
        raise ValueError(f"status must be one of {', '.join(get_args(Status))}, not {status!r}.")
    if limit is not None and limit < 0:
        raise ValueError("limit must not be negative.")
    return TaskQuery(status=status, project=project, title=title, since=_moment(since), limit=limit)


def _moment(since: Moment | None) -> datetime | None:
    if since is None:
        return None
    if isinstance(since, timedelta):
        return datetime.now(UTC) - since
    moment = datetime.fromisoformat(since) if isinstance(since, str) else since
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _noted(frame: pd.DataFrame, rejected: Sequence[Rejected]) -> pd.DataFrame:
    """The frame with its rejected rows in `attrs`, as plain values because Parquet writes them as JSON."""
    frame.attrs["rejected"] = [asdict(row) for row in rejected]
    if rejected:
        first = rejected[0]
        message = f"{len(rejected)} row(s) could not be read, the first because {first.path}: {first.reason}"
        warnings.warn(message, RejectedRows, stacklevel=3)
    return frame

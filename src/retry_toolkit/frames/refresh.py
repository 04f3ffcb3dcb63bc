"""Bringing a frame of tasks up to date without loading what cannot have changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from threading import Event
from typing import Final

import pandas as pd

from retry_toolkit.frames.build import tasks_frame, tasks_of
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.load import load_tasks
from retry_toolkit.frames.notes import Notes
from retry_toolkit.frames.reading import TaskReading
from retry_toolkit.frames.schema import TASKS
from retry_toolkit.frames.single import read_each
from retry_toolkit.frames.splice import stack
from retry_toolkit.platforms.base import Platform, TaskQuery
from retry_toolkit.platforms.bulk import IN_FLIGHT, Reading

OVERLAP: Final = timedelta(minutes=10)
"""So much older than the newest known task may one be that was not there yet: clocks differ, and commits take time."""

OVER: Final = ("succeeded", "cancelled")
"""A task in one of these does not change any more."""


@describes(TASKS)
def refresh_tasks(
    platform: Platform,
    tasks: pd.DataFrame,
    *,
    in_flight: int = IN_FLIGHT,
    stop: Event | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """`tasks` as they are now: what is new or may have changed is asked for again, everything else is taken over.

    A task that succeeded or was cancelled does not change any more (running it again makes a new task). So the newest
    tasks are listed, and all that have failed; what was not over and is not among these is read one by one, and left
    out where it is gone.

    Args:
        platform: Where the tasks came from.
        tasks: All its tasks, from `load_tasks` without filters or from here.
        in_flight: Pages that are asked for at a time, 8 at most.
        stop: Ends the load when it is set, from another thread.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.
        BadAnswer: The platform answered with something else than tasks.
        LoadStopped: `stop` was set.

    Source: as in `load_tasks`; `GET /api/v1/tasks/{id}` (pipeline dialect) or `GET /api/tasks/{id}` (queue dialect).
    """
    newest = tasks["created_at"].max()
    if pd.isna(newest):
        return load_tasks(platform, in_flight=in_flight, stop=stop, progress=progress)
    how = Reading(in_flight=in_flight, stop=stop)
    since = (newest - OVERLAP).to_pydatetime()
    # What is listed last is newest: a task may fail, or recover, between the two.
    readings = [
        TaskReading(platform, query, how=how, progress=progress)
        for query in (TaskQuery(status="failed"), TaskQuery(since=since))
    ]
    listed = [tasks_of(list(reading.tables())) for reading in readings]
    open_ids = tasks.loc[~tasks["status"].isin(OVER), "task_id"]
    asked = open_ids[~open_ids.isin(pd.concat([frame["task_id"] for frame in listed]))].tolist()
    found, rejected = read_each(asked, platform.task, what="tasks", progress=progress)
    rest = tasks[~tasks["task_id"].isin(asked)]
    merged = newest_first([rest, *listed, tasks_frame(found)])
    notes = [reading.notes for reading in readings]
    return Notes(
        rejected=[*(row for note in notes for row in note.rejected), *rejected],
        set_aside=[value for note in notes for value in note.set_aside],
    ).on(merged)


def newest_first(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One frame of tasks; of those that are in several, the row of the last."""
    once = stack(frames).drop_duplicates("task_id", keep="last")
    return once.sort_values("created_at", ascending=False, kind="stable", na_position="last", ignore_index=True)

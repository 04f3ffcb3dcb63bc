"""Loaders: a platform's tasks, stages, attempts and logs as canonical frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol, overload

import pandas as pd

from retry_toolkit.errors import NotFound
from retry_toolkit.frames.build import attempts_frame, both_of, claims_of, logs_frame, stages_frame, stages_of, tasks_of
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.notes import IncompleteLoad, Notes, RejectedRows
from retry_toolkit.frames.query import Moment, make_query
from retry_toolkit.frames.reading import TaskReading
from retry_toolkit.frames.schema import ATTEMPTS, LOGS, STAGES, TASKS
from retry_toolkit.frames.single import Tasks, read_each, read_files, read_records, task_ids
from retry_toolkit.frames.snapshot import Snapshot
from retry_toolkit.frames.spool import write_snapshot
from retry_toolkit.platforms.base import AttemptRecord, Platform, Status
from retry_toolkit.platforms.bulk import IN_FLIGHT, Reading

__all__ = [
    "AttemptSource",
    "History",
    "IncompleteLoad",
    "Moment",
    "RejectedRows",
    "Tasks",
    "load_attempts",
    "load_history",
    "load_logs",
    "load_stages",
    "load_tasks",
    "read_attempts",
    "read_files",
    "read_tasks",
    "task_ids",
]


class AttemptSource(Protocol):
    """Where attempts are kept that a platform may have erased."""

    def attempts(self, origin: str, task_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt of a task that was kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Tasks and their stages from one pass, and the direct retries that tasks name."""

    tasks: pd.DataFrame
    stages: pd.DataFrame
    claims: Mapping[str, tuple[str, ...]]


@overload
def load_tasks(
    platform: Platform,
    *,
    status: Status | None = ...,
    project: str | None = ...,
    title: str | None = ...,
    since: Moment | None = ...,
    limit: int | None = ...,
    into: None = ...,
    in_flight: int = ...,
    stop: Event | None = ...,
    progress: bool = ...,
) -> pd.DataFrame: ...


@overload
def load_tasks(
    platform: Platform,
    *,
    status: Status | None = ...,
    project: str | None = ...,
    title: str | None = ...,
    since: Moment | None = ...,
    limit: int | None = ...,
    into: str | Path,
    in_flight: int = ...,
    stop: Event | None = ...,
    progress: bool = ...,
) -> Snapshot: ...


@describes(TASKS)
def load_tasks(
    platform: Platform,
    *,
    status: Status | None = None,
    project: str | None = None,
    title: str | None = None,
    since: Moment | None = None,
    limit: int | None = None,
    into: str | Path | None = None,
    in_flight: int = IN_FLIGHT,
    stop: Event | None = None,
    progress: bool = True,
) -> pd.DataFrame | Snapshot:
    """Tasks, one row each, newest first; rows that cannot be read are in `frame.attrs["rejected"]`.

    Args:
        platform: Where to read, from `connect()`.
        status: Only tasks in this status.
        project: Only tasks of this project, by its name or id.
        title: Only tasks whose name contains this, whatever its case.
        since: Only tasks created since then; those of unknown time stay.
        limit: At most so many tasks, the newest.
        into: A new directory: tasks and their stages are written there page by page, and the snapshot of them is
            returned instead of a frame. Memory does not grow with the number of tasks.
        in_flight: Pages that are asked for at a time, 8 at most; 8 where an answer takes longer than 50 ms.
        stop: Ends the load when it is set, from another thread.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.
        BadAnswer: The platform answered with something else than tasks.
        LoadStopped: `stop` was set; no thread and no file is left of the load.
        SnapshotError: `into` holds something else already.

    Source: `GET /api/v1/tasks` (pipeline dialect) or `GET /api/tasks` (queue dialect).
    """
    query = make_query(status=status, project=project, title=title, since=since, limit=limit)
    how = Reading(in_flight=in_flight, stop=stop)
    reading = TaskReading(platform, query, stages=into is not None, how=how, progress=progress)
    if into is not None:
        snapshot = write_snapshot(Path(into), reading, origin=platform.origin)
        reading.notes.warn()
        return snapshot
    frame = tasks_of(list(reading.tables()))
    return reading.notes.on(frame)


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
    in_flight: int = IN_FLIGHT,
    stop: Event | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Stages, one row each, tasks as they come (newest first) and stages in template order.

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

    Source: the `stages` of `GET /api/v1/tasks` and `GET /api/v1/tasks/{id}` (pipeline dialect); a queue has none.
    """
    if tasks is not None:
        records, rejected = read_records(platform, tasks, progress=progress)
        return Notes(rejected=rejected).on(stages_frame(records))
    query = make_query(status=status, project=project, title=title, since=since, limit=limit)
    how = Reading(in_flight=in_flight, stop=stop)
    reading = TaskReading(platform, query, stages=True, how=how, progress=progress)
    frame = stages_of(list(reading.tables()))
    return reading.notes.on(frame)


def load_history(
    platform: Platform,
    *,
    status: Status | None = None,
    project: str | None = None,
    title: str | None = None,
    since: Moment | None = None,
    limit: int | None = None,
    in_flight: int = IN_FLIGHT,
    stop: Event | None = None,
    progress: bool = True,
) -> History:
    """Tasks and their stages from one pass: the frames of `load_tasks` and `load_stages` for the price of one.

    Args:
        platform: Where to read, from `connect()`.
        status: Only tasks in this status.
        project: Only tasks of this project, by its name or id.
        title: Only tasks whose name contains this, whatever its case.
        since: Only tasks created since then; those of unknown time stay.
        limit: At most so many tasks, the newest.
        in_flight: Pages that are asked for at a time, 8 at most.
        stop: Ends the load when it is set, from another thread.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        `tasks` and `stages` as the other loaders give them, and `claims`: the direct retries that tasks name, by task.

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.
        BadAnswer: The platform answered with something else than tasks.
        LoadStopped: `stop` was set.

    Source: `GET /api/v1/tasks` (pipeline dialect) or `GET /api/tasks` (queue dialect).
    """
    query = make_query(status=status, project=project, title=title, since=since, limit=limit)
    how = Reading(in_flight=in_flight, stop=stop)
    reading = TaskReading(platform, query, stages=True, how=how, progress=progress)
    batches = list(reading.tables())
    tasks, stages = both_of(batches)
    stages.attrs |= reading.notes.attrs
    return History(tasks=reading.notes.on(tasks), stages=stages, claims=claims_of(batch.claims for batch in batches))


def read_tasks(platform: Platform, *, progress: bool = True) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """The frame of `load_tasks`, and the direct retries that tasks name, by task."""
    reading = TaskReading(platform, progress=progress)
    batches = list(reading.tables())
    return reading.notes.on(tasks_of(batches), level=3), claims_of(batch.claims for batch in batches)


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
    ids = task_ids(load_tasks(platform, progress=progress) if tasks is None else tasks)
    found, rejected = read_each(
        ids, lambda task_id: read_attempts(platform, evidence, task_id), what="attempts", progress=progress
    )
    return Notes(rejected=rejected).on(attempts_frame(attempt for attempts in found for attempt in attempts))


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


def read_attempts(platform: Platform, evidence: AttemptSource | None, task_id: str) -> tuple[AttemptRecord, ...]:
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

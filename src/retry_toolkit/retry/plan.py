"""Planning a retry: fresh reads go in, a plan comes out, nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd

from retry_toolkit.errors import NotFound, PermissionDenied, PlanRefused, RetryToolkitError, Unauthorized, Unsupported
from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.platforms.base import EVERY_TASK, Platform, StageRecord, TaskFiles, TaskQuery, TaskRecord
from retry_toolkit.retry import judge
from retry_toolkit.retry.history import History, Past, past_of
from retry_toolkit.retry.plan_rows import PlanRow, RetryPlan
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Action

__all__ = ["PlanRow", "RetryPlan", "plan_retry"]

Selection = pd.DataFrame | Iterable[str] | TaskQuery
"""Tasks to retry: a frame with `task_id`, ids, or a query with at least one filter."""

MOST_ITEMS = 500
"""Most tasks of one plan where neither the platform nor the caller says otherwise."""

IN_FLIGHT = 8
"""Reads that run at a time."""


def plan_retry(
    platform: Platform,
    tasks: Selection,
    *,
    action: Action = "stage",
    copy_files: bool = True,
    stage: str | None = None,
    name: str | None = None,
    history: History | None = None,
    max_items: int | None = None,
) -> RetryPlan:
    """What retrying these tasks would do; reads each of them anew and sends nothing.

    Args:
        platform: Where the tasks are, from `connect()`.
        tasks: A frame with `task_id`, ids, or a `TaskQuery` with a filter. Nothing selected never means everything.
        action: `stage` resets one failed stage in place, `task` makes a new task of each.
        copy_files: Of `task`: copy the input files, or link them.
        stage: Name of the stage to reset; the earliest failed one under its limit if None.
        name: Of `task`: name of the new tasks; the platform's choice if None.
        history: A tasks frame, or a pair of a tasks and an attempts frame, to learn from how earlier retries ended.
        max_items: Most tasks; the platform's `max_batch`, else 500, if None.

    Raises:
        PlanRefused: Nothing is selected, a task twice, or too many.
        Unsupported: The platform has no such retry.
        Unauthorized, PermissionDenied: The token may not read.
    """
    _check_action(platform, action, stage, name)
    ids = _selected(platform, tasks, max_items or platform.capabilities.max_batch or MOST_ITEMS)
    planner = _Planner(platform, action, stage, copy_files=copy_files, alone=len(ids) == 1)
    rows = _with_fingerprints(planner.rows(ids))
    if history is not None:
        rows = _with_past(rows, past_of(history, action))
    plan = RetryPlan(
        origin=platform.origin,
        action=action,
        copy_files=copy_files,
        name=name,
        rows=rows,
        hash="",
        platform=platform,
    )
    return replace(plan, hash=plan.content_hash())


def _check_action(platform: Platform, action: Action, stage: str | None, name: str | None) -> None:
    if action not in {"stage", "task"}:
        raise ValueError(f"action must be 'stage' or 'task', not {action!r}.")
    if action == "stage" and name is not None:
        raise ValueError("A stage retry makes no new task: it takes no name.")
    if action == "task" and stage is not None:
        raise ValueError("A whole retry begins with the first stage: it takes no stage.")
    can = platform.capabilities
    if (can.stage_retry if action == "stage" else can.whole_retry) == "none":
        what = "reset single stages" if action == "stage" else "retry tasks as a whole"
        raise Unsupported(f"{platform.name} cannot {what}.")


def _selected(platform: Platform, tasks: Selection, most: int) -> tuple[str, ...]:
    """Ids of the selection, each once.

    Raises:
        PlanRefused: There are none, too many, or one twice.
    """
    ids = _queried(platform, tasks, most) if isinstance(tasks, TaskQuery) else _listed(tasks)
    if not ids:
        raise PlanRefused("No task is selected.", advice="Select tasks; an empty selection never means all of them.")
    twice = [task_id for task_id, count in Counter(ids).items() if count > 1]
    if twice:
        shown = ", ".join(map(repr, twice[:3]))
        raise PlanRefused(f"{len(twice)} task(s) are selected twice: {shown}.", advice="Select each task once.")
    if len(ids) > most:
        raise PlanRefused(
            f"{_amount(tasks, ids)} tasks are selected, and a plan takes at most {most}.",
            advice="Select fewer, or say max_items=... if this is meant.",
        )
    return ids


def _listed(tasks: pd.DataFrame | Iterable[str]) -> tuple[str, ...]:
    if isinstance(tasks, str):
        raise TypeError("Give a list of ids, not one id as text.")
    return tuple(tasks["task_id"].dropna()) if isinstance(tasks, pd.DataFrame) else tuple(tasks)


def _queried(platform: Platform, query: TaskQuery, most: int) -> tuple[str, ...]:
    """Ids that a query means, read only until there are too many; rows that shift between pages count once."""
    if query == EVERY_TASK:
        raise PlanRefused("The query has no filter.", advice="Name a status, project, title or time.")
    ids: dict[str, None] = {}
    for page in platform.tasks(query):
        ids |= dict.fromkeys(task.task_id for task in page.tasks)
        if len(ids) > most:
            break
    return tuple(ids)


def _amount(tasks: Selection, ids: Sequence[str]) -> str:
    return f"More than {len(ids) - 1}" if isinstance(tasks, TaskQuery) else str(len(ids))


class _Planner:
    """Reads tasks and says what a retry of each would do."""

    def __init__(self, platform: Platform, action: Action, stage: str | None, *, copy_files: bool, alone: bool) -> None:
        self._platform = platform
        self._action = action
        self._stage = stage
        self._copy_files = copy_files
        self._alone = alone

    def rows(self, ids: Sequence[str]) -> tuple[PlanRow, ...]:
        """One row an id, in their order, read in a few threads."""
        pool = ThreadPoolExecutor(max_workers=IN_FLIGHT, thread_name_prefix="retry-toolkit-plan")
        try:
            return tuple(pool.map(self._row, ids))
        finally:
            pool.shutdown(cancel_futures=True)

    def _row(self, task_id: str) -> PlanRow:
        try:
            task = self._platform.task(task_id)
            return self._stage_row(task) if self._action == "stage" else self._whole_row(task)
        except (Unauthorized, PermissionDenied):
            raise
        except NotFound:
            return self._refused(task_id, say("gone"))
        except RetryToolkitError as error:
            return self._refused(task_id, say("unreadable", error=error.message))

    def _stage_row(self, task: TaskRecord) -> PlanRow:
        found = judge.stage_to_retry(task, self._stage)
        failed = found if isinstance(found, StageRecord) else task.failed_stage
        row = self._known(task, failed)
        if not isinstance(found, StageRecord):
            return replace(row, reason=found)
        behind = [other for other in task.stages if other.position > found.position]
        return replace(
            row,
            verdict="ready",
            kept=tuple(other.stage for other in task.stages if other.status == "succeeded"),
            after=tuple(other.stage for other in behind if other.status != "succeeded"),
            input_bytes=0,
        )

    def _whole_row(self, task: TaskRecord) -> PlanRow:
        row = self._known(task, None)
        refusal = judge.whole_refusal(task, alone=self._alone)
        if refusal is not None:
            return replace(row, reason=refusal)
        files = self._files(task.task_id)
        missing = sum(file.exists is False for file in files.files) if files else 0
        if missing:
            return replace(row, reason=say("files_missing", count=missing))
        size = _size(files) if self._copy_files else 0
        return replace(row, verdict="ready", input_bytes=size, free_bytes=files.free_bytes if files else None)

    def _known(self, task: TaskRecord, stage: StageRecord | None) -> PlanRow:
        row = PlanRow(
            task_id=task.task_id,
            name=task.name,
            action=self._action,
            verdict="refused",
            attempt=len(task.retried_by) if self._action == "task" else None,
            retry_limit=task.retry_limit,
            error=_error_of(task),
        )
        if stage is None:
            return row
        return replace(
            row,
            stage_id=stage.stage_id,
            stage=stage.stage,
            attempt=stage.retry_count,
            retry_limit=stage.retry_limit,
            error=stage.error or task.error,
        )

    def _refused(self, task_id: str, reason: str) -> PlanRow:
        return PlanRow(task_id=task_id, action=self._action, verdict="refused", reason=reason)

    def _files(self, task_id: str) -> TaskFiles | None:
        if not self._platform.capabilities.files:
            return None
        try:
            return self._platform.files(task_id)
        except (Unauthorized, PermissionDenied):
            raise
        except RetryToolkitError:
            return None


def _error_of(task: TaskRecord) -> str | None:
    failed = task.failed_stage
    return (failed and failed.error) or task.error


def _size(files: TaskFiles | None) -> int | None:
    sizes = [file.size_bytes for file in files.files] if files else [None]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _with_fingerprints(rows: Sequence[PlanRow]) -> tuple[PlanRow, ...]:
    found = fingerprints([row.error for row in rows]).to_pylist()
    return tuple(replace(row, fingerprint=one) for row, one in zip(rows, found, strict=True))


def _with_past(rows: Iterable[PlanRow], past: Mapping[str, Past]) -> tuple[PlanRow, ...]:
    return tuple(
        row if row.fingerprint is None else replace(row, past=past.get(row.fingerprint, Past(0))) for row in rows
    )

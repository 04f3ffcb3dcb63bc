"""Task records as columns: of single tasks, and of platforms that do not read in bulk."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from retry_toolkit.frames.schema import STAGES, TASKS
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.platforms.bulk import Batch, Getter, Layout, of_failed, of_stage, of_task, task_retries


def _failed_first(column: str) -> Getter:
    """The value of the earliest failed stage, else the task's own."""
    get = attrgetter(column)
    return lambda batch: [(stage and get(stage)) or get(row) for row, stage in _pairs(batch)]


def _failed_only(column: str) -> Getter:
    """The value of the earliest failed stage, whatever it is; the task's own where no stage has failed."""
    get = attrgetter(column)
    return lambda batch: [get(row) if stage is None else get(stage) for row, stage in _pairs(batch)]


def _pairs(batch: Batch) -> zip[tuple[Any, Any]]:
    return zip(batch.rows, batch.failed, strict=True)


_OWN = [column.name for column in TASKS if column.name in TaskRecord.__dataclass_fields__]

RECORDS = Layout(
    tasks={name: of_task(name) for name in _OWN}
    | {
        "failed_stage": of_failed("stage"),
        "failure_category": _failed_first("failure_category"),
        "error": _failed_first("error"),
        "retry_count": task_retries("retry_count"),
        "retry_limit": _failed_only("retry_limit"),
    },
    stages={column.name: of_stage(column.name) for column in STAGES if column.name != "fingerprint"},
    stages_of=attrgetter("stages"),
    statuses=lambda batch: [task.status for task in batch.rows],
    stage_statuses=lambda batch: [stage.status for stage in batch.every_stage],
    retried_by=attrgetter("retried_by"),
    outline=lambda task: task,
)
"""Every column is an attribute, but those that a failed stage speaks for."""

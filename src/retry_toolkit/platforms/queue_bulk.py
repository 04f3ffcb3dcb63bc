"""The queue dialect in bulk: plain rows as columns. `queue_wire` says the same of one task."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from retry_toolkit.platforms.base import Refusal, Status, TaskRecord
from retry_toolkit.platforms.bulk import Batch, Getter, Layout, Values, first_of, of_task
from retry_toolkit.platforms.decode import parse_moment
from retry_toolkit.platforms.plain import PageReader, PlainRow
from retry_toolkit.platforms.queue_wire import WireJob, ended_at, error_text, status_of

Judge = Callable[[Status], Refusal | None]
"""Why a platform would refuse a task of this status."""


def page_reader() -> PageReader:
    """Reads pages of tasks."""
    return PageReader(WireJob, key="task_id", ids=_ids)


def queue_layout(judge: Judge) -> Layout:
    """How tasks of this dialect become columns; it has no stages."""
    return Layout(
        tasks=_TASKS | {"refusal": lambda batch: list(map(judge, batch.statuses))},
        stages={},
        stages_of=lambda _task: (),
        statuses=lambda batch: list(map(status_of, of_task("status")(batch))),
        stage_statuses=lambda _batch: [],
        retried_by=lambda task: task.retried_task_ids or (),
        outline=_outline,
    )


def _ids(task: PlainRow) -> Sequence[str]:
    return (task.task_id, task.parent_task_id or "", *(task.retried_task_ids or ()))


def _outline(task: PlainRow) -> TaskRecord:
    return TaskRecord(
        task_id=task.task_id,
        name=task.display_name or task.job_name or None,
        status=status_of(task.status),
        native_status=task.status or "unknown",
        created_at=parse_moment(task.created_at),
    )


def _native(batch: Batch) -> Values:
    return [task.status or "unknown" for task in batch.rows]


def _durations(batch: Batch) -> Values:
    return [task.elapsed_seconds if task.duration is None else task.duration for task in batch.rows]


def _errors(batch: Batch) -> Values:
    pairs = zip(batch.rows, batch.statuses, strict=True)
    return [error_text(status, task.error_detail, task.message) for task, status in pairs]


def _finished(batch: Batch) -> Values:
    pairs = zip(batch.rows, batch.statuses, strict=True)
    return [ended_at(status, task.status_history) for task, status in pairs]


_TASKS: dict[str, Getter] = {
    "task_id": of_task("task_id"),
    "name": first_of(of_task("display_name"), of_task("job_name")),
    "status": lambda batch: batch.statuses,
    "native_status": _native,
    "created_at": of_task("created_at"),
    "finished_at": _finished,
    "duration_s": _durations,
    "template": first_of(of_task("solver_type"), of_task("job_name")),
    "owner": of_task("submitter"),
    "error": _errors,
    "retry_count": of_task("retry_count"),
    "parent_id": first_of(of_task("parent_task_id")),
}

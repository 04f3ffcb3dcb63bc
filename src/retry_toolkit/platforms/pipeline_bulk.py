"""The pipeline dialect in bulk: plain rows as columns. `pipeline_wire` says the same of one task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from retry_toolkit.platforms.base import Refusal, Status, TaskRecord
from retry_toolkit.platforms.bulk import (
    Batch,
    Getter,
    Layout,
    NullIsZero,
    Values,
    first_of,
    of_failed,
    of_stage,
    of_task,
    task_retries,
)
from retry_toolkit.platforms.decode import parse_moment
from retry_toolkit.platforms.pipeline_wire import WireTask, running_time, status_of
from retry_toolkit.platforms.plain import PageReader, PlainRow

Judge = Callable[[Status, Iterable[tuple[int, int | None]]], Refusal | None]
"""Why a platform would refuse a task of this status whose failed stages have had so many retries of so many."""

TemplateLimit = Callable[[str, str], int]
"""Retries that a template (by its id) allows of a stage (by its name)."""


def page_reader() -> PageReader:
    """Reads pages of tasks with their stages."""
    return PageReader(WireTask, key="id", ids=_ids)


def pipeline_layout(template_limit: TemplateLimit, judge: Judge) -> Layout:
    """How tasks of this dialect become columns."""

    def limit(task: PlainRow, stage: PlainRow) -> int:
        known: int | None = stage.max_retries
        return template_limit(str(task.template_id), stage.stage_name or stage.id) if known is None else known

    def stage_limits(batch: Batch) -> Values:
        known = of_stage("max_retries")(batch)
        if None not in known:
            return known
        return [limit(task, stage) for task, stages in zip(batch.rows, batch.stages, strict=True) for stage in stages]

    def task_limits(batch: Batch) -> Values:
        pairs = zip(batch.rows, batch.failed, strict=True)
        return [None if stage is None else limit(task, stage) for task, stage in pairs]

    def refusals(batch: Batch) -> Values:
        rows = zip(batch.rows, batch.statuses, strict=True)
        return [
            judge(status, [(stage.retry_count or 0, limit(task, stage)) for stage in batch.failures.get(at, ())])
            for at, (task, status) in enumerate(rows)
        ]

    return Layout(
        tasks=_TASKS | {"retry_limit": task_limits, "refusal": refusals},
        stages=_STAGES | {"retry_limit": stage_limits},
        stages_of=lambda task: task.stages or (),
        statuses=lambda batch: list(map(status_of, of_task("status")(batch))),
        stage_statuses=lambda batch: list(map(status_of, of_stage("status")(batch))),
        retried_by=lambda task: task.retried_task_ids or (),
        outline=_outline,
    )


def _ids(task: PlainRow) -> Sequence[str]:
    stages = [stage.id for stage in task.stages] if task.stages else []
    return [task.task_id, task.parent_task_id or "", *stages, *(task.retried_task_ids or ())]


def _outline(task: PlainRow) -> TaskRecord:
    return TaskRecord(
        task_id=task.task_id,
        name=task.title,
        status=status_of(task.status),
        native_status=task.status or "unknown",
        created_at=parse_moment(task.created_at),
        project=task.project_name or task.project_id,
        extra={"project_id": task.project_id},
    )


def _or_unknown(getter: Getter) -> Getter:
    return lambda batch: [word or "unknown" for word in getter(batch)]


def _stage_names(batch: Batch) -> Values:
    return [stage.stage_name or stage.id for stage in batch.every_stage]


def _failed_names(batch: Batch) -> Values:
    return [None if stage is None else stage.stage_name or stage.id for stage in batch.failed]


def _running_times(batch: Batch) -> Values:
    return [running_time([stage.duration_seconds for stage in stages]) for stages in batch.stages]


_TASKS: dict[str, Getter] = {
    "task_id": of_task("task_id"),
    "name": of_task("title"),
    "status": lambda batch: batch.statuses,
    "native_status": _or_unknown(of_task("status")),
    "created_at": of_task("created_at"),
    "finished_at": of_task("completed_at"),
    "duration_s": _running_times,
    "template": first_of(of_task("template_name"), of_task("template_id")),
    "project": first_of(of_task("project_name"), of_task("project_id")),
    "owner": of_task("submitter"),
    "failed_stage": _failed_names,
    "failure_category": of_failed("failure_category"),
    "error": of_failed("error_message"),
    "retry_count": task_retries("lineage_retry_count"),
    "parent_id": first_of(of_task("parent_task_id")),
    "tokens": NullIsZero(of_task("total_tokens")),
    "cost": NullIsZero(of_task("total_cost_rmb")),
}

_STAGES: dict[str, Getter] = {
    "stage_id": of_stage("id"),
    "stage": _stage_names,
    "role": of_stage("agent_role"),
    "status": lambda batch: batch.stage_statuses,
    "native_status": _or_unknown(of_stage("status")),
    "started_at": of_stage("started_at"),
    "finished_at": of_stage("completed_at"),
    "duration_s": of_stage("duration_seconds"),
    "retry_count": NullIsZero(of_stage("retry_count")),
    "failure_category": of_stage("failure_category"),
    "error": of_stage("error_message"),
    "output_summary": of_stage("output_summary"),
    "tokens": NullIsZero(of_stage("tokens_used")),
    "turns": NullIsZero(of_stage("turns_used")),
    "self_fixes": NullIsZero(of_stage("self_fix_count")),
    "score": of_stage("self_assessment_score"),
}

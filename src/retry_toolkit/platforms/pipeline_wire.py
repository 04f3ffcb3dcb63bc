"""The pipeline dialect on the wire: its objects, and how they become records. Source: the pipeline contract."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal

from pydantic import ConfigDict, Field

from retry_toolkit.platforms.base import AttemptRecord, LogRecord, Recalled, StageRecord, Status, TaskRecord
from retry_toolkit.platforms.decode import (
    NOTES,
    Count,
    Id,
    Moment,
    NullIsNought,
    NullIsZero,
    Number,
    Object,
    OptionalId,
    Text,
    WireModel,
    ZeroUnlessSent,
    read_model,
)

STATUS_WORDS: dict[str, Status] = {
    "pending": "pending",
    "planning": "pending",
    "running": "running",
    "completed": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}

FILTER_WORDS: dict[Status, str] = {
    "running": "running",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""Statuses that one native word covers, so that the platform can filter by them."""

_LOG_TEXTS = ("result", "output_summary", "response_body", "request_body", "command")


class WireStage(WireModel):
    """A stage."""

    id: Id
    stage_name: Text = None
    agent_role: Text = None
    status: Text = None
    started_at: Moment = None
    completed_at: Moment = None
    duration_seconds: Number = None
    tokens_used: NullIsZero = None
    turns_used: NullIsZero = None
    self_fix_count: NullIsZero = None
    retry_count: ZeroUnlessSent = None
    max_retries: Count = None
    output_summary: Text = None
    output_structured: Object = None
    error_message: Text = None
    failure_category: Text = None
    self_assessment_score: Number = None

    def record(self, task_id: str, position: int) -> StageRecord:
        """This stage as a record of its task."""
        return StageRecord(
            task_id=task_id,
            stage_id=self.id,
            stage=self.stage_name or self.id,
            position=position,
            status=status_of(self.status),
            native_status=self.status or "unknown",
            role=self.agent_role,
            started_at=self.started_at,
            finished_at=self.completed_at,
            duration_s=self.duration_seconds,
            retry_count=self.retry_count or 0,
            retry_limit=self.max_retries,
            failure_category=self.failure_category,
            error=self.error_message,
            output_summary=self.output_summary,
            output=self.output_structured,
            tokens=self.tokens_used,
            turns=self.turns_used,
            self_fixes=self.self_fix_count,
            score=self.self_assessment_score,
            extra=self.surplus,
        )


class WireTask(WireModel):
    """A task with its stages; the lineage fields come from the embedded platform only."""

    id: Id
    title: Text = None
    status: Text = None
    created_at: Moment = None
    completed_at: Moment = None
    stages: list[WireStage] | None = None
    total_tokens: NullIsZero = None
    total_cost_rmb: NullIsNought = None
    template_id: Text = None
    template_name: Text = None
    project_id: Text = None
    project_name: Text = None
    submitter: Text = None
    params: Object = None
    parent_task_id: OptionalId = None
    retried_task_ids: list[Id] | None = None
    lineage_retry_count: Count = None

    def record(self, notes: list[str]) -> TaskRecord:
        """This task as a record."""
        stages = tuple(stage.record(self.id, position) for position, stage in enumerate(self.stages or ()))
        extra = self.surplus | {"template_id": self.template_id, "project_id": self.project_id}
        return TaskRecord(
            task_id=self.id,
            name=self.title,
            status=status_of(self.status),
            native_status=self.status or "unknown",
            created_at=self.created_at,
            finished_at=self.completed_at,
            duration_s=running_time(stage.duration_s for stage in stages),
            template=self.template_name or self.template_id,
            project=self.project_name or self.project_id,
            owner=self.submitter,
            retry_count=self.lineage_retry_count,
            parent_id=self.parent_task_id,
            retried_by=tuple(self.retried_task_ids or ()),
            tokens=self.total_tokens,
            cost=self.total_cost_rmb,
            progress=_progress(stages),
            stages=stages,
            parameters=self.params,
            extra=extra | ({NOTES: notes} if notes else {}),
        )


class WireAttempt(WireModel):
    """An attempt of a stage, from the embedded platform."""

    task_id: Id
    stage_id: Id
    stage_name: Text = None
    attempt: int = Field(ge=1)
    status: Text = None
    started_at: Moment = None
    completed_at: Moment = None
    duration_seconds: Number = None
    tokens_used: NullIsZero = None
    error_message: Text = None
    requested_by: Text = None

    def record(self) -> AttemptRecord:
        """This attempt as a record."""
        return AttemptRecord(
            task_id=self.task_id,
            stage_id=self.stage_id,
            stage=self.stage_name or self.stage_id,
            attempt=self.attempt,
            status=status_of(self.status),
            started_at=self.started_at,
            finished_at=self.completed_at,
            duration_s=self.duration_seconds,
            error=self.error_message,
            tokens=self.tokens_used,
            requested_by=self.requested_by,
        )


class WireLogRow(WireModel):
    """A row of the task log."""

    id: Text = None
    task_id: Text = None
    stage_name: Text = None
    event_seq: Count = None
    event_type: Text = None
    event_source: Text = None
    created_at: Moment = None
    output_truncated: Any = None
    result: Text = None
    output_summary: Text = None
    response_body: Text = None
    request_body: Text = None
    command: Text = None

    def record(self, task_id: str, position: int) -> LogRecord:
        """This row as a record; `position` stands in for a missing sequence number."""
        texts = (getattr(self, name) for name in _LOG_TEXTS)
        return LogRecord(
            task_id=task_id,
            stage=self.stage_name,
            seq=position if self.event_seq is None else self.event_seq,
            time=self.created_at,
            kind=self.event_type or self.event_source or "event",
            text=next((text for text in texts if text is not None), ""),
            truncated=self.output_truncated is True,
        )


class WireKey(WireModel):
    """What the embedded platform tells of an idempotency key."""

    key: Id
    state: Literal["done", "called_off", "open"]
    new_task_id: OptionalId = None

    def record(self) -> Recalled:
        """This as a record."""
        return Recalled(state=self.state, new_task_id=self.new_task_id)


class WireBatchItem(WireModel):
    """What became of one task of a batch."""

    model_config = ConfigDict(strict=True)

    task_id: Id
    success: bool
    reason: Text = None
    task: Any = None


class WireBatch(WireModel):
    """What became of a batch."""

    items: list[WireBatchItem]


def read_task(value: object) -> TaskRecord:
    """A task of this dialect as a record.

    Raises:
        Unreadable: Its meaning is lost.
    """
    task, notes = read_model(WireTask, value)
    return task.record(notes)


@lru_cache(maxsize=1024)
def status_of(word: str | None) -> Status:
    """The toolkit's status for a word of this dialect."""
    return STATUS_WORDS.get((word or "").strip().lower(), "unknown")


def current_attempts(task: TaskRecord) -> tuple[AttemptRecord, ...]:
    """The latest attempt of each stage that has begun: all that a platform without history knows."""
    return tuple(
        AttemptRecord(
            task_id=stage.task_id,
            stage_id=stage.stage_id,
            stage=stage.stage,
            attempt=stage.retry_count + 1,
            status=stage.status,
            started_at=stage.started_at,
            finished_at=stage.finished_at,
            duration_s=stage.duration_s,
            error=stage.error,
            tokens=stage.tokens,
        )
        for stage in task.stages
        if stage.status not in {"pending", "skipped"}
    )


def running_time(durations: Iterable[float | None]) -> float | None:
    """Seconds that the latest attempts ran: a task that is retried days later did not run for days."""
    known = [seconds for seconds in durations if seconds is not None]
    return sum(known) if known else None


def _progress(stages: tuple[StageRecord, ...]) -> float | None:
    if not stages:
        return None
    return sum(stage.status in {"succeeded", "skipped"} for stage in stages) / len(stages)

"""Values of the embedded platform, as the store keeps them; times are aware UTC, durations seconds, sizes bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

TaskStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
StageStatus = Literal["pending", "running", "completed", "failed", "skipped"]
FileMethod = Literal["original", "copied", "linked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a task as it stands now; `retry_count` is its attempt number less one."""

    id: str
    task_id: str
    name: str
    role: str
    position: int
    status: StageStatus = "pending"
    retry_count: int = 0
    max_retries: int = 3
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: float | None = None
    tokens_used: int = 0
    error_message: str | None = None
    failure_category: str | None = None
    output_summary: str | None = None
    output_structured: dict[str, Any] | None = None
    requested_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task with its stages in template order.

    `run` counts the times that the task was started: it names the durable workflow, so starting it twice is impossible.
    `retry_count` counts whole retries along the chain (0 for an original), `retried_task_ids` are its direct retries.
    An entry of `status_history` is `{status, timestamp (epoch s), error}`.
    """

    id: str
    title: str
    pipeline: str
    project_id: str | None
    submitter: str | None
    params: dict[str, Any]
    status: TaskStatus
    created_at: datetime
    completed_at: datetime | None = None
    run: int = 1
    parent_task_id: str | None = None
    retry_count: int = 0
    retried_task_ids: tuple[str, ...] = ()
    retention_until: datetime | None = None
    stages: tuple[Stage, ...] = ()
    status_history: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One execution of a stage, kept for ever; `attempt` counts from 1."""

    task_id: str
    stage_id: str
    stage: str
    attempt: int
    status: StageStatus
    started_at: datetime | None = None
    completed_at: datetime | None = None
    duration_seconds: float | None = None
    tokens_used: int = 0
    error_message: str | None = None
    failure_category: str | None = None
    output_summary: str | None = None
    output_structured: dict[str, Any] | None = None
    requested_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One input file of a task, by its name inside the task's input directory."""

    name: str
    size_bytes: int
    method: FileMethod
    source_task_id: str | None = None
    exists: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """One page of tasks, newest first, and how many there are in all."""

    items: tuple[Task, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an action answers: the same value is stored with an idempotency key and sent again for a repeat."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)

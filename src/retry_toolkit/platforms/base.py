"""The one contract of every platform: its records, its capabilities, its few methods.

Records are what a platform knows, in the toolkit's words: ids are strings, times are aware UTC datetimes, and
unknown is None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

Status = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped", "unknown"]
STATUSES: tuple[Status, ...] = ("pending", "running", "succeeded", "failed", "cancelled", "skipped", "unknown")
FINISHED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled", "skipped"})

Refusal = Literal["not_failed", "limit_reached", "no_failed_stage", "files_missing", "unsupported", "read_only"]
Method = Literal["original", "copied", "linked", "unknown"]
Dialect = Literal["pipeline", "queue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a platform can do; panels grey out the rest and say why."""

    stage_retry: Literal["in_place", "new_run", "none"]
    whole_retry: Literal["new_task", "none"]
    batch: Literal["per_item", "none"]
    max_batch: int | None = None
    start_anywhere: bool = False
    idempotency: Literal["key", "attempt_number", "none"] = "none"
    keeps_attempts: bool = False
    files: bool = False
    logs: bool = False
    cancel: bool = False
    parameters: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One stage of a task. Durations are seconds; `position` counts from 0 in template order.

    `extra` holds every field that has no name here.
    """

    task_id: str
    stage_id: str
    stage: str
    position: int
    status: Status
    native_status: str
    role: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float | None = None
    retry_count: int = 0
    retry_limit: int | None = None
    failure_category: str | None = None
    error: str | None = None
    output_summary: str | None = None
    output: dict[str, Any] | None = None
    tokens: int | None = None
    turns: int | None = None
    self_fixes: int | None = None
    score: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """One task. `stages` is empty where a platform has none; `extra` holds every field that has no name here.

    `retry_count` is the number in its chain of whole retries (0 for an original), `retried_by` the direct retries.
    `cost` is in the platform's currency; `progress` runs from 0 to 1.
    """

    task_id: str
    name: str | None
    status: Status
    native_status: str
    created_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float | None = None
    template: str | None = None
    project: str | None = None
    owner: str | None = None
    failure_category: str | None = None
    error: str | None = None
    retry_count: int | None = None
    retry_limit: int | None = None
    parent_id: str | None = None
    retried_by: tuple[str, ...] = ()
    tokens: int | None = None
    cost: float | None = None
    progress: float | None = None
    refusal: Refusal | None = None
    stages: tuple[StageRecord, ...] = ()
    parameters: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def failed_stage(self) -> StageRecord | None:
        """The earliest failed stage, or None."""
        return next((stage for stage in self.stages if stage.status == "failed"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One execution of a stage that is known; `attempt` counts from 1."""

    task_id: str
    stage_id: str
    stage: str
    attempt: int
    status: Status
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float | None = None
    error: str | None = None
    tokens: int | None = None
    requested_by: str | None = None
    source: Literal["platform", "evidence"] = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One line of a stage's log, in the order of `seq`."""

    task_id: str
    stage: str | None
    seq: int
    time: datetime | None
    kind: str
    text: str
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One input file of a task; `size_bytes` None means unknown."""

    name: str
    size_bytes: int | None
    exists: bool | None
    method: Method
    source_task_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFiles:
    """The input files of a task, until when they are kept, and the free bytes where copies of them would go."""

    task_id: str
    files: tuple[FileRecord, ...]
    retention_until: datetime | None = None
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that could not be read: where it was, and why."""

    page: int
    index: int
    path: str
    reason: str


class Row(Protocol):
    """A task in any form."""

    @property
    def task_id(self) -> str:
        """Its id."""


RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, kw_only=True)  # without slots: `TaskPage(...)` could not be called
class Page(Generic[RowT]):
    """One page of tasks, newest first; `total` is what the platform says the listing has in all, or None."""

    number: int
    tasks: tuple[RowT, ...]
    rejected: tuple[Rejected, ...] = ()
    total: int | None = None


TaskPage = Page[TaskRecord]
"""A page of records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks to ask for; what a platform cannot filter itself is filtered here, after reading."""

    status: Status | None = None
    project: str | None = None
    title: str | None = None
    since: datetime | None = None
    limit: int | None = None


EVERY_TASK = TaskQuery()
"""The query that leaves nothing out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRetry:
    """A stage retry that the platform accepted: the task after the reset. Accepted is not succeeded."""

    task: TaskRecord
    stage_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetry:
    """A whole retry that the platform accepted: the new task's id, and what became of the input files."""

    task_id: str
    new_task_id: str
    files_copied: int | None = None
    files_linked: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """What a platform said of one task of a batch; `reason` keeps its own words."""

    task_id: str
    accepted: bool
    reason: str = ""
    task: TaskRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRetry:
    """Answers to a batch retry, one item a task that was asked for, in that order."""

    items: tuple[BatchItem, ...]

    @property
    def accepted(self) -> int:
        """How many were accepted (submitted, not succeeded)."""
        return sum(item.accepted for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What a platform knows of an idempotency key.

    `done`: it did what was asked under that key (`new_task_id` names the task that a whole retry made).
    `called_off`: it has not, and never will. `open`: it has not so far; a request may still be on its way.
    """

    state: Literal["done", "called_off", "open"]
    new_task_id: str | None = None


@runtime_checkable
class Remembering(Protocol):
    """A platform that tells what became of an idempotency key, and can be asked never to act on it."""

    def recall(self, key: str) -> Recalled:
        """What became of this key; a read."""

    def call_off(self, key: str) -> Recalled:
        """Refuse this key from now on unless it was acted on already; harmless when repeated, and retries nothing."""


@runtime_checkable
class Platform(Protocol):
    """A system that runs tasks. Reads may be repeated by the transport; a write is sent exactly once.

    Every method raises the errors of `retry_toolkit.errors`: `NotFound`, `PermissionDenied`, `Refused`, `Unavailable`,
    `BadAnswer`, and for writes `NotSent`, `UnclearOutcome`, `ReadOnly` and `Unsupported`.
    """

    @property
    def name(self) -> str:
        """What users see, such as `embedded · 127.0.0.1:8642`; never a credential."""

    @property
    def origin(self) -> str:
        """Scheme, host and port; names the platform in intents."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    @property
    def read_only(self) -> bool:
        """True when this connection refuses everything that writes."""

    def tasks(self, query: TaskQuery = ...) -> Iterator[TaskPage]:
        """Pages of tasks, newest first, each task once even when rows shift between pages."""

    def task(self, task_id: str) -> TaskRecord:
        """One task with its stages, fresh."""

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """Log lines in order, of one stage or of all."""

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt that the platform still knows."""

    def files(self, task_id: str) -> TaskFiles | None:
        """Input files, or None where the platform cannot tell."""

    def retry_stage(
        self,
        task_id: str,
        stage_id: str,
        *,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> StageRetry:
        """Reset one failed stage."""

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        item_keys: Mapping[str, str] | None = None,
    ) -> BatchRetry:
        """Reset the earliest failed stage of each task.

        By task id: `expected_retry_counts` of those stages, and in `item_keys` an idempotency key for each item.
        """

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,
        display_name: str | None = None,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskRetry:
        """Make a new task with the same parameters and copied or linked files."""

    def cancel(self, task_id: str) -> TaskRecord:
        """Cancel a queued or running task."""

    def close(self) -> None:
        """Release the connections."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

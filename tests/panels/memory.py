"""A platform in memory: it keeps the protocol, does what it is told, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from retry_toolkit.errors import NotFound, ReadOnly, Refused
from retry_toolkit.panels.state.table import TableState
from retry_toolkit.panels.widgets.markup import Node
from retry_toolkit.platforms.base import (
    AttemptRecord,
    BatchItem,
    BatchRetry,
    Capabilities,
    FileRecord,
    LogRecord,
    StageRecord,
    StageRetry,
    Status,
    TaskFiles,
    TaskPage,
    TaskQuery,
    TaskRecord,
    TaskRetry,
)

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
STAGES = ("validate", "clean", "join", "render")
EVERYTHING = Capabilities(
    stage_retry="in_place",
    whole_retry="new_task",
    batch="per_item",
    idempotency="key",
    keeps_attempts=True,
    files=True,
    logs=True,
    cancel=True,
    parameters=True,
)


def words_of(node: Node) -> str:
    """All text of a node."""
    return node if isinstance(node, str) else " ".join(words_of(child) for child in node[2])


def make_task(
    task_id: str,
    *,
    status: Status = "failed",
    failed_at: int = 2,
    retry_count: int = 0,
    retry_limit: int | None = 3,
    error: str = "KeyError: column 'amount' is missing",
    minutes_ago: float = 0,
    **fields: Any,
) -> TaskRecord:
    """A task of four stages; one that failed did so at the stage `failed_at`."""
    created = NOW - timedelta(minutes=minutes_ago)
    stages = tuple(
        _stage(
            task_id,
            position,
            status,
            failed_at=failed_at,
            created=created,
            retry_count=retry_count,
            retry_limit=retry_limit,
            error=error,
        )
        for position in range(len(STAGES))
    )
    refusal: Any = None if status == "failed" else "not_failed"
    if status == "failed" and retry_limit is not None and retry_count >= retry_limit:
        refusal = "limit_reached"
    values: dict[str, Any] = {
        "name": f"Sales report {task_id}",
        "native_status": status,
        "created_at": created,
        "duration_s": 4.2,
        "template": "sales_report",
        "project": "sales",
        "owner": "li.wei",
        "refusal": refusal,
        "retry_count": 0,
        "stages": stages,
    }
    return TaskRecord(task_id=task_id, status=status, **(values | fields))


def _stage(
    task_id: str,
    position: int,
    status: Status,
    *,
    failed_at: int,
    created: datetime,
    retry_count: int,
    retry_limit: int | None,
    error: str,
) -> StageRecord:
    own: Status = "succeeded"
    if status != "succeeded" and position >= failed_at:
        own = status if position == failed_at else "pending"
    failed = own == "failed"
    return StageRecord(
        task_id=task_id,
        stage_id=f"{task_id}-{STAGES[position]}",
        stage=STAGES[position],
        position=position,
        status=own,
        native_status=own,
        started_at=created if own != "pending" else None,
        duration_s=1.2 if own in {"succeeded", "failed"} else None,
        retry_count=retry_count if position == failed_at else 0,
        retry_limit=retry_limit,
        failure_category="tool_error" if failed else None,
        error=error if failed else None,
        output_summary="128 rows" if own == "succeeded" else None,
    )


@dataclass
class MemoryPlatform:
    """Tasks by id, newest first as given.

    Retried tasks wait; each `advance()` takes each one that waits or runs on, to its `results` (succeeded if unnamed).
    `refusals` maps a task to the words of a refusal, `breaks` a method to an error that it raises once, or each time
    where it `stays_broken`.
    """

    records: dict[str, TaskRecord]
    capabilities: Capabilities = EVERYTHING
    read_only: bool = False
    name: str = "memory · 127.0.0.1:8642"
    origin: str = "http://127.0.0.1:8642"
    results: dict[str, Status] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    breaks: dict[str, Exception] = field(default_factory=dict)
    happens_anyway: bool = False
    stays_broken: bool = False
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    page_size: int = 100
    advances_when_read: bool = False
    closed: bool = False
    log_lines: tuple[str, ...] = ("reading input.csv", "128 rows")
    free_bytes: int | None = None

    @classmethod
    def of(cls, *tasks: TaskRecord, **fields: Any) -> Self:
        """A platform with these tasks."""
        return cls({task.task_id: task for task in tasks}, **fields)

    def called(self, method: str) -> list[tuple[Any, ...]]:
        """Arguments of each call of a method."""
        return [call[1:] for call in self.calls if call[0] == method]

    def tasks(self, query: TaskQuery | None = None) -> Iterator[TaskPage]:
        self._note("tasks")
        rows = list(self.records.values())
        for number, first in enumerate(range(0, max(len(rows), 1), self.page_size), start=1):
            yield TaskPage(number=number, tasks=tuple(rows[first : first + self.page_size]), total=len(rows))

    def task(self, task_id: str) -> TaskRecord:
        self._note("task", task_id)
        if self.advances_when_read:
            self.advance(task_id)
        return self._known(task_id)

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        self._note("logs", task_id, stage)
        for seq, text in enumerate(self.log_lines):
            yield LogRecord(
                task_id=task_id,
                stage=stage,
                seq=seq,
                time=NOW,
                kind="stderr" if "Error" in text else "stdout",
                text=text,
            )

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        self._note("attempts", task_id)
        return tuple(
            _attempt(stage, number)
            for stage in self._known(task_id).stages
            for number in range(1, stage.retry_count + 2)
        )

    def files(self, task_id: str) -> TaskFiles | None:
        self._note("files", task_id)
        method: Any = self._known(task_id).extra.get("method", "original")
        return TaskFiles(
            task_id=task_id,
            files=tuple(
                FileRecord(name=f"part{number}.csv", size_bytes=240_000, exists=True, method=method)
                for number in range(5)
            ),
            retention_until=NOW + timedelta(days=30),
            free_bytes=self.free_bytes,
        )

    def retry_stage(
        self,
        task_id: str,
        stage_id: str,
        *,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> StageRetry:
        self._write(
            "retry_stage",
            task_id,
            stage_id,
            expected_retry_count,
            idempotency_key,
            do=lambda: self._reset(task_id, stage_id),
        )
        task = self._reset(task_id, stage_id)
        stage = next(stage for stage in task.stages if stage.stage_id == stage_id)
        return StageRetry(task=task, stage_id=stage_id, attempt=stage.retry_count + 1)

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        item_keys: Mapping[str, str] | None = None,
    ) -> BatchRetry:
        self._write(
            "retry_batch",
            tuple(task_ids),
            idempotency_key,
            do=lambda: [self._batch_item(task_id) for task_id in task_ids],
        )
        return BatchRetry(items=tuple(self._batch_item(task_id) for task_id in task_ids))

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,
        display_name: str | None = None,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskRetry:
        def do() -> str:
            return self._again(task_id, copy_files=copy_files, name=display_name)

        self._write("retry_task", task_id, copy_files, display_name, expected_retry_count, idempotency_key, do=do)
        return TaskRetry(
            task_id=task_id,
            new_task_id=do(),
            files_copied=5 if copy_files else 0,
            files_linked=0 if copy_files else 5,
        )

    def cancel(self, task_id: str) -> TaskRecord:
        self._note("cancel", task_id)
        return self._known(task_id)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def advance(self, only: str | None = None) -> None:
        """One step: waiting tasks run, running ones end."""
        for task_id, task in list(self.records.items()):
            if only in {None, task_id} and task.status in {"pending", "running"}:
                self.records[task_id] = self._stepped(task)

    def _stepped(self, task: TaskRecord) -> TaskRecord:
        if task.status == "pending":
            first = next((stage.position for stage in task.stages if stage.status == "pending"), 0)
            stages = tuple(
                replace(stage, status="running") if stage.position == first else stage for stage in task.stages
            )
            return replace(task, status="running", native_status="running", stages=stages)
        result = self.results.get(task.task_id, "succeeded")
        running = next((stage.position for stage in task.stages if stage.status == "running"), 0)
        ended = tuple(
            replace(
                stage,
                status=result if stage.position == running or result == "succeeded" else stage.status,
                error="Failed again" if result == "failed" and stage.position == running else None,
                duration_s=0.8,
            )
            if stage.position >= running
            else stage
            for stage in task.stages
        )
        return replace(
            task,
            status=result,
            native_status=result,
            stages=ended,
            refusal=None if result == "failed" else "not_failed",
        )

    def _note(self, method: str, *arguments: Any) -> None:
        self.calls.append((method, *arguments))
        if method in self.breaks:
            raise self.breaks[method] if self.stays_broken else self.breaks.pop(method)

    def _write(self, method: str, *arguments: Any, do: Any) -> None:
        if self.read_only:
            raise ReadOnly("This connection only reads.")
        if method in self.breaks and self.happens_anyway:
            do()
        self._note(method, *arguments)

    def _known(self, task_id: str) -> TaskRecord:
        if task_id not in self.records:
            raise NotFound("No such task.", status=404, detail="Task not found")
        return self.records[task_id]

    def _reset(self, task_id: str, stage_id: str) -> TaskRecord:
        task = self._known(task_id)
        if task_id in self.refusals:
            raise Refused("The platform refused.", status=400, detail=self.refusals[task_id])
        stages = tuple(
            replace(
                stage,
                status="pending",
                native_status="pending",
                retry_count=stage.retry_count + 1,
                error=None,
                failure_category=None,
            )
            if stage.stage_id == stage_id
            else stage
            for stage in task.stages
        )
        self.records[task_id] = replace(
            task, status="pending", native_status="pending", stages=stages, refusal="not_failed"
        )
        return self.records[task_id]

    def _batch_item(self, task_id: str) -> BatchItem:
        if task_id in self.refusals:
            return BatchItem(task_id=task_id, accepted=False, reason=self.refusals[task_id])
        stage = self._known(task_id).failed_stage
        if stage is None:
            return BatchItem(task_id=task_id, accepted=False, reason=f"task status is {self._known(task_id).status}")
        return BatchItem(task_id=task_id, accepted=True, task=self._reset(task_id, stage.stage_id))

    def _again(self, task_id: str, *, copy_files: bool, name: str | None) -> str:
        old = self._known(task_id)
        new_id = f"{task_id}-again-{len(old.retried_by) + 1}"
        new = make_task(
            new_id,
            status="pending",
            failed_at=0,
            name=name or f"{old.name} (重试)",
            parent_id=task_id,
            created_at=NOW + timedelta(minutes=len(self.records)),
            extra={"method": "copied" if copy_files else "linked"},
        )
        self.records = {new_id: new, **self.records, task_id: replace(old, retried_by=(*old.retried_by, new_id))}
        return new_id


def _attempt(stage: StageRecord, number: int) -> AttemptRecord:
    last = number == stage.retry_count + 1
    return AttemptRecord(
        task_id=stage.task_id,
        stage_id=stage.stage_id,
        stage=stage.stage,
        attempt=number,
        status=stage.status if last else "failed",
        started_at=stage.started_at,
        duration_s=stage.duration_s,
        error=stage.error
        if last
        else "Traceback (most recent call last):\n  File 'x.py'\nTimeoutError: upstream did not answer",
    )


def shown_ids(table: TableState) -> frozenset[str]:
    """Ids on the page that the table shows."""
    return frozenset() if table.window is None else frozenset(table.window.rows["task_id"])

"""A platform in memory that fails as told, and whose ledger says what it really did."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self, TypeVar
from uuid import uuid4

from retry_toolkit.errors import NotFound, NotSent, Refused, Unavailable, UnclearOutcome
from retry_toolkit.platforms.base import (
    AttemptRecord,
    BatchItem,
    BatchRetry,
    Capabilities,
    FileRecord,
    LogRecord,
    Recalled,
    StageRecord,
    StageRetry,
    Status,
    TaskFiles,
    TaskPage,
    TaskQuery,
    TaskRecord,
    TaskRetry,
)
from retry_toolkit.retry.policy import Timing

T = TypeVar("T")

ORIGIN = "http://ledger.test"
QUICK = Timing(
    confirm_after_s=(0.0, 0.0, 0.0),
    resend_first_s=0.002,
    look_first_s=0.002,
    look_longest_s=0.01,
    looks=4,
    misses=20,
    call_off_at=3,
    watch_first_s=0.002,
    watch_longest_s=0.01,
    watches_per_s=1e6,
    hold_first_s=0.001,
    hold_longest_s=0.01,
)

Fault = Literal[
    "well",  # acted on, and answered
    "refused",  # not acted on, and said so
    "not_sent",  # did not leave
    "lost_answer",  # acted on, and no answer
    "lost_request",  # not acted on, and no answer
    "late",  # acted on after the client gave up, when `deliver` is called
    "twice",  # delivered twice; the second answer comes back
    "wrong_task",  # not acted on; the answer is about another task
    "busy",  # not acted on: 429
    "error_after",  # acted on: 500
    "crash",  # not acted on; the client library breaks in an unexpected way
]
FAULTS: tuple[Fault, ...] = (
    *("well", "refused", "not_sent", "lost_answer", "lost_request", "late", "twice", "wrong_task", "busy"),
    *("error_after", "crash"),
)


def failed_task(task_id: str, *, retry_count: int = 0, retry_limit: int | None = 3, error: str = "boom") -> TaskRecord:
    """A task of three stages that failed at the second."""
    names: tuple[tuple[str, Status], ...] = (("load", "succeeded"), ("check", "failed"), ("finish", "pending"))
    stages = tuple(
        StageRecord(
            task_id=task_id,
            stage_id=f"{task_id}-{name}",
            stage=name,
            position=position,
            status=status,
            native_status=status,
            retry_count=retry_count if name == "check" else 0,
            retry_limit=retry_limit,
            error=error if name == "check" else None,
        )
        for position, (name, status) in enumerate(names)
    )
    return TaskRecord(
        task_id=task_id, name=f"Task {task_id}", status="failed", native_status="failed", retry_count=0, stages=stages
    )


PLAIN = Capabilities(
    stage_retry="in_place", whole_retry="new_task", batch="none", idempotency="attempt_number", logs=True, files=True
)
KEYED = replace(PLAIN, idempotency="key")
BATCHED = replace(PLAIN, batch="per_item", max_batch=3)
KEYED_BATCHED = replace(BATCHED, idempotency="key")


def refusal(status: int, words: str) -> Refused:
    """A refusal with the platform's words."""
    return Refused(words, status=status, detail=words)


@dataclass
class LedgerPlatform:
    """Tasks, faults by task in the order of their writes, and the ledger of what was done: (task, stage, attempt).

    Every platform has its own origin, so that many can share a journal. Retried tasks end at their next read: as
    `results` says, else succeeded. `writes` counts the requests of each task that may have left; `fails` makes every
    read fail while it is set.
    """

    records: dict[str, TaskRecord]
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    capabilities: Capabilities = PLAIN
    read_only: bool = False
    name: str = "ledger"
    origin: str = field(default_factory=lambda: f"http://{uuid4().hex}.test")
    ledger: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    batches: list[tuple[str, ...]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    waiting: list[Callable[[], object]] = field(default_factory=list)
    fails: bool = False
    before_write: Callable[[str], None] = lambda _: None
    most_writing: int = 0
    _writing: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def of(cls, *task_ids: str, **fields: object) -> Self:
        """A platform on which these tasks have failed."""
        return cls({task_id: failed_task(task_id) for task_id in task_ids}, **fields)  # type: ignore[arg-type]  # tests name fields

    @property
    def acted_twice(self) -> list[tuple[str, str, int]]:
        """What was done more than once."""
        return [deed for deed, count in self.ledger.items() if count > 1]

    def deliver(self) -> None:
        """Let every request arrive that was delayed in the network."""
        while self.waiting:
            self.waiting.pop(0)()

    def task(self, task_id: str) -> TaskRecord:
        with self._lock:
            if self.fails:
                raise Unavailable("No answer from the platform.")
            if task_id not in self.records:
                raise NotFound("Task not found", status=404, detail="Task not found")
            task = self.records[task_id]
            if task.status == "pending":
                self.records[task_id] = self._ended(task)
            return task

    def tasks(self, query: TaskQuery | None = None) -> Iterator[TaskPage]:
        yield TaskPage(number=1, tasks=tuple(self.records.values()), total=len(self.records))

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        yield LogRecord(task_id=task_id, stage=stage or "check", seq=0, time=None, kind="stdout", text="it broke")

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        return ()

    def files(self, task_id: str) -> TaskFiles | None:
        file = FileRecord(name="a.csv", size_bytes=100, exists=True, method="original")
        return TaskFiles(task_id=task_id, files=(file,))

    def retry_stage(
        self,
        task_id: str,
        stage_id: str,
        *,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> StageRetry:
        def act() -> StageRetry:
            task = self._reset(task_id, stage_id, idempotency_key, expected_retry_count)
            count = next(stage.retry_count for stage in task.stages if stage.stage_id == stage_id)
            return StageRetry(task=task, stage_id=stage_id, attempt=count + 1)

        other = StageRetry(task=failed_task("another"), stage_id=stage_id, attempt=2)
        return self._written([task_id], idempotency_key, act, other)

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        item_keys: Mapping[str, str] | None = None,
    ) -> BatchRetry:
        """The fault of the first task is that of the whole request, refusals are the tasks' own."""
        self.batches.append(tuple(task_ids))
        expected, keys = expected_retry_counts or {}, item_keys or {}

        def item(task_id: str) -> BatchItem:
            if task_id != task_ids[0] and self._next_fault(task_id) == "refused":
                return BatchItem(task_id=task_id, accepted=False, reason="task status is running")
            try:
                task = self._reset(task_id, f"{task_id}-check", keys.get(task_id), expected.get(task_id))
            except Refused as refusal:
                return BatchItem(task_id=task_id, accepted=False, reason=refusal.detail)
            return BatchItem(task_id=task_id, accepted=True, task=task)

        def act() -> BatchRetry:
            return BatchRetry(items=tuple(map(item, task_ids)))

        return self._written(task_ids, None, act, BatchRetry(items=()))

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,
        display_name: str | None = None,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskRetry:
        def act() -> TaskRetry:
            new = self._made(task_id, idempotency_key, expected_retry_count)
            return TaskRetry(task_id=task_id, new_task_id=new)

        other = TaskRetry(task_id=task_id, new_task_id="nobody")
        return self._written([task_id], idempotency_key, act, other)

    def cancel(self, task_id: str) -> TaskRecord:
        with self._lock:
            self.records[task_id] = replace(self.records[task_id], status="cancelled")
            return self.records[task_id]

    def close(self) -> None:
        """Nothing to release."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _written(self, task_ids: Sequence[str], key: str | None, act: Callable[[], T], other: T) -> T:
        """One request, with the next fault of its first task."""
        self.before_write(task_ids[0])
        with self._lock:
            self._writing += 1
            self.most_writing = max(self.most_writing, self._writing)
        try:
            with self._lock:
                return self._faulty(task_ids, key, act, other)
        finally:
            with self._lock:
                self._writing -= 1

    def _faulty(self, task_ids: Sequence[str], key: str | None, act: Callable[[], T], other: T) -> T:  # noqa: C901 - one line a fault reads best
        fault = self._next_fault(task_ids[0])
        if fault == "not_sent":
            raise NotSent("Nobody listens.")
        self.writes.update(task_ids)
        self.keys.append(key or "")
        match fault:
            case "refused":
                raise refusal(400, "task status is running")
            case "lost_answer":
                act()
                raise UnclearOutcome("The request was sent, then no answer came in time.")
            case "lost_request":
                raise UnclearOutcome("The request was sent, then the connection broke.")
            case "late":
                self.waiting.append(act)
                raise UnclearOutcome("The request was sent, then no answer came in time.")
            case "twice":
                first = act()
                return first if self._remembers(key) else act()
            case "wrong_task":
                return other
            case "busy":
                raise UnclearOutcome("Too many requests", status=429, retry_after_s=0.001)
            case "error_after":
                act()
                raise UnclearOutcome("Internal error", status=500)
            case "crash":
                raise RuntimeError("broken in the middle")
            case _:
                return act()

    def _next_fault(self, task_id: str) -> Fault:
        planned = self.faults.get(task_id)
        return planned.pop(0) if planned else "well"

    def _remembers(self, key: str | None) -> bool:
        """Whether a repeat under this key gets the first answer again."""
        return False

    def _reset(self, task_id: str, stage_id: str, key: str | None, expected: int | None) -> TaskRecord:
        with self._lock:
            task = self.records[task_id]
            if task.status != "failed":
                raise refusal(400, f"task status is {task.status}")
            stage = next(stage for stage in task.stages if stage.stage_id == stage_id)
            self.ledger[task_id, stage_id, stage.retry_count] += 1
            after = replace(
                stage, retry_count=stage.retry_count + 1, status="pending", native_status="pending", error=None
            )
            stages = tuple(after if one.stage_id == stage_id else one for one in task.stages)
            self.records[task_id] = replace(task, status="pending", native_status="pending", stages=stages)
            return self.records[task_id]

    def _made(self, task_id: str, key: str | None, expected: int | None) -> str:
        with self._lock:
            task = self.records[task_id]
            self.ledger[task_id, "", len(task.retried_by)] += 1
            new = f"{task_id}-{len(task.retried_by) + 1}"
            self.records[task_id] = replace(task, retried_by=(*task.retried_by, new))
            fresh = failed_task(new)
            self.records[new] = replace(
                fresh, status="pending", native_status="pending", parent_id=task_id, retry_count=1
            )
            return new

    def _ended(self, task: TaskRecord) -> TaskRecord:
        """The task after its stages ran: well, or broken again with the error that `results` names."""
        error = self.results.get(task.task_id)
        status: Status = "succeeded" if error is None else "failed"
        stages = tuple(
            replace(stage, status=status if stage.stage == "check" else stage.status, error=error)
            if stage.stage == "check"
            else stage
            for stage in task.stages
        )
        return replace(task, status=status, native_status=status, stages=stages)


@dataclass
class KeyedPlatform(LedgerPlatform):
    """Compares attempt numbers, remembers keys, and can be asked never to act on one: as the embedded platform does."""

    done: dict[str, str | None] = field(default_factory=dict)
    called_off: set[str] = field(default_factory=set)

    def recall(self, key: str) -> Recalled:
        with self._lock:
            if self.fails:
                raise Unavailable("No answer from the platform.")
            if key in self.done:
                return Recalled(state="done", new_task_id=self.done[key])
            return Recalled(state="called_off" if key in self.called_off else "open")

    def call_off(self, key: str) -> Recalled:
        with self._lock:
            if key not in self.done:
                self.called_off.add(key)
            return self.recall(key)

    def _remembers(self, key: str | None) -> bool:
        return key is not None and key in self.done

    def _reset(self, task_id: str, stage_id: str, key: str | None, expected: int | None) -> TaskRecord:
        with self._lock:
            self._check(key)
            if key in self.done:
                return self.records[task_id]
            stage = next(stage for stage in self.records[task_id].stages if stage.stage_id == stage_id)
            if expected is not None and stage.retry_count != expected:
                raise refusal(409, f"retry_count is {stage.retry_count}, expected {expected}")
            after = super()._reset(task_id, stage_id, key, expected)
            self.done[key or ""] = None
            return after

    def _made(self, task_id: str, key: str | None, expected: int | None) -> str:
        with self._lock:
            self._check(key)
            if expected is not None and len(self.records[task_id].retried_by) != expected:
                raise refusal(409, "retry_count has moved")
            new = super()._made(task_id, key, expected)
            self.done[key or ""] = new
            return new

    def _check(self, key: str | None) -> None:
        if key in self.called_off:
            raise refusal(409, "This request was called off")

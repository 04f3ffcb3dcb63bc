"""A fixed platform in memory: what the gallery shows, and what examples run on. It asks nobody and never changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

from retry_toolkit.errors import RetryToolkitError, Unavailable
from retry_toolkit.panels.state.still import StillPlatform
from retry_toolkit.platforms.base import (
    EVERY_TASK,
    AttemptRecord,
    Capabilities,
    FileRecord,
    LogRecord,
    Method,
    StageRecord,
    Status,
    TaskFiles,
    TaskPage,
    TaskQuery,
    TaskRecord,
)

NOW: Final = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
STAGES: Final = ("fetch", "clean", "join", "publish")
ABLE: Final = Capabilities(
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
TRACEBACK: Final = """Traceback (most recent call last):
  File "/srv/pipelines/sales.py", line 88, in join
    merged = orders.merge(prices, on="sku", validate="many_to_one")
  File "/usr/lib/python3/site-packages/pandas/core/frame.py", line 12839, in merge
    raise MergeError("Merge keys are not unique in right dataset")
pandas.errors.MergeError: Merge keys are not unique in right dataset; not a many-to-one merge"""

_ERRORS: Final = (
    ("fetch", "transient", "HTTP 503 from https://feed.example/prices?day=2026-11-{day:02d}: upstream is busy"),
    ("join", "semantic", TRACEBACK),
    ("publish", "gate_rejected", "校验未通过：金额合计与总账相差 {amount} 元"),
    ("clean", "resource", "exit code 137: the stage needed more than 4096 MB"),
)
_NAMES: Final = ("Daily sales", "每日销售汇总", "Price feed", "Mesh study", "Archive check", "风险敞口日报")
_SPEECH: Final = (
    ("stdout", "reading orders.csv (128,402 rows)"),
    ("stdout", "reading prices.csv (9,210 rows)"),
    ("event", "stage join: attempt 2 begins"),
    ("stderr", "warning: 14 prices have no currency, EUR is assumed"),
    ("stderr", "pandas.errors.MergeError: Merge keys are not unique in right dataset"),
)


class SamplePlatform(StillPlatform):
    """Tasks that are always the same; it takes no retry, whatever its capabilities say.

    Args:
        tasks: Newest first; those of `tasks()` if None.
        broken: Raised by every read, until `mend`.
        capabilities: What it tells.
        read_only: Whether the connection refuses writes.
    """

    origin = "http://127.0.0.1:8642"

    def __init__(
        self,
        tasks: tuple[TaskRecord, ...] | None = None,
        *,
        broken: RetryToolkitError | None = None,
        capabilities: Capabilities = ABLE,
        read_only: bool = False,
    ) -> None:
        shown = sample_tasks() if tasks is None else tasks
        super().__init__(
            shown,
            files={task.task_id: _files(task) for task in shown},
            name="sample · 127.0.0.1:8642",
            capabilities=capabilities,
        )
        self.read_only = read_only
        self.broken = broken

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        """As every platform."""
        self._answer()
        return super().tasks(query)

    def task(self, task_id: str) -> TaskRecord:
        """As every platform."""
        self._answer()
        return super().task(task_id)

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """The same lines of every stage."""
        self._answer()
        for seq, (kind, text) in enumerate(_SPEECH):
            yield LogRecord(task_id=task_id, stage=stage, seq=seq, time=NOW, kind=kind, text=text)

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        """One for each time that a stage was run."""
        self._answer()
        stages = super().task(task_id).stages
        return tuple(_attempt(stage, number) for stage in stages for number in range(1, stage.retry_count + 2))

    def files(self, task_id: str) -> TaskFiles | None:
        """Four files a task."""
        self._answer()
        return super().files(task_id)

    def _refuse(self, *what: str) -> NoReturn:
        raise Unavailable(f"Nothing happens to {', '.join(what)}: these are samples.", status=503)

    def _answer(self) -> None:
        if self.broken is not None:
            raise self.broken


def sample_task(
    number: int, status: Status = "failed", *, cause: int = 0, retries: int = 0, **fields: Any
) -> TaskRecord:
    """A task of four stages; one that failed did so with one of the four causes."""
    stage, category, error = _ERRORS[cause % len(_ERRORS)]
    at = STAGES.index(stage) if status == "failed" else 2 if status in {"running", "pending"} else len(STAGES)
    created = NOW - timedelta(minutes=17 * number)
    values: dict[str, Any] = {
        "name": f"{_NAMES[number % len(_NAMES)]} {created:%m-%d %H:%M}",
        "native_status": status,
        "created_at": created,
        "duration_s": 41.5 + 13 * (number % 5),
        "template": "sales_report" if number % 3 else "price_feed",
        "project": ("sales", "risk", "风险控制")[number % 3],
        "owner": ("li.wei", "ana.costa")[number % 2],
        "tokens": 1_200 + 37 * number,
        "cost": 0.35 + 0.07 * (number % 9),
        "refusal": None if status == "failed" else "not_failed",
        "retry_count": 0,
    }
    if status == "failed" and retries >= LIMIT:
        values["refusal"] = "limit_reached"
    message = error.format(day=1 + number % 28, amount=f"{1.25 * number:.2f}")
    stages = tuple(
        StageRecord(
            task_id=f"task-{number:04d}",
            stage_id=f"task-{number:04d}-{name}",
            stage=name,
            position=place,
            status=_stage_status(status, place, at),
            native_status=_stage_status(status, place, at),
            role=("reader", "cleaner", "joiner", "publisher")[place],
            started_at=created + timedelta(seconds=9 * place) if place <= at else None,
            duration_s=8.4 + place if place < at else 3.2 if place == at and status == "failed" else None,
            retry_count=retries if place == at else 0,
            retry_limit=LIMIT,
            failure_category=category if status == "failed" and place == at else None,
            error=message if status == "failed" and place == at else None,
            output_summary="128,402 rows · 128,402 行" if place < at else None,
            tokens=300,
            score=0.82 if place < at else None,
        )
        for place, name in enumerate(STAGES)
    )
    return TaskRecord(task_id=f"task-{number:04d}", status=status, **(values | {"stages": stages} | fields))


LIMIT: Final = 3
"""Retries that a stage of a sample may have."""


def sample_tasks() -> tuple[TaskRecord, ...]:
    """Failed ones of four causes, others that run or went well, and lineages of whole retries; newest first."""
    failed = [sample_task(n, cause=(0, 0, 1, 0, 2, 3, 1)[n % 7], retries=n % 4) for n in range(3, 38)]
    going = (sample_task(1, "running"), sample_task(2, "pending"))
    well = [sample_task(n, "succeeded") for n in range(38, 60)]
    root, second, third = (
        sample_task(60, retried_by=("task-0061", "task-0062"), name="Mesh study, 4 mm"),
        sample_task(61, parent_id="task-0060", retry_count=1, cause=3, name="Mesh study, 4 mm (重试)"),
        sample_task(62, "succeeded", parent_id="task-0060", retry_count=1, name="Mesh study, 4 mm, more memory"),
    )
    lone = (
        sample_task(63, retried_by=("task-0064",), name="风险敞口日报"),
        sample_task(64, parent_id="task-0063", retry_count=1, name="风险敞口日报 (重试)"),
    )
    return tuple(sorted([*going, *failed, *well, root, second, third, *lone], key=lambda task: task.task_id))


def _stage_status(status: Status, place: int, at: int) -> Status:
    if place < at:
        return "succeeded"
    return status if place == at else "pending"


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
        error=stage.error if last else "TimeoutError: feed.example did not answer within 30 s",
    )


def _files(task: TaskRecord) -> TaskFiles:
    """A linked retry beside copied ones, and one whose size is not known."""
    method: Method = "original" if task.parent_id is None else "linked" if task.task_id == "task-0062" else "copied"
    size = None if task.task_id == "task-0064" else 42_000_000
    files = tuple(FileRecord(name=f"part-{n}.csv", size_bytes=size, exists=True, method=method) for n in range(4))
    return TaskFiles(
        task_id=task.task_id, files=files, retention_until=NOW + timedelta(days=21), free_bytes=9_600_000_000
    )

"""Records and a platform made of them, for tests of frames and analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from retry_toolkit.errors import NotFound
from retry_toolkit.platforms.base import (
    EVERY_TASK,
    AttemptRecord,
    LogRecord,
    Platform,
    Rejected,
    StageRecord,
    Status,
    TaskFiles,
    TaskPage,
    TaskQuery,
    TaskRecord,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = [
    "NA",
    "null",
    "None",
    "00123",
    "1e5",
    "nan",
    "9007199254740993",
    "-",
    " ",
    "任务😀",
    "x" * 100_000,
    "a\x00b",
    "#N/A",
]


def stage(task_id: str = "t", name: str = "check", *, status: Status = "failed", **fields: Any) -> StageRecord:
    """A stage."""
    given = {"stage_id": f"{task_id}-{name}", "position": 0, "native_status": status, **fields}
    return StageRecord(task_id=task_id, stage=name, status=status, **given)


def task(task_id: str = "t", *, hours: float = 0, status: Status = "failed", **fields: Any) -> TaskRecord:
    """A task that was submitted so many hours after 2026-01-01."""
    given = {"name": task_id, "native_status": status, "created_at": START + timedelta(hours=hours), **fields}
    return TaskRecord(task_id=task_id, status=status, **given)


class RecordedPlatform:
    """Gives records page by page, and keeps what it was asked."""

    def __init__(
        self,
        tasks: Sequence[TaskRecord] = (),
        *,
        page_size: int = 2,
        rejected: Sequence[Rejected] = (),
        files: Sequence[TaskFiles] = (),
        attempts: Sequence[AttemptRecord] = (),
        logs: Sequence[LogRecord] = (),
    ) -> None:
        self._tasks = {task.task_id: task for task in tasks}
        self._files = {entry.task_id: entry for entry in files}
        self._attempts = attempts
        self._logs = logs
        self._page_size = page_size
        self._rejected = tuple(rejected)
        self.asked: list[object] = []

    @property
    def origin(self) -> str:
        """What stands in intents and snapshots."""
        return "memory"

    @property
    def platform(self) -> Platform:
        """This as a platform: it has what loaders use."""
        return cast("Platform", self)

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        """Pages; the rejected rows are on the first."""
        self.asked.append(query)
        rows = tuple(self._tasks.values())
        for number, start in enumerate(range(0, max(1, len(rows)), self._page_size), 1):
            rejected = self._rejected if number == 1 else ()
            page = rows[start : start + self._page_size]
            yield TaskPage(number=number, tasks=page, rejected=rejected, total=len(rows) + len(self._rejected))

    def task(self, task_id: str) -> TaskRecord:
        """One task."""
        self.asked.append(task_id)
        if task_id not in self._tasks:
            raise NotFound(f"No task {task_id}.")
        return self._tasks[task_id]

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        """Attempts of one task."""
        self.task(task_id)
        return tuple(attempt for attempt in self._attempts if attempt.task_id == task_id)

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """Log lines of one task."""
        self.asked.append((task_id, stage))
        return (line for line in self._logs if line.task_id == task_id and stage in {None, line.stage})

    def files(self, task_id: str) -> TaskFiles | None:
        """Files of one task."""
        self.asked.append(task_id)
        return self._files.get(task_id)

"""Evidence: a task's report and log as they were before a retry erased them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

from retry_toolkit.platforms.base import AttemptRecord, LogRecord, TaskRecord


class Evidence:
    """`evidence.db` of a home directory; may be used from several threads and processes at once."""

    @classmethod
    def open(cls, home: Path, *, keep_days: float | None = None) -> Self:
        """The evidence of this home directory, made if missing; what is older than `keep_days` is removed.

        Raises:
            JournalError: It cannot be used.
        """
        raise NotImplementedError

    def save(self, task: TaskRecord, logs: Iterable[LogRecord], *, origin: str) -> str:
        """Keep a task's report and log; returns its id, the same one for the same content.

        `logs` is read once, in bounded memory. Errors of reading it pass through, and nothing is kept.

        Raises:
            JournalError: It could not be kept.
        """
        raise NotImplementedError

    def attempts(self, origin: str, task_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt that was kept, by stage and attempt, `source="evidence"`."""
        raise NotImplementedError

    def task(self, evidence_id: str) -> TaskRecord | None:
        """The task as it was, or None when it is not kept (any more)."""
        raise NotImplementedError

    def logs(self, evidence_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """The log as it was, of one stage or of all, read piece by piece."""
        raise NotImplementedError

    def prune(self, keep_days: float) -> int:
        """Remove what was kept more than `keep_days` ago; returns how many reports."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

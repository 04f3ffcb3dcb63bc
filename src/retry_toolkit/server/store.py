"""What the embedded platform knows, in one database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy as sa

    from retry_toolkit.server.records import Answer, Attempt, InputFile, Task, TaskPage
    from retry_toolkit.settings import Settings


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer that was given under an idempotency key, and to which request."""

    fingerprint: str
    answer: Answer


class Store:
    """Tasks, stages, attempts, files, audit trail and stored answers.

    Attributes:
        engine: The SQLAlchemy engine; tables are in `retry_toolkit.server.tables`.
    """

    engine: sa.Engine

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """The store of these settings; creates what is missing.

        Raises:
            SettingsError: The database cannot be used.
        """
        raise NotImplementedError

    def task(self, task_id: str) -> Task | None:
        """One task with its stages and history, or None."""
        raise NotImplementedError

    def tasks(
        self,
        *,
        page: int,
        page_size: int,
        status: str | None = None,
        project_id: str | None = None,
        title: str | None = None,
    ) -> TaskPage:
        """One page of tasks, newest first; `title` is a case-insensitive substring."""
        raise NotImplementedError

    def attempts(self, task_id: str) -> tuple[Attempt, ...]:
        """Every attempt, by stage position, then attempt."""
        raise NotImplementedError

    def files(self, task_id: str) -> tuple[InputFile, ...]:
        """The input files by name, with `exists` as it is on disk."""
        raise NotImplementedError

    def projects(self) -> tuple[str, ...]:
        """Every project that has a task, by name."""
        raise NotImplementedError

    def audit(self, *, page: int, page_size: int) -> tuple[list[dict[str, Any]], int]:
        """One page of the audit trail, newest first: `id, at, actor, action, task_id, before, after, outcome`."""
        raise NotImplementedError

    def recall(self, key: str) -> StoredAnswer | None:
        """The answer stored under an idempotency key, or None."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection."""
        raise NotImplementedError

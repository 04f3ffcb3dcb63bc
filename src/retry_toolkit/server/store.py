"""What the embedded platform knows: the reading side of its database.

Writes are in `ledger` (one function a change, inside its caller's transaction), `runs` (what the engine writes) and
`actions` (what users do).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retry_toolkit.errors import SettingsError
from retry_toolkit.server.database import Database
from retry_toolkit.server.layout import Layout
from retry_toolkit.server.records import Answer, Attempt, InputFile, Stage, Task, TaskPage
from retry_toolkit.server.tables import EPOCH, answers, attempts, audit, input_files, stages, status_history, tasks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from retry_toolkit.settings import Settings

_IDS_A_QUERY = 500
_OUTCOME = (
    "started_at",
    "completed_at",
    "duration_seconds",
    "tokens_used",
    "error_message",
    "failure_category",
    "output_summary",
    "output_structured",
    "requested_by",
)


CALLED_OFF = "called off"
"""Stands in the place of a request's fingerprint where a key may never be acted on; no hash looks like it."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer that was given under an idempotency key, and to which request."""

    fingerprint: str
    answer: Answer

    @property
    def called_off(self) -> bool:
        """Whether no request under this key may be acted on."""
        return self.fingerprint == CALLED_OFF


class Store:
    """Tasks, stages, attempts, files, audit trail and stored answers.

    Attributes:
        database: Transactions on the database.
        layout: Where the files of tasks lie.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self.database = database
        self.layout = layout

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """The store of these settings; makes the directories and tables that are missing.

        Raises:
            SettingsError: The home directory or the database cannot be used.
        """
        layout = Layout(settings.home)
        try:
            layout.make()
        except OSError as error:
            raise SettingsError(
                f"The directory {settings.home} cannot be used: {error.strerror}.",
                advice="Set RETRY_TOOLKIT_HOME to a directory that can be written.",
            ) from error
        return cls(Database.open(settings), layout)

    @property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine; its tables are in `retry_toolkit.server.tables`."""
        return self.database.engine

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def task(self, task_id: str) -> Task | None:
        """One task with its stages and history, or None."""
        with self.database.reading() as connection:
            return find_task(connection, task_id)

    def tasks(
        self,
        *,
        page: int,
        page_size: int,
        status: str | None = None,
        project_id: str | None = None,
        title: str | None = None,
    ) -> TaskPage:
        """One page of tasks, newest first; `title` is a substring without regard to case."""
        wanted = sa.and_(
            sa.true(),
            *([tasks.c.status == status] if status else []),
            *([tasks.c.project_id == project_id] if project_id else []),
            *([tasks.c.title_key.contains(title.casefold(), autoescape=True)] if title else []),
        )
        newest = (
            sa.select(tasks)
            .where(wanted)
            .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
            .limit(page_size)
            .offset((page - 1) * page_size)
        )
        with self.database.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(tasks).where(wanted)).scalar_one()
            return TaskPage(items=complete_tasks(connection, connection.execute(newest).all()), total=total)

    def attempts(self, task_id: str) -> tuple[Attempt, ...]:
        """Every attempt, by stage position, then attempt."""
        query = (
            sa.select(attempts, stages.c.name.label("stage"))
            .join(stages, stages.c.id == attempts.c.stage_id)
            .where(attempts.c.task_id == task_id)
            .order_by(stages.c.position, attempts.c.attempt)
        )
        with self.database.reading() as connection:
            return tuple(_attempt(row) for row in connection.execute(query))

    def files(self, task_id: str) -> tuple[InputFile, ...]:
        """The input files by name, with `exists` as it is on disk."""
        with self.database.reading() as connection:
            found = find_files(connection, task_id)
        directory = self.layout.inputs(task_id)
        return tuple(
            InputFile(
                name=file.name,
                size_bytes=file.size_bytes,
                method=file.method,
                source_task_id=file.source_task_id,
                exists=_is_file(directory / file.name),
            )
            for file in found
        )

    def projects(self) -> tuple[str, ...]:
        """Every project that has a task, by name."""
        query = sa.select(tasks.c.project_id).where(tasks.c.project_id.is_not(None)).distinct()
        with self.database.reading() as connection:
            return tuple(sorted(connection.execute(query).scalars()))

    def audit(self, *, page: int, page_size: int) -> tuple[list[dict[str, Any]], int]:
        """One page of the audit trail, newest first, and how many entries there are in all.

        An entry has `id, at (aware datetime), actor, action, task_id, stage_id, before, after, outcome`.
        """
        newest = sa.select(audit).order_by(audit.c.id.desc()).limit(page_size).offset((page - 1) * page_size)
        with self.database.reading() as connection:
            total = connection.execute(sa.select(sa.func.count()).select_from(audit)).scalar_one()
            return [dict(row._mapping) for row in connection.execute(newest)], total

    def recall(self, key: str) -> StoredAnswer | None:
        """The answer stored under an idempotency key, or None."""
        with self.database.reading() as connection:
            return find_answer(connection, key)


def find_task(connection: sa.Connection, task_id: str, *, lock: bool = False) -> Task | None:
    """One task with its stages and history, or None; `lock` holds its row until the transaction ends."""
    query = sa.select(tasks).where(tasks.c.id == task_id)
    rows = connection.execute(query.with_for_update() if lock else query).all()
    return complete_tasks(connection, rows)[0] if rows else None


def complete_tasks(connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> tuple[Task, ...]:
    """Tasks of some rows, in their order, with stages, history and direct retries."""
    ids = [row.id for row in rows]
    their_stages: dict[str, list[Stage]] = defaultdict(list)
    history: dict[str, list[dict[str, Any]]] = defaultdict(list)
    children: dict[str, list[str]] = defaultdict(list)
    for some in _chunks(ids):
        of_stages = sa.select(stages).where(stages.c.task_id.in_(some)).order_by(stages.c.task_id, stages.c.position)
        for row in connection.execute(of_stages):
            their_stages[row.task_id].append(_stage(row))
        of_history = sa.select(status_history).where(status_history.c.task_id.in_(some)).order_by(status_history.c.id)
        for row in connection.execute(of_history):
            entry = {"status": row.status, "timestamp": (row.at - EPOCH).total_seconds(), "error": row.error}
            history[row.task_id].append(entry)
        of_children = (
            sa.select(tasks.c.id, tasks.c.parent_task_id)
            .where(tasks.c.parent_task_id.in_(some))
            .order_by(tasks.c.created_at, tasks.c.id)
        )
        for row in connection.execute(of_children):
            children[row.parent_task_id].append(row.id)
    return tuple(
        Task(
            id=row.id,
            title=row.title,
            pipeline=row.pipeline,
            project_id=row.project_id,
            submitter=row.submitter,
            params=row.params,
            status=row.status,
            created_at=row.created_at,
            completed_at=row.completed_at,
            run=row.run,
            parent_task_id=row.parent_task_id,
            retry_count=row.retry_count,
            retried_task_ids=tuple(children[row.id]),
            retention_until=row.retention_until,
            stages=tuple(their_stages[row.id]),
            status_history=tuple(history[row.id]),
        )
        for row in rows
    )


def find_files(connection: sa.Connection, task_id: str) -> tuple[InputFile, ...]:
    """The input files of a task by name; `exists` is not looked up."""
    query = sa.select(input_files).where(input_files.c.task_id == task_id).order_by(input_files.c.name)
    return tuple(
        InputFile(name=row.name, size_bytes=row.size_bytes, method=row.method, source_task_id=row.source_task_id)
        for row in connection.execute(query)
    )


def find_answer(connection: sa.Connection, key: str) -> StoredAnswer | None:
    """The answer stored under an idempotency key, or None."""
    row = connection.execute(sa.select(answers).where(answers.c.key == key)).one_or_none()
    return None if row is None else StoredAnswer(row.fingerprint, Answer(status=row.status, body=row.body))


def _stage(row: sa.Row[Any]) -> Stage:
    return Stage(
        id=row.id,
        task_id=row.task_id,
        name=row.name,
        role=row.role,
        position=row.position,
        status=row.status,
        retry_count=row.retry_count,
        max_retries=row.max_retries,
        **_outcome(row),
    )


def _attempt(row: sa.Row[Any]) -> Attempt:
    return Attempt(
        task_id=row.task_id,
        stage_id=row.stage_id,
        stage=row.stage,
        attempt=row.attempt,
        status=row.status,
        **_outcome(row),
    )


def _outcome(row: sa.Row[Any]) -> dict[str, Any]:
    values = row._mapping
    return {name: values[name] for name in _OUTCOME}


def _is_file(path: Path) -> bool:
    """Whether a regular file lies there; a link is none."""
    try:
        return S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _IDS_A_QUERY):
        yield ids[start : start + _IDS_A_QUERY]

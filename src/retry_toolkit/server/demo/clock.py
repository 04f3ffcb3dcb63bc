"""Setting back the clock of a task that has run: every stored time moves by the same step, so durations stay real."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from retry_toolkit.server import tables
from retry_toolkit.server.demo.places import write_text
from retry_toolkit.server.store import Store

LONG_AGO = datetime.min.replace(tzinfo=UTC)
OF_TASKS = (tables.stages, tables.attempts, tables.executions, tables.status_history, tables.audit)


def backdate(store: Store, task_id: str, delta: timedelta, *, since: datetime = LONG_AGO) -> None:
    """Move the times of a task, of everything that hangs on it and of its logs back by `delta`, in one transaction.

    Times before `since` stay: so the attempts of a task can be moved one by one, and a repetition moves nothing twice.
    """
    with store.database.writing() as connection:
        folders = _executions(connection, task_id, since)
        task = tables.tasks.c.id == task_id
        submitted_since = sa.and_(task, tables.tasks.c.created_at >= since)
        _move(connection, tables.tasks.c.retention_until, submitted_since, delta)
        for column in (tables.tasks.c.created_at, tables.tasks.c.completed_at):
            _move(connection, column, sa.and_(task, column >= since), delta)
        for table in OF_TASKS:
            for column in _times(table):
                _move(connection, column, sa.and_(table.c.task_id == task_id, column >= since), delta)
    for folder in folders:
        _move_log(store.layout.execution(task_id, folder) / "log.jsonl", delta, since)


def began(store: Store, task_id: str, *, since: datetime) -> datetime | None:
    """The earliest time since then that is stored of a task, or None if nothing has happened to it since."""
    queries = [sa.select(tables.tasks.c.created_at.label("at")).where(tables.tasks.c.id == task_id)]
    queries += [
        sa.select(column.label("at")).where(table.c.task_id == task_id)
        for table in OF_TASKS
        for column in _times(table)
    ]
    at = sa.union_all(*queries).subquery().c.at
    with store.database.reading() as connection:
        return connection.execute(sa.select(sa.func.min(at)).where(at >= since)).scalar()


def _executions(connection: sa.Connection, task_id: str, since: datetime) -> Sequence[str]:
    """Directories of the executions that began since then."""
    execution = tables.executions
    wanted = sa.and_(execution.c.task_id == task_id, execution.c.started_at >= since)
    return connection.execute(sa.select(execution.c.directory).where(wanted)).scalars().all()


def _times(table: sa.Table) -> Iterator[sa.Column[datetime]]:
    return (column for column in table.columns if isinstance(column.type, tables.UtcTime))


def _move(
    connection: sa.Connection, column: sa.Column[datetime], where: sa.ColumnElement[bool], delta: timedelta
) -> None:
    moved = sa.type_coerce(column, sa.BigInteger) - delta // timedelta(microseconds=1)
    connection.execute(sa.update(column.table).where(where).values({column: moved}))


def _move_log(path: Path, delta: timedelta, since: datetime) -> None:
    """Move the times of a log's lines."""
    if not path.exists():
        return
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        at = datetime.fromisoformat(row["t"])
        if at >= since:
            row["t"] = (at - delta).isoformat()
        lines.append(json.dumps(row, ensure_ascii=False))
    write_text(path, "".join(f"{line}\n" for line in lines))

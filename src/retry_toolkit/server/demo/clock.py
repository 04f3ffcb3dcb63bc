"""Setting back the clock of a task that has run: every stored time moves by the same step, so durations stay real."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from retry_toolkit.server import tables
from retry_toolkit.server.store import Store

LONG_AGO = datetime.min.replace(tzinfo=UTC)
# Not the audit trail: whatever happens to the clock, nobody rewrites that.
OF_TASKS = (tables.stages, tables.attempts, tables.executions, tables.status_history)


def backdate(store: Store, task_id: str, delta: timedelta, *, since: datetime = LONG_AGO) -> None:
    """Move the times of a task and of all that hangs on it back by `delta`, in one transaction.

    Its logs follow by themselves: their lines count from the start of their execution. Times before `since` stay: so
    the attempts of a task can be moved one by one, and a repetition moves nothing twice.
    """
    with store.database.writing() as connection:
        task = tables.tasks.c.id == task_id
        submitted_since = sa.and_(task, tables.tasks.c.created_at >= since)
        _move(connection, tables.tasks.c.retention_until, submitted_since, delta)
        for column in (tables.tasks.c.created_at, tables.tasks.c.completed_at):
            _move(connection, column, sa.and_(task, column >= since), delta)
        for table in OF_TASKS:
            for column in _times(table):
                _move(connection, column, sa.and_(table.c.task_id == task_id, column >= since), delta)


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


def _times(table: sa.Table) -> Iterator[sa.Column[datetime]]:
    return (column for column in table.columns if isinstance(column.type, tables.UtcTime))


def _move(
    connection: sa.Connection, column: sa.Column[datetime], where: sa.ColumnElement[bool], delta: timedelta
) -> None:
    moved = sa.type_coerce(column, sa.BigInteger) - delta // timedelta(microseconds=1)
    connection.execute(sa.update(column.table).where(where).values({column: moved}))

"""Reads of `journal.db`, in a transaction of the caller."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from sqlite3 import Connection
from typing import get_args

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.records import BatchRow
from retry_toolkit.retry.rows import (
    BATCH_COLUMNS,
    ITEM_COLUMNS,
    StoredBatch,
    StoredItem,
    printable,
    read_batch,
    read_item,
)
from retry_toolkit.retry.states import State

_ITEMS = f"SELECT {', '.join(f'items.{name}' for name in ITEM_COLUMNS)} FROM items"  # noqa: S608 - our own names
_BATCHES = f"SELECT {', '.join(BATCH_COLUMNS)} FROM batches"  # noqa: S608 - our own names


def current_item(connection: Connection, op_id: str) -> StoredItem | None:
    """The one item of an intent that may ever be sent, or None when it was never wanted."""
    row = connection.execute(f"{_ITEMS} WHERE op_id = ? AND current = 1", (printable(op_id),)).fetchone()
    return None if row is None else read_item(row)


def stored_items(
    connection: Connection,
    *,
    batch_id: str | None = None,
    states: Iterable[State] | None = None,
    origin: str | None = None,
) -> list[StoredItem]:
    """Items, oldest batch first and in their order there."""
    clauses: list[str] = []
    values: list[str] = []
    if batch_id is not None:
        clauses.append("items.batch_id = ?")
        values.append(printable(batch_id))
    if origin is not None:
        clauses.append("batches.origin = ?")
        values.append(printable(origin))
    if states is not None:
        wanted = sorted(states)
        clauses.append(f"items.state IN ({', '.join('?' for _ in wanted)})")
        values.extend(wanted)
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    query = f"{_ITEMS} JOIN batches USING (batch_id) {where} ORDER BY batches.id, position"
    return [read_item(row) for row in connection.execute(query, values)]


def find_batch(connection: Connection, batch_id: str) -> StoredBatch | None:
    """One batch, or None."""
    row = connection.execute(f"{_BATCHES} WHERE batch_id = ?", (printable(batch_id),)).fetchone()
    return None if row is None else read_batch(row)


def get_batch(connection: Connection, batch_id: str) -> StoredBatch:
    """One batch.

    Raises:
        JournalError: There is none of this id.
    """
    found = find_batch(connection, batch_id)
    if found is None:
        raise JournalError(f"The journal has no batch {batch_id!r}.", advice="`batches()` lists them.")
    return found


def list_batches(
    connection: Connection,
    *,
    origin: str | None = None,
    limit: int | None = None,
    with_items: AbstractSet[State] = frozenset(),
) -> list[BatchRow]:
    """Batches, newest first; `with_items`: only those that run, pause, or have items in these states."""
    clauses: list[str] = []
    values: list[str | int] = []
    if origin is not None:
        clauses.append("origin = ?")
        values.append(printable(origin))
    if with_items:
        clauses.append(
            "(state IN ('running', 'paused') OR EXISTS (SELECT 1 FROM items"  # noqa: S608 - as many marks as values
            f" WHERE items.batch_id = batches.batch_id AND items.state IN ({', '.join('?' for _ in with_items)})))"
        )
        values.extend(sorted(with_items))
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    values.append(-1 if limit is None else limit)
    rows = connection.execute(f"{_BATCHES} {where} ORDER BY id DESC LIMIT ?", values)
    return [read_batch(row).batch for row in rows]


def count_states(connection: Connection, batch_id: str) -> dict[State, int]:
    """How many items of a batch are in each state, every state named."""
    query = "SELECT state, count(*) FROM items WHERE batch_id = ? GROUP BY state"
    found = dict(connection.execute(query, (printable(batch_id),)))
    return {state: found.get(state, 0) for state in get_args(State)}

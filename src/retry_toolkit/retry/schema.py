"""The tables of `journal.db`, and how the file is made and recognised."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection, connect
from typing import get_args

from retry_toolkit import sqlite
from retry_toolkit.retry.records import BatchState
from retry_toolkit.retry.states import STATES

APPLICATION_ID = 0x52544A31  # "RTJ1": what `file` and SQLite show for a journal of ours
SCHEMA_VERSION = 1


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


# What a platform may have written (ids, names, words) is inside JSON texts in ASCII: NUL and lone surrogates survive.
STATEMENTS = (
    f"""CREATE TABLE batches (
        id INTEGER PRIMARY KEY,
        batch_id TEXT NOT NULL UNIQUE,
        origin TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ({_words(get_args(BatchState))})),
        total INTEGER NOT NULL,
        record TEXT NOT NULL,
        audit_seq INTEGER NOT NULL,
        digest TEXT NOT NULL
    )""",
    f"""CREATE TABLE items (
        id INTEGER PRIMARY KEY,
        batch_id TEXT NOT NULL REFERENCES batches (batch_id),
        position INTEGER NOT NULL,
        op_id TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ({_words(STATES)})),
        round INTEGER NOT NULL,
        current INTEGER NOT NULL CHECK (current IN (0, 1)),
        intent TEXT NOT NULL,
        answer TEXT NOT NULL,
        audit_seq INTEGER NOT NULL,
        digest TEXT NOT NULL,
        UNIQUE (batch_id, position)
    )""",
    # The promise in one line: an intent has one item at most that may ever be sent.
    "CREATE UNIQUE INDEX one_current_item ON items (op_id) WHERE current = 1",
    "CREATE INDEX items_by_state ON items (state, batch_id)",
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        time TEXT NOT NULL,
        actor TEXT NOT NULL,
        identity TEXT,
        what TEXT NOT NULL,
        origin TEXT,
        batch_id TEXT,
        plan_hash TEXT,
        count INTEGER NOT NULL,
        item_id INTEGER,
        op_id TEXT,
        before TEXT,
        after TEXT,
        facts TEXT NOT NULL,
        digest TEXT,
        prev_hash TEXT NOT NULL,
        hash TEXT NOT NULL
    )""",
    "CREATE INDEX audit_by_subject ON audit (batch_id, item_id, seq)",
    """CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END""",
    """CREATE TRIGGER audit_keeps_words BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END""",
)


def is_empty(connection: Connection) -> bool:
    """Whether nothing was ever made in this database."""
    return not _objects(connection)


def create(connection: Connection) -> None:
    """Make the tables, in the transaction of the caller."""
    for statement in STATEMENTS:
        connection.execute(statement)
    sqlite.mark(connection, application_id=APPLICATION_ID, version=SCHEMA_VERSION)


def recognise(connection: Connection, path: Path) -> None:
    """Refuse a database that is not a journal, or one of another version.

    Raises:
        JournalError: It is such a database.
    """
    sqlite.recognise(connection, path, application_id=APPLICATION_ID, version=SCHEMA_VERSION)


def is_complete(connection: Connection) -> bool:
    """Whether the tables, the unique index and the triggers are exactly those that were made."""
    model = connect(":memory:")
    try:
        create(model)
        return _objects(connection) == _objects(model)
    finally:
        model.close()


def _objects(connection: Connection) -> set[tuple[str, ...]]:
    """What was made, word for word; SQLite's own tables and indexes are not meant."""
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return set(connection.execute(query))

"""Opens `journal.db` with its anchor: made once, recognised, checked whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from sqlite3 import Connection
from types import ModuleType
from typing import Self

from retry_toolkit.errors import JournalError
from retry_toolkit.retry import schema
from retry_toolkit.retry.anchor import NOTHING, Anchor
from retry_toolkit.retry.changes import Change
from retry_toolkit.retry.checks import check_whole, damaged
from retry_toolkit.retry.rows import NotAsWritten
from retry_toolkit.retry.trail import Trail, current_actor, head_of
from retry_toolkit.sqlite import SqliteFile, locked

JOURNAL = "journal.db"
ANCHOR = "journal.anchor"
LOCK = "journal.lock"


class JournalFile:
    """The open database and its anchor: what was changed is anchored before anybody is told."""

    def __init__(self, database: SqliteFile, anchor: Anchor) -> None:
        self.database = database
        self._anchor = anchor

    @classmethod
    def open(cls, home: Path, *, driver: ModuleType | None = None) -> Self:
        """The journal of a home directory, made if there never was one.

        Raises:
            JournalError: It is damaged, cut short, foreign, or of another version.
        """
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"{home} cannot be made: {error.strerror}.", advice="Check its parents.") from error
        anchor = Anchor(home / ANCHOR)
        path = home / JOURNAL
        with locked(home / LOCK):  # one process at a time makes the file
            _refuse_emptied(path, anchor)
            file = cls(SqliteFile.open(path, driver=driver), anchor)
            with file._closed_on_failure():
                file._make()
        with file._closed_on_failure():
            file._check()
        return file

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction whose reads see one state.

        Raises:
            JournalError: A row is not as it was written.
        """
        with self._named(), self.database.reading() as connection:
            yield connection

    @contextmanager
    def changing(self, actor: str) -> Iterator[Change]:
        """A transaction that changes the journal; durable and anchored when the block has ended.

        Raises:
            JournalError: A row is not as it was written.
        """
        with self._named(), self.database.writing() as connection:
            change = Change(connection, actor=actor, now=datetime.now(UTC))
            before = change.trail.head
            yield change
        if change.trail.head != before:
            self._anchor.advance(change.trail.head)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the file whose row is damaged."""
        try:
            yield
        except NotAsWritten as error:
            raise damaged(self.database.path, str(error)) from error

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.database.close()
            raise

    def _make(self) -> None:
        """Make the tables of a new file; recognise those of an old one."""
        path = self.database.path
        with self.database.reading() as connection:
            if not schema.is_empty(connection):
                schema.recognise(connection, path)
                return
        if self._anchor.read() != NOTHING:
            raise damaged(path, "it is empty, and entries were written")
        with self.database.writing() as connection:
            schema.create(connection)
            trail = Trail(connection, actor=current_actor(), now=datetime.now(UTC))
            # A name of its own: no other journal's rows or anchor fit this one.
            trail.append("journal made", count=0, facts={"journal": token_hex(16)})
        self._anchor.advance(trail.head)

    def _check(self) -> None:
        anchored = self._anchor.read()  # before the transaction begins: it cannot be ahead of what that sees
        with self.database.reading() as connection:
            check_whole(connection, self.database.path, anchored)
            head = head_of(connection)
        self._anchor.advance(head)


def _refuse_emptied(path: Path, anchor: Anchor) -> None:
    """Start an anchor where there is nothing yet; refuse a file that has gone or was emptied."""
    if path.exists() and path.stat().st_size > 0:
        return
    known = anchor.read()
    if known is None:
        anchor.start()
    elif known != NOTHING:
        raise damaged(path, "it is empty or gone, and entries were written")

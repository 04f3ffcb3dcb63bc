"""The one way to open a SQLite file of ours: a driver that loses nothing, or settings under which it does not.

Any process of the same machine may have the same file open. Every commit is on the disk before it returns.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from retry_toolkit.errors import JournalError

if TYPE_CHECKING:
    from sqlite3 import Connection

BUSY_TIMEOUT_S = 30
Version = tuple[int, int, int]

# The WAL-reset bug (sqlite.org/wal.html#walresetbug): two connections can lose a commit or corrupt the file.
_FIRST_BROKEN: Version = (3, 7, 0)
_FIXED: Version = (3, 51, 3)
_BACKPORTS: tuple[Version, ...] = ((3, 44, 6), (3, 50, 7))

_BUSY = "Another program holds it: close that one, or try again."
_DISK = "Check the disk, its free space and the permissions of the directory."
_PRAGMAS = (
    # Before the journal mode, which writes the first page: a new file gives back what is deleted.
    "auto_vacuum=INCREMENTAL",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "foreign_keys=ON",
    "fullfsync=ON",
)
_DAMAGED = "Keep the file, and restore it from a backup together with the files beside it."
_PROBLEMS = {  # by SQLite's primary result code
    5: ("stayed locked", _BUSY),
    6: ("stayed locked", _BUSY),
    8: ("cannot be written", _DISK),
    10: ("cannot be read or written", _DISK),
    11: ("is damaged", _DAMAGED),
    13: ("cannot grow: the disk is full", "Free some space, then try again."),
    14: ("cannot be opened", _DISK),
    26: ("is damaged, or no database", _DAMAGED),
}


def loses_commits(version: Version) -> bool:
    """Whether this SQLite version has the WAL-reset bug."""
    if not _FIRST_BROKEN <= version < _FIXED:
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in _BACKPORTS)


def sqlite_driver() -> ModuleType:
    """The SQLite driver: pysqlite3, which bundles a recent SQLite, else Python's own."""
    try:
        return importlib.import_module("pysqlite3")
    except ImportError:
        return importlib.import_module("sqlite3")


def connect_sqlite(path: Path, *, driver: ModuleType | None = None) -> Connection:
    """A connection that begins transactions only when told, waits 30 s for locks, and syncs every commit.

    With a sound SQLite the file is in WAL mode. With one that can lose commits there, or on a file system without
    shared memory, it keeps a rollback journal, which is slower and safe.

    Raises:
        JournalError: The file cannot be opened, or another program holds it in WAL mode that this one must not use.
    """
    module = driver or sqlite_driver()
    with _translated(path, module):
        # Made here, for its owner only: SQLite gives the files beside it the same permissions.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection: Connection = module.connect(
            str(path), timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _configure(connection, path, sound=not loses_commits(module.sqlite_version_info))
        except BaseException:
            connection.close()
            raise
    return connection


def _configure(connection: Connection, path: Path, *, sound: bool) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    mode = connection.execute(f"PRAGMA journal_mode={'WAL' if sound else 'DELETE'}").fetchone()[0]
    if mode == "wal" and not sound:
        raise _held_in_wal(path)
    # A rollback journal commits by being deleted: EXTRA syncs its directory, too.
    connection.execute(f"PRAGMA synchronous={'FULL' if mode == 'wal' else 'EXTRA'}")


class SqliteFile:
    """One connection to a SQLite file of ours, shared by the threads of one process."""

    def __init__(self, path: Path, connection: Connection, driver: ModuleType) -> None:
        self.path = path
        self._connection = connection
        self._driver = driver
        self._sound = not loses_commits(driver.sqlite_version_info)
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, driver: ModuleType | None = None) -> Self:
        """The file at `path`, made if missing.

        Raises:
            JournalError: It cannot be used.
        """
        module = driver or sqlite_driver()
        return cls(path, connect_sqlite(path, driver=module), module)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction whose reads see one state."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write, the only one of all processes; on the disk when the block has ended."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close the connection; harmless when repeated."""
        if os.getpid() != self._pid:
            return  # a forked child: the connection is its parent's
        with self._lock:
            if not self._closed:
                self._connection.close()
            self._closed = True

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        if os.getpid() != self._pid:  # before the lock, which a forked child may have inherited locked
            raise JournalError(f"{self.path} was opened by another process.", advice="Open it again in this one.")
        with self._lock, _translated(self.path, self._driver):
            if self._closed:
                raise JournalError(f"{self.path} has been closed.", advice="Open it again.")
            try:
                self._connection.execute(begin)
                self._check_mode()
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # An interrupt may have come before it began; a full disk may have rolled it back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _check_mode(self) -> None:
        """A sound program may have turned the file to WAL after an unsound one opened it."""
        if not self._sound and self._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            raise _held_in_wal(self.path)


def mark(connection: Connection, *, application_id: int, version: int) -> None:
    """Write into a new database what it is, in the transaction of the caller."""
    connection.execute(f"PRAGMA application_id = {application_id}")
    connection.execute(f"PRAGMA user_version = {version}")


def recognise(connection: Connection, path: Path, *, application_id: int, version: int) -> None:
    """Refuse a database that is something else than `mark` said, or of another version.

    Raises:
        JournalError: It is such a database.
    """
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if found != application_id:
        raise JournalError(
            f"{path} is no file of this program.", advice="Move it away, or use another RETRY_TOOLKIT_HOME."
        )
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != version:
        raise JournalError(
            f"{path} has version {found}, and this program knows {version}.",
            advice="Update this program, or use another RETRY_TOOLKIT_HOME.",
        )


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Let one process and thread at a time pass; yields a descriptor of the file. Ends with the process.

    Raises:
        JournalError: The file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise JournalError(f"{path} cannot be opened: {error.strerror}.", advice=_DISK) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        # Said aloud, because a child forked meanwhile holds the same lock until then.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


@contextmanager
def _translated(path: Path, driver: Any) -> Iterator[None]:
    """Say what SQLite and the file system say in our words."""
    try:
        yield
    except driver.Error as error:
        what, advice = _PROBLEMS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, ("cannot be used", _DISK))
        raise JournalError(f"{path} {what} ({error}).", advice=advice) from error
    except OSError as error:
        raise JournalError(f"{path} cannot be used: {error.strerror}.", advice=_DISK) from error


def _held_in_wal(path: Path) -> JournalError:
    return JournalError(
        f"{path} is in use in WAL mode, in which this SQLite can lose data.",
        advice="Close the other program, or install pysqlite3 0.6.1 or newer.",
    )

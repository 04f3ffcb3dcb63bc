"""Opens the databases: SQLite files in the home directory, or PostgreSQL."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from retry_toolkit.errors import SettingsError
from retry_toolkit.server import tables
from retry_toolkit.sqlite import Version, loses_commits, sqlite_driver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from retry_toolkit.settings import Settings

BUSY_TIMEOUT_MS = 30_000
_SETUP_LOCK = 0x72747279  # any constant: names our advisory lock on PostgreSQL


def sqlite_module() -> ModuleType:
    """The SQLite driver: pysqlite3, which bundles a recent SQLite, else Python's own.

    Raises:
        SettingsError: Its SQLite can lose commits.
    """
    module = sqlite_driver()
    check_sqlite(module.sqlite_version_info)
    return module


def check_sqlite(version: Version) -> None:
    """Refuse a SQLite version that can lose commits.

    Raises:
        SettingsError: It is such a version.
    """
    if loses_commits(version):
        raise SettingsError(
            f"SQLite {'.'.join(map(str, version))} can lose committed data (its WAL-reset bug is mended in 3.51.3).",
            advice="Install pysqlite3 0.6.1 or newer, or set RETRY_TOOLKIT_DATABASE_URL to a PostgreSQL database.",
        )


def open_sqlite(path: Path, *, begin: Literal["explicit", "driver"]) -> sa.Engine:
    """An engine on a SQLite file in WAL mode that waits for locks and syncs every commit.

    Args:
        path: The file; made if missing.
        begin: `explicit` sends BEGIN (or BEGIN IMMEDIATE, see `Database.writing`) for every transaction, so that its
            reads see one state; `driver` leaves it to the driver, which sends BEGIN IMMEDIATE before the first write:
            what the workflow engine's statements expect.

    Raises:
        SettingsError: The file cannot be used, or SQLite is a version that can lose commits.
    """
    module = sqlite_module()
    engine = sa.create_engine(f"sqlite:///{path}", module=module, pool_size=10, max_overflow=40)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:
        del record
        connection.isolation_level = None if begin == "explicit" else "IMMEDIATE"
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    if begin == "explicit":

        @sa.event.listens_for(engine, "begin")
        def start(connection: sa.Connection) -> None:
            connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))

    _switch_to_wal(path, module)
    return engine


def _switch_to_wal(path: Path, module: ModuleType) -> None:
    """Set the journal mode, which the file remembers; on an own connection, because it cannot be in a transaction."""
    try:
        connection = module.connect(str(path), timeout=BUSY_TIMEOUT_MS / 1000)
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        finally:
            connection.close()
    except module.Error as error:
        raise SettingsError(f"The database {path} cannot be used: {error}.", advice="Check its directory.") from error
    if mode != "wal":
        raise SettingsError(
            f"The database {path} cannot be used: its file system does not support SQLite's WAL mode.",
            advice="Use a local disk for RETRY_TOOLKIT_HOME, or PostgreSQL.",
        )


def postgres_url(settings: Settings) -> sa.URL | None:
    """The PostgreSQL address of the settings with its driver, or None for SQLite.

    Raises:
        SettingsError: It is not the address of a PostgreSQL database; the message does not repeat it.
    """
    if settings.database_url is None:
        return None
    try:
        url = sa.make_url(settings.database_url.get_secret_value())
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsError(
            "Setting 'database_url' is not the address of a PostgreSQL database.",
            advice="Write it as postgresql://user:password@host:5432/database.",
        ) from None
    return url.set(drivername="postgresql+psycopg")


class Turns:
    """Lets the threads of this process through one at a time, in the order in which they came; `len` counts them all.

    SQLite's own wait asks again and again, ever more seldom: among many writers a thread could lose for a minute.
    """

    def __init__(self) -> None:
        self._queue: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._queue)

    @contextmanager
    def take(self, timeout_s: float = BUSY_TIMEOUT_MS / 1000) -> Iterator[None]:
        """A turn, for as long as the block lasts.

        Raises:
            OperationalError: It did not come in time.
        """
        mine = threading.Event()
        with self._lock:
            self._queue.append(mine)
            self._queue[0].set()
        try:
            if not mine.wait(timeout_s):
                raise OperationalError("BEGIN IMMEDIATE", None, TimeoutError("other writers took too long"))
            yield
        finally:
            with self._lock:
                self._queue.remove(mine)
                if self._queue:
                    self._queue[0].set()


class Database:
    """Transactions on the platform's own database.

    Attributes:
        engine: Connections to it.
        turns: Who of this process writes, and who waits for it; only SQLite needs it.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.turns = Turns()
        self._reader: sa.Engine
        self._writer: sa.Engine
        if self.is_sqlite:
            self._reader = engine
            self._writer = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        else:
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
            self._writer = engine

    @classmethod
    def open(cls, settings: Settings) -> Database:
        """The database of these settings, with its tables.

        Raises:
            SettingsError: It cannot be used, or was written by another version of this program.
        """
        url = postgres_url(settings)
        if url is None:
            with FileLock(settings.home / "setup.lock"):
                engine = open_sqlite(settings.home / "platform.db", begin="explicit")
                database = cls(engine.execution_options(schema_translate_map={tables.SCHEMA: None}))
                database._create_tables()
            return database
        database = cls(sa.create_engine(url, pool_size=10, max_overflow=40, pool_pre_ping=True))
        database._create_tables()
        return database

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction whose reads see one state."""
        with self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that may write; on SQLite the only one at a time."""
        with self.turns.take() if self.is_sqlite else nullcontext(), self._writer.begin() as connection:
            yield connection

    def hold(self, connection: sa.Connection, name: str) -> None:
        """Let one writing transaction at a time be about a name; SQLite lets only one write anyway."""
        if not self.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _create_tables(self) -> None:
        try:
            with self.writing() as connection:
                if not self.is_sqlite:
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SETUP_LOCK)))
                    connection.execute(sa.schema.CreateSchema(tables.SCHEMA, if_not_exists=True))
                tables.metadata.create_all(connection)
                found = _schema_version(connection)
        except DBAPIError as error:
            self.close()
            raise SettingsError(
                f"The database cannot be used: {plain(error)}.", advice="Check that it is up."
            ) from error
        if found != tables.SCHEMA_VERSION:
            self.close()
            raise SettingsError(
                f"The database has version {found} of the tables, this program needs {tables.SCHEMA_VERSION}.",
                advice="Use the program that wrote it, or another RETRY_TOOLKIT_HOME.",
            )


def _schema_version(connection: sa.Connection) -> int:
    """The version that the tables were made with; a new database gets the current one."""
    meta = tables.meta
    found = connection.execute(sa.select(meta.c.value).where(meta.c.name == "schema_version")).scalar()
    if found is not None:
        return int(found)
    connection.execute(meta.insert().values(name="schema_version", value=str(tables.SCHEMA_VERSION)))
    return tables.SCHEMA_VERSION


def plain(error: DBAPIError) -> str:
    """The driver's own words in one line: SQLAlchemy's would add the statement and its values."""
    return " ".join(str(error.orig).split())


def is_full(error: DBAPIError) -> bool:
    """Whether a write failed because the disk is full."""
    return getattr(error.orig, "sqlstate", None) == "53100" or "disk is full" in str(error.orig)

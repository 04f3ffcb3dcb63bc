"""Opening SQLite files: which driver, in which mode, and what is said when it does not work."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.sqlite import SqliteFile, connect_sqlite, locked, loses_commits, sqlite_driver
from tests.faults.sizes import fast_home


class Unsound(ModuleType):
    """A driver whose SQLite says that it is one that can lose commits in WAL mode."""

    def __init__(self) -> None:
        super().__init__("unsound")
        self.sqlite_version_info = (3, 51, 2)
        self.connect = sqlite3.connect
        self.Error = sqlite3.Error


class Sound(Unsound):
    """The same driver, saying that it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.sqlite_version_info = (3, 51, 3)


@pytest.fixture
def path() -> Iterator[Path]:
    """A place for a file, in memory."""
    with fast_home() as home:
        yield home / "a.db"


def pragmas(path: Path, driver: ModuleType) -> tuple[str, int]:
    """Journal mode and synchronous setting of a connection."""
    with closing(connect_sqlite(path, driver=driver)) as connection:
        return (
            connection.execute("PRAGMA journal_mode").fetchone()[0],
            connection.execute("PRAGMA synchronous").fetchone()[0],
        )


@pytest.mark.skipif(sys.platform != "linux", reason="pysqlite3 has wheels for Linux")
def test_the_driver_that_is_installed_here_is_mended() -> None:
    """pysqlite3 is preferred, and brings a SQLite without the bug."""
    driver = sqlite_driver()
    assert driver.__name__ == "pysqlite3"
    assert not loses_commits(driver.sqlite_version_info)


def test_a_sound_version_logs_ahead_and_an_unsound_one_rolls_back(path: Path) -> None:
    """WAL with FULL, or a rollback journal with EXTRA: each syncs every commit, each takes over from the other."""
    assert pragmas(path, Sound()) == ("wal", 2)
    assert pragmas(path, Unsound()) == ("delete", 3)
    assert pragmas(path, Sound()) == ("wal", 2)


def test_an_unsound_version_does_not_join_a_log_that_is_in_use(path: Path) -> None:
    """Where another program has the file in WAL mode, opening is refused, not risked."""
    with closing(connect_sqlite(path, driver=Sound())) as sound:
        sound.execute("CREATE TABLE t (a)")
        with pytest.raises(JournalError, match=r"in use in WAL mode|stayed locked") as caught:
            connect_sqlite(path, driver=Unsound())
        assert caught.value.advice


def test_an_unsound_version_stops_when_the_file_turned_to_a_log(path: Path) -> None:
    """A sound program that came later turned the file to WAL: the older connection writes nothing more."""
    file = SqliteFile.open(path, driver=Unsound())
    with file.writing() as connection:
        connection.execute("CREATE TABLE t (a)")
    connect_sqlite(path, driver=Sound()).close()
    with pytest.raises(JournalError, match="in use in WAL mode"), file.writing() as connection:
        connection.execute("INSERT INTO t VALUES (1)")
    file.close()


def test_files_are_for_their_owner_only(path: Path) -> None:
    """Reports and logs can hold secrets: nobody else reads the file or those beside it."""
    with closing(connect_sqlite(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}


class TestTransactions:
    @pytest.fixture
    def file(self, path: Path) -> Iterator[SqliteFile]:
        """A file with a table."""
        with closing(SqliteFile.open(path)) as made:
            with made.writing() as connection:
                connection.execute("CREATE TABLE t (a UNIQUE)")
            yield made

    def test_a_commit_is_seen_by_others_when_the_block_has_ended(self, file: SqliteFile) -> None:
        """Not before, and not later."""
        with closing(connect_sqlite(file.path)) as other:
            with file.writing() as connection:
                connection.execute("INSERT INTO t VALUES (1)")
                assert other.execute("SELECT count(*) FROM t").fetchone() == (0,)
            assert other.execute("SELECT count(*) FROM t").fetchone() == (1,)

    def test_an_error_takes_everything_back(self, file: SqliteFile) -> None:
        """Whatever is raised inside, nothing of the block is kept, and the next one works."""
        stopped = KeyboardInterrupt()

        def interrupted() -> None:
            with file.writing() as connection:
                connection.execute("INSERT INTO t VALUES (1)")
                raise stopped

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        with pytest.raises(JournalError, match="UNIQUE constraint failed"), file.writing() as connection:
            connection.executemany("INSERT INTO t VALUES (?)", [(2,), (2,)])
        with file.reading() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_reads_of_a_block_see_one_state(self, file: SqliteFile) -> None:
        """What others commit meanwhile is not seen."""
        with closing(connect_sqlite(file.path)) as other, file.reading() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)
            other.execute("INSERT INTO t VALUES (1)")
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)

    def test_a_full_file_is_said_and_leaves_the_file_usable(self, file: SqliteFile) -> None:
        """No room: an error that names the file and the disk; then, with room, it goes on."""
        with file.reading() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError, match="the disk is full") as caught, file.writing() as connection:
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
        assert str(file.path) in str(caught.value)
        with file.reading() as connection:
            connection.execute("PRAGMA max_page_count = 1000000")
        with file.writing() as connection:
            connection.execute("INSERT INTO t VALUES (1)")


def test_one_at_a_time_passes_a_lock(path: Path) -> None:
    """Threads that increment a number in a file lose no step."""
    path.write_text("0")

    def step(_: int) -> None:
        with locked(path.with_suffix(".lock")):
            path.write_text(str(int(path.read_text()) + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(step, range(400)))
    assert path.read_text() == "400"


def test_a_lock_that_cannot_be_opened_is_said(path: Path) -> None:
    """A missing directory is one clear error."""
    with pytest.raises(JournalError, match="cannot be opened: No such file"), locked(path / "nowhere" / "lock"):
        pass

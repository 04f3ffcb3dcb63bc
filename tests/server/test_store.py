"""What the store keeps: through restarts, in two dialects' words, in any script."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from retry_toolkit.errors import SettingsError
from retry_toolkit.server import tables
from retry_toolkit.server.database import Turns, check_sqlite, open_sqlite, postgres_url, sqlite_module
from retry_toolkit.server.runs import Outcome
from retry_toolkit.server.store import Store
from retry_toolkit.settings import load_settings
from retry_toolkit.sqlite import loses_commits
from tests.live import wait_until
from tests.server.workbench import ALICE, Workbench, render, workbench


@pytest.fixture
def bench(home: Path) -> Iterator[Workbench]:
    """A store with its actions."""
    with workbench(home) as made:
        yield made


class TestSqlite:
    @pytest.mark.parametrize(
        ("version", "loses"),
        [
            ((3, 6, 23), False),
            ((3, 7, 0), True),
            ((3, 40, 1), True),
            ((3, 44, 5), True),
            ((3, 44, 6), False),
            ((3, 45, 0), True),
            ((3, 50, 6), True),
            ((3, 50, 7), False),
            ((3, 51, 2), True),
            ((3, 51, 3), False),
            ((3, 53, 4), False),
        ],
    )
    def test_versions_that_lose_commits_are_known(self, version: tuple[int, int, int], loses: bool) -> None:
        """The bug, its fix and its backports are told apart."""
        assert loses_commits(version) is loses

    def test_such_a_version_is_refused_with_advice(self) -> None:
        """A version that can lose commits stops the start with one clear line."""
        with pytest.raises(SettingsError, match=r"SQLite 3\.51\.2 can lose committed data.*pysqlite3"):
            check_sqlite((3, 51, 2))

    def test_ours_is_mended(self) -> None:
        """The driver that is installed here has the fix."""
        assert not loses_commits(sqlite_module().sqlite_version_info)

    @pytest.mark.parametrize("begin", ["explicit", "driver"])
    def test_every_connection_is_durable(self, tmp_path: Path, begin: str) -> None:
        """WAL, full sync, a patient lock and foreign keys hold on each connection of both databases."""
        engine = open_sqlite(tmp_path / "a.db", begin=begin)  # type: ignore[arg-type]  # both values of the literal
        with engine.connect() as one, engine.connect() as two:
            for connection in (one, two):
                found = [
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                    for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
                ]
                assert found == ["wal", 2, 30_000, 1]
        engine.dispose()

    def test_writers_wait_for_each_other(self, bench: Workbench) -> None:
        """A writing transaction takes the lock at its beginning, not at its first write."""
        with bench.store.database.writing(), closing(sqlite_module().connect(bench.home / "platform.db")) as other:
            other.isolation_level = None
            other.execute("PRAGMA busy_timeout=0")
            with pytest.raises(sqlite_module().OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")

    def test_a_reading_transaction_sees_one_state(self, bench: Workbench) -> None:
        """What is written meanwhile does not show between the reads of one transaction."""
        task_id = bench.submit()
        count = sa.select(sa.func.count()).select_from(tables.tasks)
        with bench.store.database.reading() as connection:
            before = connection.execute(count).scalar()
            bench.actions.clone(task_id, intent=ALICE, render=render)
            assert connection.execute(count).scalar() == before == 1


class TestTurns:
    def test_writers_come_on_in_the_order_in_which_they_came(self, bench: Workbench) -> None:
        """Nobody is overtaken; who waits holds no connection."""
        database = bench.store.database
        writers: list[threading.Thread] = []
        seen: list[str] = []

        def write() -> None:
            with database.writing():
                seen.append(threading.current_thread().name)

        with database.writing():
            for number in range(8):
                writers.append(threading.Thread(target=write, name=str(number)))
                writers[-1].start()
                wait_until(lambda: len(database.turns) == 1 + len(writers), "the writer to queue up")
            assert isinstance(database.engine.pool, sa.QueuePool)
            assert database.engine.pool.checkedout() == 1
        for writer in writers:
            writer.join()
        assert seen == [writer.name for writer in writers]

    def test_a_turn_that_does_not_come_is_an_error_like_any_lock(self) -> None:
        """Who has given up waiting holds nobody up; a writer that fails neither."""
        turns = Turns()
        with turns.take(), pytest.raises(DBAPIError, match="took too long"), turns.take(timeout_s=0):
            raise AssertionError("two have a turn at once")
        with pytest.raises(ZeroDivisionError), turns.take(timeout_s=0):
            raise ZeroDivisionError
        with turns.take(timeout_s=0):
            assert len(turns) == 1


class TestOpening:
    def test_a_home_that_cannot_be_made_is_one_clear_line(self, tmp_path: Path) -> None:
        """A file in the way of the home directory names the setting."""
        (tmp_path / "file").touch()
        with pytest.raises(SettingsError, match="RETRY_TOOLKIT_HOME"):
            Store.open(load_settings(home=tmp_path / "file" / "home"))

    def test_a_file_that_is_no_database_is_one_clear_line(self, home: Path) -> None:
        """A damaged database is named, not a stack."""
        home.mkdir()
        (home / "platform.db").write_text("this is not a database, and long enough to be seen as such" * 20)
        with pytest.raises(SettingsError, match=r"platform\.db"):
            Store.open(load_settings(home=home))

    def test_a_database_of_another_version_is_refused(self, home: Path) -> None:
        """Tables of another version are not touched."""
        with workbench(home) as bench, bench.store.database.writing() as connection:
            connection.execute(tables.meta.update().values(value="99"))
        with pytest.raises(SettingsError, match="version 99"):
            Store.open(load_settings(home=home))

    def test_a_database_url_that_is_none_keeps_its_secret(self, home: Path) -> None:
        """A wrong address is refused without repeating its password."""
        settings = load_settings(home=home, database_url="mysql://u:hunter2@h/d")
        with pytest.raises(SettingsError, match="not the address of a PostgreSQL database") as refusal:
            postgres_url(settings)
        assert "hunter2" not in str(refusal.value)

    def test_a_postgres_that_is_away_keeps_its_secret(self, home: Path) -> None:
        """A database that does not answer is one clear line without the password."""
        settings = load_settings(home=home, database_url="postgresql://u:hunter2@127.0.0.1:9/d")
        with pytest.raises(SettingsError, match="cannot be used") as refusal:
            Store.open(settings)
        assert "hunter2" not in str(refusal.value)

    def test_only_the_owner_may_look_in(self, bench: Workbench) -> None:
        """The home directory is closed to other users."""
        assert bench.home.stat().st_mode & 0o077 == 0


class TestReading:
    def test_everything_survives_a_restart(self, home: Path) -> None:
        """Tasks, attempts, history, audit and files are the same after opening again."""
        (home.parent / "a.csv").write_text("a")
        with workbench(home) as bench:
            task_id = bench.failed(files={"a.csv": home.parent / "a.csv"}, params={"名": [1, None, 2.5, True]})
            bench.actions.retry_task(task_id, intent=ALICE)

            def everything(store: Store) -> object:
                audit = store.audit(page=1, page_size=10)
                return store.task(task_id), store.attempts(task_id), store.files(task_id), audit, store.projects()

            before = everything(bench.store)
        with workbench(home) as bench:
            assert everything(bench.store) == before

    def test_pages_are_newest_first_and_filtered(self, bench: Workbench) -> None:
        """Pages follow the time of submission, and every filter counts what it lets through."""
        ids = [bench.submit(title=f"Task {number}", project_id="ab"[number % 2]) for number in range(5)]
        bench.end(ids[0], fail_at="load")
        page = bench.store.tasks

        def found(**filters: str) -> list[str]:
            result = page(page=1, page_size=10, **filters)
            assert result.total == len(result.items)
            return [task.id for task in result.items]

        assert found() == ids[::-1]
        assert [task.id for task in page(page=2, page_size=2).items] == [ids[2], ids[1]]
        assert page(page=9, page_size=2).total == 5
        assert found(status="failed") == [ids[0]]
        assert found(project_id="b") == [ids[3], ids[1]]
        assert found(status="pending", project_id="a") == [ids[4], ids[2]]
        assert bench.store.projects() == ("a", "b")

    @pytest.mark.parametrize(
        ("title", "search"),
        [
            ("Sales Report", "sales REP"),
            ("销售日报 ÄÖÜ", "äöü"),
            ("销售日报", "日报"),
            ("СВОДКА", "сводка"),
            ("100%_done", "100%_D"),
            ("straße", "STRASSE"),
        ],
    )
    def test_titles_are_found_without_regard_to_case(self, bench: Workbench, title: str, search: str) -> None:
        """A title is found by any part of it in any script; `%` and `_` mean themselves."""
        task_id = bench.submit(title=title)
        bench.submit(title="100 xx done, something else")
        assert [task.id for task in bench.store.tasks(page=1, page_size=9, title=search).items] == [task_id]

    def test_what_no_database_takes_is_escaped(self, bench: Workbench) -> None:
        """NUL, lone surrogates, NaN and infinities are kept readably, wherever they come from."""
        task_id = bench.submit()
        outcome = Outcome(
            status="failed",
            error_message="a\0b\udcffc 你好",
            output_summary="\ud800",
            output_structured={"k\0": ["\udc80", float("inf")], "n": 2**70},
        )
        assert bench.runs.finish(bench.begin(task_id, "load"), outcome)
        stage = bench.stage(task_id, "load")
        assert stage.error_message == "a\\x00b\\udcffc 你好"
        assert stage.output_summary == "\\ud800"
        assert stage.output_structured == {"k\\x00": ["\\udc80", None], "n": 2**70}

    def test_long_messages_are_kept_whole(self, bench: Workbench) -> None:
        """A message of a million characters comes back as it was."""
        task_id = bench.submit()
        message = "错误\n" * 300_000
        bench.runs.finish(bench.begin(task_id, "load"), Outcome(status="failed", error_message=message))
        assert bench.stage(task_id, "load").error_message == message
        assert bench.task(task_id).status_history[-1]["error"] == "错误"


@pytest.mark.parametrize(
    "at",
    [
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 11, 22, 9, 29, 39, 173_305, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_times_are_exact(at: datetime) -> None:
    """A time survives to the microsecond."""
    kind = tables.UtcTime()
    dialect = sa.create_engine("sqlite://").dialect
    assert kind.process_result_value(kind.process_bind_param(at, dialect), dialect) == at

"""Evidence: what a retry erases is kept, once, small, for a time."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError, Unavailable
from retry_toolkit.platforms.base import LogRecord, StageRecord, Status, TaskRecord
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.evidence_text import CHUNK_BYTES, task_of, task_text
from retry_toolkit.sqlite import connect_sqlite
from tests.faults.sizes import fast_home
from tests.retry.journals import ORIGIN

AT = datetime(2026, 11, 22, 9, 29, 39, 173305, tzinfo=UTC)
HOSTILE = "NUL\0 lone \ud800 <script>重试</script>\r\n\u2028\x85" + "\U0001f680"


@pytest.fixture
def home() -> Iterator[Path]:
    """A home directory in memory."""
    with fast_home() as made:
        yield made


@pytest.fixture
def evidence(home: Path) -> Iterator[Evidence]:
    """New, empty evidence."""
    with Evidence.open(home) as made:
        yield made


def task(retry_count: int = 0, *, error: str = "boom", status: Status = "failed") -> TaskRecord:
    """A task of two stages whose second one ended like this."""
    plan = StageRecord(
        task_id="t1", stage_id="s1", stage="plan", position=0, status="succeeded", native_status="completed", tokens=9
    )
    build = StageRecord(
        task_id="t1",
        stage_id="s2",
        stage="build",
        position=1,
        status=status,
        native_status=status,
        started_at=AT,
        finished_at=AT + timedelta(seconds=90),
        duration_s=90.0,
        retry_count=retry_count,
        error=error,
        output={"confidence": 0.5, "artifacts": ["a"], "metadata": {"深": None}},
        extra={"new field": [1, 2.5, True]},
    )
    return TaskRecord(
        task_id="t1",
        name="构建",
        status=status,
        native_status=status,
        created_at=AT,
        retried_by=("t2", "t3"),
        parameters={"n": 2**70},
        stages=(plan, build),
    )


def log(lines: int, *, text: str = "line") -> Iterator[LogRecord]:
    """A log of so many lines."""
    for seq in range(lines):
        yield LogRecord(task_id="t1", stage="build" if seq % 2 else "plan", seq=seq, time=AT, kind="stdout", text=text)


def size(home: Path) -> int:
    """Bytes of the file and what is beside it."""
    return sum(path.stat().st_size for path in home.glob("evidence.db*"))


class TestKeeping:
    def test_a_report_comes_back_as_it_was(self, evidence: Evidence) -> None:
        """Every field of task, stages and log, whatever is in it."""
        lines = list(log(5))
        evidence_id = evidence.save(task(), lines, origin=ORIGIN)
        assert evidence.task(evidence_id) == task()
        assert list(evidence.logs(evidence_id)) == lines
        assert list(evidence.logs(evidence_id, "build")) == lines[1::2]

    def test_hostile_text_comes_back_as_it_was(self, evidence: Evidence) -> None:
        """NUL, lone surrogates and every kind of line end, in ids, errors and lines."""
        line = LogRecord(task_id=HOSTILE, stage=HOSTILE, seq=1, time=None, kind=HOSTILE, text=HOSTILE, truncated=True)
        wanted = replace(task(error=HOSTILE), task_id=HOSTILE, extra={HOSTILE: HOSTILE})
        evidence_id = evidence.save(wanted, [line, line], origin=HOSTILE)
        assert evidence.task(evidence_id) == wanted
        assert list(evidence.logs(evidence_id)) == [line, line]
        assert [one.error for one in evidence.attempts(HOSTILE, HOSTILE)] == [None, HOSTILE]

    def test_what_is_not_kept_is_none(self, evidence: Evidence) -> None:
        """An unknown id has no task, no log and no attempts."""
        assert evidence.task("nope") is None
        assert list(evidence.logs("nope")) == []
        assert evidence.attempts(ORIGIN, "t1") == ()

    def test_it_is_there_after_opening_again(self, home: Path) -> None:
        """Saved means on the disk."""
        with Evidence.open(home) as evidence:
            evidence_id = evidence.save(task(), log(3), origin=ORIGIN)
        with Evidence.open(home) as evidence:
            assert evidence.task(evidence_id) == task()

    def test_a_log_that_cannot_be_read_leaves_no_report(self, evidence: Evidence) -> None:
        """A platform that fails while its log is read: its error passes, and nothing looks like evidence."""

        def failing() -> Iterator[LogRecord]:
            yield from log(3)
            raise Unavailable("The platform answered 503.")

        with pytest.raises(Unavailable):
            evidence.save(task(), failing(), origin=ORIGIN)
        assert evidence.attempts(ORIGIN, "t1") == ()


class TestAttempts:
    def test_every_attempt_is_kept_side_by_side(self, evidence: Evidence) -> None:
        """Three failures of a stage, saved before each retry: three attempts, in the order of stages and attempts."""
        for count in range(3):
            evidence.save(task(count, error=f"boom {count}"), log(2), origin=ORIGIN)
        found = evidence.attempts(ORIGIN, "t1")
        assert [(one.stage, one.attempt, one.error) for one in found] == [
            ("plan", 1, None),
            ("build", 1, "boom 0"),
            ("build", 2, "boom 1"),
            ("build", 3, "boom 2"),
        ]
        last = found[-1]
        assert (last.source, last.status, last.started_at, last.duration_s) == ("evidence", "failed", AT, 90.0)

    def test_only_what_ended_is_an_attempt(self, evidence: Evidence) -> None:
        """A stage that waits, runs or was skipped has left nothing to keep."""
        for status in ("pending", "running", "skipped"):
            evidence.save(task(status=status), [], origin=ORIGIN)
        assert [one.stage for one in evidence.attempts(ORIGIN, "t1")] == ["plan"]

    def test_platforms_are_told_apart(self, evidence: Evidence) -> None:
        """Two platforms may have a task of the same id."""
        evidence.save(task(), [], origin=ORIGIN)
        assert evidence.attempts("http://other", "t1") == ()
        assert evidence.attempts(ORIGIN, "t2") == ()


class TestSize:
    def test_the_same_report_is_kept_once(self, evidence: Evidence, home: Path) -> None:
        """Saving it again costs nothing and gives the same id."""
        first = evidence.save(task(), log(2_000), origin=ORIGIN)
        before = size(home)
        assert evidence.save(task(), log(2_000), origin=ORIGIN) == first
        with closing(connect_sqlite(home / "evidence.db")) as connection:
            assert connection.execute("SELECT count(*) FROM pieces").fetchone()[0] == 2
        assert size(home) < before + 50_000

    def test_a_log_that_has_grown_shares_its_beginning(self, evidence: Evidence, home: Path) -> None:
        """The second report of a long log adds only what is new."""
        text = random.Random(0).randbytes(500).hex()
        evidence.save(task(), log(4_000, text=text), origin=ORIGIN)
        with closing(connect_sqlite(home / "evidence.db")) as connection:
            before = connection.execute("SELECT count(*) FROM pieces").fetchone()[0]
            evidence.save(task(1), log(4_010, text=text), origin=ORIGIN)
            after = connection.execute("SELECT count(*) FROM pieces").fetchone()[0]
        assert before > 4
        assert after == before + 2  # the task, and the last piece of the log

    def test_text_is_compressed(self, evidence: Evidence, home: Path) -> None:
        """A log like logs are takes a fifth of its text at most, with all that is said of each line."""
        text = "2026-11-22 09:29:39 INFO step done"
        evidence.save(task(), log(20_000, text=text), origin=ORIGIN)
        evidence.close()
        assert size(home) < 20_000 * len(text) / 5

    def test_a_huge_log_is_kept_in_bounded_memory(self, evidence: Evidence) -> None:
        """Fifty megabytes of log pass through a few pieces at a time, in and out."""
        text = random.Random(0).randbytes(500).hex() * 50
        tracemalloc.start()
        evidence_id = evidence.save(task(), log(1_000, text=text), origin=ORIGIN)
        read = sum(len(line.text) for line in evidence.logs(evidence_id))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert read == 50_000_000
        assert peak < 12 * CHUNK_BYTES

    def test_one_endless_line_is_kept(self, evidence: Evidence) -> None:
        """A line longer than a piece is a piece by itself."""
        lines = [next(log(1, text="x" * 3 * CHUNK_BYTES)), *log(2)]
        assert list(evidence.logs(evidence.save(task(), lines, origin=ORIGIN))) == lines


class TestRetention:
    def test_old_evidence_is_removed_and_its_space_given_back(self, evidence: Evidence, home: Path) -> None:
        """Reports past their days go, with the pieces that only they used; the file shrinks."""
        old = evidence.save(task(), log(3_000, text=random.Random(0).randbytes(300).hex()), origin=ORIGIN)
        noise = random.Random(1)
        evidence.save(task(5), [next(log(1, text=noise.randbytes(2_000_000).hex()))], origin=ORIGIN)
        full = size(home)
        assert evidence.prune(30, now=datetime.now(UTC) + timedelta(days=29)) == 0
        assert evidence.prune(30, now=datetime.now(UTC) + timedelta(days=31)) == 2
        assert evidence.task(old) is None
        evidence.close()
        assert size(home) < full / 10

    def test_shared_pieces_stay_for_the_younger_report(self, evidence: Evidence, home: Path) -> None:
        """What a younger report also uses is not removed with the older one."""
        evidence.save(task(), log(10), origin=ORIGIN)
        with closing(connect_sqlite(home / "evidence.db")) as connection:
            for table, column in (("reports", "saved_at"), ("pieces", "touched_at")):
                connection.execute(f"UPDATE {table} SET {column} = '2020-01-01T00:00:00+00:00'")
        young = evidence.save(task(1), log(10), origin=ORIGIN)
        assert evidence.prune(365) == 1
        assert list(evidence.logs(young)) == list(log(10))
        assert [one.attempt for one in evidence.attempts(ORIGIN, "t1") if one.stage == "build"] == [2]

    def test_pieces_of_a_report_that_is_being_saved_stay(self, evidence: Evidence) -> None:
        """Another process that prunes in the middle of a save takes nothing from it."""

        def pruned_in_the_middle() -> Iterator[LogRecord]:
            for line in log(3, text="x" * CHUNK_BYTES):
                evidence.prune(0)
                yield line

        evidence_id = evidence.save(task(), pruned_in_the_middle(), origin=ORIGIN)
        assert len(list(evidence.logs(evidence_id))) == 3

    def test_opening_prunes(self, home: Path) -> None:
        """The setting is applied when evidence is opened; without one nothing is removed."""
        with Evidence.open(home) as evidence:
            evidence_id = evidence.save(task(), [], origin=ORIGIN)
        with closing(connect_sqlite(home / "evidence.db")) as connection:
            connection.execute("UPDATE reports SET saved_at = '2020-01-01T00:00:00+00:00'")
        with Evidence.open(home) as evidence:
            assert evidence.task(evidence_id) == task()
        with Evidence.open(home, keep_days=365) as evidence:
            assert evidence.task(evidence_id) is None


class TestTrouble:
    def test_threads_save_at_once(self, home: Path) -> None:
        """Four senders and a second process's connection, saving overlapping reports."""
        with Evidence.open(home) as one, Evidence.open(home) as two, ThreadPoolExecutor(8) as pool:
            saved = pool.map(lambda n: (one, two)[n % 2].save(task(n % 5), log(100), origin=ORIGIN), range(40))
            assert len(set(saved)) == 5
            assert len(one.attempts(ORIGIN, "t1")) == 6

    @pytest.mark.parametrize("damage", ["x'00'", "zeroblob(50)", "substr(body, 1, 20)"])
    def test_a_damaged_piece_is_said(self, evidence: Evidence, home: Path, damage: str) -> None:
        """What is read is what was kept, or an error: a report is never shown cut."""
        evidence_id = evidence.save(task(), log(10), origin=ORIGIN)
        with closing(connect_sqlite(home / "evidence.db")) as connection:
            connection.execute(f"UPDATE pieces SET body = {damage}")
        with pytest.raises(JournalError, match="not as it was kept"):
            evidence.task(evidence_id)
        with pytest.raises(JournalError, match="not as it was kept"):
            list(evidence.logs(evidence_id))

    def test_reports_of_a_task_are_named_in_order(self, home: Path) -> None:
        """Each with the task as it was then, so that the log of an attempt can be found."""
        archive = Archive(home=home)
        with archive.look() as nothing:
            assert nothing is None
        assert not (home / "evidence.db").exists()
        with Evidence.open(home) as evidence:
            ids = [evidence.save(task(number), (), origin=ORIGIN) for number in (0, 1)]
            evidence.save(replace(task(), task_id="other"), (), origin=ORIGIN)
        with archive.look() as kept:
            assert kept is not None
            assert kept.reports(ORIGIN, "t1") == tuple(zip(ids, (task(0), task(1)), strict=True))

    @pytest.mark.parametrize(
        ("statement", "words"),
        [("PRAGMA user_version = 9", "has version 9"), ("PRAGMA application_id = 9", "no file of this program")],
    )
    def test_a_newer_or_foreign_file_is_refused(self, home: Path, statement: str, words: str) -> None:
        """Evidence of another version is not guessed at."""
        Evidence.open(home).close()
        with closing(connect_sqlite(home / "evidence.db")) as connection:
            connection.execute(statement)
        with pytest.raises(JournalError, match=words):
            Evidence.open(home)

    def test_a_home_that_cannot_be_made_is_said(self, home: Path) -> None:
        """A file where the directory should be is one clear error."""
        (home / "file").touch()
        with pytest.raises(JournalError, match="cannot be made"):
            Evidence.open(home / "file" / "home")

    def test_fields_of_a_newer_version_are_left_out(self) -> None:
        """A report that knows more than this program can still be read."""
        text = task_text(task()).replace(b'{"cost"', b'{"colour":"red","cost"', 1)
        assert b"colour" in text
        assert task_of(text) == task()

"""Several processes and threads at one journal, and processes that die in the middle."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.audit import verify
from retry_toolkit.retry.journal import Journal
from retry_toolkit.sqlite import loses_commits, sqlite_driver
from tests.faults.sizes import fast_home
from tests.retry.journals import ME, claimant, go, intent, op, planned, said

KILLS = int(os.environ.get("JOURNAL_KILLS", "8"))
DRIVERS = sorted({sqlite_driver().__name__, "sqlite3"})


@pytest.fixture
def home() -> Iterator[Path]:
    """A home directory in memory."""
    with fast_home() as made:
        yield made


@pytest.mark.faults
@pytest.mark.parametrize("driver", DRIVERS)
def test_eight_processes_claim_two_hundred_items_once_each(home: Path, driver: str) -> None:
    """Every item is granted to exactly one of them, whether the file is in WAL mode or has a rollback journal."""
    wanted, racing = (200, 8) if driver == sqlite_driver().__name__ else (40, 3)
    with Journal.open(home) as journal:
        batch = planned(journal, *range(wanted))
    with ExitStack() as stack:
        racers = [
            stack.enter_context(claimant(home, batch, "--seed", str(seed), "--driver", driver))
            for seed in range(racing)
        ]
        for racer in racers:
            go(racer)
        granted = [op_id for racer in racers for op_id in said(racer)]
    assert Counter(granted) == Counter(op(number) for number in range(wanted))
    with Journal.open(home) as journal:
        assert journal.buckets(batch.batch_id)["SENT"] == wanted
    assert verify(home).ok


def test_eight_threads_claim_each_item_once(home: Path) -> None:
    """Threads that share a journal, and threads that opened their own, are as safe as processes."""
    with ExitStack() as stack:
        journals = [stack.enter_context(Journal.open(home)) for _ in range(3)]
        batch = planned(journals[0], *range(40))

        def claim_all(seed: int) -> list[str]:
            ops = [op(number) for number in range(40)]
            random.Random(seed).shuffle(ops)
            journal = journals[seed % len(journals)]
            return [one for one in ops if journal.claim(one, batch.batch_id, actor=ME) is not None]

        with ThreadPoolExecutor(8) as pool:
            granted = [one for ops in pool.map(claim_all, range(8)) for one in ops]
    assert Counter(granted) == Counter(op(number) for number in range(40))


def test_two_processes_plan_the_same_at_once(home: Path) -> None:
    """Of two batches with the same intents, each intent is planned in exactly one."""
    with Journal.open(home) as one, Journal.open(home) as two, ThreadPoolExecutor(2) as pool:
        batches = list(pool.map(lambda journal: planned(journal, *range(30)), [one, two]))
        states = [[item.state for item in one.items(batch.batch_id)] for batch in batches]
    assert Counter(states[0] + states[1]) == {"PLANNED": 30, "SKIPPED": 30}


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_process_leaves_every_claim_that_it_was_told_of(home: Path, seed: int) -> None:
    """`kill -9` between claim and answer: what was granted is SENT, is never granted again, and is to be read back."""
    with Journal.open(home) as journal:
        batch = planned(journal, *range(60))
    with claimant(home, batch, "--seed", str(seed), "--lease") as process:
        go(process)
        lines = said(process)
        told = {next(lines) for _ in range(random.Random(seed).randint(1, 40))}
        process.kill()
        told |= {line for line in lines if len(line) == 64}
    with Journal.open(home) as journal:
        sent = {item.op_id for item in journal.items(batch.batch_id, states=["SENT"])}
        assert told <= sent
        assert len(sent - told) <= 1  # claimed, and dead before it could say so
        assert sum(journal.buckets(batch.batch_id).values()) == 60
        assert journal.claim_many(told, batch.batch_id, actor=ME) == []
        lease = journal.lease(batch.batch_id, actor=ME)
        assert lease is not None
        assert {item.op_id for item in journal.recover(lease, actor=ME)} == sent
        assert {item.op_id for item in journal.items(states=["UNKNOWN"])} == sent
        assert len(journal.claim_many([op(n) for n in range(60)], batch.batch_id, actor=ME)) == 60 - len(sent)
    assert verify(home).ok


@pytest.mark.faults
def test_a_disk_that_is_full_refuses_the_claim(home: Path) -> None:
    """Nothing is granted that could not be written; what was granted before is kept."""
    with Journal.open(home) as journal:
        batch = planned(journal, *range(200))
    largest = (home / "journal.db").stat().st_size + 100_000
    with claimant(home, batch, "--largest", str(largest)) as process:
        go(process)
        *granted, refusal = said(process)
    assert granted
    assert refusal.startswith(f"refused {home / 'journal.db'} cannot ")
    assert "disk" in refusal
    with Journal.open(home) as journal:
        sent = {item.op_id for item in journal.items(batch.batch_id, states=["SENT"])}
        assert set(granted) <= sent
        assert len(sent) <= len(granted) + 1
        assert len(journal.claim_many([op(n) for n in range(200)], batch.batch_id, actor=ME)) == 200 - len(sent)


def test_a_claim_waits_for_a_writer_and_says_when_it_waited_too_long(home: Path) -> None:
    """A lock that another program holds is waited for; then it is an error, and nothing is granted."""
    driver = sqlite_driver()
    with Journal.open(home) as journal:
        batch = planned(journal, 1)
        blocker = driver.connect(str(home / "journal.db"), isolation_level=None)
        journal._file.database._connection.execute("PRAGMA busy_timeout = 50")
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="stayed locked"):
            journal.claim(op(1), batch.batch_id, actor=ME)
        blocker.execute("ROLLBACK")
        blocker.close()
        assert journal.claim(op(1), batch.batch_id, actor=ME) is not None


def test_a_forked_child_does_not_use_its_parents_journal(home: Path) -> None:
    """A connection that two processes share corrupts the file: the child is refused."""
    with Journal.open(home) as journal:
        planned(journal, 1)
        journal._file.database._pid += 1  # what a child sees
        with pytest.raises(JournalError, match="opened by another process"):
            journal.items()
        journal._file.database._pid -= 1
        assert journal.items()[0].intent == intent(1)


def test_a_closed_journal_says_so(home: Path) -> None:
    """Using a journal after closing it is an error of its own; closing it twice is none."""
    journal = Journal.open(home)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="has been closed"):
        journal.batches()


@pytest.mark.skipif(loses_commits(sqlite_driver().sqlite_version_info), reason="no sound SQLite is installed here")
def test_every_commit_is_synced(tmp_path: Path) -> None:
    """The journal's own connection is in WAL mode and syncs each commit."""
    with Journal.open(tmp_path) as journal, journal._file.database.reading() as connection:
        found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]

"""Leases: one process runs a batch, and a dead one does not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.journal import Journal
from tests.retry.journals import ME, claimant, claimed, op, planned, said


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal."""
    with Journal.open(tmp_path) as made:
        yield made


def test_one_at_a_time_runs_a_batch(journal: Journal, tmp_path: Path) -> None:
    """A second journal of the same process gets no lease until the first one gave it back."""
    batch, other = planned(journal, 1), planned(journal, 2)
    lease = journal.lease(batch.batch_id, actor=ME)
    with Journal.open(tmp_path) as second:
        assert second.lease(batch.batch_id, actor=ME) is None
        assert journal.lease(batch.batch_id, actor=ME) is None
        assert second.lease(other.batch_id, actor=ME) is not None
        assert lease is not None
        lease.release()
        lease.release()
        assert second.lease(batch.batch_id, actor=ME) is not None
    assert journal.owner(batch.batch_id) is None


def test_the_owner_is_named(journal: Journal) -> None:
    """Who runs a batch, where and since when can be shown; asking takes nothing away."""
    batch = planned(journal, 1)
    assert journal.owner(batch.batch_id) is None
    with journal.lease(batch.batch_id, actor="ann\udc80") or pytest.fail("no lease"):
        owner = journal.owner(batch.batch_id)
        assert owner is not None
        assert (owner.pid, owner.actor) == (os.getpid(), "ann\udc80")
        assert journal.lease(batch.batch_id, actor=ME) is None
    assert journal.owner(batch.batch_id) is None


def test_a_batch_that_does_not_exist_has_no_lease(journal: Journal) -> None:
    """A name from outside never becomes a file."""
    with pytest.raises(JournalError, match="no batch"):
        journal.lease("../../etc/passwd", actor=ME)
    assert journal.owner("../../etc/passwd") is None


@pytest.mark.faults
def test_a_killed_process_holds_nothing(journal: Journal, tmp_path: Path) -> None:
    """The moment that its process is gone, a batch is free: no time has to pass."""
    batch = planned(journal, 1)
    with claimant(tmp_path, batch, "--lease") as process:
        assert journal.lease(batch.batch_id, actor=ME) is None
        owner = journal.owner(batch.batch_id)
        assert owner is not None
        assert owner.pid == process.pid
        process.kill()
        process.wait()
        assert journal.owner(batch.batch_id) is None
        assert journal.lease(batch.batch_id, actor=ME) is not None


@pytest.mark.faults
def test_a_child_that_outlives_its_parent_holds_nothing(journal: Journal, tmp_path: Path) -> None:
    """A kernel that forked and was killed has given its batches free, though its child has copies of its files."""
    batch = planned(journal, 1)
    with claimant(tmp_path, batch, "--lease", "--fork") as process:
        child = int(next(said(process)))
        process.kill()
        process.wait()
        try:
            os.kill(child, 0)
            assert journal.lease(batch.batch_id, actor=ME) is not None
        finally:
            os.kill(child, signal.SIGKILL)


def test_what_a_dead_process_sent_is_unknown_and_never_sent_again(journal: Journal) -> None:
    """Recovery needs the lease: while the sender lives, its items are its own."""
    batch = planned(journal, 1, 2)
    claimed(journal, 1, batch)
    lease = journal.lease(batch.batch_id, actor=ME)
    assert lease is not None
    (lost,) = journal.recover(lease, actor=ME)
    assert (lost.task_id, lost.state, lost.reason) == (
        "t1",
        "UNKNOWN",
        "It was sent, and its process ended before an answer was recorded.",
    )
    assert journal.recover(lease, actor=ME) == []
    assert journal.claim(op(1), batch.batch_id, actor=ME) is None
    lease.release()
    with pytest.raises(JournalError, match="given back"):
        journal.recover(lease, actor=ME)

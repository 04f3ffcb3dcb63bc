"""A batch that is opened to look at it: nothing runs, and everything can be settled or gone on with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError, PlanRefused
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.execute import execute, open_batch
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan import plan_retry
from tests.retry.ledger import QUICK, LedgerPlatform


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    """A journal of the test's own."""
    with Journal.open(home) as journal:
        yield journal


@pytest.fixture
def evidence(home: Path) -> Iterator[Evidence]:
    """Evidence of the test's own."""
    with Evidence.open(home) as evidence:
        yield evidence


def begun(platform: LedgerPlatform, journal: Journal, evidence: Evidence) -> str:
    """Id of a batch that was begun and left."""
    plan = plan_retry(platform, list(platform.records))
    return execute(plan, wait=True, progress=False, journal=journal, evidence=evidence, timing=QUICK).id


def test_it_shows_what_the_journal_has(journal: Journal, evidence: Evidence) -> None:
    """Items and buckets, without a thread and without a request."""
    platform = LedgerPlatform.of("a", "b", faults={"a": ["lost_request"]})
    batch_id = begun(platform, journal, evidence)
    writes = platform.writes.copy()
    batch = open_batch(batch_id, platform, journal=journal, evidence=evidence)
    assert not batch.running
    assert {item.task_id: item.state for item in batch.items} == {"a": "UNKNOWN", "b": "SUCCEEDED"}
    assert sum(batch.buckets.values()) == batch.total == 2
    assert platform.writes == writes


def test_what_is_unclear_is_settled_without_running_it(journal: Journal, evidence: Evidence) -> None:
    """A person's word goes into the journal; the same word twice is refused."""
    platform = LedgerPlatform.of("a", faults={"a": ["lost_request"]})
    batch = open_batch(begun(platform, journal, evidence), platform, journal=journal, evidence=evidence)
    batch.mark_resolved("a", "REJECTED", note="seen")
    assert [(item.state, item.reason) for item in batch.items] == [("REJECTED", "seen")]
    assert [item.state for item in journal.items(batch.id)] == ["REJECTED"]
    with pytest.raises(JournalError, match="no unclear item"):
        batch.mark_resolved("a", "REJECTED")


def test_it_goes_on(journal: Journal, evidence: Evidence) -> None:
    """`send_again` plans the unclear item anew, `resume` sends it, once."""
    platform = LedgerPlatform.of("a", faults={"a": ["lost_request"]})
    batch_id = begun(platform, journal, evidence)
    batch = open_batch(batch_id, platform, journal=journal, evidence=evidence, timing=QUICK)
    batch.send_again("a", typed="a")
    batch.resume()
    assert batch.wait(30)
    assert [item.state for item in batch.items] == ["SUCCEEDED"]
    assert platform.acted_twice == []


def test_it_is_of_this_platform(journal: Journal, evidence: Evidence) -> None:
    """A batch of another platform, or none at all, is refused by name."""
    platform = LedgerPlatform.of("a")
    batch_id = begun(platform, journal, evidence)
    with pytest.raises(PlanRefused, match=batch_id):
        open_batch(batch_id, LedgerPlatform.of("a"), journal=journal, evidence=evidence)
    with pytest.raises(JournalError, match="'nothing'"):
        open_batch("nothing", platform, journal=journal, evidence=evidence)


def test_watched_tasks_are_told(journal: Journal, evidence: Evidence) -> None:
    """Their last state reaches the listener, and a listener that breaks ends nothing."""
    platform = LedgerPlatform.of("a", "b")
    seen: dict[str, str] = {}

    def watcher(task: TaskRecord) -> None:
        seen[task.task_id] = task.status
        raise ValueError("a listener of somebody")

    plan = plan_retry(platform, ["a", "b"])
    batch = execute(plan, wait=True, progress=False, on_task=watcher, journal=journal, evidence=evidence, timing=QUICK)
    assert batch.buckets["SUCCEEDED"] == 2
    assert seen.keys() == {"a", "b"}

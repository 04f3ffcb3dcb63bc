"""A batch in the hand of its user."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retry_toolkit import errors
from retry_toolkit.frames.schema import BATCHES, RESULTS
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.execute import batches, execute, verify_audit
from retry_toolkit.retry.plan import plan_retry
from retry_toolkit.retry.states import STATES
from tests.live import WAIT_S, wait_until
from tests.retry.ledger import KEYED, QUICK, KeyedPlatform, LedgerPlatform
from tests.retry.workshop import Workshop, ended, only, states, workshop

PATIENT = replace(QUICK, looks=1000, look_longest_s=0.05)
NO_CALLING_OFF = replace(QUICK, call_off_at=1000)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One journal for all tests here: their platforms have different origins."""
    with workshop(tmp_path_factory.mktemp("shop")) as made:
        yield made


class Gate:
    """Holds writes back until it is opened."""

    def __init__(self, platform: LedgerPlatform) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()
        platform.before_write = self._wait

    def open(self) -> None:
        """Let everything pass."""
        self._open.set()

    def _wait(self, task_id: str) -> None:
        self.reached.set()
        assert self._open.wait(WAIT_S)


def held(shop: Workshop, *task_ids: str, **options: Any) -> tuple[RetryBatch, LedgerPlatform, Gate]:
    """A batch whose first write is under way and held back."""
    platform = LedgerPlatform.of(*task_ids)
    gate = Gate(platform)
    batch = shop.begin(platform, concurrency=1, **options)
    assert gate.reached.wait(WAIT_S)
    return batch, platform, gate


def test_a_pause_sends_nothing_more_until_it_ends(shop: Workshop) -> None:
    """What is under way is answered and watched; the rest waits, also in the journal."""
    batch, platform, gate = held(shop, "a", "b", "c")
    batch.pause()
    gate.open()
    wait_until(lambda: states(batch)["a"] == "SUCCEEDED", "the first task to succeed")
    assert (batch.state, batch.running, sum(platform.writes.values())) == ("paused", True, 1)
    assert not batch.wait(0.05)
    batch.resume()
    assert set(states(ended(batch)).values()) == {"SUCCEEDED"}
    assert batch.state == "done"


def test_cancelling_skips_what_was_not_sent(shop: Workshop) -> None:
    """What was sent is followed to its end."""
    batch, platform, gate = held(shop, "a", "b", "c")
    batch.cancel()
    gate.open()
    assert states(ended(batch)) == {"a": "SUCCEEDED", "b": "SKIPPED", "c": "SKIPPED"}
    assert (batch.state, batch.items[1].reason) == ("cancelled", "Not sent: The batch was cancelled.")
    assert platform.writes == {"a": 1}


def test_a_paused_batch_can_be_cancelled(shop: Workshop) -> None:
    """Then it ends."""
    batch, _, gate = held(shop, "a", "b")
    batch.pause()
    batch.cancel()
    gate.open()
    assert states(ended(batch)) == {"a": "SUCCEEDED", "b": "SKIPPED"}


def test_a_batch_that_was_left_goes_on_later(shop: Workshop) -> None:
    """Leaving is not cancelling: by the same object, or by another one."""
    batch, platform, gate = held(shop, "a", "b", "c")
    gate.open()
    assert batch.close(WAIT_S)
    assert (batch.running, batch.state) == (False, "running")
    assert batches(journal=shop.journal, origin=platform.origin)["unfinished"].tolist() == [True]
    other = shop.resume(batch.id, platform)
    assert set(states(ended(other)).values()) == {"SUCCEEDED"}
    assert platform.acted_twice == []


def test_one_process_or_thread_runs_a_batch(shop: Workshop) -> None:
    """Whoever comes second is told who has it."""
    batch, platform, gate = held(shop, "a")
    with pytest.raises(errors.BatchBusy, match="is being run by process"):
        shop.resume(batch.id, platform)
    frame = batches(journal=shop.journal, origin=platform.origin)
    assert frame["owner"][0].startswith("process ")
    gate.open()
    ended(batch)


def test_a_batch_is_resumed_on_its_own_platform(shop: Workshop) -> None:
    """And only if it is there."""
    platform = LedgerPlatform.of("a")
    batch = shop.run(platform)
    with pytest.raises(errors.PlanRefused, match="is for http"):
        shop.resume(batch.id, LedgerPlatform.of("a"))
    with pytest.raises(errors.JournalError, match="no batch 'nope'"):
        shop.resume("nope", platform)


def test_a_connection_that_only_reads_may_look_but_not_send(shop: Workshop) -> None:
    """It follows what was sent; a batch with something to send it leaves alone."""
    platform = LedgerPlatform.of("a", faults={"a": ["late"]})
    batch = shop.run(platform)
    platform.deliver()
    platform.read_only = True
    assert only(ended(shop.resume(batch.id, platform))).state == "SUCCEEDED"
    left, other, gate = held(shop, "a", "b")
    gate.open()
    left.close(WAIT_S)
    other.read_only = True
    with pytest.raises(errors.ReadOnly):
        shop.resume(left.id, other)


class TestUnclear:
    def test_a_person_may_say_what_happened(self, shop: Workshop) -> None:
        """With a note for the audit trail; only of what is unclear, and only what can have happened."""
        platform = LedgerPlatform.of("a", "b", faults={"a": ["lost_request"]})
        batch = shop.run(platform)
        with pytest.raises(errors.JournalError):
            batch.mark_resolved("b", "REJECTED")
        with pytest.raises(errors.JournalError):
            batch.mark_resolved("a", "SKIPPED")
        batch.mark_resolved("a", "REJECTED", note="nothing in its log")
        assert (batch.items[0].state, batch.items[0].reason) == ("REJECTED", "nothing in its log")
        assert batch.buckets["UNKNOWN"] == 0

    def test_a_person_may_resolve_it_while_it_is_read_back(self, shop: Workshop) -> None:
        """The person's word stands; the run ends without an error."""
        platform = LedgerPlatform.of("a", faults={"a": ["lost_request"]})
        seen = threading.Event()
        batch = shop.begin(platform, timing=PATIENT, on_change=lambda one: _note(seen, one))
        assert seen.wait(WAIT_S)
        batch.mark_resolved("a", "SUCCEEDED")
        assert only(ended(batch)).state == "SUCCEEDED"

    def test_sending_again_takes_the_typed_id(self, shop: Workshop) -> None:
        """It is a new round with a new key, and the batch waits for `resume`."""
        platform = LedgerPlatform.of("a", faults={"a": ["lost_request"]})
        batch = shop.run(platform)
        with pytest.raises(errors.JournalError, match="not the task's id"):
            batch.send_again("a", typed="b")
        batch.send_again("a", typed="a")
        assert (only(batch).state, only(batch).round, batch.state) == ("PLANNED", 2, "paused")
        batch.resume()
        assert only(ended(batch)).state == "SUCCEEDED"
        assert len(set(platform.keys)) == 2

    def test_sending_again_cannot_do_it_twice_where_numbers_are_compared(self, shop: Workshop) -> None:
        """The first request arrives in the meantime: it is found, and the second one is never sent."""
        platform = KeyedPlatform.of("a", faults={"a": ["late"]}, capabilities=KEYED)
        batch = shop.run(platform, timing=NO_CALLING_OFF)
        batch.send_again("a", typed="a")
        platform.deliver()
        batch.resume()
        assert only(ended(batch)).state == "SUCCEEDED"
        assert (platform.acted_twice, platform.writes["a"]) == ([], 1)

    @pytest.mark.parametrize("arrives", ["before", "after"])
    def test_either_of_two_requests_may_be_the_one(self, shop: Workshop, arrives: str) -> None:
        """Both are lost: whichever arrives is found by its key, and the other one is refused."""
        platform = KeyedPlatform.of("a", faults={"a": ["late", "late"]}, capabilities=KEYED)
        batch = shop.run(platform, timing=NO_CALLING_OFF)
        batch.send_again("a", typed="a")
        batch.resume()
        assert only(ended(batch)).state == "UNKNOWN"
        first, second = platform.waiting
        (first if arrives == "before" else second)()
        with pytest.raises(errors.Refused, match="expected 0"):
            (second if arrives == "before" else first)()
        batch.check_again()
        assert only(ended(batch)).state == "SUCCEEDED"

    def test_a_person_may_send_again_what_only_numbers_tell_of(self, shop: Workshop) -> None:
        """The first request arrives before the second was sent: the number has moved, so it is not sent."""
        platform = LedgerPlatform.of("a", faults={"a": ["late"]})
        batch = shop.run(platform)
        batch.send_again("a", typed="a")
        platform.deliver()
        batch.resume()
        assert only(ended(batch)).state == "SUCCEEDED"
        assert (platform.acted_twice, platform.writes["a"]) == ([], 1)


def test_listeners_hear_of_changes_until_they_stop(shop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    """The last thing that they hear is the end; one that breaks is logged and harms nobody."""
    heard: list[tuple[bool, int]] = []

    def broken(batch: RetryBatch) -> None:
        raise ValueError("a listener broke")

    platform = LedgerPlatform.of("a")
    gate = Gate(platform)
    batch = shop.begin(platform, on_change=broken)
    batch.on_change(lambda one: heard.append((one.running, one.buckets["SUCCEEDED"])))
    deaf: list[RetryBatch] = []
    batch.on_change(deaf.append)()
    gate.open()
    ended(batch)
    wait_until(lambda: heard[-1:] == [(False, 1)], "the end to be heard of")
    assert (deaf, "a listener of batch" in caplog.text) == ([], True)


def test_an_event_loop_is_never_blocked(shop: Workshop) -> None:
    """`execute` returns at once where a loop runs, `await batch.done()` waits, and the loop goes on turning."""
    platform = LedgerPlatform.of("a")
    gate = Gate(platform)
    plan = plan_retry(platform, ["a"])

    async def notebook() -> tuple[RetryBatch, int]:
        batch = execute(plan, progress=False, timing=QUICK, journal=shop.journal, evidence=shop.evidence)
        waiting = asyncio.create_task(batch.done())
        turns = 0
        while not gate.reached.is_set():
            turns += 1
            await asyncio.sleep(0)
        assert batch.running
        cancelled = asyncio.create_task(batch.done())
        await asyncio.sleep(0)
        cancelled.cancel()
        gate.open()
        return await asyncio.wait_for(waiting, WAIT_S), turns

    batch, turns = asyncio.run(notebook())
    assert (only(batch).state, turns > 0) == ("SUCCEEDED", True)


def test_a_script_waits_and_sees_a_bar(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an event loop `execute` returns when nothing more is to come."""
    platform = LedgerPlatform.of("a", "b", results={"b": "boom"})
    plan = plan_retry(platform, ["a", "b"])
    batch = execute(plan, timing=QUICK, journal=shop.journal, evidence=shop.evidence)
    assert not batch.running
    shown = capsys.readouterr().err
    assert "1 SUCCEEDED, 1 FAILED_AGAIN" in shown
    assert "2/2" in shown


def test_results_and_batches_have_the_columns_of_the_schema(shop: Workshop) -> None:
    """Exactly, with their dtypes."""
    platform = LedgerPlatform.of("a", "b", faults={"b": ["refused"]})
    batch = shop.run(platform)
    results, listed = batch.results, batches(journal=shop.journal, origin=platform.origin)
    assert [(name, str(dtype)) for name, dtype in results.dtypes.items()] == [(col.name, col.dtype) for col in RESULTS]
    assert [(name, str(dtype)) for name, dtype in listed.dtypes.items()] == [(col.name, col.dtype) for col in BATCHES]
    assert results["detail"].tolist()[1] == "task status is running"
    row = listed.iloc[0]
    assert (row["batch_id"], row["total"], row["succeeded"], row["rejected"]) == (batch.id, 2, 1, 1)
    assert (row["unfinished"], row["state"]) == (False, "done")
    assert row[[state.lower() for state in STATES]].sum() == 2


def test_a_batch_shows_itself(shop: Workshop) -> None:
    """As text and in a notebook; strangers' text stays text."""
    nasty = "<img src=x onerror=alert(1)>"
    platform = LedgerPlatform.of(nasty, "b", faults={nasty: ["lost_request"]}, results={"b": nasty})
    batch = shop.run(platform)
    assert "1 UNKNOWN, 1 FAILED_AGAIN = 2" in batch.summary
    assert "may have been acted on" in batch.summary
    html = batch._repr_html_()
    assert "<img" not in html
    assert html.count("&lt;img") == 2
    assert batch.id in repr(batch)
    assert (len(batch), batch.action, batch.origin) == (2, "stage", platform.origin)
    assert batch.plan_hash == shop.journal.batches(origin=platform.origin)[0].plan_hash


def test_a_batch_without_trouble_shows_its_summary_only(shop: Workshop) -> None:
    """No empty tables."""
    assert "<table" not in shop.run(LedgerPlatform.of("a"))._repr_html_()


def test_the_home_directory_is_used_where_nothing_else_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Journal, evidence and audit trail lie there; who did what is verified."""
    monkeypatch.setenv("RETRY_TOOLKIT_HOME", str(tmp_path))
    platform = LedgerPlatform.of("a")
    batch = execute(plan_retry(platform, ["a"]), progress=False, timing=QUICK, wait=True)
    assert batches()["batch_id"].tolist() == [batch.id]
    report = verify_audit()
    assert (report.ok, report.rows > 3) == (True, True)
    assert {path.name for path in tmp_path.iterdir()} >= {"journal.db", "evidence.db"}


def _note(seen: threading.Event, batch: RetryBatch) -> None:
    if batch.buckets["UNKNOWN"]:
        seen.set()

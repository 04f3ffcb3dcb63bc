"""The journal in one process: what may be claimed, what becomes of it, what may be planned again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.journal import Intent, Journal, State
from retry_toolkit.retry.states import STATES
from retry_toolkit.sqlite import connect_sqlite
from tests.retry.journals import ME, ORIGIN, claimed, intent, op, planned

HOSTILE = "NUL\0 lone \ud800 quote'\" <b>重试</b> \u202e\r\n" + "\U0001f680"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal."""
    with Journal.open(tmp_path) as made:
        yield made


def settled(journal: Journal, number: int, *states: State) -> None:
    """Plan, claim and settle the item of this number through these states."""
    batch = planned(journal, number)
    claimed(journal, number, batch)
    for state in states:
        journal.settle(op(number), state)
    if states[-1] not in {"UNKNOWN"}:
        journal.set_batch_state(batch.batch_id, "done", actor=ME)


class TestIntents:
    def test_the_same_intent_has_the_same_name_everywhere(self) -> None:
        """What, on what, at which attempt: nothing else counts, and nothing of it can be left out."""
        one = intent(1)
        assert one.op_id == intent(1, copy_files=False, fingerprint="x", display_name="y", stage=None).op_id
        assert len({one.op_id, intent(2).op_id, intent(1, attempt=1).op_id, intent(1, stage_id="other").op_id}) == 4
        assert intent(1, origin="http://other").op_id != one.op_id
        assert intent(1, action="task").op_id != one.op_id

    def test_a_name_is_stable_across_versions(self) -> None:
        """Journals outlive programs: the names that are in them stay."""
        assert op(1) == "c977fc03caf911e044a159424e69611ab52169f254cb6edbb1df187024ff484f"

    def test_parts_of_a_name_do_not_run_into_each_other(self) -> None:
        """A separator inside an id cannot make two intents one."""
        first = Intent(origin="o", task_id='a","b', action="stage", stage_id="c", attempt=0)
        second = Intent(origin="o", task_id="a", action="stage", stage_id='b","c', attempt=0)
        assert first.op_id != second.op_id


class TestClaim:
    def test_a_claim_is_granted_once(self, journal: Journal) -> None:
        """The first one gets the item, SENT; nobody gets it again."""
        batch = planned(journal, 1)
        item = claimed(journal, 1, batch)
        assert (item.state, item.sent_at is not None, item.task_id) == ("SENT", True, "t1")
        assert journal.claim(op(1), batch.batch_id, actor=ME) is None

    @pytest.mark.parametrize("outcome", ["ACCEPTED", "REJECTED", "UNKNOWN"])
    def test_what_was_answered_is_not_claimed_again(self, journal: Journal, outcome: State) -> None:
        """Only what provably never left may be sent again in its batch."""
        batch = planned(journal, 1)
        claimed(journal, 1, batch)
        journal.settle(op(1), outcome)
        assert journal.claim(op(1), batch.batch_id, actor=ME) is None

    def test_what_never_left_is_claimed_again_under_the_same_key(self, journal: Journal) -> None:
        """NOT_SENT goes out again with the key that it had, should it have left after all."""
        batch = planned(journal, 1)
        first = claimed(journal, 1, batch)
        journal.settle(op(1), "NOT_SENT", reason="refused")
        second = claimed(journal, 1, batch)
        assert (second.key, second.state, second.settled_at) == (first.key, "SENT", None)

    @pytest.mark.parametrize("state", ["paused", "cancelled"])
    def test_a_batch_that_does_not_run_sends_nothing(self, journal: Journal, state: str) -> None:
        """A pause or a cancellation by another process holds here, too, for what never left as well."""
        batch = planned(journal, 1, 2)
        claimed(journal, 2, batch)
        journal.settle(op(2), "NOT_SENT")
        journal.set_batch_state(batch.batch_id, state, actor=ME)  # type: ignore[arg-type]  # one of the states
        assert journal.claim_many([op(1), op(2)], batch.batch_id, actor=ME) == []

    def test_a_claim_names_the_batch_that_planned_it(self, journal: Journal) -> None:
        """An item of another batch is not granted."""
        planned(journal, 1)
        other = planned(journal, 2)
        assert journal.claim(op(1), other.batch_id, actor=ME) is None
        assert journal.claim("no such op", other.batch_id, actor=ME) is None

    def test_many_are_claimed_in_one_transaction(self, journal: Journal) -> None:
        """A batch call gets those that are free, each once, in the order that was asked for, with their evidence."""
        batch = planned(journal, 1, 2, 3)
        claimed(journal, 2, batch)
        wanted = [op(3), op(2), op(1), op(3)]
        items = journal.claim_many(wanted, batch.batch_id, actor=ME, evidence={op(1): "e1"})
        assert [(item.task_id, item.evidence_id) for item in items] == [("t3", None), ("t1", "e1")]

    def test_an_unknown_batch_is_said(self, journal: Journal) -> None:
        """A claim for a batch that does not exist is an error, not a refusal."""
        with pytest.raises(JournalError, match="no batch 'nope'"):
            journal.claim(op(1), "nope", actor=ME)


class TestSettle:
    def test_everything_that_is_told_is_kept(self, journal: Journal) -> None:
        """An item keeps the platform's words, what it became, and when; later steps keep what came before."""
        batch = planned(journal, 1)
        journal.claim(op(1), batch.batch_id, actor=ME, evidence_id="e1")
        journal.settle(op(1), "ACCEPTED", reason="answered", detail="已提交", attempt_after=1, new_task_id="t9")
        item = journal.settle(op(1), "SUCCEEDED")
        assert item == journal.item(op(1)) == journal.items(batch.batch_id)[0]
        assert (item.reason, item.detail, item.attempt_after) == ("answered", "已提交", 1)
        assert (item.new_task_id, item.evidence_id) == ("t9", "e1")
        times = [time for time in (item.sent_at, item.answered_at, item.settled_at) if time is not None]
        assert len(times) == 3
        assert times == sorted(times)

    @pytest.mark.parametrize("state", sorted(set(STATES) - {"PLANNED", "SENT", "SKIPPED"}))
    def test_what_was_not_sent_has_no_outcome(self, journal: Journal, state: State) -> None:
        """A PLANNED item can only be sent or skipped."""
        planned(journal, 1)
        with pytest.raises(JournalError, match=f"is PLANNED: it cannot become {state}"):
            journal.settle(op(1), state)

    @pytest.mark.parametrize("state", ["PLANNED", "SENT"])
    def test_settling_never_sends(self, journal: Journal, state: State) -> None:
        """Only a claim makes an item SENT, only a plan makes it PLANNED."""
        planned(journal, 1)
        with pytest.raises(ValueError, match=f"{state} is no outcome"):
            journal.settle(op(1), state)

    def test_an_outcome_stays(self, journal: Journal) -> None:
        """A late answer changes nothing about what was settled."""
        settled(journal, 1, "ACCEPTED", "SUCCEEDED")
        with pytest.raises(JournalError, match="is SUCCEEDED: it cannot become UNKNOWN"):
            journal.settle(op(1), "UNKNOWN")

    def test_an_item_that_nobody_planned_is_said(self, journal: Journal) -> None:
        """There is nothing to settle where nothing was planned."""
        with pytest.raises(JournalError, match="no item"):
            journal.settle(op(1), "ACCEPTED")

    def test_endless_words_are_cut_with_a_note(self, journal: Journal) -> None:
        """A platform cannot fill the journal with one answer."""
        batch = planned(journal, 1)
        claimed(journal, 1, batch)
        item = journal.settle(op(1), "REJECTED", detail="x" * 1_000_000)
        assert len(item.detail) < 70_000
        assert item.detail.endswith("(934464 more characters)")


class TestPlanning:
    @pytest.mark.parametrize(
        ("states", "words"),
        [
            (["ACCEPTED", "SUCCEEDED"], "has retried it already"),
            (["ACCEPTED", "FAILED_AGAIN"], "has retried it already"),
            (["UNKNOWN"], "has sent it already without a clear answer"),
        ],
    )
    def test_what_was_sent_is_not_planned_again(self, journal: Journal, states: list[State], words: str) -> None:
        """A rerun cell plans the same intents: they are skipped, and the reason names the batch that has them."""
        settled(journal, 1, *states)
        first = journal.batches()[0]
        second = planned(journal, 1, 2)
        one, two = journal.items(second.batch_id)
        assert (one.state, two.state) == ("SKIPPED", "PLANNED")
        assert words in one.reason
        assert first.batch_id in one.reason
        assert journal.claim(op(1), second.batch_id, actor=ME) is None

    def test_what_is_planned_or_under_way_is_not_planned_again(self, journal: Journal) -> None:
        """Two notebooks with one selection: the second one's items are skipped and name the first batch."""
        first = planned(journal, 1, 2)
        claimed(journal, 2, first)
        items = journal.items(planned(journal, 1, 2).batch_id)
        assert [item.state for item in items] == ["SKIPPED", "SKIPPED"]
        assert [words in item.reason for words, item in zip(["resume or cancel", "resume"], items, strict=True)] == [
            True
        ] * 2
        assert all(first.batch_id in item.reason for item in items)

    @pytest.mark.parametrize(
        ("states", "same_key"), [(["REJECTED"], False), (["NOT_SENT"], True), (["ACCEPTED", "CANCELLED"], False)]
    )
    def test_what_did_not_happen_is_planned_again(self, journal: Journal, states: list[State], same_key: bool) -> None:
        """A new batch takes over; the old item stays as it was, and can never be sent any more."""
        settled(journal, 1, *states)
        old_batch = journal.batches()[0]
        old = journal.items(old_batch.batch_id)[0]
        new_batch = planned(journal, 1)
        new = claimed(journal, 1, new_batch)
        assert (new.key == old.key) is same_key
        assert journal.items(old_batch.batch_id) == [old]

    def test_a_superseded_item_is_dead_even_when_the_new_one_ends(self, journal: Journal) -> None:
        """NOT_SENT in an old batch is not sent by that batch after a newer one was refused."""
        old = planned(journal, 1)
        claimed(journal, 1, old)
        journal.settle(op(1), "NOT_SENT")
        new = planned(journal, 1)
        claimed(journal, 1, new)
        journal.settle(op(1), "REJECTED")
        assert journal.claim(op(1), old.batch_id, actor=ME) is None

    def test_an_intent_that_is_named_twice_is_planned_once(self, journal: Journal) -> None:
        """The second mention is skipped, so that the buckets still sum to what was asked for."""
        batch = planned(journal, 1, 1)
        assert [item.state for item in journal.items(batch.batch_id)] == ["PLANNED", "SKIPPED"]

    def test_the_next_attempt_is_another_intent(self, journal: Journal) -> None:
        """A task that failed again may be retried again."""
        settled(journal, 1, "ACCEPTED", "FAILED_AGAIN")
        assert journal.items(planned(journal, 1, attempt=1).batch_id)[0].state == "PLANNED"

    def test_a_batch_is_of_one_platform_and_one_action(self, journal: Journal) -> None:
        """What does not fit is a mistake of the caller; an empty batch, too."""
        for wanted in ([intent(1, origin="http://other")], [intent(1, action="task")], []):
            with pytest.raises(ValueError, match="intent"):
                journal.create_batch("h", ORIGIN, "stage", wanted, actor=ME)

    def test_hostile_text_comes_back_as_it_was(self, journal: Journal) -> None:
        """NUL, lone surrogates, quotes and markup in any field are kept, and found again."""
        wanted = Intent(
            origin=HOSTILE, task_id=HOSTILE, action="stage", stage_id=HOSTILE, attempt=2**70, fingerprint=HOSTILE
        )
        batch = journal.create_batch(HOSTILE, HOSTILE, "stage", [wanted], actor=HOSTILE, options={HOSTILE: HOSTILE})
        journal.claim(wanted.op_id, batch.batch_id, actor=HOSTILE, evidence_id=HOSTILE)
        item = journal.settle(wanted.op_id, "REJECTED", reason=HOSTILE, detail=HOSTILE, new_task_id=HOSTILE)
        assert item.intent == wanted
        assert [item] == journal.items(batch.batch_id) == journal.items(origin=HOSTILE, states=["REJECTED"])
        assert journal.batch(batch.batch_id) == batch == journal.batches(origin=HOSTILE)[0]
        assert journal.items(HOSTILE) == []

    def test_the_file_itself_refuses_a_second_current_item(self, journal: Journal, tmp_path: Path) -> None:
        """One op_id, one item that may ever be sent: the index says so, not only our code."""
        batch = planned(journal, 1)
        connection = connect_sqlite(tmp_path / "journal.db")
        columns = "batch_id, op_id, state, round, current, intent, answer, audit_seq, digest"
        with pytest.raises(Exception, match=r"UNIQUE constraint failed: items\.op_id"):
            connection.execute(f"INSERT INTO items (position, {columns}) SELECT 9, {columns} FROM items")
        connection.close()
        assert journal.items(batch.batch_id)[0].state == "PLANNED"


class TestBatches:
    def test_buckets_sum_to_the_total(self, journal: Journal) -> None:
        """Every item is in one bucket, and every state is named."""
        batch = planned(journal, *range(6))
        journal.claim_many([op(number) for number in range(4)], batch.batch_id, actor=ME)
        for number, state in enumerate(["ACCEPTED", "REJECTED", "UNKNOWN"]):
            journal.settle(op(number), state)  # type: ignore[arg-type]  # these are states
        buckets = journal.buckets(batch.batch_id)
        assert set(buckets) == set(STATES)
        assert sum(buckets.values()) == batch.total == 6
        assert {state: count for state, count in buckets.items() if count} == {
            "ACCEPTED": 1,
            "REJECTED": 1,
            "UNKNOWN": 1,
            "SENT": 1,
            "PLANNED": 2,
        }

    def test_a_cancelled_batch_skips_what_was_not_sent(self, journal: Journal) -> None:
        """What was sent goes on; what was not can be planned elsewhere at once."""
        batch = planned(journal, 1, 2)
        claimed(journal, 1, batch)
        journal.set_batch_state(batch.batch_id, "cancelled", actor=ME)
        assert [item.state for item in journal.items(batch.batch_id)] == ["SENT", "SKIPPED"]
        assert journal.items(planned(journal, 2).batch_id)[0].state == "PLANNED"
        assert journal.settle(op(1), "ACCEPTED").state == "ACCEPTED"

    def test_a_batch_is_done_when_nothing_is_open(self, journal: Journal) -> None:
        """`done` is refused while something is to send, to read back or to watch; after it nothing runs again."""
        batch = planned(journal, 1, 2, 3)
        journal.claim_many([op(2), op(3)], batch.batch_id, actor=ME)
        journal.settle(op(3), "ACCEPTED")
        with pytest.raises(JournalError, match="1 ACCEPTED, 1 PLANNED, 1 SENT"):
            journal.set_batch_state(batch.batch_id, "done", actor=ME)
        journal.settle(op(1), "SKIPPED", reason="stopped")
        journal.settle(op(2), "UNKNOWN")
        journal.settle(op(3), "SUCCEEDED")
        assert journal.set_batch_state(batch.batch_id, "done", actor=ME).state == "done"
        with pytest.raises(JournalError, match="is done"):
            journal.set_batch_state(batch.batch_id, "running", actor=ME)

    def test_pausing_twice_is_harmless(self, journal: Journal) -> None:
        """A second click changes nothing and adds no audit row."""
        batch = planned(journal, 1)
        assert journal.set_batch_state(batch.batch_id, "paused", actor=ME).state == "paused"
        assert journal.set_batch_state(batch.batch_id, "paused", actor=ME).state == "paused"
        assert journal.set_batch_state(batch.batch_id, "running", actor=ME) == batch

    def test_what_is_unfinished_is_listed(self, journal: Journal) -> None:
        """Batches that run, pause, or wait for an answer, newest first; not those that are over."""
        over, waiting, paused, running = (planned(journal, number) for number in range(4))
        for number, batch in enumerate([over, waiting]):
            claimed(journal, number, batch)
        journal.settle(op(0), "REJECTED")
        journal.set_batch_state(over.batch_id, "done", actor=ME)
        journal.set_batch_state(waiting.batch_id, "cancelled", actor=ME)
        journal.set_batch_state(paused.batch_id, "paused", actor=ME)
        expected = [running.batch_id, paused.batch_id, waiting.batch_id]
        assert [batch.batch_id for batch in journal.unfinished()] == expected
        assert journal.unfinished("http://other") == []
        assert [batch.batch_id for batch in journal.batches(limit=1)] == [running.batch_id]

    def test_everything_is_there_after_opening_again(self, tmp_path: Path) -> None:
        """What one process wrote is what the next one reads."""
        with Journal.open(tmp_path) as journal:
            batch = planned(journal, 1, 2)
            claimed(journal, 1, batch)
            before = (journal.batches(), journal.items())
        with Journal.open(tmp_path) as journal:
            assert (journal.batches(), journal.items()) == before


class TestUnknown:
    @pytest.fixture
    def unknown(self, journal: Journal) -> Journal:
        """A journal in which t1 was sent without a clear answer, in a batch that is done."""
        settled(journal, 1, "UNKNOWN")
        journal.set_batch_state(journal.batches()[0].batch_id, "done", actor=ME)
        return journal

    @pytest.mark.parametrize("typed", ["", "T1", "t1 ", "t11", "1"])
    def test_sending_again_needs_the_id_typed_exactly(self, unknown: Journal, typed: str) -> None:
        """Anything else sends nothing and changes nothing."""
        before = unknown.item(op(1))
        with pytest.raises(JournalError, match="not the task's id"):
            unknown.resend_unknown(op(1), typed_task_id=typed, actor=ME)
        assert unknown.item(op(1)) == before

    def test_sending_again_is_a_new_round_with_a_new_key(self, unknown: Journal) -> None:
        """The platform must not answer with the outcome of the first sending; the batch waits to be resumed."""
        before = unknown.item(op(1))
        assert before is not None
        again = unknown.resend_unknown(op(1), typed_task_id="t1", actor=ME)
        assert (again.state, again.round, again.key == before.key) == ("PLANNED", 2, False)
        (batch,) = unknown.unfinished()
        assert batch.state == "paused"
        unknown.set_batch_state(batch.batch_id, "running", actor=ME)
        assert claimed(unknown, 1, batch).key == again.key

    def test_only_unknown_items_are_sent_again_or_resolved(self, journal: Journal) -> None:
        """Typing the id of a task whose answer is clear does nothing."""
        batch = planned(journal, 1)
        claimed(journal, 1, batch)
        with pytest.raises(JournalError, match="is SENT, not UNKNOWN"):
            journal.resend_unknown(op(1), typed_task_id="t1", actor=ME)
        with pytest.raises(JournalError, match="is SENT, not UNKNOWN"):
            journal.mark_resolved(op(1), "SUCCEEDED", actor=ME)

    @pytest.mark.parametrize("outcome", ["SUCCEEDED", "FAILED_AGAIN", "CANCELLED", "REJECTED"])
    def test_a_person_may_say_what_happened(self, unknown: Journal, outcome: State) -> None:
        """What somebody saw on the platform is kept with their note; the batch stays done."""
        item = unknown.mark_resolved(op(1), outcome, actor=ME, note="seen on the page")
        assert (item.state, item.reason) == (outcome, "seen on the page")
        assert unknown.unfinished() == []

    def test_what_is_said_to_run_is_watched(self, unknown: Journal) -> None:
        """An item that a person found accepted makes its batch unfinished again."""
        unknown.mark_resolved(op(1), "ACCEPTED", actor=ME)
        assert [batch.state for batch in unknown.unfinished()] == ["paused"]

    @pytest.mark.parametrize("outcome", ["NOT_SENT", "PLANNED", "SENT", "SKIPPED", "UNKNOWN"])
    def test_nobody_can_say_that_it_was_never_sent(self, unknown: Journal, outcome: State) -> None:
        """A person's word does not make an item sendable."""
        with pytest.raises(JournalError, match="cannot be resolved"):
            unknown.mark_resolved(op(1), outcome, actor=ME)

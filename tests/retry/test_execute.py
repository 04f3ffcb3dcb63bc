"""Executing plans against a platform that fails as told, and whose ledger says what it really did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.base import Capabilities, LogRecord, TaskRecord
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.execute import execute
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan import plan_retry
from retry_toolkit.retry.policy import StopRule
from retry_toolkit.retry.states import State
from tests.retry.ledger import (
    BATCHED,
    KEYED,
    KEYED_BATCHED,
    PLAIN,
    QUICK,
    Fault,
    KeyedPlatform,
    LedgerPlatform,
)
from tests.retry.workshop import NEVER, Workshop, ended, only, states, workshop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One journal for all tests here: their platforms have different origins."""
    with workshop(tmp_path_factory.mktemp("shop")) as made:
        yield made


def test_every_ready_task_is_retried_once_and_followed_to_its_end(shop: Workshop) -> None:
    """Accepted is not succeeded: the batch waits for what the tasks do."""
    platform = LedgerPlatform.of("a", "b", "c", results={"b": "boom again"})
    batch = shop.run(platform)
    assert states(batch) == {"a": "SUCCEEDED", "b": "FAILED_AGAIN", "c": "SUCCEEDED"}
    assert set(platform.ledger.values()) == {1}
    assert (batch.state, batch.running, sum(batch.buckets.values()), batch.total) == ("done", False, 3, 3)
    results = batch.results.set_index("task_id")
    assert results.loc["b", "detail"] == "boom again"
    assert (results.loc["a", "attempt"], results.loc["a", "attempt_after"]) == (0, 1)


def test_whole_retries_follow_the_new_task(shop: Workshop) -> None:
    """It is the new task that succeeds or fails again."""
    platform = LedgerPlatform.of("a", "b", results={"b-1": "boom"})
    batch = shop.run(platform, action="task")
    assert states(batch) == {"a": "SUCCEEDED", "b": "FAILED_AGAIN"}
    assert {item.new_task_id for item in batch.items} == {"a-1", "b-1"}


PLAIN_STATES: dict[Fault, set[State]] = {
    "well": {"SUCCEEDED"},
    "refused": {"REJECTED"},
    "not_sent": {"SUCCEEDED"},
    "lost_answer": {"SUCCEEDED"},
    "lost_request": {"UNKNOWN"},
    "late": {"UNKNOWN"},
    "twice": {"SUCCEEDED"},
    "wrong_task": {"UNKNOWN"},
    "busy": {"UNKNOWN"},
    "error_after": {"SUCCEEDED"},
    "crash": {"UNKNOWN"},
}
KEYED_STATES: dict[Fault, set[State]] = {
    fault: {"REJECTED"} if known == {"UNKNOWN"} else known for fault, known in PLAIN_STATES.items()
}


@pytest.mark.parametrize("fault", PLAIN_STATES)
def test_what_a_fault_comes_to_where_only_numbers_tell(shop: Workshop, fault: Fault) -> None:
    """What was acted on is found by its attempt number; what nobody saw stays unclear, and is never sent again."""
    platform = LedgerPlatform.of("a", faults={"a": [fault]})
    batch = shop.run(platform)
    assert states(batch)["a"] in PLAIN_STATES[fault]
    assert (platform.acted_twice, platform.writes["a"]) == ([], 1)
    assert bool(platform.ledger) is (states(batch)["a"] == "SUCCEEDED")


@pytest.mark.parametrize("action", ["stage", "task"])
@pytest.mark.parametrize("fault", KEYED_STATES)
def test_nothing_stays_unclear_where_keys_are_remembered(shop: Workshop, fault: Fault, action: str) -> None:
    """What was not acted on is called off: when the request still arrives, it is refused."""
    platform = KeyedPlatform.of("a", faults={"a": [fault]}, capabilities=KEYED)
    batch = shop.run(platform, action=action)
    assert states(batch)["a"] in KEYED_STATES[fault]
    if platform.waiting:
        with pytest.raises(errors.Refused, match="called off"):
            platform.deliver()
    assert platform.acted_twice == []
    assert bool(platform.ledger) is (states(batch)["a"] == "SUCCEEDED")


def test_a_wrong_new_task_is_not_believed(shop: Workshop) -> None:
    """A yes that names a task which is nobody's retry leaves the outcome unclear."""
    platform = LedgerPlatform.of("a", faults={"a": ["wrong_task"]})
    assert only(shop.run(platform, action="task")).state == "UNKNOWN"


def test_a_late_request_is_found_by_a_later_look(shop: Workshop) -> None:
    """It arrived after everybody had given up: never called failed, never sent again, found when looked for."""
    platform = LedgerPlatform.of("a", faults={"a": ["late"]})
    batch = shop.run(platform)
    assert (only(batch).state, batch.state) == ("UNKNOWN", "done")
    assert "may still be acted on" in only(batch).reason
    platform.deliver()
    batch.check_again()
    assert only(ended(batch)).state == "SUCCEEDED"
    assert (platform.acted_twice, platform.writes["a"]) == ([], 1)


def test_somebody_elses_retry_is_not_taken_for_ours_where_keys_tell(shop: Workshop) -> None:
    """Their new task is there, ours is not: ours is called off."""
    platform = KeyedPlatform.of("a", faults={"a": ["lost_request", "well"]}, capabilities=KEYED)

    def meanwhile(task_id: str) -> None:
        platform.before_write = lambda _: None
        platform.waiting.append(lambda: platform.retry_task("a", idempotency_key="theirs"))

    platform.before_write = meanwhile
    batch = shop.begin(platform, action="task")
    ended(batch)
    platform.deliver()
    assert (only(batch).state, only(batch).new_task_id) == ("REJECTED", None)
    assert platform.records["a"].retried_by == ("a-1",)


def test_whose_retry_it_was_is_said_to_be_unknown_where_nothing_tells(shop: Workshop) -> None:
    """One new retry is taken for ours, with a reason that says what is not known; of several none is."""
    platform = LedgerPlatform.of("a", "b", faults={"a": ["lost_answer"], "b": ["lost_answer", "well"]})
    acting: set[str] = set()

    def twice(task_id: str) -> None:
        if task_id == "b" and task_id not in acting:
            acting.add(task_id)
            platform.faults["b"].reverse()
            platform.retry_task("b")

    platform.before_write = twice
    batch = shop.run(platform, action="task", timing=replace(QUICK, looks=2))
    one, two = batch.items
    assert (one.state, two.state) == ("SUCCEEDED", "UNKNOWN")
    assert "2 new retries" in two.reason


def test_what_moved_since_the_plan_is_not_sent(shop: Workshop) -> None:
    """A number, a status, a task that is gone: skipped, with the reason in words."""
    platform = LedgerPlatform.of("moved", "running", "gone", "here")
    plan = plan_retry(platform, list(platform.records))
    platform.retry_stage("moved", "moved-check")
    platform.records["moved"] = replace(
        platform.records["moved"],
        status="failed",
        stages=tuple(replace(stage, status="failed") for stage in platform.records["moved"].stages),
    )
    platform.records["running"] = replace(platform.records["running"], status="running")
    del platform.records["gone"]
    batch = execute(plan, journal=shop.journal, evidence=shop.evidence, timing=QUICK, progress=False, wait=True)
    assert states(batch) == {"moved": "SKIPPED", "running": "SKIPPED", "gone": "SKIPPED", "here": "SUCCEEDED"}
    reasons = [item.reason for item in batch.items]
    assert reasons[:3] == [
        "Not sent: Its attempt number has moved from 0 to 1: somebody else has retried it.",
        "Not sent: The task is running.",
        "Not sent: The task does not exist (any more).",
    ]
    assert platform.writes == {"moved": 1, "here": 1}


@pytest.mark.parametrize(("can", "seen_before"), [(PLAIN, [1, 2]), (BATCHED, [2])], ids=["alone", "together"])
def test_sent_is_on_the_disk_before_anything_leaves(shop: Workshop, can: Capabilities, seen_before: list[int]) -> None:
    """Another connection to the journal sees that nothing of what is being written is merely planned."""
    seen: list[int] = []
    platform = LedgerPlatform.of("a", "b", capabilities=can)

    def look(task_id: str) -> None:
        with Journal.open(shop.home) as journal:
            seen.append(sum(item.state != "PLANNED" for item in journal.items(origin=platform.origin)))

    platform.before_write = look
    shop.run(platform, concurrency=1)
    assert seen == seen_before


def test_the_report_is_kept_before_the_retry_erases_it(shop: Workshop) -> None:
    """The evidence is there at the moment of the write, and the item names it."""
    kept: list[int] = []
    platform = LedgerPlatform.of("a")
    platform.before_write = lambda task_id: kept.append(len(shop.evidence.attempts(platform.origin, task_id)))
    batch = shop.run(platform)
    assert kept == [2]
    task = shop.evidence.task(only(batch).evidence_id or "")
    assert task is not None
    assert [stage.error for stage in task.stages] == [None, "boom", None]
    assert [line.text for line in shop.evidence.logs(only(batch).evidence_id or "")] == ["it broke"]


def test_nothing_is_sent_when_the_evidence_cannot_be_kept(shop: Workshop) -> None:
    """A full disk: the item says so, and the platform was not touched."""

    class FullDisk(Evidence):
        def save(self, task: TaskRecord, logs: Any, *, origin: str) -> str:
            raise errors.JournalError("evidence.db cannot grow: the disk is full.", advice="Free some space.")

    platform = LedgerPlatform.of("a")
    batch = shop.run(platform, evidence=FullDisk(shop.evidence._database))
    assert only(batch).state == "SKIPPED"
    assert "Its evidence could not be kept" in only(batch).reason
    assert "the disk is full" in only(batch).reason
    assert platform.writes == {}


def test_a_log_that_cannot_be_read_is_tried_again(shop: Workshop) -> None:
    """Nothing is sent without its evidence; a passing fault only delays it."""
    stumbles = iter([True])

    class Stumbling(LedgerPlatform):
        def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
            if next(stumbles, False):
                raise errors.Unavailable("busy")
            return super().logs(task_id, stage)

    assert only(shop.run(Stumbling.of("a"))).state == "SUCCEEDED"


def test_the_same_intent_is_sent_by_one_batch_only(shop: Workshop) -> None:
    """A cell that is run again, or two plans of the same state: the second batch says where it is."""
    platform = LedgerPlatform.of("a")
    plan = plan_retry(platform, ["a"])
    options: dict[str, Any] = {"timing": QUICK, "progress": False, "journal": shop.journal, "evidence": shop.evidence}
    first = execute(plan, wait=True, **options)
    second = execute(plan, wait=True, **options)
    assert (states(first), states(second)) == ({"a": "SUCCEEDED"}, {"a": "SKIPPED"})
    assert first.id in only(second).reason
    assert platform.writes["a"] == 1


def test_what_could_not_be_sent_goes_again_and_then_stays(shop: Workshop) -> None:
    """A bounded number of times, each claimed anew; nothing has happened on the platform."""
    platform = LedgerPlatform.of("a", faults={"a": ["not_sent"] * 100})
    batch = shop.run(platform)
    assert (only(batch).state, len(platform.faults["a"])) == ("NOT_SENT", 100 - 1 - QUICK.resends)
    assert platform.ledger == {}


class TestBatchCalls:
    def test_items_go_together(self, shop: Workshop) -> None:
        """One request for as many as the platform takes; refusals are their own."""
        platform = LedgerPlatform.of(*"abcdef", capabilities=BATCHED, faults={"b": ["refused"]})
        batch = shop.run(platform, concurrency=1)
        assert [len(call) for call in platform.batches] == [3, 3]
        assert states(batch) == dict.fromkeys("acdef", "SUCCEEDED") | {"b": "REJECTED"}
        assert set(platform.ledger.values()) == {1}

    @pytest.mark.parametrize("fault", ["lost_answer", "lost_request", "error_after", "crash"])
    def test_a_lost_answer_is_resolved_item_by_item(self, shop: Workshop, fault: Fault) -> None:
        """From the attempt numbers; what was not acted on stays unclear."""
        platform = LedgerPlatform.of(*"abc", capabilities=BATCHED, faults={"a": [fault], "c": ["refused"]})
        batch = shop.run(platform, concurrency=1)
        acted = fault in {"lost_answer", "error_after"}
        expected: State = "SUCCEEDED" if acted else "UNKNOWN"
        assert states(batch) == {"a": expected, "b": expected, "c": "UNKNOWN"}
        assert (platform.acted_twice, len(platform.batches)) == ([], 1)

    def test_each_item_has_its_own_key(self, shop: Workshop) -> None:
        """So that what became of one is known without the others."""
        platform = KeyedPlatform.of(*"abc", capabilities=KEYED_BATCHED, faults={"a": ["lost_answer"], "c": ["refused"]})
        batch = shop.run(platform, concurrency=1)
        assert states(batch) == {"a": "SUCCEEDED", "b": "SUCCEEDED", "c": "REJECTED"}

    def test_a_stage_that_a_batch_would_not_choose_goes_alone(self, shop: Workshop) -> None:
        """A batch call resets the earliest failed stage: it must be the planned one."""
        platform = LedgerPlatform.of(*"abc", capabilities=BATCHED)
        task = platform.records["b"]
        platform.records["b"] = replace(task, stages=(replace(task.stages[0], status="failed"), *task.stages[1:]))
        plan = plan_retry(platform, list("abc"), stage="check")
        options: dict[str, Any] = {"timing": QUICK, "progress": False, "stop_after": NEVER, "concurrency": 1}
        ended(execute(plan, wait=False, journal=shop.journal, evidence=shop.evidence, **options))
        assert platform.batches == [("a", "c")]
        assert platform.ledger["b", "b-check", 0] == 1


def test_canaries_go_first_and_stop_their_group(shop: Workshop) -> None:
    """The group with the same error again is skipped; the other one goes on."""
    platform = LedgerPlatform.of(*"abcdef", results={"a": "boom"})
    for task_id in "def":
        task = platform.records[task_id]
        stages = tuple(replace(stage, error=stage.error and "another error") for stage in task.stages)
        platform.records[task_id] = replace(task, stages=stages)
    batch = shop.run(platform, canary=1)
    assert states(batch) == {
        "a": "FAILED_AGAIN",
        "b": "SKIPPED",
        "c": "SKIPPED",
        **dict.fromkeys("def", "SUCCEEDED"),
    }
    assert "same error" in batch.items[1].reason


def test_repeated_unclear_answers_stop_the_batch(shop: Workshop) -> None:
    """What was not sent is skipped, with the reason; what was sent is read back."""
    platform = LedgerPlatform.of(*"abcdef", faults={task_id: ["lost_answer"] for task_id in "abcdef"})
    batch = shop.run(platform, stop_after=StopRule(unknown=2), concurrency=1)
    assert list(states(batch).values()) == ["SUCCEEDED"] * 2 + ["SKIPPED"] * 4
    assert (batch.state, batch.items[3].reason) == ("cancelled", "Stopped: 2 in a row got no clear answer.")


def test_a_task_that_is_deleted_meanwhile_is_no_success(shop: Workshop) -> None:
    """How it would have ended is not known, and the item says so."""

    class Forgetful(LedgerPlatform):
        def task(self, task_id: str) -> TaskRecord:
            if self.ledger:
                raise errors.NotFound("Task not found", status=404)
            return super().task(task_id)

    item = only(shop.run(Forgetful.of("a")))
    assert (item.state, item.reason) == ("CANCELLED", "The task was deleted; how it would have ended is not known.")


@pytest.mark.parametrize("fault", ["well", "lost_answer"])
def test_reads_that_fail_decide_nothing(shop: Workshop, fault: Fault) -> None:
    """Before sending, while reading back and while watching: every other read fails, and the batch goes on."""

    class Stumbling(LedgerPlatform):
        def task(self, task_id: str) -> TaskRecord:
            self.keys.append("read")
            if self.keys.count("read") % 2 == 0:
                raise errors.Unavailable("No answer from the platform.")
            return super().task(task_id)

    platform = Stumbling.of("a", faults={"a": [fault]})
    assert only(shop.run(platform)).state == "SUCCEEDED"
    assert (platform.acted_twice, platform.writes["a"]) == ([], 1)


def test_the_pace_is_kept_and_slows_down_when_the_platform_is_busy(shop: Workshop) -> None:
    """Never more writes at a time than asked for; every item that was busy is read back, none is sent again."""
    ids = [f"t{number}" for number in range(20)]
    platform = LedgerPlatform.of(*ids, faults={ids[0]: ["busy"], ids[7]: ["busy"]})
    batch = shop.run(platform, concurrency=3)
    assert platform.most_writing <= 3
    assert batch.buckets["UNKNOWN"] == 2
    assert set(platform.writes.values()) == {1}


def test_a_plan_that_is_not_as_it_was_shown_is_refused(shop: Workshop) -> None:
    """Nothing is written down or sent: changed rows, another platform, nothing to do, a connection that only reads."""
    platform = LedgerPlatform.of("a", "b")
    plan = plan_retry(platform, ["a", "b"])
    execute_here: dict[str, Any] = {"journal": shop.journal, "evidence": shop.evidence, "progress": False}
    with pytest.raises(errors.PlanRefused, match="hash"):
        execute(replace(plan, rows=plan.rows[:1]), **execute_here)
    with pytest.raises(errors.PlanRefused, match="not for http://elsewhere"):
        execute(plan, LedgerPlatform.of("a", origin="http://elsewhere"), **execute_here)
    with pytest.raises(errors.PlanRefused, match="Nothing in the plan"):
        execute(plan_retry(platform, ["nobody"]), **execute_here)
    with pytest.raises(errors.ReadOnly):
        execute(plan, LedgerPlatform.of("a", read_only=True, origin=platform.origin), **execute_here)
    assert (shop.journal.batches(origin=platform.origin), platform.writes) == ([], {})


@pytest.mark.parametrize("options", [{"canary": -1}, {"concurrency": 0}, {"concurrency": 1000}])
def test_options_that_make_no_sense_are_errors_of_the_caller(shop: Workshop, options: dict[str, Any]) -> None:
    """Nothing is begun."""
    platform = LedgerPlatform.of("a")
    with pytest.raises(ValueError, match=r"canary|concurrency"):
        shop.begin(platform, **options)
    assert shop.journal.batches(origin=platform.origin) == []


def test_a_journal_that_cannot_be_written_ends_the_sending(tmp_path: Path) -> None:
    """Nothing leaves without SENT on the disk; whoever waits hears why, and another process goes on."""
    platform = LedgerPlatform.of("a", "b")
    with workshop(tmp_path) as own:
        platform.before_write = lambda task_id: own.journal.close()
        batch = own.begin(platform, concurrency=1)
        with pytest.raises(errors.JournalError):
            batch.wait(10)
    assert isinstance(batch.error, errors.JournalError)
    assert "ended before its time" in batch.summary
    assert sum(platform.writes.values()) == 1
    platform.before_write = lambda task_id: None
    with workshop(tmp_path) as again:
        assert states(ended(again.resume(batch.id, platform))) == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    assert platform.acted_twice == []

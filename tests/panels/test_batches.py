"""Batches on the page: what became of each item, what is unclear, what was interrupted, and who may act."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from retry_toolkit.errors import (
    FilesGone,
    NotFound,
    NotSent,
    PermissionDenied,
    Refused,
    RetryToolkitError,
    Unavailable,
    UnclearOutcome,
)
from retry_toolkit.panels.batches import away_node, card_node, listed_items
from retry_toolkit.panels.state.background import Failed
from retry_toolkit.panels.state.batches import BatchesState
from retry_toolkit.panels.state.cards import Card
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.proposals import Kind
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.execute import execute
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan import plan_retry
from retry_toolkit.text import Texts
from tests.live import wait_until
from tests.panels.background import AtOnce
from tests.panels.conftest import MakeDesk, confirm, rest
from tests.panels.memory import MemoryPlatform, make_task, words_of
from tests.retry.ledger import QUICK

METHODS: dict[Kind, str] = {"stage": "retry_stage", "batch": "retry_stage", "whole": "retry_task"}


@pytest.fixture
def platform() -> MemoryPlatform:
    """Three failed tasks whose retries move on when they are read."""
    return MemoryPlatform.of(
        make_task("a", retry_count=1),
        make_task("b", minutes_ago=1),
        make_task("c", minutes_ago=2),
        advances_when_read=True,
    )


@pytest.fixture
def desk(make_desk: MakeDesk, platform: MemoryPlatform) -> DeskState:
    """A desk with the report of a failed task open."""
    made = make_desk(platform)
    made.report.open("a")
    return made


def act(desk: DeskState, kind: Kind) -> None:
    """Propose a retry of that kind."""
    desk.table.select(["a"])
    {"stage": desk.retry.propose_stage, "batch": desk.retry.propose_batch, "whole": desk.retry.propose_whole}[kind]()


def newest(desk: DeskState) -> Card:
    """The newest card."""
    card: Card = desk.batches.cards[0]
    return card


def shown(card: Card, *, can_act: bool = True) -> str:
    """What a user reads of a card."""
    return words_of(card_node(Texts("en"), card, {}, can_act=can_act))


def unclear(desk: DeskState, platform: MemoryPlatform) -> Card:
    """A card whose one item stays unclear."""
    act(desk, "stage")
    platform.breaks["retry_stage"] = UnclearOutcome("no answer in time")
    confirm(desk)
    assert newest(desk).buckets["UNKNOWN"] == 1
    return newest(desk)


def interrupted(platform: MemoryPlatform, archive: Archive) -> RetryBatch:
    """A batch of three that another kernel began, of which it sent nothing, and left."""
    plan = plan_retry(platform, ["a", "b", "c"])
    broken, platform.breaks, platform.stays_broken = platform.breaks, {"task": Unavailable("away")}, True
    batch = execute(plan, wait=False, progress=False, journal=archive.journal, evidence=archive.evidence, timing=QUICK)
    batch.pause()
    assert batch.close(10)
    platform.breaks, platform.stays_broken = broken, False
    return batch


REFUSALS: list[tuple[RetryToolkitError, tuple[str, str, str]]] = [
    (
        FilesGone("gone", status=410, detail="原任务文件已被清理，无法重试"),
        ("REJECTED", "The input files of this task have been removed", "原任务文件已被清理，无法重试"),
    ),
    (PermissionDenied("no", status=403, detail="viewer"), ("REJECTED", "You do not have the permission.", "viewer")),
    (NotFound("no", status=404, detail="Task not found"), ("REJECTED", "The task does not exist", "Task not found")),
    (
        Refused("no", status=409, detail="retry_count is 2"),
        ("REJECTED", "Somebody else has retried this", "retry_count is 2"),
    ),
    (
        Refused("no", status=400, detail="retry limit reached: 2/3"),
        ("REJECTED", "The retry limit is reached.", "retry limit reached: 2/3"),
    ),
    (
        Refused("no", status=400, detail="Target stage status is not failed"),
        ("REJECTED", "This stage has not failed.", "Target stage status is not failed"),
    ),
    (
        Refused("no", status=400, detail="computer says no"),
        ("REJECTED", "The platform refused.", "computer says no"),
    ),
    (Unavailable("overloaded", status=503), ("UNKNOWN", "may have been done", "overloaded")),
    (UnclearOutcome("no answer in time"), ("UNKNOWN", "may have been done", "no answer in time")),
]


@pytest.mark.parametrize(("error", "told"), REFUSALS, ids=lambda value: getattr(value, "detail", None))
def test_what_went_wrong_is_explained(
    desk: DeskState, platform: MemoryPlatform, error: RetryToolkitError, told: tuple[str, str, str]
) -> None:
    """Each refusal and each uncertainty has its own plain explanation, with the platform's own words."""
    act(desk, "stage")
    platform.breaks["retry_stage"] = error
    confirm(desk)
    state, explanation, words = told
    assert [item.state for item in newest(desk).items] == [state]
    assert explanation in shown(newest(desk))
    assert words in shown(newest(desk))
    assert len(platform.called("retry_stage")) == 1


def test_what_never_left_is_tried_again_then_called_not_sent(desk: DeskState, platform: MemoryPlatform) -> None:
    """A refused connection is safe to repeat; the page says that nothing has changed."""
    act(desk, "stage")
    platform.breaks, platform.stays_broken = {"retry_stage": NotSent("connection refused")}, True
    confirm(desk)
    assert [item.state for item in newest(desk).items] == ["NOT_SENT"]
    assert "Nothing was sent." in shown(newest(desk))
    assert "connection refused" in shown(newest(desk))


@pytest.mark.parametrize("kind", list(METHODS))
def test_an_unclear_answer_is_read_back(desk: DeskState, platform: MemoryPlatform, kind: Kind) -> None:
    """What happened is watched like any retry, says how that is known, and nothing is repeated."""
    act(desk, kind)
    platform.breaks[METHODS[kind]] = UnclearOutcome("no answer in time")
    platform.happens_anyway = True
    confirm(desk)
    assert [item.state for item in newest(desk).items] == ["SUCCEEDED"]
    assert len(platform.called(METHODS[kind])) == 1


@pytest.mark.parametrize("kind", list(METHODS))
def test_a_mistake_of_ours_is_told_as_unclear(desk: DeskState, platform: MemoryPlatform, kind: Kind) -> None:
    """An error that nobody planned for may have come before or after the sending; it is named without a traceback."""
    act(desk, kind)
    platform.breaks[METHODS[kind]] = ZeroDivisionError("oops")
    confirm(desk)
    assert [item.state for item in newest(desk).items] == ["UNKNOWN"]
    assert "Traceback" not in shown(newest(desk))
    assert not desk.retry.starting


def test_unclear_items_wait_for_somebody(desk: DeskState, platform: MemoryPlatform) -> None:
    """The words say what is known and what is not, and offer what can be done; a reader is offered only a look."""
    card = unclear(desk, platform)
    text = shown(card)
    assert "1 was sent and got no clear answer" in text
    assert "the attempt number of 'join' was still 1" in text
    assert tuple(
        words for words in ("It was done", "It was not done", "Send it again…", "Check again") if words in text
    ) == ("It was done", "It was not done", "Send it again…", "Check again")
    assert "Send it again…" not in shown(card, can_act=False)


def test_an_unclear_item_is_checked_again(desk: DeskState, platform: MemoryPlatform) -> None:
    """A request that was late after all is found, followed to its end, and was sent once."""
    card = unclear(desk, platform)
    platform._reset("a", "a-join")
    desk.batches.check_again(card.batch_id)
    rest(desk)
    assert [item.state for item in newest(desk).items] == ["SUCCEEDED"]
    assert len(platform.called("retry_stage")) == 1


@pytest.mark.parametrize(("done", "state"), [(True, "SUCCEEDED"), (False, "REJECTED")])
def test_a_person_s_word_settles_it(desk: DeskState, platform: MemoryPlatform, done: bool, state: str) -> None:
    """What was done is followed to its end; what was not can be planned again."""
    card = unclear(desk, platform)
    if done:
        platform._reset("a", "a-join")
    desk.batches.resolve(card.batch_id, "a", done=done)
    rest(desk)
    assert [item.state for item in newest(desk).items] == [state]
    assert len(platform.called("retry_stage")) == 1


def test_sending_again_wants_the_task_s_id(desk: DeskState, platform: MemoryPlatform) -> None:
    """Typed exactly; anything else sends nothing and says so."""
    card = unclear(desk, platform)
    desk.batches.ask_to_type(card.batch_id, "a")
    assert "Type the task's id to send it again:" in shown(newest(desk))
    desk.batches.typed = "b"
    desk.batches.send_again(card.batch_id, "a")
    assert [notice.title_key for notice in desk.session.notices.items] == ["unclear.mistyped"]
    assert len(platform.called("retry_stage")) == 1
    desk.batches.typed = "a"
    desk.batches.send_again(card.batch_id, "a")
    rest(desk)
    assert [item.state for item in newest(desk).items] == ["SUCCEEDED"]
    assert len(platform.called("retry_stage")) == 2


def test_an_interrupted_batch_is_offered_when_the_desk_opens(
    make_desk: MakeDesk, platform: MemoryPlatform, archive: Archive
) -> None:
    """With everything that it has left; nothing is sent until somebody says so, and then each once."""
    interrupted(platform, archive)
    desk = make_desk(platform)
    card = newest(desk)
    assert (card.condition, card.kind, card.buckets["PLANNED"]) == ("interrupted", "batch", 3)
    assert "Nothing is lost" in shown(card)
    assert platform.called("retry_stage") == []
    desk.batches.go_on(card.batch_id)
    rest(desk)
    card = newest(desk)
    assert (card.condition, card.buckets["SUCCEEDED"], sum(card.buckets.values())) == ("ended", 3, 3)
    sent = [call[0] for call in platform.called("retry_stage")]
    sent += [task_id for call in platform.called("retry_batch") for task_id in call[0]]
    assert sorted(sent) == ["a", "b", "c"]


def test_an_interrupted_batch_can_be_cancelled(make_desk: MakeDesk, platform: MemoryPlatform, archive: Archive) -> None:
    """What was not sent is left out, says why, and can be selected to be planned again."""
    batch = interrupted(platform, archive)
    desk = make_desk(platform)
    desk.batches.cancel(batch.id)
    card = newest(desk)
    assert (card.condition, card.state, card.buckets["SKIPPED"]) == ("ended", "cancelled", 3)
    desk.batches.show(batch.id, "SKIPPED")
    assert "Select these 3 tasks" in shown(newest(desk))
    assert "Not sent: The batch was cancelled." in shown(newest(desk))
    assert platform.called("retry_stage") == []


def test_a_batch_that_runs_elsewhere_is_only_looked_at(
    make_desk: MakeDesk, platform: MemoryPlatform, archive: Archive
) -> None:
    """One process at a time: the page says which one, and the next look shows when it has ended."""
    batch = interrupted(platform, archive)
    assert isinstance(archive.journal, Journal)
    lease = archive.journal.lease(batch.id, actor="somebody@elsewhere")
    assert lease is not None
    desk = make_desk(platform)
    card = newest(desk)
    assert card.condition == "elsewhere"
    assert "somebody@elsewhere" in shown(card)
    assert "Go on" not in shown(card)
    desk.batches.go_on(batch.id)
    assert [notice.title_key for notice in desk.session.notices.items] == ["problem.busy.title"]
    lease.release()
    desk.batches.look()
    assert newest(desk).condition == "interrupted"


def test_a_reader_sees_an_interrupted_batch_and_cannot_send(
    make_desk: MakeDesk, platform: MemoryPlatform, archive: Archive
) -> None:
    """The buttons are not there, and firing their actions sends nothing."""
    batch = interrupted(platform, archive)
    platform.read_only = True
    desk = make_desk(platform)
    assert "Go on" not in shown(newest(desk), can_act=desk.session.can_act)
    desk.batches.go_on(batch.id)
    assert [notice.title_key for notice in desk.session.notices.items] == ["problem.read_only.title"]
    for act_on in (desk.batches.pause, desk.batches.cancel):
        act_on(batch.id)
        assert desk.session.notices.items[-1].title_key == "block.read_only"
    assert (newest(desk).state, newest(desk).buckets["PLANNED"]) == (batch.state, 3)


def test_a_reader_settles_nothing(desk: DeskState, platform: MemoryPlatform) -> None:
    """Neither by a word nor by sending it again."""
    card = unclear(desk, platform)
    desk.session.can_act = False
    desk.batches.resolve(card.batch_id, "a", done=True)
    desk.batches.typed = "a"
    desk.batches.send_again(card.batch_id, "a")
    rest(desk)
    assert newest(desk).buckets["UNKNOWN"] == 1
    assert len(platform.called("retry_stage")) == 1


def test_a_batch_is_held_and_goes_on(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """While it is paused nothing leaves; afterwards each is sent once."""
    desk = make_desk(platform)
    desk.table.select_matching()
    desk.retry.propose_batch()
    platform.breaks, platform.stays_broken = {"task": Unavailable("away")}, True
    assert desk.retry.proposal is not None
    desk.retry.confirm(desk.retry.proposal.key)
    desk.batches.pause(newest(desk).batch_id)
    wait_until(lambda: newest(desk).condition == "paused", "the pause")
    platform.breaks, platform.stays_broken = {}, False
    assert platform.called("retry_stage") == platform.called("retry_batch") == []
    desk.batches.go_on(newest(desk).batch_id)
    rest(desk)
    assert newest(desk).buckets["SUCCEEDED"] == 3


def test_a_running_batch_stays_away_until_it_ends(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Each change of it would bring it back; one line tells that it runs, and shows it again."""
    desk = make_desk(platform)
    desk.table.select_matching()
    desk.retry.propose_batch()
    platform.advances_when_read = False
    assert desk.retry.proposal is not None
    desk.retry.confirm(desk.retry.proposal.key)
    wait_until(lambda: newest(desk).buckets["ACCEPTED"] == 3, "the answers")
    batch_id = newest(desk).batch_id
    desk.batches.dismiss(batch_id)
    platform.records["a"] = replace(platform.records["a"], status="succeeded")
    wait_until(lambda: desk.batches.away[0].buckets["SUCCEEDED"] == 1, "a change out of sight")
    assert desk.batches.cards == ()
    line = away_node(Texts("en"), desk.batches.away)
    assert line is not None
    assert words_of(line) == "1 batch runs in the background. Show"
    desk.session.post(lambda: None)
    desk.batches.bring_back()
    assert (newest(desk).batch_id, desk.batches.away) == (batch_id, ())
    desk.batches.dismiss(batch_id)
    platform.advances_when_read = True
    rest(desk)
    assert (newest(desk).condition, newest(desk).buckets["SUCCEEDED"], desk.batches.away) == ("ended", 3, ())
    assert desk.aftermath.fates == {"recovered": ("a", "b", "c")}
    desk.batches.dismiss(batch_id)
    assert desk.batches.all_cards == ()


@pytest.mark.parametrize(
    ("change", "is_news"),
    [
        ({}, False),
        ({"buckets": {"UNKNOWN": 2}}, True),
        ({"error": Unavailable("away")}, True),
        ({"condition": "paused"}, True),
        ({"condition": "interrupted"}, True),
    ],
    ids=str,
)
def test_what_brings_a_batch_back(desk: DeskState, change: dict[str, Any], is_news: bool) -> None:
    """What needs somebody, unless that was so when it was sent away."""
    act(desk, "stage")
    confirm(desk)
    old = replace(newest(desk), condition="running", buckets={"UNKNOWN": 1})
    assert replace(old, **change).is_news_after(old) == is_news


def test_what_needs_a_look_is_listed_first(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """And a bucket lists its own items; pressing it again lists all."""
    platform.refusals["c"] = "computer says no"
    desk = make_desk(platform)
    desk.table.select_matching()
    desk.retry.propose_batch()
    confirm(desk)
    batch_id = newest(desk).batch_id
    assert [item.task_id for item in listed_items(newest(desk))] == ["c", "a", "b"]
    desk.batches.show(batch_id, "SUCCEEDED")
    assert [item.task_id for item in listed_items(newest(desk))] == ["a", "b"]
    desk.batches.show(batch_id, "SUCCEEDED")
    assert len(listed_items(newest(desk))) == 3


def test_a_refused_permission_offers_the_token(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """A viewer's token may read and not act: the platform says so, and the page offers another one."""
    desk = make_desk(platform, operator=lambda _: platform)
    assert not desk.session.takes_token
    desk.report.open("a")
    act(desk, "stage")
    platform.breaks["retry_stage"] = PermissionDenied("no", status=403, detail="viewer")
    confirm(desk)
    assert desk.session.takes_token


def test_a_journal_that_cannot_be_used_sends_nothing(
    make_desk: MakeDesk, platform: MemoryPlatform, archive: Archive
) -> None:
    """The page says so, and offers the same again."""
    desk = make_desk(platform)
    desk.report.open("a")
    act(desk, "stage")
    assert isinstance(archive.journal, Journal)
    archive.journal.close()
    confirm(desk)
    assert [notice.title_key for notice in desk.session.notices.items] == ["problem.journal.title"]
    assert platform.called("retry_stage") == []
    assert not desk.retry.starting


def test_giving_the_token_back_stops_what_runs_over_it(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Nothing is cancelled: whoever acts next goes on."""
    platform.read_only = True
    operator = MemoryPlatform(platform.records)
    desk = make_desk(platform, operator=lambda _: operator)
    desk.session.unlock("token")
    desk.report.open("a")
    act(desk, "stage")
    assert desk.retry.proposal is not None
    desk.retry.confirm(desk.retry.proposal.key)
    wait_until(lambda: newest(desk).buckets["ACCEPTED"] == 1, "the answer")
    desk.session.lock()
    wait_until(lambda: newest(desk).condition == "interrupted", "the batch to be left")
    assert operator.closed
    desk.batches.go_on(newest(desk).batch_id)
    rest(desk)
    assert newest(desk).buckets["SUCCEEDED"] == 1


class _Counting(AtOnce):
    """Counts after how many seconds what comes was to be called."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[float] = Counter()

    def post(self, call: Callable[[], None], otherwise: Failed, *, after_s: float = 0.0) -> None:
        self.waits[after_s] += 1
        super().post(call, otherwise)


def test_most_of_the_time_is_the_user_s(make_desk: MakeDesk, archive: Archive) -> None:
    """After a second of taking over news the next wait three, less what has passed; the last is taken over too."""
    background, seconds = _Counting(), itertools.count()
    tasks = [make_task(f"t{number}", minutes_ago=number) for number in range(20)]
    desk = make_desk(MemoryPlatform.of(*tasks, advances_when_read=True), background=background)
    batches = BatchesState(desk.session, archive, QUICK, clock=lambda: float(next(seconds)))
    plan = plan_retry(desk.session.platform, [task.task_id for task in tasks])
    background.waits.clear()
    batch = execute(plan, wait=False, progress=False, journal=archive.journal, evidence=archive.evidence, timing=QUICK)
    batches.adopt(batch)
    wait_until(lambda: batches.cards[0].condition == "ended", "the last news")
    assert set(background.waits) == {0.0, 2.0}
    batches.close()

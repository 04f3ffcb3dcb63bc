"""Retrying: planned, confirmed, sent once, closed with a reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from retry_toolkit.panels.confirmations import confirmation_node
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.proposals import TYPED_ABOVE, Kind, Proposal
from retry_toolkit.platforms.base import Capabilities
from retry_toolkit.text import Texts
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk, confirm, rest
from tests.panels.memory import EVERYTHING, MemoryPlatform, make_task, words_of


def asked(desk: DeskState, kind: Kind) -> Proposal:
    """The question of that kind that waits."""
    assert desk.retry.proposal is not None
    assert desk.retry.proposal.kind == kind
    return desk.retry.proposal


def states(desk: DeskState) -> list[str]:
    """Of the items of the newest batch."""
    return [item.state for item in desk.batches.cards[0].items]


def messages(desk: DeskState) -> list[str]:
    """Titles of the messages on the page."""
    return [notice.title_key for notice in desk.session.notices.items]


@pytest.fixture
def platform() -> MemoryPlatform:
    """A failed task with a second retry to come, one at its limit, one that succeeded."""
    return MemoryPlatform.of(
        make_task("a", retry_count=1),
        make_task("limit", retry_count=3, minutes_ago=1),
        make_task("ok", status="succeeded", minutes_ago=2),
        advances_when_read=True,
    )


@pytest.fixture
def desk(make_desk: MakeDesk, platform: MemoryPlatform) -> DeskState:
    """A desk with the report of the failed task open."""
    made = make_desk(platform)
    made.report.open("a")
    return made


def test_a_stage_retry_says_what_it_will_do(desk: DeskState, platform: MemoryPlatform) -> None:
    """Which stage is reset, which stay, which follow, the how-manieth of how many; nothing is sent."""
    desk.retry.propose_stage()
    (row,) = asked(desk, "stage").ready
    assert (row.stage, row.kept, row.after) == ("join", ("validate", "clean"), ("render",))
    assert (row.attempt, row.retry_limit) == (1, 3)
    assert platform.called("retry_stage") == []


def test_a_confirmed_stage_retry_is_sent_once_and_watched(desk: DeskState, platform: MemoryPlatform) -> None:
    """With the attempt number that was read and the key of its intent, and its end is told."""
    desk.retry.propose_stage()
    confirm(desk)
    (item,) = desk.batches.cards[0].items
    assert platform.called("retry_stage") == [("a", "a-join", 1, item.key)]
    assert item.state == "SUCCEEDED"
    assert desk.report.task is not None
    assert desk.report.task.status == "succeeded"


def test_a_retry_that_fails_again_says_so(desk: DeskState, platform: MemoryPlatform) -> None:
    """Submitted is not succeeded."""
    platform.results["a"] = "failed"
    desk.retry.propose_stage()
    confirm(desk)
    assert states(desk) == ["FAILED_AGAIN"]


def test_a_second_click_sends_nothing(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The state guards it: neither while the first is on its way nor after it arrived is there anything to send."""
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    desk.report.open("a")
    background.run()
    desk.retry.propose_stage()
    background.run()
    assert desk.retry.proposal is not None
    key = desk.retry.proposal.key
    for _ in range(3):
        desk.retry.confirm(key)
    assert desk.retry.starting
    desk.retry.propose_batch()
    background.run()
    desk.retry.confirm(key)
    background.run()
    rest(desk)
    assert len(platform.called("retry_stage")) == 1
    assert platform.called("retry_batch") == []


def test_a_late_click_cannot_confirm_something_else(desk: DeskState, platform: MemoryPlatform) -> None:
    """A confirmation counts only for the question that it answers."""
    desk.retry.propose_stage()
    assert desk.retry.proposal is not None
    old = desk.retry.proposal.key
    desk.retry.propose_whole()
    desk.retry.confirm(old)
    asked(desk, "whole")
    assert platform.called("retry_stage") == platform.called("retry_task") == []


@pytest.mark.parametrize("change", ["stage", "task", "close", "cancel"])
def test_a_change_revokes_the_confirmation(desk: DeskState, platform: MemoryPlatform, change: str) -> None:
    """What was asked about one stage is never done to another."""
    desk.retry.propose_stage()
    assert desk.retry.proposal is not None
    key = desk.retry.proposal.key
    {
        "stage": lambda: desk.report.choose("a-clean"),
        "task": lambda: desk.report.open("limit"),
        "close": desk.report.close,
        "cancel": desk.retry.revoke,
    }[change]()
    assert desk.retry.proposal is None
    desk.retry.confirm(key)
    assert platform.called("retry_stage") == []


def test_a_change_of_the_selection_revokes_the_batch(desk: DeskState, platform: MemoryPlatform) -> None:
    """Also one that filters and pages leave alone; a stage's confirmation is another matter."""
    desk.table.toggle("a")
    desk.retry.propose_batch()
    desk.table.filter(text="zzz")
    asked(desk, "batch")
    desk.table.toggle("limit")
    assert desk.retry.proposal is None
    desk.retry.propose_stage()
    desk.table.toggle("limit")
    asked(desk, "stage")
    assert platform.called("retry_batch") == []


def test_an_answer_that_comes_too_late_proposes_nothing(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """A task that was read for a question which the user has left asks nothing."""
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    desk.report.open("a")
    background.run()
    desk.retry.propose_stage()
    assert desk.retry.preparing == "stage"
    desk.report.choose("a-clean")
    background.run()
    assert desk.retry.preparing is None
    assert desk.retry.proposal is None


def test_a_batch_sends_only_what_can_be_retried(desk: DeskState, platform: MemoryPlatform) -> None:
    """The confirmation names what is sent and what is left out and why, also a task that is gone meanwhile."""
    platform.records["gone"] = make_task("gone", minutes_ago=3)
    desk.refresh()
    for task_id in ("a", "limit", "ok", "gone"):
        desk.table.toggle(task_id)
    del platform.records["gone"]
    desk.retry.propose_batch()
    plan = asked(desk, "batch").plan
    assert [row.task_id for row in plan.ready] == ["a"]
    assert {row.task_id: row.reason for row in plan.refused} == {
        "limit": "The retry limit of 'join' is reached (3/3).",
        "ok": "The task is succeeded.",
        "gone": "The task does not exist (any more).",
    }
    confirm(desk)
    assert [call[0] for call in platform.called("retry_stage")] == ["a"]


def test_each_item_of_a_batch_has_its_own_result(make_desk: MakeDesk) -> None:
    """One recovers, one fails again, one is refused in the platform's own words; the buckets sum to all of them."""
    platform = MemoryPlatform.of(
        make_task("good"), make_task("bad"), make_task("late"), results={"bad": "failed"}, advances_when_read=True
    )
    desk = make_desk(platform)
    desk.table.select_matching()
    desk.retry.propose_batch()
    platform.refusals["late"] = "computer says no"
    confirm(desk)
    (card,) = desk.batches.cards
    assert {item.task_id: (item.state, item.detail) for item in card.items} == {
        "good": ("SUCCEEDED", ""),
        "bad": ("FAILED_AGAIN", "Failed again"),
        "late": ("REJECTED", "computer says no"),
    }
    assert sum(card.buckets.values()) == card.total == 3
    alone = [call[0] for call in platform.called("retry_stage")]
    together = [task_id for call in platform.called("retry_batch") for task_id in call[0]]
    assert sorted([*alone, *together]) == ["bad", "good", "late"]


def test_a_question_that_was_varied_is_the_same(desk: DeskState, platform: MemoryPlatform) -> None:
    """Another plan, and a yes that follows at once, before the page has caught up, means what was chosen."""
    desk.retry.propose_whole()
    first = asked(desk, "whole")
    desk.retry.vary(copy_files=False)
    desk.retry.vary(new_name="again")
    varied = asked(desk, "whole")
    assert (varied.plan.copy_files, varied.plan.name) == (False, "again")
    assert varied.plan.hash != first.plan.hash
    desk.retry.confirm(first.key)
    rest(desk)
    assert [call[:3] for call in platform.called("retry_task")] == [("a", False, "again")]


def test_many_are_confirmed_by_typing_their_number(make_desk: MakeDesk) -> None:
    """A slip of the hand does not retry a hundred tasks; what is typed leaves the question the same."""
    count = TYPED_ABOVE + 1
    platform = MemoryPlatform.of(*(make_task(f"t{number}") for number in range(count)), advances_when_read=True)
    desk = make_desk(platform)
    desk.table.select_matching()
    desk.retry.propose_batch()
    key = asked(desk, "batch").key
    desk.retry.confirm(key)
    desk.retry.vary(typed=str(count - 1))
    desk.retry.confirm(key)
    assert desk.batches.cards == ()
    desk.retry.vary(typed=f" {count} ")
    desk.retry.confirm(key)
    rest(desk)
    assert states(desk) == ["SUCCEEDED"] * count


def test_canaries_go_first_and_stop_the_rest(make_desk: MakeDesk) -> None:
    """Two of the same cause fail with it again: the others are left out, and say why."""
    ids = [f"t{number}" for number in range(8)]
    platform = MemoryPlatform.of(
        *(make_task(task_id, error="Failed again") for task_id in ids),
        results=dict.fromkeys(ids, "failed"),
        advances_when_read=True,
    )
    desk = make_desk(platform)
    desk.table.select_matching()
    desk.retry.propose_batch()
    assert asked(desk, "batch").can_be_careful
    desk.retry.vary(careful=True)
    confirm(desk)
    card = desk.batches.cards[0]
    assert card.buckets["SKIPPED"] >= 6
    assert {item.reason for item in card.items if item.state == "SKIPPED"} == {
        "Stopped: another task with the same error was retried, and failed with it again."
    }


def test_a_whole_retry_counts_its_files(desk: DeskState) -> None:
    """How many and how large; copying, the safe choice, comes first, and linking needs no space."""
    desk.retry.propose_whole()
    proposal = asked(desk, "whole")
    assert proposal.files is not None
    assert (proposal.copy_files, len(proposal.files.files), proposal.file_bytes) == (True, 5, 1_200_000)
    assert proposal.plan.totals["input_bytes"] == 1_200_000
    desk.retry.vary(copy_files=False)
    assert asked(desk, "whole").plan.totals["input_bytes"] == 0


def test_copies_that_do_not_fit_are_told_before(desk: DeskState) -> None:
    """How much room there is; a warning where it is too little, and none for links."""
    desk.retry.propose_whole()
    proposal = asked(desk, "whole")
    assert proposal.files is not None
    for free, copy_files, words in (
        (5_000_000, True, "Free space there: 5.0 MB."),
        (1_000, True, "The copies do not fit: only 1.0 kB is free there."),
        (1_000, False, "Free space there: 1.0 kB."),
    ):
        told = replace(proposal, files=replace(proposal.files, free_bytes=free), copy_files=copy_files)
        assert words in words_of(confirmation_node(Texts("en"), told, {}))
    assert "Free space" not in words_of(confirmation_node(Texts("en"), proposal, {}))


def test_a_whole_retry_stands_on_top(desk: DeskState, platform: MemoryPlatform) -> None:
    """The new task is the first row although it has not failed, names its parent, and is watched to its end."""
    desk.table.filter(text="Sales report a")
    desk.retry.propose_whole()
    desk.retry.vary(copy_files=False, new_name="Once more")
    confirm(desk)
    assert [call[:4] for call in platform.called("retry_task")] == [("a", False, "Once more", 0)]
    window = desk.table.window
    assert window is not None
    first = window.rows.iloc[0]
    assert (first["task_id"], first["parent_id"], first["depth"], first["status"]) == ("a-again-1", "a", 1, "succeeded")
    card = desk.batches.cards[0]
    assert [(item.state, item.new_task_id) for item in card.items] == [("SUCCEEDED", "a-again-1")]
    assert card.files is not None
    assert {file.method for file in card.files.files} == {"linked"}


def test_a_task_that_was_retried_stays_in_sight(desk: DeskState) -> None:
    """The list of failed tasks keeps a row whose status moved on because of what was done here."""
    desk.retry.propose_stage()
    confirm(desk)
    assert desk.table.window is not None
    rows = desk.table.window.rows.set_index("task_id")["status"].to_dict()
    assert rows == {"a": "succeeded", "limit": "failed"}


def test_a_read_only_page_refuses_in_its_state(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Buttons can be fired at a kernel however disabled they look: nothing is proposed, nothing is sent."""
    platform.read_only = True
    desk = make_desk(platform)
    desk.report.open("a")
    desk.table.toggle("a")
    assert desk.retry.stage_block() == desk.retry.batch_block() == desk.retry.whole_block() == "read_only"
    desk.retry.propose_stage()
    desk.retry.propose_batch()
    desk.retry.propose_whole()
    assert desk.retry.proposal is None
    assert set(messages(desk)) == {"block.read_only"}
    assert not [call for call in platform.calls if call[0].startswith("retry")]


def test_a_page_that_became_read_only_sends_nothing(desk: DeskState, platform: MemoryPlatform) -> None:
    """Also what had been proposed before."""
    desk.retry.propose_stage()
    assert desk.retry.proposal is not None
    key = desk.retry.proposal.key
    desk.session.can_act = False
    assert desk.retry.proposal is None
    desk.retry.confirm(key)
    assert platform.called("retry_stage") == []


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"stage_retry": "none"}, ("stage_unsupported", "whole:None", "batch:None")),
        ({"whole_retry": "none"}, ("None", "whole:whole_unsupported", "batch:None")),
        ({"batch": "none"}, ("None", "whole:None", "batch:None")),
        (
            {"stage_retry": "none", "whole_retry": "none"},
            ("stage_unsupported", "whole:whole_unsupported", "batch:batch_unsupported"),
        ),
        ({"max_batch": 1}, ("None", "whole:None", "batch:too_many")),
    ],
)
def test_what_a_platform_lacks_is_closed_with_a_reason(
    make_desk: MakeDesk, platform: MemoryPlatform, capabilities: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    """Each capability closes its own action."""
    known = {name: getattr(EVERYTHING, name) for name in Capabilities.__slots__}
    platform.capabilities = Capabilities(**(known | capabilities))
    desk = make_desk(platform)
    desk.report.open("a")
    desk.table.select(["a", "limit"])
    blocks = (str(desk.retry.stage_block()), f"whole:{desk.retry.whole_block()}", f"batch:{desk.retry.batch_block()}")
    assert blocks == expected


@pytest.mark.parametrize(
    ("task_id", "stage", "whole"),
    [("limit", "limit_reached", None), ("ok", "not_failed", None), ("run", "not_failed", "still_running")],
)
def test_what_a_task_s_state_forbids(
    make_desk: MakeDesk, platform: MemoryPlatform, task_id: str, stage: str | None, whole: str | None
) -> None:
    """A stage at its limit, a success (which may be run again on purpose), a task that still runs."""
    platform.records["run"] = make_task("run", status="running")
    platform.advances_when_read = False
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    desk.report.open(task_id)
    background.waiting.pop(0)()
    assert (desk.retry.stage_block(), desk.retry.whole_block()) == (stage, whole)


def test_a_stage_that_moved_on_since_it_was_read_is_not_sent(desk: DeskState, platform: MemoryPlatform) -> None:
    """The task is read afresh for the plan, which says why nothing can be sent; there is nothing to confirm."""
    platform.records["a"] = make_task("a", status="succeeded")
    desk.retry.propose_stage()
    proposal = asked(desk, "stage")
    assert [row.reason for row in proposal.plan.refused] == ["The task is succeeded."]
    assert not proposal.can_confirm
    desk.retry.confirm(proposal.key)
    assert desk.batches.cards == ()


def test_a_platform_without_stages_retries_selections_as_new_tasks(
    make_desk: MakeDesk, platform: MemoryPlatform
) -> None:
    """What a queue offers."""
    platform.capabilities = replace(EVERYTHING, stage_retry="none", batch="none")
    desk = make_desk(platform)
    desk.table.select(["a", "limit"])
    desk.retry.propose_batch()
    assert {row.action for row in asked(desk, "batch").ready} == {"task"}
    confirm(desk)
    assert sorted(call[0] for call in platform.called("retry_task")) == ["a", "limit"]
    window = desk.table.window
    assert window is not None
    assert {"a-again-1", "limit-again-1"} <= set(window.rows["task_id"])


def test_nothing_selected_and_nothing_retryable_are_different_reasons(desk: DeskState) -> None:
    """The page says which."""
    assert desk.retry.batch_block() == "nothing_selected"
    desk.table.toggle("limit")
    assert desk.retry.batch_block() == "none_retryable"

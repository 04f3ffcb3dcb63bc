"""Retrying: proposed, confirmed, sent once, closed with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.proposals import BatchProposal, StageProposal, WholeProposal
from retry_toolkit.platforms.base import Capabilities
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk
from tests.panels.memory import EVERYTHING, NOW, MemoryPlatform, make_task


def confirm(desk: DeskState) -> None:
    """Say yes to what is proposed."""
    assert desk.retry.proposal is not None
    desk.retry.confirm(desk.retry.proposal.key)


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
    proposal = desk.retry.proposal
    assert isinstance(proposal, StageProposal)
    assert (proposal.stage, proposal.kept, proposal.after) == ("join", ("validate", "clean"), ("render",))
    assert (proposal.retry_count, proposal.retry_limit) == (1, 3)
    assert platform.called("retry_stage") == []


def test_a_confirmed_stage_retry_is_sent_once_and_watched(desk: DeskState, platform: MemoryPlatform) -> None:
    """With the attempt number that was read and a key of its own, and its end is told."""
    desk.retry.propose_stage()
    assert desk.retry.proposal is not None
    key = desk.retry.proposal.key
    confirm(desk)
    assert platform.called("retry_stage") == [("a", "a-join", 1, key)]
    assert desk.retry.task_outcome is not None
    assert [item.verdict for item in desk.retry.task_outcome.items] == ["recovered"]


def test_a_retry_that_fails_again_says_so(desk: DeskState, platform: MemoryPlatform) -> None:
    """Submitted is not succeeded."""
    platform.results["a"] = "failed"
    desk.retry.propose_stage()
    confirm(desk)
    assert desk.retry.task_outcome is not None
    assert [item.verdict for item in desk.retry.task_outcome.items] == ["failed_again"]


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
    assert desk.retry.sending
    desk.retry.propose_batch()
    background.run()
    desk.retry.confirm(key)
    background.run()
    assert len(platform.called("retry_stage")) == 1
    assert platform.called("retry_batch") == []


def test_a_late_click_cannot_confirm_something_else(desk: DeskState, platform: MemoryPlatform) -> None:
    """A confirmation counts only for the question that it answers."""
    desk.retry.propose_stage()
    assert desk.retry.proposal is not None
    old = desk.retry.proposal.key
    desk.retry.propose_whole()
    desk.retry.confirm(old)
    assert isinstance(desk.retry.proposal, WholeProposal)
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
    assert isinstance(desk.retry.proposal, BatchProposal)
    desk.table.toggle("limit")
    assert desk.retry.proposal is None
    desk.retry.propose_stage()
    desk.table.toggle("limit")
    assert isinstance(desk.retry.proposal, StageProposal)
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
    """The confirmation counts what is sent and what is left out and why, also a task that is gone meanwhile."""
    for task_id in ("a", "limit", "ok"):
        desk.table.toggle(task_id)
    desk.retry.propose_batch()
    proposal = desk.retry.proposal
    assert isinstance(proposal, BatchProposal)
    assert proposal.task_ids == ("a",)
    assert proposal.refused == {"limit_reached": 1, "not_failed": 1}
    confirm(desk)
    assert [call[0] for call in platform.called("retry_batch")] == [("a",)]


def test_each_item_of_a_batch_has_its_own_result(make_desk: MakeDesk) -> None:
    """One recovers, one fails again, one is refused in the platform's own words beside a plain explanation."""
    platform = MemoryPlatform.of(make_task("good"), make_task("bad"), make_task("late"), results={"bad": "failed"})
    desk = make_desk(platform)
    desk.table.select_matching()
    desk.retry.propose_batch()
    platform.refusals["late"] = "task status is running"
    confirm(desk)
    assert desk.retry.batch_outcome is not None
    items = {item.task_id: item for item in desk.retry.batch_outcome.items}
    assert {task_id: item.verdict for task_id, item in items.items()} == {
        "good": "recovered",
        "bad": "failed_again",
        "late": "refused",
    }
    assert items["late"].problem is not None
    assert (items["late"].problem.key, items["late"].problem.words) == ("still_running", "task status is running")


def test_each_intent_has_a_key_of_its_own(desk: DeskState, platform: MemoryPlatform) -> None:
    """Asking twice is two intents, and so is another choice of the same question."""
    desk.retry.propose_whole()
    first = desk.retry.proposal
    desk.retry.vary(copy_files=False)
    second = desk.retry.proposal
    desk.retry.vary(new_name="again")
    third = desk.retry.proposal
    assert isinstance(first, WholeProposal)
    assert isinstance(second, WholeProposal)
    assert isinstance(third, WholeProposal)
    assert len({first.key, second.key, third.key}) == 3
    assert (third.copy_files, third.new_name) == (False, "again")


def test_a_whole_retry_counts_its_files(desk: DeskState) -> None:
    """How many, how large, until when they are kept; copying, the safe choice, comes first."""
    desk.retry.propose_whole()
    proposal = desk.retry.proposal
    assert isinstance(proposal, WholeProposal)
    assert (proposal.copy_files, proposal.file_count, proposal.total_bytes, proposal.missing) == (True, 5, 1_200_000, 0)
    assert proposal.retention_until is not None
    assert proposal.retention_until > NOW


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
    outcome = desk.retry.task_outcome
    assert outcome is not None
    assert (outcome.new_task_id, outcome.files_copied, outcome.files_linked) == ("a-again-1", 0, 5)
    assert [item.verdict for item in outcome.items] == ["recovered"]


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
        ({"batch": "none"}, ("None", "whole:None", "batch:batch_unsupported")),
        ({"max_batch": 0}, ("None", "whole:None", "batch:too_many")),
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
    desk.table.toggle("a")
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
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    desk.report.open(task_id)
    background.waiting.pop(0)()
    assert (desk.retry.stage_block(), desk.retry.whole_block()) == (stage, whole)


def test_a_stage_that_moved_on_since_it_was_read_is_not_proposed(desk: DeskState, platform: MemoryPlatform) -> None:
    """The task is read afresh before the question: the answer would be about something that is no longer so."""
    platform.records["a"] = make_task("a", status="succeeded")
    desk.retry.propose_stage()
    assert desk.retry.proposal is None
    assert messages(desk) == ["block.not_failed"]
    assert desk.report.task is not None
    assert desk.report.task.status == "succeeded"


def test_nothing_selected_and_nothing_retryable_are_different_reasons(desk: DeskState) -> None:
    """The page says which."""
    assert desk.retry.batch_block() == "nothing_selected"
    desk.table.toggle("limit")
    assert desk.retry.batch_block() == "none_retryable"

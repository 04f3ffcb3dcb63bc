"""The question before a retry: what it takes, what is left out, and what was never sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

import retry_toolkit as rt
from retry_toolkit.errors import NotSent
from retry_toolkit.panels.confirmations import confirmation_node, usual_duration
from retry_toolkit.panels.state.groups import Past
from retry_toolkit.panels.state.proposals import Proposal, proposal_of
from retry_toolkit.retry import history
from retry_toolkit.text import Texts
from tests.panels.memory import MemoryPlatform, make_task, words_of
from tests.panels.test_views import MakePage, confirm, desk_of, press, text_of

__all__ = ["desk_of"]  # a fixture, used by its name
EN = Texts("en")
AWAY: dict[str, Exception] = {method: NotSent("connection refused") for method in ("retry_stage", "retry_batch")}


@pytest.fixture
def platform() -> MemoryPlatform:
    """Two failed tasks, and one that went well."""
    return MemoryPlatform.of(
        make_task("a", name="First"),
        make_task("b", minutes_ago=1, error="HTTP 503 from upstream"),
        make_task("c", status="succeeded", minutes_ago=2),
        advances_when_read=True,
    )


def shown(proposal: Proposal, past: dict[str, Past] | None = None, **options: str) -> str:
    """What a user reads of the question."""
    return words_of(confirmation_node(EN, proposal, past or {}, **options))


def writes(platform: MemoryPlatform) -> list[str]:
    """What was asked to be retried, request by request."""
    return [call[0] for call in platform.calls if call[0].startswith("retry")]


def test_what_was_never_sent_is_retried_by_one_button(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """The same question as always comes first; each is sent once in the end."""
    desk = desk_of(platform)
    desk.state.table.select(["a", "b"])
    desk.state.retry.propose_batch()
    platform.breaks, platform.stays_broken = AWAY, True
    confirm(desk)
    tried = len(writes(platform))
    assert "Retry the 2 that were not sent…" in text_of(desk.widget)
    platform.breaks = {}
    press(desk.widget, "batch_again")
    assert "Retry 2 tasks?" in text_of(desk.widget)
    assert len(writes(platform)) == tried
    confirm(desk)
    assert [stage.retry_count for task in ("a", "b") for stage in platform.task(task).stages] == [0, 0, 1, 0] * 2
    assert desk.state.batches.cards[0].buckets["SUCCEEDED"] == 2


def test_a_page_that_only_reads_offers_no_such_button(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """Fired all the same, it plans nothing."""
    desk = desk_of(platform)
    desk.state.table.select(["a"])
    desk.state.retry.propose_batch()
    platform.breaks, platform.stays_broken = AWAY, True
    confirm(desk)
    desk.state.session.can_act = False
    assert "not sent…" not in text_of(desk.widget)
    desk.state.retry.propose_again(["a"], "stage")
    assert desk.state.retry.proposal is None


def test_copies_are_weighed_against_the_free_space(platform: MemoryPlatform) -> None:
    """In bytes; where they do not fit, the question says what to do instead. Unknown is unknown."""
    plan = rt.plan_retry(platform, ["a", "b"], action="task")
    assert "To be copied 2.4 MB Free space there unknown" in shown(proposal_of(plan))
    roomy = replace(plan, rows=tuple(replace(row, free_bytes=9_000_000) for row in plan.rows))
    assert "Free space there 9.0 MB" in shown(proposal_of(roomy))
    assert "do not fit" not in shown(proposal_of(roomy))
    narrow = replace(plan, rows=tuple(replace(row, free_bytes=2_000_000) for row in plan.rows))
    assert "The copies do not fit: only 2.0 MB is free there." in shown(proposal_of(narrow))
    linked = rt.plan_retry(platform, ["a", "b"], action="task", copy_files=False)
    assert "To be copied" not in shown(proposal_of(linked))


def test_the_usual_duration_is_told_where_it_is_known(platform: MemoryPlatform) -> None:
    """From the plan's own history, else from what the page has learned; from the shortest to the longest."""
    plan = rt.plan_retry(platform, ["a", "b"])
    first, second = (row.fingerprint or "" for row in plan.ready)
    assert usual_duration(EN, plan.ready, {}) is None
    past = {first: Past(6, 5, 0.8, 0.5, 0.9, "retry", 4.2), second: Past(6, 5, 0.8, 0.5, 0.9, "retry", 75.0)}
    assert "Usual duration 4.2 s–1 min 15 s" in shown(proposal_of(plan), past)
    learned = replace(plan.rows[0], past=history.Past(6, 0.8, 4.9))
    assert usual_duration(EN, (learned,), past) == "4.9 s"
    alone = rt.plan_retry(platform, ["a"])
    assert "Such a retry usually takes 4.2 s." in shown(proposal_of(alone), past)


def test_each_task_that_is_left_out_is_named_with_its_reason(platform: MemoryPlatform) -> None:
    """Behind those that are sent, in the same table."""
    told = shown(proposal_of(rt.plan_retry(platform, ["a", "c", "gone"])))
    assert told.index("First") < told.index("Sales report c")
    assert "The task is succeeded." in told
    assert "The task does not exist (any more)." in told


def test_a_question_that_cannot_be_answered_here_says_why(platform: MemoryPlatform) -> None:
    """The button is closed."""
    node = confirmation_node(EN, proposal_of(rt.plan_retry(platform, ["a"])), {}, block="no_platform")
    assert "without a platform nothing can be retried" in words_of(node)
    assert "disabled" in str(node)

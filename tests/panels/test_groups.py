"""The causes of failure: counted, told with what retries of them came to, and chosen to filter the list."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from retry_toolkit.errors import Unavailable
from retry_toolkit.panels.confirmations import confirmation_node
from retry_toolkit.panels.groups import GroupsView, bars, worth_parts
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.groups import Past, past_of
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.text import Texts
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk, confirm
from tests.panels.memory import EVERYTHING, MemoryPlatform, make_task, words_of


@pytest.fixture
def platform() -> MemoryPlatform:
    """Three tasks with one cause, one with another, one that succeeded."""
    return MemoryPlatform.of(
        *(make_task(f"t{number}", error=f"row {number} is empty", minutes_ago=number) for number in range(3)),
        make_task("other", error="disk full", minutes_ago=9),
        make_task("ok", status="succeeded", minutes_ago=10),
        advances_when_read=True,
    )


def counts(desk: DeskState) -> dict[str, int]:
    """Tasks by cause."""
    assert desk.groups.groups is not None
    return dict(zip(desk.groups.groups["fingerprint"], desk.groups.groups["count"], strict=True))


def with_retries(recovered: int, failed: int) -> list[TaskRecord]:
    """So many tasks whose whole retry recovered, and so many whose retry failed, all of one cause."""
    pairs = []
    for number in range(recovered + failed):
        status = "succeeded" if number < recovered else "failed"
        old = make_task(f"old{number}", error="time-out", minutes_ago=50 + number, retried_by=(f"new{number}",))
        new = make_task(f"new{number}", status=status, error="time-out", parent_id=f"old{number}", minutes_ago=number)  # type: ignore[arg-type]  # a status
        pairs += [new, old]
    return pairs


def test_failures_are_grouped_by_cause(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """What failed, the most frequent first; what succeeded is no failure."""
    desk = make_desk(platform)
    assert counts(desk) == {"row * is empty": 3, "disk full": 1}


def test_groups_follow_what_is_retried(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """A task that recovered has left its group."""
    desk = make_desk(platform)
    desk.report.open("other")
    desk.retry.propose_stage()
    confirm(desk)
    assert counts(desk) == {"row * is empty": 3}


@pytest.mark.parametrize(
    ("tasks", "broken", "room"),
    [
        ((make_task("a", error="disk full"),), False, True),
        ((make_task("ok", status="succeeded"),), False, False),
        ((make_task("a", error="disk full"),), True, False),
    ],
)
def test_causes_keep_their_room_until_they_are_known(
    make_desk: MakeDesk, tasks: tuple[TaskRecord, ...], *, broken: bool, room: bool
) -> None:
    """Grey lines while the list is read; nothing where nothing has failed, or where the list cannot be read."""
    background = WhenTold()
    platform = MemoryPlatform.of(*tasks)
    if broken:
        platform.breaks["tasks"] = Unavailable("away")
    desk = make_desk(platform, background=background)
    view = GroupsView(desk)
    assert desk.groups.waiting
    assert view.widget.layout.display is None
    background.run()
    assert not desk.groups.waiting
    assert (view.widget.layout.display is None) == room


def test_what_retries_came_to_is_learned(make_desk: MakeDesk) -> None:
    """From whole retries of the list: six of eight recovered, so another is worth it."""
    platform = MemoryPlatform.of(*with_retries(6, 2), capabilities=replace(EVERYTHING, keeps_attempts=False))
    desk = make_desk(platform)
    assert desk.groups.past is not None
    past = desk.groups.past["time-out"]
    assert (past.recovered, past.cases, past.advice) == (6, 8, "retry")
    assert past.low is not None
    assert past.high is not None
    assert past.low < 6 / 8 < past.high


def test_few_cases_give_no_advice() -> None:
    """A number of cases, and no rate."""
    rates = pd.DataFrame(
        [
            {"fingerprint": "a", "cases": 4, "recovered": 4, "rate": None, "rate_low": None, "rate_high": None},
            {"fingerprint": None, "cases": 9, "recovered": 0, "rate": 0.0, "rate_low": 0.0, "rate_high": 0.3},
        ]
    ).assign(advice="no data")
    assert past_of(rates) == {"a": Past(4, 4, None, None, None, "no data")}
    assert "too few cases (4)" in " ".join(map(words_of, worth_parts(Texts("en"), past_of(rates)["a"])))  # type: ignore[arg-type]  # nodes


def test_the_question_tells_what_retries_came_to(make_desk: MakeDesk) -> None:
    """Beside each cause, and of a single stage: who confirms knows how it went before."""
    platform = MemoryPlatform.of(*with_retries(1, 5), capabilities=replace(EVERYTHING, keeps_attempts=False))
    desk = make_desk(platform)
    desk.table.select(["new1", "new2"])
    for propose in (desk.retry.propose_batch, desk.retry.propose_stage):
        desk.report.open("new1")
        propose()
        assert desk.retry.proposal is not None
        question = confirmation_node(Texts("en"), desk.retry.proposal, desk.groups.past or {})
        assert "Fix first" in words_of(question)
        assert "1 of 6 recovered" in words_of(question)


def test_attempts_that_cannot_be_read_are_told_once(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The groups stay; the message goes when the next reading works."""
    platform.records["t0"] = make_task("t0", retry_count=1, error="row 0 is empty")
    platform.breaks["attempts"] = Unavailable("away")
    desk = make_desk(platform)
    assert counts(desk) == {"row * is empty": 3, "disk full": 1}
    assert [notice.topic for notice in desk.session.notices.items] == ["groups"]
    desk.refresh()
    assert desk.session.notices.items == ()


def test_groups_asked_for_while_grouping_are_made_once_more(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """However many rows change meanwhile: the last state is the one that shows."""
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    for task_id in ("t0", "t1", "t2"):
        desk.catalog.mend([make_task(task_id, status="succeeded")])
    assert len(background.waiting) == 1
    background.run()
    assert counts(desk) == {"disk full": 1}


@pytest.mark.parametrize(
    ("heights", "drawn"), [([], ""), ([0, 0], "▁▁"), ([0, 1, 8], "▁▂█"), ([5, 5], "██"), ([1, 1000], "▂█")]
)
def test_counts_are_drawn_as_bars(heights: list[int], drawn: str) -> None:
    """Whatever occurred is higher than nothing."""
    assert bars(heights) == drawn

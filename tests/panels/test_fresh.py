"""Time and outcome on the page: who looks, refreshing by itself, staleness, figures, and what became of retries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.errors import Unavailable
from retry_toolkit.frames.filters import filter_tasks
from retry_toolkit.panels import FailureDesk
from retry_toolkit.panels.state.aftermath import Causes, fates_of
from retry_toolkit.panels.state.auto import AutoRefresh
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.figures import FIGURES, filters_of
from retry_toolkit.panels.state.presence import EARLIEST, Presence
from retry_toolkit.panels.widgets.markup import moment, select
from retry_toolkit.panels.widgets.page import Page
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.records import Intent, Item
from retry_toolkit.retry.states import STATES, State
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk, confirm
from tests.panels.memory import NOW, MemoryPlatform, make_task, shown_ids
from tests.panels.test_batches import interrupted
from tests.panels.test_views import MakePage, desk_of, fragments, press, text_of, walk, widgets_of

__all__ = ["desk_of"]

LEFT = NOW - timedelta(hours=3)


def milliseconds(time: datetime) -> int:
    """As a browser tells it."""
    return round(time.timestamp() * 1000)


def ended(task: TaskRecord, minutes_ago: float) -> TaskRecord:
    """The task with a time of its end."""
    return replace(task, finished_at=NOW - timedelta(minutes=minutes_ago))


@pytest.mark.parametrize(
    "left",
    [None, True, "1", 1.5e12, -5, 0, milliseconds(EARLIEST) - 1, milliseconds(NOW + timedelta(hours=1)), 10**400, {}],
)
def test_a_browser_may_send_anything(left: object) -> None:
    """What is no time of this century's past is no visit."""
    presence = Presence(now=lambda: NOW)
    presence.arrive(left)
    assert (presence.arrived, presence.last_visit) == (True, None)


def test_the_last_visit_is_fixed_when_the_page_opens() -> None:
    """A second view of the same page does not move it."""
    presence = Presence(now=lambda: NOW)
    presence.arrive(milliseconds(LEFT))
    presence.arrive(milliseconds(NOW))
    assert presence.last_visit == LEFT


class Beaten:
    """A refresh by itself whose clock is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.refreshed = 0
        self.auto = AutoRefresh(self._refresh, clock=lambda: self.now)

    def _refresh(self) -> None:
        self.refreshed += 1

    def after(self, seconds: float) -> int:
        """A beat after so many seconds; how many refreshes there were."""
        self.now += seconds
        self.auto.beat()
        return self.refreshed


def test_a_page_refreshes_itself_only_when_it_is_told_to() -> None:
    """Off at first; then at each beat of the interval that was chosen, until the page is closed."""
    beaten = Beaten()
    assert beaten.after(100) == 0
    beaten.auto.choose(10)
    assert [beaten.after(10) for _ in range(3)] == [1, 2, 3]
    beaten.auto.choose(0)
    assert beaten.after(100) == 3
    beaten.auto.choose(60)
    beaten.auto.close()
    assert beaten.after(100) == 3


def test_faster_beats_are_not_followed() -> None:
    """Whoever holds the page's socket can send as many as they like, and no interval that is not offered."""
    beaten = Beaten()
    beaten.auto.choose(1)
    assert beaten.auto.interval == 0
    beaten.auto.choose(60)
    assert sum(beaten.after(1) > 0 for _ in range(29)) == 0
    assert beaten.after(1) == 1


def test_a_beat_while_something_loads_is_left_out(make_desk: MakeDesk) -> None:
    """Nothing is asked twice at a time, and nothing is caught up on."""
    background = WhenTold()
    platform = MemoryPlatform.of(make_task("a"))
    desk = make_desk(platform, background=background)
    desk.auto.choose(10)
    desk.auto._last = -100.0
    desk.auto.beat()
    background.run()
    assert len(platform.called("tasks")) == 1


def test_what_a_refresh_by_itself_brings_moves_nothing_else(make_desk: MakeDesk) -> None:
    """Selection, page and open task stay; what went on is read again, files and attempts only for new retries."""
    platform = MemoryPlatform.of(*(make_task(f"t{number}", minutes_ago=number) for number in range(25)))
    desk = make_desk(platform)
    desk.table.turn_to(1)
    desk.table.toggle("t3")
    desk.report.open("t5")
    files, reads = len(platform.called("files")), len(platform.called("attempts"))
    desk.catalog.refresh_quietly()
    assert len(platform.called("attempts")) == reads
    platform.records = {"new": make_task("new", minutes_ago=-1), **platform.records}
    platform.records["t5"] = make_task("t5", status="succeeded", minutes_ago=5)
    desk.catalog.refresh_quietly()
    assert (desk.table.page, desk.table.selected, desk.report.task_id) == (1, frozenset({"t3"}), "t5")
    assert desk.report.task is not None
    assert desk.report.task.status == "succeeded"
    assert len(platform.called("files")) == files
    assert desk.catalog.catalog is not None
    assert "new" in desk.catalog.catalog
    platform.records["t9-again"] = make_task("t9-again", status="pending", parent_id="t9")
    desk.catalog.refresh_quietly()
    assert len(platform.called("files")) == files + 2
    learned = len(platform.called("attempts"))
    platform.records["t8"] = make_task("t8", status="succeeded", minutes_ago=8)
    desk.catalog.refresh_quietly()
    assert len(platform.called("attempts")) == learned
    platform.records["t9"] = make_task("t9", retry_count=1, minutes_ago=9)
    desk.catalog.refresh_quietly()
    assert platform.called("attempts")[learned:] == [("t9",)]


def test_every_figure_shows_exactly_what_it_counts(make_desk: MakeDesk) -> None:
    """As many rows as its number says, whatever was filtered before."""
    retried = make_task("mended", status="succeeded")
    retried = replace(retried, stages=(replace(retried.stages[0], retry_count=1), *retried.stages[1:]))
    again = tuple(replace(stage, task_id="mended too", stage_id=f"too-{stage.stage}") for stage in retried.stages)
    desk = make_desk(
        MemoryPlatform.of(
            ended(make_task("new"), 5),
            ended(make_task("old"), 500),
            make_task("no end is known"),
            make_task("limit", retry_count=3),
            make_task("run", status="running"),
            make_task("third", status="succeeded", parent_id="second", extra={"method": "linked"}),
            make_task("second", status="succeeded", parent_id="parent", extra={"method": "copied"}),
            make_task("root", status="succeeded"),
            replace(retried, task_id="mended too", parent_id="root", stages=again, extra={"method": "linked"}),
            make_task("first", status="failed", parent_id="parent", extra={"method": "linked"}),
            make_task("parent"),
            retried,
        )
    )
    desk.presence._now = lambda: NOW
    desk.presence.arrive(milliseconds(NOW - timedelta(minutes=60)))
    assert desk.figures is not None
    assert desk.disk.cost is not None
    assert desk.catalog.catalog is not None
    tasks = desk.catalog.catalog.tasks
    shown = {}
    for name in FIGURES:
        filters = filters_of(name, desk.figures, desk.disk.cost.holders)
        assert filters is not None
        shown[name] = set(filter_tasks(tasks, filters)["task_id"])
    assert shown == {
        "failed": {"new", "old", "no end is known", "limit", "first", "parent"},
        "new": {"new"},
        "retryable": {"new", "old", "no end is known", "first", "parent"},
        "at_limit": {"limit"},
        "running": {"run"},
        "recovered": {"third", "mended", "mended too"},
        "disk": {"second"},
    }
    counts = {name: getattr(desk.figures, name) for name in FIGURES if name != "disk"}
    assert counts == {name: len(ids) for name, ids in shown.items() if name != "disk"}


def figure(desk: FailureDesk, name: str) -> dict[str, str]:
    """Attributes of a figure's card."""
    (found,) = [
        attributes
        for fragment in fragments(desk.widget)
        for _, attributes, _ in walk(fragment.nodes)
        if attributes.get("data-key") == name and "fd-figure" in attributes.get("class", "")
    ]
    return dict(found)


def page_of(desk: FailureDesk) -> Page:
    """What talks with the browser."""
    (page,) = [widget for widget in widgets_of(desk.widget) if isinstance(widget, Page)]
    return page


def send(desk: FailureDesk, **news: Any) -> None:
    """What the browser says of the page."""
    page_of(desk)._handle_custom_msg(news, [])


def test_a_figure_replaces_every_filter_and_gives_way_when_pressed_again(desk_of: MakePage) -> None:
    """It looks pressed as long as the table shows just its tasks."""
    desk = desk_of(MemoryPlatform.of(make_task("a"), make_task("run", status="running")))
    desk.state.table.filter(text="nothing has this", owner="nobody")
    assert figure(desk, "failed")["aria-pressed"] == "false"
    press(desk.widget, "filter", "running")
    assert (figure(desk, "running")["aria-pressed"], shown_ids(desk.state.table)) == ("true", frozenset({"run"}))
    press(desk.widget, "filter", "running")
    assert (figure(desk, "running")["aria-pressed"], figure(desk, "failed")["aria-pressed"]) == ("false", "true")


def test_new_waits_for_the_browser_s_word(desk_of: MakePage) -> None:
    """Until then a grey bar, as for any figure that is not known; a first visit has no set to show."""
    desk = desk_of(MemoryPlatform.of(ended(make_task("a"), 0)))
    assert figure(desk, "new").get("aria-busy") == "true"
    send(desk, left=None, visible=True)
    assert "first visit" in text_of(desk.widget)
    assert "disabled" in figure(desk, "new")
    other = desk_of(MemoryPlatform.of(ended(make_task("a"), 0)))
    other.state.presence._now = lambda: NOW
    send(other, left=milliseconds(LEFT), visible=True)
    assert other.state.figures is not None
    assert other.state.figures.new == 1
    assert "disabled" not in figure(other, "new")


@given(st.dictionaries(st.sampled_from(["left", "visible", "beat", "x"]), st.none() | st.integers() | st.text()))
def test_news_of_any_kind_is_borne(news: dict[str, Any]) -> None:
    """Whoever holds the socket says what they like."""
    presence = Presence(now=lambda: NOW)
    presence.arrive(news.get("left"))
    assert presence.last_visit is None or EARLIEST <= presence.last_visit <= NOW + timedelta(minutes=5)


def test_a_stale_page_says_since_when_and_why(desk_of: MakePage) -> None:
    """Beside the title, until the next success; the message of who asked can be dismissed."""
    platform = MemoryPlatform.of(make_task("a"))
    desk = desk_of(platform)
    assert "Stale" not in text_of(desk.widget)
    assert "Loaded" in text_of(desk.widget)
    platform.breaks["tasks"] = Unavailable("no answer")
    press(desk.widget, "refresh")
    press(desk.widget, "dismiss")
    assert "Stale since" in text_of(desk.widget)
    assert "The platform does not answer." in text_of(desk.widget)
    (badge,) = [
        node
        for fragment in fragments(desk.widget)
        for node in walk(fragment.nodes)
        if node[1].get("class") == "fd-badge fd-badge-stale"
    ]
    assert desk.state.catalog.loaded_at is not None
    assert badge[2][1][1] == {"datetime": desk.state.catalog.loaded_at.isoformat(), "data-form": "clock"}
    press(desk.widget, "refresh")
    assert "Stale" not in text_of(desk.widget)


def test_the_interval_is_chosen_in_the_header(desk_of: MakePage) -> None:
    """And given to the browser, which has the beat; nonsense changes nothing."""
    desk = desk_of(MemoryPlatform.of(make_task("a")))
    for value, interval in (("10", 10), ("x", 10), ("7", 10), ("-1", 10), (None, 10), ("0", 0)):
        for fragment in fragments(desk.widget):
            if any(attributes.get("data-action") == "auto" for _, attributes, _ in walk(fragment.nodes)):
                fragment._handle_custom_msg({"action": "auto", "value": value}, [])
        assert page_of(desk).interval == interval


def test_moments_and_choices_travel_as_plain_nodes() -> None:
    """A form is an attribute of the element, and the browser writes the words."""
    time = datetime(2026, 1, 2, tzinfo=UTC)
    assert moment(time, "–") == ["time", {"datetime": "2026-01-02T00:00:00+00:00"}, []]
    assert moment(time, "–", "relative")[1] == {"datetime": "2026-01-02T00:00:00+00:00", "data-form": "relative"}
    assert moment(None, "–", "clock") == "–"
    assert select([("1", "one")], "1", action="x") == [
        "select",
        {"data-action": "x", "data-chosen": "1", "class": "fd-select"},
        [["option", {"value": "1"}, ["one"]]],
    ]


def item(task_id: str, state: State, *, before: str | None = "no *", detail: str = "", new: str | None = None) -> Item:
    """What became of one task."""
    intent = Intent(origin="o", task_id=task_id, action="stage", attempt=0, fingerprint=before)
    return Item(batch_id="b", position=0, intent=intent, state=state, detail=detail, new_task_id=new)


def test_causes_are_compared_before_and_after() -> None:
    """The same error with another number is the same cause; what is not known on one side is neither."""
    items = [
        item("same", "FAILED_AGAIN", detail="no 42"),
        item("another", "FAILED_AGAIN", detail="disk full"),
        item("unknown after", "FAILED_AGAIN"),
        item("unknown before", "FAILED_AGAIN", before=None, detail="no 42"),
        item("whole", "SUCCEEDED", new="whole-2"),
    ]
    assert fates_of(items, Causes()) == {
        "recovered": ("whole-2",),
        "same": ("same",),
        "another": ("another",),
        "failed": ("unknown after", "unknown before"),
    }


def test_of_a_task_retried_twice_the_later_counts() -> None:
    """Also where the second retry was of the new task that the first made."""
    items = [
        item("a", "FAILED_AGAIN", detail="no 1"),
        item("a", "SUCCEEDED"),
        item("b", "FAILED_AGAIN", detail="no 1", new="b2"),
        item("b2", "FAILED_AGAIN", detail="no 1", new="b3"),
        item("b3", "ACCEPTED"),
    ]
    assert fates_of(items, Causes()) == {"recovered": ("a",), "running": ("b3",)}


@given(st.lists(st.sampled_from(STATES), max_size=30))
def test_every_task_is_told_once(states: list[State]) -> None:
    """The parts sum to the tasks, whatever became of each."""
    items = [item(f"t{at}", state, detail="no 1") for at, state in enumerate(states)]
    told = [task_id for ids in fates_of(items, Causes()).values() for task_id in ids]
    assert sorted(told) == sorted(each.task_id for each in items)


@pytest.fixture
def platform() -> MemoryPlatform:
    """Three failed tasks, of which one fails again when it is retried."""
    return MemoryPlatform.of(
        make_task("a"), make_task("b"), make_task("c"), results={"c": "failed"}, advances_when_read=True
    )


def retry_all(desk: DeskState) -> None:
    """Retry what failed, as one batch."""
    desk.table.select_matching()
    desk.retry.propose_batch()
    confirm(desk)


def test_what_was_begun_here_is_told_whatever_was_dismissed(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """By the tasks themselves; a batch of somebody else is not."""
    desk = make_desk(platform)
    retry_all(desk)
    assert desk.aftermath.fates == {"recovered": ("a", "b"), "another": ("c",)}
    desk.batches.dismiss(desk.batches.cards[0].batch_id)
    assert desk.aftermath.fates == {"recovered": ("a", "b"), "another": ("c",)}


def test_what_others_began_is_not_told(make_desk: MakeDesk, platform: MemoryPlatform, archive: Archive) -> None:
    """It stands on the page as a card that somebody may take up."""
    interrupted(platform, archive)
    desk = make_desk(platform)
    assert len(desk.batches.cards) == 1
    assert desk.aftermath.fates == {}


def test_the_tab_tells_who_does_not_look(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """How it stands while it runs, how it ended until somebody looks, and a message on the page besides."""
    desk = desk_of(platform)
    titles: list[str] = []
    page_of(desk).observe(lambda change: titles.append(change.new), names="title")
    send(desk, visible=False)
    retry_all(desk.state)
    assert titles[-1] == "✓ 2 · ✗ 1 Failed tasks"
    assert all(title.endswith("/3) Failed tasks") for title in titles[:-1])
    assert "your retry of 3 tasks ended: 2 recovered, 1 did not." in text_of(desk.widget)
    told = " ".join(text_of(desk.widget).split())
    assert "Since you acted: 2 recovered , 1 failed again with another cause ." in told
    send(desk, visible=True)
    assert titles[-1] == ""
    send(desk, visible=False)
    desk.state.batches.show(desk.state.batches.cards[0].batch_id, "SUCCEEDED")
    assert titles[-1] == ""


def test_the_tab_of_who_looks_is_left_alone_at_the_end(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """They see it, and need no message."""
    desk = desk_of(platform)
    retry_all(desk.state)
    assert page_of(desk).title == ""
    assert desk.state.session.notices.items == ()


def test_each_number_shows_its_tasks(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """Just them, whatever was filtered."""
    desk = desk_of(platform)
    retry_all(desk.state)
    press(desk.widget, "fate", "recovered")
    assert shown_ids(desk.state.table) == {"a", "b"}
    press(desk.widget, "fate", "another")
    assert shown_ids(desk.state.table) == {"c"}

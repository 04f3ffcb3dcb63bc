"""The table's state: pages, sorting and a selection by id."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.query import FAILED_ONLY, NEWEST_FIRST, Sort
from tests.panels.conftest import MakeDesk
from tests.panels.memory import MemoryPlatform, make_task


def platform_of(count: int) -> MemoryPlatform:
    """So many failed tasks t00, t01, ..., the newest first."""
    return MemoryPlatform.of(*(make_task(f"t{number:02d}", minutes_ago=number) for number in range(count)))


def shown(desk: DeskState) -> list[str]:
    """Ids on the page."""
    assert desk.table.window is not None
    return [str(task_id) for task_id in desk.table.window.rows["task_id"]]


def page_selection(desk: DeskState) -> str:
    """How much of the page is selected."""
    assert desk.table.window is not None
    return desk.table.window.page_selection


def test_a_page_is_a_window(make_desk: MakeDesk) -> None:
    """Pages follow each other, the last is shorter, and there is no page beyond it."""
    desk = make_desk(platform_of(25))
    assert shown(desk) == [f"t{number:02d}" for number in range(10)]
    desk.table.turn_to(2)
    assert shown(desk) == ["t20", "t21", "t22", "t23", "t24"]
    desk.table.turn_to(99)
    assert desk.table.page == 2
    desk.table.turn_to(-1)
    assert desk.table.page == 0


def test_another_page_size_stays_where_the_user_is(make_desk: MakeDesk) -> None:
    """The first row that was shown is on the page; a size that is not offered is cut to one that is."""
    desk = make_desk(platform_of(60))
    desk.table.turn_to(3)
    desk.table.resize(20)
    assert "t30" in shown(desk)
    desk.table.resize(10_000)
    assert desk.table.page_size == 40


def test_the_selection_is_kept_by_id(make_desk: MakeDesk) -> None:
    """Sorting, filtering, turning pages and refreshing change nothing about what is selected."""
    desk = make_desk(platform_of(25))
    desk.table.toggle("t03")
    desk.table.toggle("t21")
    desk.table.sort_by("created_at")
    desk.table.filter(text="t1")
    assert desk.table.hidden_selected == 2
    desk.table.filter(text="")
    desk.refresh()
    assert desk.table.selected == {"t03", "t21"}
    assert desk.table.hidden_selected == 0


def test_a_selected_task_that_is_gone_is_forgotten(make_desk: MakeDesk) -> None:
    """What the platform no longer has cannot be acted on."""
    platform = platform_of(3)
    desk = make_desk(platform)
    desk.table.toggle("t01")
    desk.table.toggle("t02")
    del platform.records["t01"]
    desk.refresh()
    assert desk.table.selected == {"t02"}


def test_a_range_reaches_over_pages(make_desk: MakeDesk) -> None:
    """A range begins at the last single choice, in the order that is shown."""
    desk = make_desk(platform_of(25))
    desk.table.toggle("t08")
    desk.table.turn_to(1)
    desk.table.extend("t11")
    assert desk.table.selected == {"t08", "t09", "t10", "t11"}
    desk.table.extend("t06")
    assert desk.table.selected == {"t06", "t07", "t08", "t09", "t10", "t11"}


def test_a_range_without_a_beginning_selects_one(make_desk: MakeDesk) -> None:
    """Also when what it began with is filtered away."""
    desk = make_desk(platform_of(5))
    desk.table.extend("t02")
    assert desk.table.selected == {"t02"}
    desk.table.filter(text="t04")
    desk.table.extend("t04")
    assert desk.table.selected == {"t02", "t04"}


def test_the_page_is_selected_and_let_go(make_desk: MakeDesk) -> None:
    """The header's box takes the page, and gives it back only when all of it is selected."""
    desk = make_desk(platform_of(25))
    desk.table.toggle("t00")
    assert page_selection(desk) == "some"
    desk.table.toggle_page()
    assert page_selection(desk) == "all"
    assert len(desk.table.selected) == 10
    desk.table.toggle_page()
    assert desk.table.selected == frozenset()


def test_all_that_match_are_selected(make_desk: MakeDesk) -> None:
    """Over all pages, and beside what was selected already."""
    desk = make_desk(platform_of(25))
    desk.table.toggle("t00")
    desk.table.filter(text="t1")
    desk.table.select_matching()
    assert len(desk.table.selected) == 11
    desk.table.clear()
    assert desk.table.selected == frozenset()


def test_sorting_again_turns_the_order_round(make_desk: MakeDesk) -> None:
    """Names begin with A, times with the newest."""
    desk = make_desk(platform_of(12))
    assert desk.table.sort == (Sort("created_at", descending=True),)
    desk.table.sort_by("created_at")
    assert shown(desk)[0] == "t11"
    desk.table.sort_by("name")
    assert desk.table.sort == (Sort("name", descending=False),)
    desk.table.sort_by("duration_s")
    assert desk.table.sort == (Sort("duration_s", descending=True),)


def test_reset_goes_back_to_all_failed_tasks(make_desk: MakeDesk) -> None:
    """Filters, sorting and page; the selection stays."""
    desk = make_desk(platform_of(25))
    desk.table.toggle("t07")
    desk.table.filter(text="t2", status=None)
    desk.table.sort_by("name")
    desk.table.reset()
    assert (desk.table.filters, desk.table.sort, desk.table.page) == (FAILED_ONLY, NEWEST_FIRST, 0)
    assert desk.table.selected == {"t07"}


def test_a_filter_leads_back_to_the_first_page(make_desk: MakeDesk) -> None:
    """A page that no longer exists is never shown empty."""
    desk = make_desk(platform_of(25))
    desk.table.turn_to(2)
    desk.table.filter(text="t01")
    assert shown(desk) == ["t01"]


def test_a_range_can_begin_where_the_focus_is(make_desk: MakeDesk) -> None:
    """Shift and an arrow take the row that was left too; afterwards it is where the range begins."""
    desk = make_desk(platform_of(25))
    desk.table.extend("t04", start="t03")
    assert desk.table.selected == {"t03", "t04"}
    desk.table.extend("t05", start="t04")
    assert desk.table.selected == {"t03", "t04", "t05"}


def test_what_was_done_to_many_can_be_undone(make_desk: MakeDesk) -> None:
    """Once, as long as nothing else has changed; ids that are gone meanwhile stay gone."""
    platform = platform_of(25)
    desk = make_desk(platform)
    desk.table.toggle("t01")
    assert not desk.table.can_undo
    desk.table.select_matching()
    assert desk.table.can_undo
    desk.table.undo()
    assert desk.table.selected == {"t01"}
    assert not desk.table.can_undo
    desk.table.undo()
    desk.table.toggle_page()
    desk.table.clear()
    del platform.records["t02"]
    desk.refresh()
    desk.table.undo()
    assert desk.table.selected == {f"t{number:02d}" for number in range(10)} - {"t02"}
    desk.table.clear()
    desk.table.toggle("t09")
    assert not desk.table.can_undo


def test_all_that_match_are_those_that_were_promised(make_desk: MakeDesk) -> None:
    """A number that is another one by now selects nothing."""
    desk = make_desk(platform_of(25))
    desk.table.select_matching(24)
    assert desk.table.selected == frozenset()
    desk.table.select_matching(25)
    assert len(desk.table.selected) == 25


def test_counts_are_of_what_a_choice_would_leave(make_desk: MakeDesk) -> None:
    """Under the other filters; where that would need a search of its own, there are none."""
    platform = MemoryPlatform.of(
        *(make_task(f"a{number}", owner="anna", minutes_ago=number) for number in range(3)),
        make_task("b", owner="bob", minutes_ago=9),
        make_task("ok", status="succeeded", owner="bob", minutes_ago=10),
    )
    desk = make_desk(platform)
    assert desk.table.counts("owner") == {"anna": 3, "bob": 1}
    assert desk.table.counts("status") == {"failed": 4, "succeeded": 1}
    desk.table.filter(owner="bob")
    assert desk.table.counts("owner") == {"anna": 3, "bob": 1}
    assert desk.table.counts("status") == {"failed": 1, "succeeded": 1}
    desk.table.filter(text="b")
    assert desk.table.counts("owner") is None
    assert desk.table.counts("template") == {"sales_report": 1}
    desk.table.filter(text="", task_ids=("b", "a1", "ok"), status=None)
    assert desk.table.counts("status") == {"failed": 1, "succeeded": 1}
    assert desk.table.counts("owner") is None


def test_a_span_moves_on_with_each_load(make_desk: MakeDesk) -> None:
    """Its name stays, its beginning follows the clock; a moment of one's own ends it, another filter does not."""
    fresh = make_task("new", created_at=datetime.now(UTC) - timedelta(minutes=5))
    desk = make_desk(MemoryPlatform.of(fresh, make_task("old", created_at=datetime.now(UTC) - timedelta(hours=5))))
    desk.table.show_last("1h")
    assert shown(desk) == ["new"]
    past = datetime(2020, 1, 1, tzinfo=UTC)
    desk.table.filters = replace(desk.table.filters, since=past)
    desk.refresh()
    assert desk.table.filters.since is not None
    assert desk.table.filters.since > past
    assert shown(desk) == ["new"]
    desk.table.filters = replace(desk.table.filters, since=past)
    desk.catalog.refresh_quietly()
    assert desk.table.filters.since != past
    assert shown(desk) == ["new"]
    desk.table.filter(text="sales")
    assert desk.table.span == "1h"
    desk.table.filter(since=past)
    assert (desk.table.span, shown(desk)) == ("", ["new", "old"])
    desk.table.show_last("1h")
    desk.table.show_last("nonsense")
    assert desk.table.view.span == ""
    assert desk.table.view.filters.since is None


def test_only_columns_that_there_are_can_be_chosen(make_desk: MakeDesk) -> None:
    """Each once, in the order asked for, the name always among them."""
    desk = make_desk(platform_of(1))
    desk.table.choose_columns(["cost", "__class__", 7, "name", "cost", ["status"]])
    assert desk.table.columns == ("cost", "name")
    desk.table.choose_columns([])
    assert list(desk.table.columns) == ["name"]


@pytest.mark.parametrize("changes", [{"status": None}, {"text": "t"}])
def test_pins_last_until_the_filters_change(make_desk: MakeDesk, changes: dict[str, str | None]) -> None:
    """A pinned task stands on top whatever it is; a choice of the user's own ends that."""
    platform = MemoryPlatform.of(
        make_task("t1"), make_task("t2", minutes_ago=9), make_task("done", status="succeeded", minutes_ago=5)
    )
    desk = make_desk(platform)
    desk.table.pin("done")
    assert shown(desk) == ["done", "t1", "t2"]
    desk.refresh()
    assert shown(desk) == ["done", "t1", "t2"]
    desk.table.filter(**changes)
    assert shown(desk)[0] == "t1"

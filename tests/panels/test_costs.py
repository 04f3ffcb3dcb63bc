"""What it costs: kept up to date while it is looked at, and honest about what is not known."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from retry_toolkit.analysis.disk import disk_cost
from retry_toolkit.analysis.disk_sums import DiskForecast
from retry_toolkit.errors import Unavailable
from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.frames.filters import Filters
from retry_toolkit.panels import FailureDesk
from retry_toolkit.panels.days import AT_LEAST, AT_MOST, spans_of
from retry_toolkit.panels.disk import expiry_nodes, forecast_nodes
from retry_toolkit.panels.spending import amount
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.disk import forecast, measure
from retry_toolkit.panels.state.following import Following
from retry_toolkit.panels.state.spending import make_account
from retry_toolkit.panels.widgets.forest import ForestTree
from retry_toolkit.retry.archive import Archive
from retry_toolkit.text import Texts
from tests.panels.background import AtOnce, WhenTold
from tests.panels.conftest import MakeDesk, rest
from tests.panels.memory import EVERYTHING, NOW, MemoryPlatform, make_task, words_of
from tests.panels.test_views import fragments, open_tab, press, text_of, walk, widgets_of
from tests.retry.ledger import QUICK

DAY = 24 * 60
MakePage = Callable[[MemoryPlatform], FailureDesk]


@pytest.fixture
def platform() -> MemoryPlatform:
    """A lineage that recovered by a copy, one that did not by a link, and a failure that was never retried."""
    return MemoryPlatform.of(
        make_task("new", status="succeeded", parent_id="old", minutes_ago=1, extra={"method": "copied"}),
        make_task("old", minutes_ago=DAY, retried_by=("new",), cost=2.0),
        make_task("lost2", parent_id="lost", minutes_ago=3 * DAY, project="mesh", extra={"method": "linked"}),
        make_task("lost", minutes_ago=4 * DAY, project="mesh", retried_by=("lost2",), duration_s=None),
        make_task("alone", minutes_ago=5 * DAY),
        advances_when_read=True,
    )


class Counted:
    """A piece of work that follows a number, on a background that waits."""

    def __init__(self, desk: DeskState) -> None:
        self.now = 0
        self.seen: list[int] = []
        self.following = Following(desk.session, lambda: self._read, self.seen.append, rest_s=0)

    def _read(self) -> int:
        return self.now


@pytest.fixture
def slow(make_desk: MakeDesk, platform: MemoryPlatform) -> Iterator[tuple[Counted, WhenTold]]:
    """Work that is done when it is told to be."""
    background = WhenTold()
    desk = make_desk(platform, background=background)
    background.run()
    yield Counted(desk), background
    background.run()


def test_what_is_not_looked_at_is_not_computed(slow: tuple[Counted, WhenTold]) -> None:
    """It is made when it is shown, and then only where something has changed since."""
    counted, background = slow
    counted.following.ask()
    assert background.waiting == []
    counted.following.turn(True)
    background.run()
    assert counted.seen == [0]
    counted.following.turn(False)
    counted.following.turn(True)
    assert background.waiting == []


def test_many_changes_are_followed_once(slow: tuple[Counted, WhenTold]) -> None:
    """However often it is asked for while it works: the last state once more, after a rest."""
    counted, background = slow
    counted.following.turn(True)
    for number in range(1, 9):
        counted.now = number
        counted.following.ask()
    assert len(background.waiting) == 1
    background.run()
    assert counted.seen == [8, 8]


def test_a_mistake_is_told_and_the_next_change_is_followed(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The page says it; what works again is shown again."""
    desk = make_desk(platform)
    answers: list[Any] = [ZeroDivisionError("a mistake"), 7]
    seen: list[int] = []

    def work() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    following = Following(desk.session, lambda: work, seen.append, rest_s=0)
    following.turn(True)
    assert len(desk.session.notices.items) == 1
    following.ask()
    assert seen == [7]


def test_the_forest_follows_list_outcome_and_filters(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """All lineages first; one outcome; those that the table's filters let through; what was retried meanwhile."""
    desk = make_desk(platform)
    assert desk.forest.forest is None
    desk.forest.show(True)
    assert desk.forest.forest is not None
    assert [row.task_id for row in desk.forest.forest.rows] == ["old", "new", "lost", "lost2"]
    desk.forest.choose("failed")
    assert [row.task_id for row in desk.forest.forest.rows] == ["lost", "lost2"]
    desk.forest.choose("failed")
    desk.forest.match(True)
    desk.table.filter(project="sales")
    assert [row.task_id for row in desk.forest.forest.rows] == ["old", "new"]
    desk.forest.match(False)
    desk.catalog.mend([make_task("lost2", status="succeeded", parent_id="lost", minutes_ago=3 * DAY, project="mesh")])
    assert desk.forest.forest.outcomes["recovered"] == 2


def test_the_forest_tells_sizes_that_are_known(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """As soon as the files were read."""
    desk = make_desk(platform)
    desk.forest.show(True)
    assert desk.forest.forest is not None
    sizes = {row.task_id: row.extra_bytes for row in desk.forest.forest.rows}
    assert sizes == {"old": None, "new": 1_200_000, "lost": None, "lost2": 0}


def test_a_choice_that_does_not_exist_is_none(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Anything can come from a page."""
    desk = make_desk(platform)
    desk.forest.show(True)
    desk.forest.choose("<b>")
    desk.forest.turn_to(-5)
    assert (desk.forest.outcome, desk.forest.page) == (None, 0)
    desk.spending.draw(measure="hearts", key="<b>")
    assert (desk.spending.measure, desk.spending.key) == ("seconds", "project")


def test_disk_is_summed_by_day_and_project(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Retries only: originals add nothing; what links saved and what they would have saved."""
    cost = make_desk(platform).disk.cost
    assert cost is not None
    assert dict(zip(cost.by_project["project"], cost.by_project["extra_bytes"], strict=True)) == {
        "sales": 1_200_000,
        "mesh": 0,
    }
    assert cost.by_project["saved_bytes"].tolist() == [0, 1_200_000]
    assert len(cost.by_day) == 2
    assert (cost.total, cost.linkable, cost.unknown) == (1_200_000, 1_200_000, 0)
    assert cost.retries("project", "mesh") == ("lost2",)
    assert cost.retries("root_id", "old") == ("new",)
    day = cost.by_day["day"].iloc[-1]
    assert cost.retries("day", day, day) == ("new",)


def test_sizes_that_nobody_knows_are_counted_and_not_summed(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """A retry whose files are not known costs something unknown, not nothing."""
    catalog = make_desk(platform).catalog.catalog
    assert catalog is not None
    part = catalog.lineage[catalog.lineage["tree_size"] > 1]
    cost = measure(disk_cost([], part), catalog)
    assert (cost.total, cost.unknown) == (0, 2)
    assert cost.by_project["unknown"].sum() == 2


def test_a_figure_of_unknown_sizes_is_unknown(make_page: MakePage, platform: MemoryPlatform) -> None:
    """Not 0 B; how many are unknown is its note."""
    page = make_page(platform)
    catalog = page.state.catalog.catalog
    assert catalog is not None
    assert page.state.disk.cost is not None
    assert page.state.disk.cost.known_total == 1_200_000
    page.state.disk.cost = measure(disk_cost([], catalog.lineage[catalog.lineage["tree_size"] > 1]), catalog)
    (figure,) = [node for node in nodes_of(page) if node[1].get("data-key") == "disk"]
    assert words_of(figure) == "Extra disk unknown 2 sizes unknown"


def test_days_without_a_retry_lead_nowhere(page: FailureDesk) -> None:
    """They are told; only what has tasks can be chosen, by line and by bar."""
    open_tab(page, 1)
    leads = [node[1]["data-value"] for node in nodes_of(page) if node[1].get("data-action") == "choose"]
    assert len(leads) == 2
    before = page.state.table.filters
    bars_of(page)._handle_custom_msgs(None, {"event": "element_click", "data": {"index": 5}})
    assert page.state.table.filters == before
    open_tab(page, 2)
    press(page.widget, "key", "day")
    rows = [node for node in nodes_of(page) if node[0] == "tr" and "data-key" in node[1]]
    assert len({node[1]["data-key"] for node in rows}) == len(rows)


def nodes_of(page: FailureDesk) -> list[list[Any]]:
    """Every element of the page."""
    return [node for fragment in fragments(page.widget) for node in walk(fragment.nodes)]


def test_which_files_go_when_is_read_when_it_is_asked(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """Of failed tasks, because a retry needs them; once, and again with every load."""
    desk = make_desk(platform)
    assert desk.disk.expiry is None
    asked = len(platform.called("files"))
    desk.disk.look_ahead()
    assert len(platform.called("files")) == asked + 4
    assert desk.disk.expiry is not None
    assert (desk.disk.expiry.read, desk.disk.expiry.failed) == (4, 4)
    windows = desk.disk.expiry.windows
    assert windows["count"].sum() == 4
    desk.disk.look_ahead()
    assert len(platform.called("files")) == asked + 4
    desk.refresh()
    assert len(platform.called("files")) == asked + 12


def test_files_that_cannot_be_read_are_told(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """And asked for again with the next look."""
    desk = make_desk(platform)
    platform.breaks["files"] = Unavailable("away")
    desk.disk.look_ahead()
    assert desk.disk.expiry is None
    assert desk.disk.expiry_lost
    assert expiry_nodes(Texts("en"), None, lost=True) == ["unknown"]
    assert len(desk.session.notices.items) == 1
    desk.disk.look_ahead()
    assert desk.disk.expiry is not None
    assert not desk.disk.expiry_lost


def test_a_list_that_cannot_be_read_has_no_costs(make_page: MakePage, platform: MemoryPlatform) -> None:
    """That is said, and nothing stands there as if it were still being read."""
    platform.breaks, platform.stays_broken = {"tasks": Unavailable("away")}, True
    page = make_page(platform)
    told = text_of(page.widget)
    assert "nothing is known of what they cost" in told
    (tabs,) = [widget for widget in widgets_of(page.widget) if getattr(widget, "titles", ())[:1] == ("Lineages",)]
    assert tabs.layout.display == "none"
    platform.breaks = {}
    page.state.refresh()
    assert tabs.layout.display is None
    assert "1.2 MB" in text_of(page.widget)


def test_the_open_question_is_forecast(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """What a whole retry copies, nothing where it links; stages copy nothing and have no forecast."""
    platform.free_bytes = 3_400_000
    desk = make_desk(platform)
    desk.report.open("alone")
    desk.retry.propose_whole()
    assert desk.retry.proposal is not None
    assert forecast(desk.retry.proposal) == DiskForecast(1, 1_200_000, 0, 3_400_000)
    desk.retry.vary(copy_files=False)
    told = forecast(desk.retry.proposal)
    assert told is not None
    assert told.extra_bytes == 0
    desk.retry.propose_stage()
    assert desk.retry.proposal is not None
    assert forecast(desk.retry.proposal) is None


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (DiskForecast(2, 1_200_000_000, 0, 3_400_000_000), "would copy 1.2 GB. 3.4 GB are free there."),
        (DiskForecast(2, 5, 1, None), "would copy 5 B, and 1 task of unknown size. The free space there is not known."),
        (DiskForecast(2, 0, 2, None), "would copy files of unknown size. The free space there is not known."),
        (None, "copies nothing: stages run again in place."),
    ],
)
def test_a_forecast_in_words(told: DiskForecast | None, words: str) -> None:
    """Unknown is said, and never 0."""
    assert " ".join(words_of(node) for node in forecast_nodes(Texts("en"), told)) == words  # type: ignore[arg-type]  # nodes


def test_spending_is_told_by_outcome(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """What recovery took, what was in vain, and how much is not known."""
    desk = make_desk(platform)
    desk.spending.show(True)
    account = desk.spending.account
    assert account is not None
    assert account.known == ("seconds", "cost")
    failed, recovered = account.of("failed"), account.of("recovered")
    assert failed is not None
    assert recovered is not None
    assert (failed["lineages"], failed["seconds"], failed["unknown_seconds"]) == (2, 8.4, 1)
    assert (recovered["seconds"], recovered["cost"]) == (8.4, 2.0)
    assert (account.until.lineages, account.until.amounts["seconds"]) == (1, 8.4)
    # The retry's own cost is unknown, so what recovery cost is.
    assert (account.until.amounts["cost"], account.until.unknown["cost"]) == (None, 1)
    assert account.of("open") is None


def test_what_was_in_vain_is_unknown_where_it_is_unknown() -> None:
    """0 only where nothing failed."""
    tasks = tasks_frame(
        [
            make_task("a", status="succeeded", project="good"),
            make_task("b", project="bad", duration_s=None),
            make_task("c", project="bad", status="succeeded"),
        ]
    )
    table = make_account(tasks).tables["project"].set_index("project")
    assert table.loc["good", "vain_seconds"] == 0
    assert table["vain_seconds"].isna().tolist() == [name == "bad" for name in table.index]
    assert table.loc["bad", "seconds"] == 4.2


def test_an_amount_that_is_always_nought_is_not_counted_here() -> None:
    """A platform that knows no money tells 0 of every task: that is no measure to show."""
    tasks = tasks_frame([make_task("a", cost=0.0, tokens=None), make_task("b", cost=0.0, tokens=None)])
    assert make_account(tasks).known == ("seconds",)


def test_a_measure_that_is_not_known_gives_way(make_desk: MakeDesk) -> None:
    """What is drawn is something that is known."""
    platform = MemoryPlatform.of(make_task("a", duration_s=None, tokens=5))
    desk = make_desk(platform)
    desk.spending.show(True)
    assert desk.spending.measure == "tokens"


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [("seconds", 75.0, "1 min 15 s"), ("tokens", 1234.0, "1,234"), ("cost", 2.5, "2.50"), ("cost", None, "unknown")],
)
def test_amounts_in_words(measure: Any, value: float | None, words: str) -> None:
    """Each in its own way."""
    assert amount(Texts("en"), measure, value) == words


def days(*values: tuple[int | None, int | None]) -> pd.DataFrame:
    """A table by day: number of the day, amount."""
    start = pd.Timestamp("2026-11-01", tz="UTC")
    at = [None if day is None else start + pd.Timedelta(days=day) for day, _ in values]
    return pd.DataFrame(
        {
            "day": pd.Series(at, dtype="datetime64[us, UTC]"),
            "bytes": pd.array([amount for _, amount in values], dtype="Int64"),
        }
    )


def test_days_have_no_gaps() -> None:
    """Where nothing happened there was nothing; where it is unknown it is unknown; the last day is the last bar."""
    spans = spans_of(days((0, 5), (2, None)), ["bytes"])
    assert len(spans) == AT_LEAST
    assert [span.sums["bytes"] for span in spans[-3:-1]] == [5, 0]
    assert pd.isna(spans[-1].sums["bytes"])
    assert spans[-1].name(Texts("en")) == "Nov 3"


@pytest.mark.parametrize("length", [1, 40, 43, 300, 5000])
def test_any_time_fits_into_a_readable_number_of_bars(length: int) -> None:
    """Nothing is lost, and every span can be named."""
    spans = spans_of(days((0, 1), (length, 2)), ["bytes"])
    assert len(spans) <= AT_MOST
    assert sum(span.sums["bytes"] for span in spans) == 3
    assert len({span.key for span in spans}) == len(spans)


def test_days_that_are_not_known_have_a_bar_of_their_own() -> None:
    """They are not left out of the sum."""
    spans = spans_of(days((0, 1), (None, 7)), ["bytes"])
    assert (spans[-1].key, spans[-1].sums["bytes"]) == ("unknown", 7)
    assert spans_of(days(), ["bytes"]) == ()


def test_a_platform_without_files_is_asked_for_none(make_desk: MakeDesk, platform: MemoryPlatform) -> None:
    """The page says that it lacks them."""
    platform.capabilities = replace(EVERYTHING, files=False)
    desk = make_desk(platform)
    desk.disk.look_ahead()
    assert not desk.disk.supported
    assert platform.called("files") == []


@pytest.fixture
def make_page(archive: Archive) -> Iterator[MakePage]:
    """Makes a desk as a page, in English, with work done at once."""
    made: list[FailureDesk] = []

    def make(platform: MemoryPlatform) -> FailureDesk:
        page = FailureDesk(platform, language="en", background=AtOnce(), archive=archive, timing=QUICK)
        made.append(page)
        return page

    yield make
    for page in made:
        rest(page.state)
        page.close()


@pytest.fixture
def page(make_page: MakePage, platform: MemoryPlatform) -> FailureDesk:
    """The desk of that platform as a page."""
    return make_page(platform)


def bars_of(page: FailureDesk) -> Any:
    """The bars of the figure that is on the page."""
    (figure,) = [widget for widget in widgets_of(page.widget) if type(widget).__name__ == "Figure"]
    return figure.marks[0]


def test_a_click_on_a_bar_shows_its_tasks(page: FailureDesk) -> None:
    """By day, project and lineage its retries; other filters are let go of; a bar that there is not does nothing."""
    open_tab(page, 1)
    table = page.state.table
    bars_of(page)._handle_custom_msgs(None, {"event": "element_click", "data": {"index": 13}})
    assert table.filters == Filters(task_ids=("new",))
    assert "The table shows this 1 task." in text_of(page.widget)
    for key, ids in (("project", ("new",)), ("root", ("new",))):
        press(page.widget, "key", key)
        bars_of(page)._handle_custom_msgs(None, {"event": "element_click", "data": {"index": 0}})
        assert table.filters.task_ids == ids
    for data in ({"index": 99}, {"index": -1}, {"index": "0"}, {}, None):
        bars_of(page)._handle_custom_msgs(None, {"event": "element_click", "data": data})
    assert table.filters.task_ids == ("new",)


def test_a_bar_says_what_it_is(page: FailureDesk) -> None:
    """In the words of its line in the table."""
    open_tab(page, 1)
    press(page.widget, "key", "root")
    bars = bars_of(page)
    bars._handle_custom_msgs(None, {"event": "hover", "data": {"index": 0}})
    told = words_of(bars.tooltip.nodes[0])
    assert "Sales report old" in told
    assert "Copied   1.2 MB" in told


def test_the_table_tells_the_same_as_the_bars(page: FailureDesk) -> None:
    """Line by line, and its lines can be chosen as well."""
    open_tab(page, 2)
    press(page.widget, "choose", "project mesh")
    assert page.state.table.filters == Filters(project="mesh")
    press(page.widget, "key", "template")
    press(page.widget, "choose", "template sales_report")
    assert page.state.table.filters == Filters(template="sales_report")
    press(page.widget, "key", "day")
    # Of the newest lineage the first task was submitted the day before.
    day = f"{NOW - timedelta(days=1):%Y-%m-%d}"
    press(page.widget, "choose", f"{day}/{day}")
    since = page.state.table.filters.since
    assert since is not None
    assert since.date() == (NOW - timedelta(days=1)).date()
    assert page.state.table.filters.until == since + timedelta(days=1)


def test_a_figure_stays_while_only_amounts_change(page: FailureDesk, platform: MemoryPlatform) -> None:
    """It does not flicker while a batch runs; a change of language makes it anew."""
    open_tab(page, 2)
    bars = bars_of(page)
    page.state.catalog.mend([replace(platform.records["alone"], duration_s=4.5)])
    assert bars_of(page) is bars
    page.state.session.speak("zh")
    assert bars_of(page) is not bars


def test_only_the_open_tab_is_kept_up_to_date(page: FailureDesk, platform: MemoryPlatform) -> None:
    """The others are made when they are opened."""
    state = page.state
    assert (state.spending.account, state.disk.expiry) == (None, None)
    open_tab(page, 2)
    before = state.forest.forest
    state.catalog.mend([replace(platform.records["lost2"], status="succeeded")])
    assert state.forest.forest is before
    open_tab(page, 0)
    assert state.forest.forest is not None
    assert state.forest.forest.outcomes["recovered"] == 2


def test_expiry_shows_its_tasks(page: FailureDesk, platform: MemoryPlatform) -> None:
    """Those whose files go in that time."""
    open_tab(page, 1)
    press(page.widget, "window")
    shown = page.state.table.filters.task_ids
    assert shown is not None
    assert set(shown) == {"old", "lost2", "lost", "alone"}


def test_lineages_are_exported_and_opened(page: FailureDesk) -> None:
    """The file is what is shown; a row opens its report; an outcome is pressed."""
    (tree,) = [widget for widget in widgets_of(page.widget) if isinstance(widget, ForestTree)]
    sent: list[Any] = []
    tree.send = lambda content, buffers=None: sent.append(content)
    press(page.widget, "export")
    assert sent[0]["save"] == "lineages.svg"
    assert "Sales report lost2" in sent[0]["text"]
    tree._handle_custom_msg({"open": "lost2"}, [])
    assert (page.state.report.task_id, tree.current) == ("lost2", "lost2")
    for nonsense in ({"open": 7}, {"toggle": None}, {"width": "wide"}, {}, "open"):
        tree._handle_custom_msg(nonsense, [])
    tree._handle_custom_msg({"width": 800}, [])
    assert 'width="800"' in zlib.decompress(tree.drawing).decode()
    press(page.widget, "outcome", "recovered")
    assert "Sales report lost2" not in zlib.decompress(tree.drawing).decode()


def test_what_the_platform_lacks_is_said(make_page: MakePage, platform: MemoryPlatform) -> None:
    """In each tab by name, in the place of what would be there."""
    bare = replace(EVERYTHING, files=False, whole_retry="none")
    page = make_page(MemoryPlatform.of(make_task("a", duration_s=None), capabilities=bare))
    assert "This platform cannot run a task again as a new one, so there are no lineages." in text_of(page.widget)
    open_tab(page, 1)
    assert "This platform does not tell which files a task has" in text_of(page.widget)
    open_tab(page, 2)
    assert "Neither compute time nor tokens nor money is known of any task here." in text_of(page.widget)


def test_what_was_read_last_stays_below_what_is_wrong(page: FailureDesk, platform: MemoryPlatform) -> None:
    """And a list that was never read says so."""
    open_tab(page, 1)
    platform.breaks["files"] = Unavailable("away")
    page.state.disk.load()
    assert page.state.disk.problem is not None
    assert "Extra disk of 2 lineages: 1.2 MB." in text_of(page.widget)
    press(page.widget, "reload")
    assert page.state.disk.problem is None


def test_a_list_that_was_never_read_is_no_cost_of_nothing(make_page: MakePage, platform: MemoryPlatform) -> None:
    """It is said that nothing is known."""
    platform.breaks["tasks"] = Unavailable("away")
    page = make_page(platform)
    assert "nothing is known of what they cost" in text_of(page.widget)
    press(page.widget, "refresh")
    assert "nothing is known of what they cost" not in text_of(page.widget)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_markup_in_names_stays_text(make_page: MakePage, language: Any) -> None:
    """In every tab, tooltip and table."""
    bad = "<img src=x onerror=alert(1)>"
    records = (
        make_task("b", parent_id="a", name=bad, project=bad, template=bad, extra={"method": "copied"}),
        make_task("a", name=bad, project=bad, template=bad, retried_by=("b",)),
    )
    page = make_page(MemoryPlatform.of(*records))
    page.state.session.speak(language)
    for index in range(3):
        open_tab(page, index)
        tags = {node[0] for fragment in fragments(page.widget) for node in walk(fragment.nodes)}
        assert not [tag for tag in tags if "<" in tag]
    press(page.widget, "choose", f"project {bad}")
    assert page.state.table.filters.project == bad

"""Panels alone in a cell: on a platform, on plain frames, and linked by a shared state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

import retry_toolkit as rt
from retry_toolkit import panels
from retry_toolkit.errors import ReadOnly, Unavailable, UnclearOutcome
from retry_toolkit.frames.schema import PLAN, STAGES, TASKS
from retry_toolkit.panels import (
    BatchPanel,
    DiskCostPanel,
    FailureDesk,
    LineagePanel,
    RetryPanel,
    StageReportPanel,
    TriagePanel,
)
from retry_toolkit.panels.state.frames import of_tasks
from retry_toolkit.panels.widgets.forest import ForestTree
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.execute import execute, open_batch
from tests.live import wait_until
from tests.panels.background import AtOnce
from tests.panels.memory import MemoryPlatform, make_task, shown_ids
from tests.panels.test_views import fragments, press, text_of, walk, widgets_of
from tests.retry.ledger import QUICK

Make = Callable[..., Any]


@pytest.fixture
def platform() -> MemoryPlatform:
    """Two failed tasks of one error, one that went well, and a lineage of two."""
    made = MemoryPlatform.of(
        make_task("a", name="Newest"),
        make_task("b", minutes_ago=1),
        make_task("c", status="succeeded", minutes_ago=2),
        make_task("d", minutes_ago=3, error="HTTP 503 from upstream", project="risk"),
        advances_when_read=True,
    )
    made._again("d", copy_files=True, name="Again")
    return made


@pytest.fixture
def make(archive: Archive) -> Iterator[Make]:
    """Makes panels in English that work at once, and closes them."""
    made: list[Any] = []

    def build(kind: Any, *args: Any, **options: Any) -> Any:
        shared = "state" in options
        if not shared:
            options = {"background": AtOnce(), "language": "en"} | options
        if kind in {TriagePanel, StageReportPanel, RetryPanel} and not shared:
            options = {"archive": archive, "timing": QUICK} | options
        made.append(kind(*args, **options))
        return made[-1]

    yield build
    for panel in made:
        panel.close()


@pytest.fixture
def tasks(platform: MemoryPlatform) -> pd.DataFrame:
    """All tasks as a frame."""
    return rt.load_tasks(platform, progress=False)


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """But for the number of stages: a frame of tasks does not tell of more than one."""
    pd.testing.assert_frame_equal(left.drop(columns="stage_count"), right.drop(columns="stage_count"))


def test_triage_on_a_platform_shows_selects_and_filters(make: Make, platform: MemoryPlatform) -> None:
    """Its selection and its frame follow the page, and the page follows its selection."""
    panel = make(TriagePanel, platform)
    heard: list[Any] = []
    panel.observe(heard.append, names=["selected", "frame"])
    assert panel.frame.columns.tolist() == [column.name for column in TASKS]
    assert panel.frame["task_id"].tolist() == ["a", "b", "d"]
    panel.state.table.filter(text="503")
    assert heard[-1].name == "frame"
    assert heard[-1].new["task_id"].tolist() == ["d"]
    panel.selected = ("d", "a", "no such task")
    assert panel.selected == ("a", "d")
    assert panel.state.table.selected == {"a", "d"}
    panel.state.table.clear()
    assert panel.selected == ()
    panel.selected = ("no such task",)
    assert panel.selected == ()
    assert "memory · 127.0.0.1:8642" in text_of(panel.widget)


def test_a_frame_is_only_made_when_somebody_asks(make: Make, platform: MemoryPlatform, monkeypatch: Any) -> None:
    """Of a million tasks, cutting it out at each filter would be felt."""
    panel = make(TriagePanel, platform)
    made: list[int] = []
    original = panel._make_frame

    def counted() -> pd.DataFrame:
        made.append(1)
        frame: pd.DataFrame = original()
        return frame

    monkeypatch.setattr(panel, "_make_frame", counted)
    panel.state.table.filter(text="503")
    panel.state.table.filter(text="")
    assert made == []
    assert panel.frame is panel.frame
    assert made == [1]


def test_triage_on_a_frame_says_that_nothing_can_be_retried(make: Make, tasks: pd.DataFrame) -> None:
    """There is nobody to ask; figures, causes, filters, table and report work all the same."""
    panel = make(TriagePanel, tasks)
    assert "These tasks come from a frame" in text_of(panel.widget)
    panel.selected = ("a",)
    assert panel.state.retry.batch_block() == "no_platform"
    panel.state.retry.propose_batch()
    assert panel.state.retry.proposal is None
    same(panel.frame, tasks[tasks["status"] == "failed"])
    report = make(StageReportPanel, state=panel.state)
    assert "No task is open" in text_of(report.widget)
    panel.state.report.open("a")
    assert report.selected == ("a",)
    assert panel.state.report.error == "KeyError: column 'amount' is missing"


def test_a_cell_does_not_wait_for_a_visit_that_nobody_counts(
    make: Make, platform: MemoryPlatform, archive: Archive
) -> None:
    """What is new since the last visit, the page of a desk knows; whoever shares its state shows it."""
    alone, desk = make(TriagePanel, platform), make(panels.FailureDesk, platform, archive=archive)
    shared = make(TriagePanel, state=desk.state)
    assert busy(alone) == []
    assert busy(shared) == ["new"]
    desk.state.presence.arrive(None)
    assert "first visit" in text_of(shared.widget)
    assert "first visit" not in text_of(alone.widget)


def test_figures_do_not_wait_for_a_platform_that_did_not_answer(make: Make) -> None:
    """What is not known is a dash, not a bar that promises a number."""
    away = MemoryPlatform.of(make_task("a"), breaks={"tasks": Unavailable("no answer")})
    panel = make(TriagePanel, away)
    assert panel.state.figures is None
    assert busy(panel) == []


def test_a_frame_with_few_columns_is_enough(make: Make) -> None:
    """What is not there is unknown, and promises nothing."""
    frame = pd.DataFrame({"task_id": ["00123", "1e5"], "status": ["failed", "exploded"], "error": ["E: 1", None]})
    panel = make(TriagePanel, frame)
    assert panel.frame["task_id"].tolist() == ["00123"]
    assert panel.state.catalog.catalog.tasks["status"].tolist() == ["failed", "unknown"]
    assert panel.state.figures.retryable == 0


def test_what_stands_in_for_a_platform_keeps_its_protocol(tasks: pd.DataFrame) -> None:
    """Reading works, and no way of writing does."""
    still = of_tasks(tasks)
    assert isinstance(still, Platform)
    same(rt.load_tasks(still, progress=False), tasks)
    assert rt.load_tasks(still, status="failed", project="risk", progress=False)["task_id"].tolist() == ["d"]
    writes: list[Callable[[], Any]] = [
        lambda: still.retry_task("a"),
        lambda: still.retry_stage("a", "s"),
        lambda: still.retry_batch(["a"]),
        lambda: still.cancel("a"),
    ]
    for write in writes:
        with pytest.raises(ReadOnly):
            write()


def test_stages_of_a_frame_are_those_that_were_given(make: Make, platform: MemoryPlatform, tasks: pd.DataFrame) -> None:
    """The report of a frame with its stages shows all of them."""
    stages = rt.load_stages(platform, progress=False)
    panel = make(StageReportPanel, tasks, "a", stages=stages)
    assert panel.frame["stage"].tolist() == ["validate", "clean", "join", "render"]
    assert panel.frame.columns.tolist() == [column.name for column in STAGES]


def test_a_report_on_a_platform_opens_its_task(make: Make, platform: MemoryPlatform) -> None:
    """At once; the list comes behind it. Setting the selection opens another, or none."""
    panel = make(StageReportPanel, platform, "a")
    assert "Newest" in text_of(panel.widget)
    panel.selected = ("b",)
    assert panel.state.report.task_id == "b"
    panel.selected = ()
    assert panel.state.report.task_id is None
    assert "No task is open" in text_of(panel.widget)


def test_panels_that_share_a_state_close_without_ending_it(make: Make, platform: MemoryPlatform) -> None:
    """Who made the state ends it; messages stand in that panel alone."""
    triage = make(TriagePanel, platform)
    report = make(StageReportPanel, state=triage.state)
    triage.state.session.notices.report(ValueError("only once"))
    assert "only once" in text_of(triage.widget)
    assert "only once" not in text_of(report.widget)
    report.close()
    triage.state.report.open("a")
    assert triage.state.report.task is not None


def test_a_plan_is_asked_about_then_executed_once(make: Make, platform: MemoryPlatform) -> None:
    """Nothing is sent before the yes; afterwards the batch is in the panel, and so are its results."""
    plan = rt.plan_retry(platform, ["a", "b", "c"])
    panel = make(RetryPanel, plan)
    assert panel.selected == ("a", "b")
    assert panel.frame.columns.tolist() == [column.name for column in PLAN]
    assert "1 is left out: it has not failed." in text_of(panel.widget)
    press(panel.widget, "cancel")
    assert "Nothing was sent." in text_of(panel.widget)
    assert platform.called("retry_stage") == []
    press(panel.widget, "again")
    press(panel.widget, "confirm")
    wait_until(lambda: panel.batch is not None and not panel.batch.running, "the batch")
    assert panel.frame["state"].tolist() == ["SUCCEEDED", "SUCCEEDED"]
    assert "2 of 2 settled" in text_of(panel.widget)
    assert "Newest" in text_of(panel.widget)
    assert len(platform.called("retry_stage")) == 2


def test_a_plan_of_one_task_offers_its_choices(make: Make, platform: MemoryPlatform) -> None:
    """A whole retry keeps the name that was planned."""
    assert "Retry stage join?" in text_of(make(RetryPanel, rt.plan_retry(platform, ["a"])).widget)
    panel = make(RetryPanel, rt.plan_retry(platform, ["a"], action="task", name="Mine"))
    assert panel.state.retry.proposal.plan.name == "Mine"
    linking = make(RetryPanel, rt.plan_retry(platform, ["a"], action="task", copy_files=False))
    assert "its files are linked" in text_of(linking.widget)


def test_a_plan_over_a_connection_that_only_reads_cannot_be_confirmed(make: Make, platform: MemoryPlatform) -> None:
    """The button is closed and says why; fired all the same, nothing is sent."""
    plan = rt.plan_retry(platform, ["a"])
    panel = make(RetryPanel, plan, platform=MemoryPlatform(platform.records, read_only=True))
    assert "This page only reads." in text_of(panel.widget)
    with pytest.raises(AssertionError):
        press(panel.widget, "confirm")
    with pytest.raises(ReadOnly):
        panel.state.retry.confirm(panel.state.retry.proposal.key)
    assert not [call for call in platform.calls if call[0].startswith("retry")]


def test_a_batch_is_seen_and_held_in_hand(make: Make, platform: MemoryPlatform, archive: Archive) -> None:
    """The panel and the variable in the notebook are one batch; closing the panel leaves it alone."""
    platform.breaks["retry_stage"] = UnclearOutcome("no answer")
    batch = execute(
        rt.plan_retry(platform, ["a", "b"]),
        journal=archive.journal,
        evidence=archive.evidence,
        timing=QUICK,
        progress=False,
        wait=True,
    )
    panel = make(BatchPanel, batch)
    assert "Unclear" in text_of(panel.widget)
    press(panel.widget, "batch_show", f"{batch.id} UNKNOWN")
    (unclear,) = panel.selected
    press(panel.widget, "batch_undone", f"{batch.id} {unclear}")
    assert sorted(panel.frame["state"]) == ["REJECTED", "SUCCEEDED"]
    assert batch.buckets["REJECTED"] == 1


def test_a_batch_that_stopped_goes_on_in_hand(make: Make, platform: MemoryPlatform, archive: Archive) -> None:
    """What `open_batch` gave is what goes on."""
    kept = {"journal": archive.journal, "evidence": archive.evidence, "timing": QUICK}
    begun = execute(rt.plan_retry(platform, ["a", "b"]), progress=False, wait=False, canary=0, **kept)  # type: ignore[arg-type]
    begun.pause()
    begun.close(10)
    batch = open_batch(begun.id, platform, **kept)  # type: ignore[arg-type]
    panel = make(BatchPanel, batch)
    if batch.buckets["PLANNED"]:
        assert "Interrupted" in text_of(panel.widget)
    if any(batch.buckets[state] for state in ("PLANNED", "SENT", "ACCEPTED")):
        press(panel.widget, "batch_go")
    wait_until(lambda: not batch.running and batch.buckets["SUCCEEDED"] == 2, "the batch")
    panel.close()
    assert batch.buckets["SUCCEEDED"] == 2


@pytest.mark.parametrize("of_lineage", [False, True])
def test_lineages_of_a_frame(make: Make, tasks: pd.DataFrame, of_lineage: bool) -> None:
    """From tasks or from a lineage: the same trees and the same outcome, which a lineage knows without any status."""
    panel = make(LineagePanel, rt.build_lineage(tasks) if of_lineage else tasks)
    forest = panel.state.forest.forest
    assert [row.task_id for row in forest.rows] == ["d", "d-again-1"]
    assert [row.outcome for row in forest.rows] == ["open" if of_lineage else None, None]
    assert forest.outcomes["open"] == 1
    assert panel.frame["tree_size"].max() == 2
    told = text_of(panel.widget)
    assert "1 lineage with 2 tasks, the newest first." in told
    assert "Open" in told
    # There is no table that could choose, and no report that could be read.
    assert "match the filters" not in told
    assert "report" not in told


def test_a_task_of_a_lineage_is_chosen(make: Make, tasks: pd.DataFrame) -> None:
    """In the drawing, or as a value; the drawing marks it."""
    panel = make(LineagePanel, tasks)
    (tree,) = [widget for widget in widgets_of(panel.widget) if isinstance(widget, ForestTree)]
    tree._handle_custom_msg({"open": "d"}, [])
    assert panel.selected == ("d",)
    panel.selected = ("d-again-1",)
    assert tree.current == "d-again-1"
    panel.selected = ()
    assert tree.current == ""


def test_a_frame_without_lineages(make: Make, tasks: pd.DataFrame) -> None:
    """Says so, and blames no platform."""
    alone = make(LineagePanel, tasks[tasks["task_id"] == "a"])
    assert "No task of this frame was retried as a whole." in text_of(alone.widget)


def test_disk_of_a_frame(make: Make, platform: MemoryPlatform, tasks: pd.DataFrame) -> None:
    """The sums are those of the frame; names come from the tasks."""
    disk = rt.load_disk(platform, progress=False)
    panel = make(DiskCostPanel, disk, tasks)
    assert panel.frame["extra_bytes"].tolist() == [1_200_000]
    assert panel.state.disk.cost.total == 1_200_000
    assert "1.2 MB" in text_of(panel.widget)
    assert panel.state.catalog.catalog.rows(["d"])["name"].tolist() == ["Sales report d"]


def test_what_is_chosen_of_disk_is_a_value(make: Make, platform: MemoryPlatform, tasks: pd.DataFrame) -> None:
    """Without a table nothing leads to one, and nothing is said of a question that nobody can ask."""
    panel = make(DiskCostPanel, rt.load_disk(platform, progress=False), tasks)
    press(panel.widget, "key", "root")
    press(panel.widget, "choose", "d")
    assert panel.selected == ("d-again-1",)
    told = text_of(panel.widget)
    assert "Reading until" not in told
    assert "1 task is chosen: panel.selected" in told
    assert "table" not in told
    assert "asked about" not in told


def test_a_report_alone_leads_to_no_table(make: Make, platform: MemoryPlatform) -> None:
    """How many have the same cause is told; a button to them needs a table beside it."""
    report = make(StageReportPanel, platform, "a")
    assert "other failed task" in text_of(report.widget)
    assert not [action for action in actions_of(report.widget) if action == "same_cause"]
    make(TriagePanel, state=report.state)
    assert [action for action in actions_of(report.widget) if action == "same_cause"]


def busy(panel: Any) -> list[str]:
    """The figures that are not known yet."""
    figures = [node[1] for node in nodes_of(panel.widget) if node[1].get("class") == "fd-figure"]
    return [figure["data-key"] for figure in figures if "aria-busy" in figure]


def nodes_of(widget: Any) -> list[Any]:
    """Every element of its fragments: tag, attributes, children."""
    return [node for fragment in fragments(widget) for node in walk(fragment.nodes)]


def actions_of(widget: Any) -> list[str]:
    """What can be pressed there."""
    return [node[1]["data-action"] for node in nodes_of(widget) if "data-action" in node[1]]


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: TriagePanel(pd.DataFrame({"task_id": ["a"]})),
        ValueError,
        r"lacks the column\(s\) status; it has task_id",
    ),
    (lambda: TriagePanel("http://x"), TypeError, "a platform from connect.. or a DataFrame, not str"),  # type: ignore[arg-type]
    (TriagePanel, TypeError, "either something to show or state="),
    (lambda: StageReportPanel(state=3), TypeError, "panel.state"),  # type: ignore[arg-type]
    (lambda: LineagePanel(pd.DataFrame({"a": []})), ValueError, "task_id, parent_id"),
    (lambda: LineagePanel([1]), TypeError, "must be a DataFrame, not list"),  # type: ignore[arg-type]
    (lambda: DiskCostPanel(pd.DataFrame({"task_id": []})), ValueError, "root_id, method"),
    (lambda: RetryPanel("plan"), TypeError, "plan_retry"),  # type: ignore[arg-type]
    (lambda: BatchPanel("batch"), TypeError, "open_batch"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "kind", "words"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_is_named(wrong: Callable[[], Any], kind: type[Exception], words: str) -> None:
    """What it was given, and what it takes."""
    with pytest.raises(kind, match=words):
        wrong()


def test_a_plan_of_another_platform_is_refused(platform: MemoryPlatform) -> None:
    """It would be refused when it is executed; better to hear it now."""
    other = MemoryPlatform(platform.records, origin="http://other")
    with pytest.raises(ValueError, match="The plan is for"):
        RetryPanel(rt.plan_retry(platform, ["a"]), platform=other)


def test_a_desk_leaves_parts_out(platform: MemoryPlatform, archive: Archive) -> None:
    """Named ones, by one argument; a slip of the pen is told with what there is."""
    desk = FailureDesk(
        platform,
        language="en",
        background=AtOnce(),
        archive=archive,
        timing=QUICK,
        without=("costs", "groups", "header"),
    )
    told = text_of(desk.widget)
    assert "What does it cost?" not in told
    assert "What is wrong" not in told
    assert shown_ids(desk.state.table) == {"a", "b", "d"}
    desk.close()
    with pytest.raises(ValueError, match="no part 'disc'; it can do without header, figures"):
        FailureDesk(platform, without=("disc",))


def test_panels_say_what_they_are_and_show_themselves(make: Make, platform: MemoryPlatform) -> None:
    """A bounded repr, and a widget for the last line of a cell; Chinese from the first word."""
    panel = make(TriagePanel, platform, language="zh")
    assert repr(panel) == "<TriagePanel memory · 127.0.0.1:8642>"
    assert panel._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.widget.model_id
    assert "失败" in text_of(panel.widget)
    assert set(panels.__all__) > {"TriagePanel", "BatchPanel"}
    with pytest.raises(AttributeError, match="no attribute 'Triage'"):
        _ = panels.Triage

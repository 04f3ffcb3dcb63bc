"""The report as its reader sees it: strip, error, log, output, attempts, what is near; and that it needs no list."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from retry_toolkit.panels.report import ReportView
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.widgets.reader import LineReader
from retry_toolkit.platforms.base import StageRecord, TaskRecord
from retry_toolkit.retry.archive import Archive
from retry_toolkit.text import Texts
from tests.panels.background import AtOnce, WhenTold
from tests.panels.memory import EVERYTHING, MemoryPlatform, make_task
from tests.panels.test_views import fragments, press, text_of, walk, widgets_of

HOSTILE = "<img src=x onerror=alert(1)>"
MakeReport = Callable[..., tuple[DeskState, Any]]


@pytest.fixture
def report_of(archive: Archive) -> MakeReport:
    """Makes a report of the task `a` without ever loading a list."""

    def make(platform: MemoryPlatform, *, language: Any = "en", background: Any = None) -> tuple[DeskState, Any]:
        desk = DeskState(platform, texts=Texts(language), background=background or AtOnce(), archive=archive)
        view = ReportView(desk)
        desk.report.open("a")
        return desk, view.widget

    return make


def readers(page: Any) -> tuple[LineReader, LineReader]:
    """What shows the error and the log."""
    error, log = (widget for widget in widgets_of(page) if isinstance(widget, LineReader))
    return error, log


def with_stage(task: TaskRecord, name: str, **fields: Any) -> TaskRecord:
    """The task with one of its stages changed."""
    return replace(
        task, stages=tuple(replace(stage, **fields) if stage.stage == name else stage for stage in task.stages)
    )


def sizes(page: Any) -> int:
    """Bytes of all that the browser is sent of a page."""
    states = [widget.get_state() for widget in widgets_of(page)]
    kept = [{name: state[name] for name in ("nodes", "window", "words") if name in state} for state in states]
    return len(json.dumps(kept, ensure_ascii=False).encode())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_needs_no_list(report_of: MakeReport, language: str) -> None:
    """Alone in a cell it has everything but its neighbours, and asks for the task only."""
    platform = MemoryPlatform.of(make_task("a", retry_count=1))
    desk, page = report_of(platform, language=language)
    texts = Texts(language)  # type: ignore[arg-type]  # parametrize gives plain strings
    error, log = readers(page)
    assert desk.catalog.catalog is None
    assert not platform.called("tasks")
    told = text_of(page)
    assert texts("report.stopped_at", stage="join", place=3, total=4) in told
    assert texts("report.not_reached") in told
    assert texts("report.attempts", n=2) in told
    assert texts("neighbours.title") not in told
    assert error.window["lines"] == [[1, "error", "KeyError: column 'amount' is missing", False]]
    assert [line[2] for line in log.window["lines"]] == ["reading input.csv", "128 rows"]


def test_arrows_reach_every_stage(report_of: MakeReport) -> None:
    """Tab comes to the chosen one only; thirty stages are a box that shows the chosen one."""
    task = make_task("a")
    stages = tuple(
        replace(task.stages[0], stage_id=f"s{number}", stage=f"step {number}", position=number) for number in range(30)
    )
    failed = replace(stages[17], status="failed")
    platform = MemoryPlatform.of(replace(task, stages=(*stages[:17], failed, *stages[18:])))
    desk, page = report_of(platform)
    (strip,) = [node for part in fragments(page) for node in walk(part.nodes) if "data-arrows" in node[1]]
    assert strip[1]["data-brings"] == "s17"
    reached = [node[1]["data-value"] for node in walk(strip[2]) if node[1].get("tabindex") == "0"]
    assert reached == ["s17"]
    assert [node[1]["data-key"] for node in walk(strip[2]) if node[1].get("aria-current")] == ["s17"]
    press(page, "choose", "s3")
    assert desk.report.stage_id == "s3"


def test_an_error_of_many_lines_is_folded_and_searched(report_of: MakeReport) -> None:
    """In full, from its start, but not as megabytes; the browser may have all of it as a file."""
    text = "\n".join(["Traceback (most recent call last):", *(f"  line {number}" for number in range(50_000)), "boom"])
    _, page = report_of(MemoryPlatform.of(make_task("a", error=text)))
    error, _ = readers(page)
    assert error.window["folded"]
    assert error.window["end"]
    assert error.window["whole"] == "Show all 50,002 lines"
    assert error.window["below"] == "Load later lines (47,002 more)"
    error._handle_custom_msg({"action": "whole"}, [])
    assert not error.window["folded"]
    error._handle_custom_msg({"action": "search", "value": "BOOM"}, [])
    assert error.window["counted"] == "1 of 1"
    assert error.window["goto"][1] == 50_002
    sent: list[Any] = []
    error.send = lambda content, buffers=None: sent.append((content, buffers))
    error._handle_custom_msg({"action": "download"}, [])
    assert sent == [({"file": "a-join-error.txt"}, [text.encode()])]


def test_a_stage_without_an_error_shows_none(report_of: MakeReport) -> None:
    """The place of the error is empty, not an empty box."""
    desk, page = report_of(MemoryPlatform.of(make_task("a")))
    error, log = readers(page)
    assert error.layout.display is None
    desk.report.choose("a-clean")
    assert error.layout.display == "none"
    assert log.layout.display is None


def test_a_platform_without_logs_shows_none(report_of: MakeReport) -> None:
    """No empty box, and the comparison says what it lacks."""
    platform = MemoryPlatform.of(make_task("a", retry_count=1), capabilities=replace(EVERYTHING, logs=False))
    _, page = report_of(platform)
    assert readers(page)[1].layout.display == "none"
    assert "neither the platform nor this machine kept the log" in text_of(page)


def test_a_log_is_told_in_each_of_its_states(report_of: MakeReport) -> None:
    """Being read, unreadable, empty."""
    background = WhenTold()
    platform = MemoryPlatform.of(make_task("a"), log_lines=())
    _, page = report_of(platform, background=background)
    background.waiting.pop(0)()
    log = readers(page)[1]
    assert (log.window["empty"], log.window["busy"]) == ("Reading the log…", True)
    platform.breaks["logs"] = RuntimeError("no luck")
    background.run()
    assert "no luck" in log.window["empty"]
    log._handle_custom_msg({"action": "reload"}, [])
    background.run()
    assert log.window["empty"] == "This stage has written nothing."


def test_unknown_is_unknown_and_zero_is_zero(report_of: MakeReport) -> None:
    """Every figure says what it means."""
    task = with_stage(make_task("a", cost=None), "join", tokens=0, turns=None, self_fixes=2, score=0.5)
    _, page = report_of(MemoryPlatform.of(task))
    told = {
        " ".join(cell[2]): " ".join(value[2])
        for part in fragments(page)
        for node in walk(part.nodes)
        if node[1].get("class") == "fd-meanings"
        for cell, value, _ in ((row[2]) for row in node[2])
    }
    assert told == {
        "Tokens": "0",
        "Turns": "unknown",
        "Self-fixes": "2",
        "Own score": "0.50",
        "Confidence": "unknown",
        "Cost": "unknown",
    }


def test_output_is_read_as_facts_and_a_tree(report_of: MakeReport) -> None:
    """What has a name of its own is a fact; every further key is in the tree, and what is of another kind too."""
    output = {
        "summary": "all good",
        "status": "partial",
        "confidence": 0.25,
        "artifacts": ["a.csv", HOSTILE],
        "metadata": {"rows": [1, 2], HOSTILE: None},
        "reviewer": "qa",
        "empty": {},
    }
    _, page = report_of(MemoryPlatform.of(with_stage(make_task("a"), "join", output=output)))
    told = text_of(page)
    for words in ("all good", "Partly", "0.25", "a.csv", HOSTILE, "metadata", "2 entries", "reviewer", "qa", "{}"):
        assert words in told
    _, page = report_of(MemoryPlatform.of(with_stage(make_task("a"), "join", output={"status": 7, "confidence": "x"})))
    assert "Verdict" not in text_of(page)
    assert "status" in text_of(page)


def test_what_is_sent_stays_small(report_of: MakeReport) -> None:
    """Deep, wide and long values, errors and logs of megabytes: the report is some hundred kilobytes."""
    deep: Any = "bottom"
    for _ in range(300):
        deep = {"deeper": deep, "beside": ["x" * 5000] * 3}
    wide = {f"key {number}" * 50: "长" * 100_000 for number in range(5000)}
    output = {"summary": "s" * 10**6, "artifacts": ["a" * 10**5] * 1000, "deep": deep, "wide": wide}
    task = with_stage(
        make_task("a", retry_count=60, error="e\n" * 10**6), "join", output=output, output_summary="长" * 10**6
    )
    platform = MemoryPlatform.of(task, log_lines=("长" * 5000,) * 3000)
    _, page = report_of(platform)
    assert sizes(page) < 600_000


def test_a_long_attempt_is_compared_in_bounds(report_of: MakeReport) -> None:
    """However much two attempts differ."""
    platform = MemoryPlatform.of(make_task("a", retry_count=1, error="\n".join("ab"[n % 2] * 900 for n in range(9000))))
    desk, page = report_of(platform)
    assert desk.attempts.comparison is not None
    assert "First difference" in text_of(page)
    assert sizes(page) < 450_000


def test_attempts_are_chosen_by_their_buttons(report_of: MakeReport) -> None:
    """Two columns of radio buttons; the other's choice is closed."""
    desk, page = report_of(MemoryPlatform.of(make_task("a", retry_count=2)))
    (part,) = [part for part in fragments(page) if any(node[0] == "input" for node in walk(part.nodes))]
    part._handle_custom_msg({"action": "before", "value": "1"}, [])
    assert desk.attempts.pair == (1, 3)
    closed = [
        (node[1]["data-action"], node[1]["data-value"])
        for node in walk(part.nodes)
        if node[0] == "input" and "disabled" in node[1]
    ]
    assert sorted(closed) == [("after", "1"), ("before", "3")]
    for value in ("x", "", None, "9" * 5000):
        part._handle_custom_msg({"action": "after", "value": value}, [])
    assert desk.attempts.pair == (1, 3)


def test_a_task_without_stages_shows_its_error(report_of: MakeReport) -> None:
    """Where a platform has none, the task's own error is what there is."""
    stages: tuple[StageRecord, ...] = ()
    task = replace(make_task("a"), stages=stages, error="the solver gave up")
    _, page = report_of(MemoryPlatform.of(task))
    error, log = readers(page)
    assert [line[2] for line in error.window["lines"]] == ["the solver gave up"]
    assert log.layout.display == "none"

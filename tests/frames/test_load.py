"""Loaders: what they ask for, what they report, and what they document."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from retry_toolkit.analysis.disk import disk_cost, load_disk
from retry_toolkit.analysis.lineage import build_lineage, load_lineage
from retry_toolkit.errors import Unavailable
from retry_toolkit.frames.describe import UNITS
from retry_toolkit.frames.load import (
    IncompleteLoad,
    RejectedRows,
    load_attempts,
    load_history,
    load_logs,
    load_stages,
    load_tasks,
    read_files,
    task_ids,
)
from retry_toolkit.frames.schema import ATTEMPTS, DISK, LINEAGE, LOGS, STAGES, TASKS, Columns
from retry_toolkit.platforms.base import EVERY_TASK, AttemptRecord, LogRecord, Rejected, TaskFiles, TaskPage, TaskQuery
from tests.frames.records import START, RecordedPlatform, stage, task

BROKEN = Rejected(page=1, index=3, path="stages[0].id", reason="an id must not be empty")


def some_tasks(count: int = 5) -> list[Any]:
    """Tasks with one stage each, newest first."""
    return [task(f"t{number}", hours=-number, stages=(stage(f"t{number}"),)) for number in range(count)]


def test_tasks_of_every_page_are_one_frame() -> None:
    """In one pass."""
    source = RecordedPlatform(some_tasks())
    assert load_tasks(source.platform)["task_id"].tolist() == ["t0", "t1", "t2", "t3", "t4"]
    assert source.asked == [EVERY_TASK]


def test_filters_become_one_query() -> None:
    """What is asked for goes to the platform as it is."""
    source = RecordedPlatform()
    load_tasks(source.platform, status="failed", project="p", title="x", since=START, limit=3)
    load_stages(source.platform, status="failed", project="p", title="x", since=START, limit=3)
    assert source.asked == [TaskQuery(status="failed", project="p", title="x", since=START, limit=3)] * 2


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        (datetime(2026, 1, 1), START),
        (START, START),
        ("2026-01-01", START),
        ("2026-01-01T08:00:00+08:00", START),
        (pd.Timestamp("2026-01-01"), START),
        (None, None),
    ],
)
def test_since_may_be_a_time_or_text(since: Any, moment: datetime | None) -> None:
    """Naive means UTC."""
    source = RecordedPlatform()
    load_tasks(source.platform, since=since)
    assert source.asked == [TaskQuery(since=moment)]


def test_since_may_be_a_span() -> None:
    """A span counts back from now."""
    source = RecordedPlatform()
    before = datetime.now(UTC)
    load_tasks(source.platform, since=timedelta(days=1))
    query = source.asked[0]
    assert isinstance(query, TaskQuery)
    assert query.since is not None
    assert before <= query.since + timedelta(days=1) <= datetime.now(UTC)


@pytest.mark.parametrize("filters", [{"status": "FAILED"}, {"limit": -1}, {"since": "yesterday"}])
def test_filters_that_cannot_be_meant_are_refused(filters: dict[str, Any]) -> None:
    """Before anything is asked for."""
    source = RecordedPlatform()
    with pytest.raises(ValueError, match=r"status|limit|isoformat"):
        load_tasks(source.platform, **filters)
    assert source.asked == []


def test_rejected_rows_are_reported_and_warned_of() -> None:
    """The rest is loaded; the report can be saved with the frame."""
    source = RecordedPlatform(some_tasks(1), rejected=[BROKEN])
    with pytest.warns(RejectedRows, match=r"1 row\(s\) could not be read, the first because stages\[0\]\.id") as caught:
        frame = load_tasks(source.platform)
    assert Path(caught[0].filename) == Path(__file__)
    assert frame["task_id"].tolist() == ["t0"]
    assert frame.attrs["rejected"] == [
        {"page": 1, "index": 3, "path": "stages[0].id", "reason": "an id must not be empty"}
    ]
    json.dumps(frame.attrs)
    with pytest.warns(RejectedRows):
        assert load_stages(source.platform).attrs["rejected"]


def test_without_rejected_rows_there_is_no_warning() -> None:
    """The report is there, and empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_tasks(RecordedPlatform(some_tasks()).platform).attrs["rejected"] == []


def test_stages_come_with_the_pages_of_tasks() -> None:
    """No task is asked for twice, and records are asked for nothing."""
    source = RecordedPlatform(some_tasks())
    frame = load_stages(source.platform)
    assert frame["task_id"].tolist() == ["t0", "t1", "t2", "t3", "t4"]
    assert source.asked == [EVERY_TASK]
    again = load_stages(source.platform, some_tasks())
    pd.testing.assert_frame_equal(again, frame)
    assert source.asked == [EVERY_TASK]


@pytest.mark.parametrize(
    "tasks", [["t3", "t1", "t3"], pd.DataFrame({"task_id": ["t3", "t1"]}), (name for name in ("t3", "t1"))]
)
def test_stages_of_chosen_tasks_cost_one_request_each(tasks: Any) -> None:
    """In the order given, each once."""
    source = RecordedPlatform(some_tasks())
    assert load_stages(source.platform, tasks)["task_id"].tolist() == ["t3", "t1"]
    assert sorted(map(str, source.asked)) == ["t1", "t3"]


def test_tasks_that_are_gone_are_reported() -> None:
    """Deleted meanwhile: the others are loaded."""
    source = RecordedPlatform(some_tasks())
    with pytest.warns(RejectedRows, match=r"t9: No task t9\."):
        frame = load_stages(source.platform, ["t1", "t9", "t2"])
    assert frame["task_id"].tolist() == ["t1", "t2"]
    assert frame.attrs["rejected"] == [{"page": 0, "index": 1, "path": "t9", "reason": "No task t9."}]


def test_other_errors_end_the_load() -> None:
    """A platform that is down is no missing row."""

    class Down(RecordedPlatform):
        def task(self, task_id: str) -> Any:
            raise Unavailable("down")

    with pytest.raises(Unavailable):
        load_stages(Down(some_tasks()).platform, ["t1", "t2"])


def test_one_id_as_text_is_a_mistake() -> None:
    """Its letters are not ids."""
    with pytest.raises(TypeError, match="list of ids"):
        load_stages(RecordedPlatform().platform, "t1")


def test_attempts_of_all_or_chosen_tasks() -> None:
    """One request a task, in order."""
    attempts = [
        AttemptRecord(task_id=name, stage_id="s", stage="check", attempt=number, status="failed")
        for name in ("t0", "t1")
        for number in (1, 2)
    ]
    source = RecordedPlatform(some_tasks(2), attempts=attempts)
    frame = load_attempts(source.platform)
    assert list(zip(frame["task_id"], frame["attempt"], strict=True)) == [("t0", 1), ("t0", 2), ("t1", 1), ("t1", 2)]
    assert load_attempts(source.platform, ["t1"])["attempt"].tolist() == [1, 2]


def test_logs_of_one_stage_or_all() -> None:
    """In their order."""
    lines = [
        LogRecord(task_id="t", stage=name, seq=seq, time=START, kind="stdout", text=name)
        for seq, name in enumerate("ab")
    ]
    source = RecordedPlatform(logs=lines)
    assert load_logs(source.platform, "t")["text"].tolist() == ["a", "b"]
    assert load_logs(source.platform, "t", "b")["seq"].tolist() == [1]


def test_files_that_are_unknown_are_left_out() -> None:
    """Not every platform tells."""
    source = RecordedPlatform(some_tasks(2), files=[TaskFiles(task_id="t1", files=())])
    assert [entry.task_id for entry in read_files(source.platform, ["t0", "t1"])] == ["t1"]


def test_ids_of_tasks_come_once() -> None:
    """Of frames, ids and records."""
    assert task_ids(pd.DataFrame({"task_id": ["b", "a", "b", None]})) == ("b", "a")
    assert task_ids(["b", task("a"), "b"]) == ("b", "a")


def test_progress_is_quiet_when_it_is_off_or_short(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written for a load that takes no time."""
    source = RecordedPlatform(some_tasks())
    load_tasks(source.platform, progress=False)
    load_tasks(source.platform, progress=True)
    load_stages(source.platform, ["t1", "t2"], progress=True)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize(
    ("loader", "columns"),
    [
        (load_tasks, TASKS),
        (load_stages, STAGES),
        (load_attempts, ATTEMPTS),
        (load_logs, LOGS),
        (load_lineage, LINEAGE),
        (build_lineage, LINEAGE),
        (load_disk, DISK),
        (disk_cost, DISK),
    ],
)
def test_loaders_document_every_column(loader: Callable[..., Any], columns: Columns) -> None:
    """Name, dtype and unit, from the schema; errors and source where there are any."""
    text = loader.__doc__ or ""
    assert "{columns}" not in text
    for column in columns:
        line = f"{column.name} ({column.dtype}): {column.meaning}"
        assert line + (f", in {UNITS[column.kind]}" if column.kind in UNITS else "") in text
    if loader.__name__.startswith("load_"):
        assert "Raises:" in text
        assert "Source:" in text


class Miscounting(RecordedPlatform):
    """Says that it has other numbers of tasks than it gives."""

    totals: tuple[int, ...] = ()

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        """Pages with these totals."""
        for page, total in zip(super().tasks(query), self.totals, strict=True):
            yield replace(page, total=total)


@pytest.mark.parametrize(
    ("totals", "told"),
    [
        ((5, 5, 5), False),
        ((5, 6, 7), False),
        ((4, 4, 6), False),
        ((6, 6, 6), True),
        ((4, 4, 4), True),
        ((9, 8, 7), True),
    ],
)
def test_a_total_that_does_not_add_up_is_told(totals: tuple[int, ...], told: bool) -> None:
    """Five tasks come; tasks that arrive or vanish meanwhile explain what lies between the first total and the last."""
    source = Miscounting(some_tasks(5))
    source.totals = totals
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_tasks(source.platform)
        load_tasks(source.platform, limit=5)
    assert [each.category for each in caught] == [IncompleteLoad] * told


def test_both_frames_come_from_one_pass() -> None:
    """Tasks, stages and claims; nothing is asked for twice."""
    records = [replace(each, retried_by=("x",)) for each in some_tasks()]
    source = RecordedPlatform(records)
    history = load_history(source.platform)
    assert source.asked == [EVERY_TASK]
    pd.testing.assert_frame_equal(history.tasks, load_tasks(source.platform))
    pd.testing.assert_frame_equal(history.stages, load_stages(source.platform))
    assert history.claims == {each.task_id: ("x",) for each in records}

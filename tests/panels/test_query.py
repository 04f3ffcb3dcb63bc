"""How the table is ordered, and what its filters offer."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.frames.filters import Filters, matching
from retry_toolkit.panels.state.query import (
    FAILED_ONLY,
    NEWEST_FIRST,
    Sort,
    choices,
    code_of,
    counted,
    ordered,
    sorted_by,
    start_of,
    then_by,
)
from tests.panels.memory import make_task

TASKS = tasks_frame(
    [
        make_task("00123", minutes_ago=1, owner="anna", duration_s=30.0, retry_count=3),
        make_task("1e5", minutes_ago=2, name="销售日报", duration_s=5.0, template="other"),
        make_task("NA", status="succeeded", minutes_ago=3, duration_s=None, project=None),
        make_task("run", status="running", minutes_ago=4),
        make_task("wait", status="pending", minutes_ago=5, owner=None),
        make_task("[x].*", minutes_ago=6, error="ValueError: 50% of (rows) [bad]"),
    ]
)


def ids(filters: Filters, sort: Sort) -> list[str]:
    """Ids that match, in order."""
    positions = ordered(TASKS, matching(TASKS, filters), (sort,))
    return [str(task_id) for task_id in TASKS["task_id"].iloc[positions]]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (Sort("created_at", descending=False), ["[x].*", "wait", "run", "NA", "1e5", "00123"]),
        (Sort("duration_s", descending=True), ["00123", "1e5", "run", "wait", "[x].*", "NA"]),
        (Sort("duration_s", descending=False), ["run", "wait", "[x].*", "1e5", "00123", "NA"]),
        (Sort("status", descending=False), ["00123", "1e5", "[x].*", "run", "wait", "NA"]),
        (Sort("owner", descending=False), ["00123", "1e5", "NA", "run", "[x].*", "wait"]),
        (Sort("owner", descending=True), ["1e5", "NA", "run", "[x].*", "00123", "wait"]),
    ],
)
def test_sorting(sort: Sort, expected: list[str]) -> None:
    """Missing values come last both ways, ties stay newest first, and failed comes before all other states."""
    assert ids(Filters(), sort) == expected


def test_only_what_matches_is_ordered() -> None:
    """The table begins with what failed."""
    assert ids(FAILED_ONLY, Sort("task_id", descending=True)) == ["[x].*", "1e5", "00123"]


@given(st.lists(st.none() | st.sampled_from("aAbBäÄ中"), max_size=9), st.booleans())
def test_any_column_is_ordered_as_python_would(names: list[str | None], descending: bool) -> None:
    """Text in any case, as text and as category; Python's sort is stable, backwards too."""
    tasks = pd.DataFrame({"name": pd.array(names, dtype="str")})
    known = [place for place, name in enumerate(names) if name is not None]
    expected = sorted(known, key=lambda place: str(names[place]).lower(), reverse=descending)
    expected += [place for place, name in enumerate(names) if name is None]
    for column in (tasks, tasks.astype("category")):
        assert ordered(column, np.ones(len(names), dtype=np.bool_), (Sort("name", descending),)).tolist() == expected


@pytest.mark.parametrize("filters", [Filters(), FAILED_ONLY, Filters(text="a", retryable_only=True)])
@pytest.mark.parametrize(
    "sorts",
    [
        NEWEST_FIRST,
        (Sort("status", descending=False),),
        (Sort("status", descending=True), Sort("duration_s", descending=True)),
        (Sort("owner", descending=True), Sort("name", descending=False)),
        (Sort("template", descending=False), Sort("retry_count"), Sort("created_at", descending=False)),
        (Sort("error"), Sort("parent_id"), Sort("cost", descending=False), Sort("project")),
    ],
)
def test_the_code_gives_the_same_rows_in_the_same_order(filters: Filters, sorts: tuple[Sort, ...]) -> None:
    """Pasted into Python; a search and each kind of column, missing values last."""
    result = eval(code_of(filters, sorts), {"pd": pd, "tasks": TASKS})
    positions = ordered(TASKS, matching(TASKS, filters), sorts)
    pd.testing.assert_frame_equal(result, TASKS.iloc[positions])


@given(st.lists(st.tuples(st.sampled_from("ab"), st.none() | st.integers(0, 2), st.integers(0, 9)), max_size=12))
def test_several_columns_order_as_python_would(rows: list[tuple[str, int | None, int]]) -> None:
    """The first decides, the next among equals; what has no value comes last in its group."""
    tasks = pd.DataFrame({"a": [row[0] for row in rows], "b": pd.array([row[1] for row in rows], dtype="Int64")})
    expected = sorted(
        range(len(rows)), key=lambda place: (rows[place][0], rows[place][1] is None, -(rows[place][1] or 0))
    )
    sorts = (Sort("a", descending=False), Sort("b", descending=True))
    assert ordered(tasks, np.ones(len(rows), dtype=np.bool_), sorts).tolist() == expected


def test_a_column_joins_turns_and_goes() -> None:
    """The usual order gives way at once; the last one that goes brings it back; four at most."""
    sorts = then_by(NEWEST_FIRST, "owner")
    assert sorts == (Sort("owner", descending=False),)
    sorts = then_by(sorts, "cost")
    assert sorts == (Sort("owner", descending=False), Sort("cost", descending=True))
    assert then_by(sorts, "owner") == (Sort("owner", descending=True), Sort("cost", descending=True))
    assert then_by(then_by(sorts, "owner"), "owner") == (Sort("cost", descending=True),)
    assert then_by((Sort("cost", descending=False),), "cost") == NEWEST_FIRST
    for column in ("name", "error", "status"):
        sorts = then_by(sorts, column)
    assert [sort.column for sort in sorts] == ["owner", "cost", "name", "status"]
    assert sorted_by(sorts, "owner") == (Sort("owner", descending=False),)


def test_a_span_begins_at_a_whole_minute() -> None:
    """So that looking twice within it asks for the same rows."""
    now = datetime(2026, 11, 25, 12, 30, 59, 7, tzinfo=UTC)
    assert start_of("24h", now) == datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


def test_values_are_counted() -> None:
    """In all rows or in some; missing ones and those that do not occur are left out."""
    assert counted(TASKS, "owner") == {"anna": 1, "li.wei": 4}
    assert counted(TASKS, "owner", np.array([0, 4])) == {"anna": 1}
    assert counted(TASKS, "owner", np.array([], dtype=np.intp)) == {}


def test_only_what_occurs_is_offered() -> None:
    """A dropdown lists the values in the frame, sorted, without missing ones."""
    assert choices(TASKS, "template") == ("other", "sales_report")
    assert choices(TASKS.iloc[:0], "template") == ()
    assert choices(pd.concat([TASKS, TASKS], ignore_index=True), "project") == ("sales",)

"""How the table is ordered, and what its filters offer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.frames.filters import Filters, matching
from retry_toolkit.panels.state.query import FAILED_ONLY, Sort, choices, ordered
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


def test_only_what_occurs_is_offered() -> None:
    """A dropdown lists the values in the frame, sorted, without missing ones."""
    assert choices(TASKS, "template") == ("other", "sales_report")
    assert choices(TASKS.iloc[:0], "template") == ()
    assert choices(pd.concat([TASKS, TASKS], ignore_index=True), "project") == ("sales",)

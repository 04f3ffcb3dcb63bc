"""Which tasks match, and in which order."""

from __future__ import annotations

import pandas as pd
import pytest

from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.panels.state.query import ACTIVE, Filters, Sort, choices, matching, ordered
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


def ids(filters: Filters, sort: Sort | None = None) -> list[str]:
    """Ids that match, in order."""
    positions = ordered(TASKS, matching(TASKS, filters), sort or Sort())
    return [str(task_id) for task_id in TASKS["task_id"].iloc[positions]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), ["00123", "1e5", "[x].*"]),
        (Filters(status=None), ["00123", "1e5", "NA", "run", "wait", "[x].*"]),
        (Filters(status=ACTIVE), ["run", "wait"]),
        (Filters(status="cancelled"), []),
        (Filters(template="other"), ["1e5"]),
        (Filters(template="never seen"), []),
        (Filters(status=None, project="sales", template="sales_report"), ["00123", "run", "wait", "[x].*"]),
        (Filters(failure_category="tool_error", failed_stage="join"), ["00123", "1e5", "[x].*"]),
        (Filters(retryable_only=True), ["1e5", "[x].*"]),
        (Filters(refusal="limit_reached"), ["00123"]),
        (Filters(status=None, text="销售"), ["1e5"]),
        (Filters(status=None, text=" ANNA "), ["00123"]),
        (Filters(status=None, text="[x].*"), ["[x].*"]),
        (Filters(text="50% of (rows) ["), ["[x].*"]),
        (Filters(text="00123"), ["00123"]),
    ],
)
def test_filters(filters: Filters, expected: list[str]) -> None:
    """Each filter lets through what it says; a search is plain text over name, id, error and owner."""
    assert ids(filters) == expected


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
    assert ids(Filters(status=None), sort) == expected


def test_only_what_occurs_is_offered() -> None:
    """A dropdown lists the values in the frame, sorted, without missing ones."""
    assert choices(TASKS, "template") == ("other", "sales_report")
    assert choices(TASKS.iloc[:0], "template") == ()
    assert choices(pd.concat([TASKS, TASKS], ignore_index=True), "project") == ("sales",)

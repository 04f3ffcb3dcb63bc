"""Filters: each lets through what it says, and does what the pandas code that it prints does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.frames.filters import ACTIVE, Filters, filter_tasks, matching
from tests.frames.records import HOSTILE, START, stage, task

FAILED = stage(name="join", failure_category="tool_error", error="ValueError: row 1")
TASKS = tasks_frame(
    [
        task("00123", hours=9, owner="anna", stages=(FAILED,), refusal="limit_reached", project="sales"),
        task("1e5", hours=8, name="销售日报", template="other", stages=(FAILED,), project="sales"),
        task("NA", hours=7, status="succeeded", refusal="not_failed", finished_at=START + timedelta(hours=9)),
        task("run", hours=6, status="running", project="sales", refusal="not_failed"),
        task("wait", hours=5, status="pending", owner="bob", refusal="not_failed"),
        task("[x].*", hours=4, error="ValueError: 50% of (rows) [bad]"),
        task("undated", created_at=None, status="cancelled", error="STRASSE ſtop K", refusal="not_failed"),
    ]
)


def ids(filters: Filters, limit: int | None = None) -> list[str]:
    """Ids that match, in order."""
    return [str(task_id) for task_id in filter_tasks(TASKS, filters, limit=limit)["task_id"]]


def run(filters: Filters, tasks: pd.DataFrame) -> pd.DataFrame:
    """What the printed code gives."""
    result: pd.DataFrame = eval(filters.code(), {"pd": pd, "tasks": tasks})
    return result


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), ["00123", "1e5", "NA", "run", "wait", "[x].*", "undated"]),
        (Filters(status="failed"), ["00123", "1e5", "[x].*"]),
        (Filters(status=ACTIVE), ["run", "wait"]),
        (Filters(status=(ACTIVE, "cancelled")), ["run", "wait", "undated"]),
        (Filters(status=()), []),
        (Filters(status="skipped"), []),
        (Filters(template="other"), ["1e5"]),
        (Filters(template="never seen"), []),
        (Filters(owner=("anna", "bob", "nobody")), ["00123", "wait"]),
        (Filters(status="failed", project="sales", template="other"), ["1e5"]),
        (Filters(failure_category="tool_error", failed_stage="join"), ["00123", "1e5"]),
        (Filters(fingerprint="ValueError: row *"), ["00123", "1e5"]),
        (Filters(refusal="limit_reached"), ["00123"]),
        (Filters(status="failed", retryable_only=True), ["1e5", "[x].*"]),
        (Filters(since=START + timedelta(hours=8)), ["00123", "1e5"]),
        (Filters(since=datetime(2026, 1, 1, 5), until=START + timedelta(hours=8)), ["NA", "run", "wait"]),
        (Filters(ended_since=START + timedelta(hours=9)), ["NA"]),
        (Filters(ended_since=START + timedelta(hours=10)), []),
        (Filters(task_ids=("run", "1e5", "never seen")), ["1e5", "run"]),
        (Filters(task_ids=()), []),
        (Filters(text="销售"), ["1e5"]),
        (Filters(text=" ANNA "), ["00123"]),
        (Filters(text="[x].*"), ["[x].*"]),
        (Filters(text="50% of (rows) ["), ["[x].*"]),
        (Filters(text="00123"), ["00123"]),
        (Filters(text="valueerror", status="failed", project="sales"), ["00123", "1e5"]),
        (Filters(text="\ud800"), []),
        (Filters(text="  "), ["00123", "1e5", "NA", "run", "wait", "[x].*", "undated"]),
    ],
)
def test_each_filter_lets_through_what_it_says(filters: Filters, expected: list[str]) -> None:
    """A search is plain text over id, name, owner and error; the printed code does the same."""
    assert ids(filters) == expected
    pd.testing.assert_frame_equal(run(filters, TASKS), filter_tasks(TASKS, filters))
    assert TASKS["task_id"][matching(TASKS, filters)].tolist() == expected


def test_the_code_reads_like_pandas() -> None:
    """One line a filter; without filters it is the frame."""
    code = Filters(status="failed", project=("a", "it's"), since=START, retryable_only=True).code("frame")
    assert code.splitlines() == [
        "frame[",
        """    (frame["status"] == 'failed')""",
        """    & frame["project"].isin(['a', "it's"])""",
        """    & (frame["created_at"] >= pd.Timestamp('2026-01-01T00:00:00+00:00'))""",
        """    & frame["retryable"].fillna(False)""",
        "]",
    ]
    assert Filters().code() == "tasks"


WORDS = st.sampled_from(["failed", "succeeded", "running", "sales", "销售", "it's", "never seen", *HOSTILE])
CHOICES = st.none() | WORDS | st.lists(WORDS, max_size=3).map(tuple)
TIMES = st.none() | st.datetimes(datetime(2025, 12, 31), datetime(2026, 1, 2), timezones=st.just(UTC))
TEXT = st.sampled_from(["", "a", "A", "K", "ſ", "ẞ", "İ", ".*", "销", "\\", "'", '"', "\n", "\x00"]) | st.text(
    max_size=3
)
RECORDS = st.builds(
    task,
    st.sampled_from(["1", "kK", "ß", *HOSTILE]),
    hours=st.integers(-30, 30),
    finished_at=st.none() | st.just(START),
    status=st.sampled_from(["failed", "succeeded", "running", "pending"]),
    name=st.none() | TEXT,
    owner=st.none() | WORDS,
    project=st.none() | WORDS,
    error=st.none() | TEXT,
    refusal=st.sampled_from([None, "not_failed", "read_only"]),
)
FILTERS = st.builds(
    Filters,
    status=CHOICES,
    project=CHOICES,
    owner=CHOICES,
    fingerprint=CHOICES,
    since=TIMES,
    until=TIMES,
    ended_since=TIMES,
    task_ids=st.none() | st.lists(WORDS, max_size=3).map(tuple),
    retryable_only=st.booleans(),
    text=TEXT,
)


@given(st.lists(RECORDS, max_size=12), FILTERS, st.integers(0, 4))
def test_the_code_does_the_same(records: list[Any], filters: Filters, limit: int) -> None:
    """Whatever the tasks and the filters, hostile text included; a limit gives the first of them."""
    tasks = tasks_frame(records)
    expected = run(filters, tasks)
    pd.testing.assert_frame_equal(filter_tasks(tasks, filters), expected)
    pd.testing.assert_frame_equal(filter_tasks(tasks, filters, limit=limit), expected.head(limit))


def test_a_limit_is_reached_over_many_rows() -> None:
    """Hits that lie far apart are found in order, and no more than wanted."""
    count = 70_000
    tasks = tasks_frame([task(f"t{number}", hours=-number, created_at=None) for number in range(count)])
    expected = [f"t{number}" for number in range(count) if "000" in str(number)]
    for limit in (1, 50, 1000):
        assert filter_tasks(tasks, Filters(text="000"), limit=limit)["task_id"].tolist() == expected[:limit]


def test_joined_frames_hold_text_and_are_filtered_the_same() -> None:
    """Categories that differ become text when frames are joined."""
    words = TASKS.select_dtypes("category").columns
    joined = TASKS.astype(dict.fromkeys(words, "str"))
    wanted = Filters(status="failed", project="sales", text="row 1")
    assert filter_tasks(joined, wanted)["task_id"].tolist() == ids(wanted)


def test_a_negative_limit_is_a_slip() -> None:
    """It would silently drop rows from the end."""
    with pytest.raises(ValueError, match="negative"):
        filter_tasks(TASKS, Filters(), limit=-1)

"""Failures grouped by cause."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.analysis.failures import BUCKETS, group_failures
from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.frames.schema import GROUPS
from retry_toolkit.platforms.base import TaskRecord
from tests.frames.records import START, stage, task


def failing(name: str, hours: float | None, error: str | None, where: str = "check", **fields: Any) -> TaskRecord:
    """A task that failed at a stage with this message."""
    failed = stage(name, where, error=error, failure_category=fields.pop("category", "semantic"))
    created = None if hours is None else START + timedelta(hours=hours)
    return task(name, created_at=created, stages=(failed,), **fields)


def at_hours(error: str, *hours: float) -> list[TaskRecord]:
    """Failures of one cause."""
    return [failing(f"{error}{number}", hour, error) for number, hour in enumerate(hours)]


def test_one_cause_is_one_row() -> None:
    """The most frequent first, with its newest example; tasks that did not fail are left out."""
    records = [
        failing("a", 1, "row 1 is bad"),
        failing("b", 5, "row 2 is bad", refusal="limit_reached"),
        failing("c", 3, "row 3 is bad", "load", category="resource"),
        failing("d", 9, "disk full"),
        failing("e", 2, None, category=None),
        task("f", status="succeeded", error="row 7 is bad"),
    ]
    frame = group_failures(tasks_frame(records))
    assert frame["fingerprint"].astype("object").where(frame["fingerprint"].notna(), None).tolist() == [
        "row * is bad",
        "disk full",
        None,
    ]
    assert (frame["count"].tolist(), frame["share"].tolist()) == ([3, 1, 1], [0.6, 0.2, 0.2])
    assert frame["tasks"].tolist() == [["b", "c", "a"], ["d"], ["e"]]
    assert frame["stages"].tolist() == [["check", "load"], ["check"], ["check"]]
    assert frame["categories"].tolist() == [["semantic", "resource"], ["semantic"], []]
    first = frame.iloc[0]
    assert (first["retryable"], first["example_id"], first["example"]) == (2, "b", "row 2 is bad")
    assert (first["first_seen"], first["last_seen"]) == (START + timedelta(hours=1), START + timedelta(hours=5))


def test_joined_frames_hold_text_and_are_grouped_the_same() -> None:
    """Categories that differ become text when frames are joined."""
    tasks = tasks_frame([*at_hours("x", 1, 2), failing("y", 3, "y", "load")])
    joined = tasks.astype(dict.fromkeys(tasks.select_dtypes("category").columns, "str"))
    pd.testing.assert_frame_equal(group_failures(joined), group_failures(tasks))


def test_error_codes_are_causes_of_their_own() -> None:
    """Exit 137 is not 139, and HTTP 500 is not 503."""
    errors = ["exit code 137 of job 1", "exit code 139 of job 2", "HTTP 500 from a1", "HTTP 503 from a2", "退出码 9"]
    frame = group_failures(tasks_frame([failing(error, 0, error) for error in errors]))
    assert len(frame) == len(errors)


@pytest.mark.parametrize(
    ("hours", "trend", "counts"),
    [
        ([0, 1, 2, 6, 7], "steady", [1, 1, 1, 0, 0, 0, 1, 1]),
        ([1, 5, 5, 6, 7, 7], "rising", [0, 1, 0, 0, 0, 2, 1, 2]),
        ([0, 0, 0, 1, 2, 3, 7], "falling", [3, 1, 1, 1, 0, 0, 0, 1]),
        ([6.5], "new", [0, 0, 0, 0, 0, 0, 1, 0]),
        ([0, 0, 0, 7], None, [3, 0, 0, 0, 0, 0, 0, 1]),
        ([None, None, None, None, 3], None, [0, 0, 0, 1, 0, 0, 0, 0]),
        ([None], None, [0] * 8),
    ],
)
def test_a_trend_is_told_from_enough_failures(hours: list[float], trend: str | None, counts: list[int]) -> None:
    """By the halves of eight hours, of which another cause marks both ends."""
    frame = group_failures(tasks_frame([*at_hours("x", *hours), *at_hours("marks", 0, *[8] * 9)]))
    row = frame[frame["fingerprint"] == "x"].iloc[0]
    assert (None if pd.isna(row["trend"]) else row["trend"], row["counts"]) == (trend, counts)


def test_failures_at_one_moment_show_no_trend() -> None:
    """No time has passed in which anything could rise or fall."""
    assert group_failures(tasks_frame(at_hours("x", *[3] * 9)))["trend"].isna().tolist() == [True]


def test_columns_and_dtypes_are_those_of_the_schema() -> None:
    """Also when nothing failed."""
    for records in ([], [task("a", status="running")], [task("b")], at_hours("x", 1, 2)):
        frame = group_failures(tasks_frame(records))
        assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
            (column.name, column.dtype) for column in GROUPS
        ]


FAILURES = st.builds(
    failing,
    st.uuids().map(str),
    st.none() | st.integers(0, 40),
    st.sampled_from([None, "one", "two 2", "three"]),
    st.sampled_from(["load", "check", "render"]),
    category=st.sampled_from([None, "resource", "semantic"]),
    refusal=st.sampled_from([None, "limit_reached"]),
    status=st.sampled_from(["failed", "failed", "succeeded"]),
)


@given(st.lists(FAILURES, max_size=25))
def test_groups_are_what_counting_by_hand_gives(records: list[TaskRecord]) -> None:
    """Every column, task by task."""
    tasks = tasks_frame(records)
    failed = [row for row in tasks.to_dict("records") if row["status"] == "failed"]
    times = [row["created_at"] for row in failed if not pd.isna(row["created_at"])]
    found = group_failures(tasks)
    assert found["count"].tolist() == sorted(found["count"].tolist(), reverse=True)
    assert found["count"].sum() == len(failed)
    for group in found.to_dict("records"):
        name = group["fingerprint"]
        rows = [row for row in failed if str(row["fingerprint"]) == str(name)]
        assert group["tasks"] == [row["task_id"] for row in rows]
        assert (group["count"], group["share"]) == (len(rows), len(rows) / len(failed))
        assert group["retryable"] == sum(bool(row["retryable"]) for row in rows)
        assert (group["example_id"], group["stages"]) == (rows[0]["task_id"], frequent(rows, "failed_stage"))
        assert group["categories"] == frequent(rows, "failure_category")
        dated = [row["created_at"] for row in rows if not pd.isna(row["created_at"])]
        assert [group["first_seen"], group["last_seen"]] == ([min(dated), max(dated)] if dated else [pd.NaT, pd.NaT])
        span = max(times, default=None) != min(times, default=None) and max(times) - min(times)
        parts = Counter(min((time - min(times)) * BUCKETS // span, BUCKETS - 1) if span else 0 for time in dated)
        assert group["counts"] == [parts[part] for part in range(BUCKETS)]


def frequent(rows: list[dict[Any, Any]], name: str) -> list[str]:
    """Values by how often they occur, then by their letters."""
    counted = Counter(row[name] for row in rows if not pd.isna(row[name]))
    return sorted(counted, key=lambda word: (-counted[word], word))

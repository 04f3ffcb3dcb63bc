"""Failures grouped by cause."""

from __future__ import annotations

import pandas as pd

from retry_toolkit.analysis.failures import group_failures
from retry_toolkit.frames.build import tasks_frame
from tests.frames.records import START, stage, task

DTYPES = {
    "fingerprint": "category",
    "tasks": "Int64",
    "retryable": "Int64",
    "failed_stage": "category",
    "failure_category": "category",
    "first_seen": "datetime64[us, UTC]",
    "last_seen": "datetime64[us, UTC]",
    "example_id": "str",
    "example": "str",
}


def failing(name: str, hours: float, error: str | None, where: str = "check", **fields: str) -> object:
    """A task that failed at a stage with this message."""
    failed = stage(name, where, error=error, failure_category="semantic")
    return task(name, hours=hours, stages=(failed,), **fields)  # type: ignore[arg-type]  # text fields only


def test_one_cause_is_one_row() -> None:
    """The most frequent first, with its newest example; tasks that did not fail are left out."""
    records = [
        failing("a", 1, "row 1 is bad"),
        failing("b", 5, "row 2 is bad", refusal="limit_reached"),
        failing("c", 3, "row 3 is bad", "load"),
        failing("d", 9, "disk full"),
        failing("e", 2, None),
        task("f", status="succeeded", error="row 7 is bad"),
    ]
    frame = group_failures(tasks_frame(records))  # type: ignore[arg-type]  # all are records
    assert frame["fingerprint"].astype("object").where(frame["fingerprint"].notna(), None).tolist() == [
        "row * is bad",
        "disk full",
        None,
    ]
    assert frame["tasks"].tolist() == [3, 1, 1]
    first = frame.iloc[0]
    assert (first["retryable"], first["failed_stage"], first["failure_category"]) == (2, "check", "semantic")
    assert (first["example_id"], first["example"]) == ("b", "row 2 is bad")
    assert (first["first_seen"], first["last_seen"]) == (START + pd.Timedelta(hours=1), START + pd.Timedelta(hours=5))


def test_columns_and_dtypes_are_the_same_when_empty() -> None:
    """Code that works on a full frame works on an empty one."""
    for records in ([], [task("a", status="running")], [task("b")]):
        frame = group_failures(tasks_frame(records))
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES

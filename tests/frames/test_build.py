"""Building frames: columns, order and dtypes are those of the schema, and every value survives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.frames.build import (
    attempts_frame,
    build_frame,
    empty_frame,
    logs_frame,
    stages_frame,
    tasks_frame,
)
from retry_toolkit.frames.schema import ATTEMPTS, FRAMES, LOGS, STAGES, TASKS, Columns, Kind
from retry_toolkit.platforms.base import AttemptRecord, LogRecord
from tests.frames.records import HOSTILE, stage, task

TEXT = st.none() | st.text()
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    "id": TEXT,
    "text": TEXT,
    "category": TEXT,
    "time": st.none()
    | st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2900, 1, 1), timezones=st.just(UTC)),
    "seconds": st.none() | st.floats(allow_nan=False),
    "bytes": st.none() | st.integers(0, 2**63 - 1),
    "count": st.none() | st.integers(0, 2**63 - 1),
    "number": st.none() | st.floats(allow_nan=False),
    "flag": st.none() | st.booleans(),
    "texts": st.none() | st.lists(st.text(), max_size=3),
    "counts": st.none() | st.lists(st.integers(0, 2**63 - 1), max_size=3),
}


def check(frame: pd.DataFrame, columns: Columns) -> None:
    """Exactly these columns, in this order, with these dtypes."""
    assert list(frame.columns) == [column.name for column in columns]
    assert [str(dtype) for dtype in frame.dtypes] == [column.dtype for column in columns]
    for column in columns:
        if column.kind == "category":
            assert str(frame[column.name].cat.categories.dtype) == "str"


def values(series: pd.Series) -> list[Any]:
    """Plain values with None for missing."""
    return [None if not isinstance(value, list) and pd.isna(value) else value for value in series.tolist()]


@pytest.mark.parametrize("columns", FRAMES.values(), ids=FRAMES.keys())
def test_empty_frames_have_every_column_and_dtype(columns: Columns) -> None:
    """Code that works on a full frame works on an empty one."""
    frame = empty_frame(columns)
    check(frame, columns)
    assert len(frame) == 0


def test_frames_of_records_have_every_column_and_dtype() -> None:
    """Full, empty, and with nothing but missing values."""
    attempt = AttemptRecord(task_id="t", stage_id="s", stage="check", attempt=1, status="failed", error="x 1")
    line = LogRecord(task_id="t", stage=None, seq=1, time=None, kind="stdout", text="x")
    for records in ([], [task(stages=(stage(),))], [task(name=None, created_at=None)]):
        check(tasks_frame(records), TASKS)
        check(stages_frame(records), STAGES)
    for attempts in ([], [attempt]):
        check(attempts_frame(attempts), ATTEMPTS)
    for lines in ([], [line]):
        check(logs_frame(lines), LOGS)


@given(st.data(), st.sampled_from(sorted(FRAMES)), st.integers(0, 5))
def test_every_value_survives(data: st.DataObject, name: str, rows: int) -> None:
    """Texts, large numbers and times come back as they went in; None comes back missing."""
    columns = FRAMES[name]
    given_values = {
        column.name: data.draw(st.lists(VALUES[column.kind], min_size=rows, max_size=rows)) for column in columns
    }
    frame = build_frame(columns, given_values)
    check(frame, columns)
    for column in columns:
        assert values(frame[column.name]) == given_values[column.name]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str) -> None:
    """In ids, names, categories and errors."""
    frame = tasks_frame([task(text, name=text, project=text, parent_id=text, error=text)])
    row = frame.iloc[0]
    assert [row[name] for name in ("task_id", "name", "project", "parent_id", "error")] == [text] * 5
    assert tasks_frame([task(text)])["task_id"].tolist() == [text]


def test_numbers_keep_every_digit() -> None:
    """Counts past 2**53 would lose some by way of float."""
    frame = tasks_frame([task(tokens=2**53 + 1), task("u", tokens=None), task("v", tokens=2**63 - 1)])
    assert frame["tokens"].tolist() == [2**53 + 1, pd.NA, 2**63 - 1]


def test_missing_is_missing_and_nothing_else() -> None:
    """Never an empty text, 0 or the word None."""
    row = tasks_frame([task(name=None, created_at=None)]).iloc[0]
    known = {"task_id", "status", "native_status", "retryable", "stage_count"}
    assert {name for name, value in row.items() if not pd.isna(value)} == known


def test_tasks_come_newest_first() -> None:
    """Whatever the order of arrival; unknown times last; equal times keep their order."""
    records = [task("b", hours=1), task("x", created_at=None), task("c", hours=2), task("a", hours=1)]
    assert tasks_frame(records)["task_id"].tolist() == ["c", "b", "a", "x"]
    assert tasks_frame(records).index.tolist() == [0, 1, 2, 3]


def test_the_earliest_failed_stage_speaks_for_its_task() -> None:
    """Its name, error, category and attempt number; the task's own where no stage failed."""
    stages = (
        stage(name="load", status="succeeded", retry_count=9),
        stage(name="check", error="row 7", failure_category="semantic", retry_count=2, retry_limit=3),
        stage(name="render", error="later"),
    )
    own: dict[str, Any] = {"error": "hint", "failure_category": "resource", "retry_count": 1, "retry_limit": 5}
    wanted = ["failed_stage", "error", "failure_category", "fingerprint", "retry_count", "retry_limit", "stage_count"]
    frame = tasks_frame([task("a", hours=1, stages=stages, **own), task("b", **own)])[wanted]
    assert values(frame.iloc[0]) == ["check", "row 7", "semantic", "row *", 2, 3, 3]
    assert values(frame.iloc[1]) == [None, "hint", "resource", "hint", 1, 5, 0]


def test_a_task_that_recovered_keeps_the_retries_that_it_took() -> None:
    """Of the most retried stage, or of its chain if that is more."""
    stages = (stage(name="load", status="succeeded", retry_count=2), stage(name="check", status="running"))
    records = [task(status="running", stages=stages, retry_count=chain) for chain in (None, 1, 4)]
    assert tasks_frame(records)["retry_count"].tolist() == [2, 2, 4]


def test_a_refusal_means_not_retryable() -> None:
    """The platform's judgement, in two columns."""
    frame = tasks_frame([task("a"), task("b", refusal="limit_reached")])
    assert frame["retryable"].tolist() == [True, False]
    assert values(frame["refusal"]) == [None, "limit_reached"]


def test_stages_keep_the_order_of_their_template() -> None:
    """Tasks in the order given, stages by position."""
    records = [
        task("b", stages=(stage("b", "one"), stage("b", "two", position=1))),
        task("a", stages=(stage("a", "one"),)),
    ]
    frame = stages_frame(records)
    assert list(zip(frame["task_id"], frame["stage"], frame["position"], strict=True)) == [
        ("b", "one", 0),
        ("b", "two", 1),
        ("a", "one", 0),
    ]


def test_categories_are_sorted_and_those_that_occur() -> None:
    """So that sorting by a category is sorting by its name."""
    frame = tasks_frame([task("a", project="z"), task("b", project="a"), task("c", project=None)])
    assert frame["project"].cat.categories.tolist() == ["a", "z"]
    assert values(frame["project"]) == ["z", "a", None]

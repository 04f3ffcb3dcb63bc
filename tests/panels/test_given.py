"""Frames of a user as a catalog: as if their tasks had been loaded, whatever is missing or odd in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from retry_toolkit.frames.build import stages_frame, tasks_frame
from retry_toolkit.frames.schema import DTYPES, STAGES, TASKS
from retry_toolkit.panels.state.catalog_frames import Catalog
from retry_toolkit.panels.state.frames import of_tasks
from tests.frames.records import HOSTILE, START, stage, task

NOW = datetime(2026, 11, 25, tzinfo=UTC)
FAILED = stage("a", "join", error="KeyError: 'x'", failure_category="tool_error", retry_count=1, retry_limit=3)
RECORDS = [
    task(
        "a",
        hours=3,
        stages=(stage("a", "load", status="succeeded"), FAILED),
        owner="anna",
        tokens=9_007_199_254_740_993,
    ),
    task("a-again", hours=4, status="succeeded", parent_id="a", finished_at=START, refusal="not_failed"),
    *(task(text, hours=-number, name=text, error=text) for number, text in enumerate(HOSTILE) if text.strip()),
    task("undated", created_at=None, status="unknown", native_status="exploded"),
]
FRAME = tasks_frame(RECORDS)


def catalog(tasks: pd.DataFrame, stages: pd.DataFrame | None = None) -> Catalog:
    """The catalog of these frames."""
    return of_tasks(tasks, stages).as_catalog(NOW)


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """The same values and dtypes, whatever categories stand ready."""
    pd.testing.assert_frame_equal(found, expected, check_categorical=False)


def test_what_was_loaded_comes_back_as_it_was() -> None:
    """Every value and dtype; of stages all that were given, in the order of the tasks."""
    stages = stages_frame(RECORDS)
    whole = catalog(FRAME, stages)
    same(whole.tasks, FRAME)
    same(whole.stages, stages)
    assert whole.tasks.loc[whole.places["a"], "tokens"] == 9_007_199_254_740_993
    assert whole.lineage.set_index("task_id").loc["a", "tree_size"] == 2


def test_a_frame_in_any_order_is_put_newest_first() -> None:
    """Shuffled rows and stages are the same catalog; a task that occurs twice counts once."""
    stages = stages_frame(RECORDS)
    shuffled = catalog(
        pd.concat([FRAME.sample(frac=1, random_state=1), FRAME.head(1)]), stages.sample(frac=1, random_state=2)
    )
    assert shuffled.tasks["task_id"].tolist() == FRAME["task_id"].tolist()
    same(shuffled.stages, stages)


def test_without_stages_the_failed_one_is_all_there_is() -> None:
    """With its error, its attempt number and its category."""
    found = catalog(FRAME).stages
    assert found[["task_id", "stage_id", "stage", "status", "retry_count", "retry_limit"]].to_numpy().tolist() == [
        ["a", "a/join", "join", "failed", 1, 3]
    ]
    assert found["error"].tolist() == ["KeyError: 'x'"]


def test_plain_columns_are_read_as_what_their_names_say() -> None:
    """Numbers, naive times, plain objects and unknown words; what is not there is missing, and promises nothing."""
    frame = pd.DataFrame(
        {
            "task_id": [7, 8],
            "status": ["failed", "exploded"],
            "created_at": ["2026-11-25T10:00:00", None],
            "retry_count": [1.0, None],
            "owner": ["anna", None],
            "mine": [object(), object()],
        }
    )
    tasks = catalog(frame).tasks
    assert tasks["task_id"].tolist() == ["7", "8"]
    assert tasks["status"].tolist() == ["failed", "unknown"]
    assert tasks["native_status"].tolist() == ["failed", "exploded"]
    assert tasks["created_at"].tolist() == [pd.Timestamp("2026-11-25T10:00:00Z"), pd.NaT]
    assert tasks["refusal"].tolist() == ["unsupported", "unsupported"]
    assert not tasks["retryable"].any()
    assert tasks["cost"].isna().all()
    assert tasks.dtypes.astype(str).tolist() == [DTYPES[column.kind] for column in TASKS]


@pytest.mark.parametrize("bad", [{"retry_count": ["many"]}, {"created_at": ["tomorrow"]}, {"duration_s": [[1]]}])
def test_a_column_that_holds_something_else_is_named(bad: dict[str, Any]) -> None:
    """Whoever made the frame can mend it."""
    with pytest.raises(ValueError, match=f"column {next(iter(bad))} of the frame cannot be read as"):
        catalog(pd.DataFrame({"task_id": ["a"], "status": ["failed"], **bad}))


def test_an_empty_frame_is_an_empty_catalog() -> None:
    """With every column."""
    empty = catalog(FRAME.head(0), stages_frame(RECORDS).head(0))
    assert (empty.tasks.columns.tolist(), len(empty.tasks)) == ([column.name for column in TASKS], 0)
    assert (empty.stages.columns.tolist(), len(empty.stages)) == ([column.name for column in STAGES], 0)

"""Exchanging rows of large frames: dtypes and values stay, and columns stay in few pieces."""

from __future__ import annotations

from typing import Any

import pandas as pd

from retry_toolkit.frames.build import both_of, tasks_frame
from retry_toolkit.frames.columns import make_tables
from retry_toolkit.frames.records import RECORDS
from retry_toolkit.frames.splice import Cut, splice
from retry_toolkit.platforms.bulk import Batch
from tests.frames.records import task

TASKS = [task(f"t{number}", hours=-number, error=f"error {number}") for number in range(300)]


def pieces(column: pd.Series) -> int:
    """Chunks that a search looks at one by one."""
    array: Any = column.array
    return int(array.__arrow_array__().num_chunks)


def test_many_changes_leave_few_pieces() -> None:
    """Two hundred rows exchanged one by one: the frame is as if it had been built so, and quick to search."""
    frame = tasks_frame(TASKS)
    changed = list(TASKS)
    for number in range(200):
        changed[number] = task(f"t{number}", hours=-number, error=f"changed {number}", owner="bob")
        frame = splice(frame, [Cut(number, number + 1, 1)], tasks_frame([changed[number]]))
        assert pieces(frame["error"]) <= 64
    # Words that occur no more stay among the categories.
    pd.testing.assert_frame_equal(frame, tasks_frame(changed), check_categorical=False)


def test_many_changes_at_once_leave_few_pieces() -> None:
    """Rows exchanged, taken out and put in by one call: as if the frame had been built so."""
    exchanged = [task(f"t{number}", hours=-number, error=f"changed {number}") for number in range(0, 200, 2)]
    put_in = task("new", hours=-250.5, error="new")
    cuts = [*(Cut(number, number + 1, 1) for number in range(0, 200, 2)), Cut(210, 220, 0), Cut(251, 251, 1)]
    frame = splice(tasks_frame(TASKS), cuts, tasks_frame([*exchanged, put_in]))
    by_number = dict(zip(range(0, 200, 2), exchanged, strict=True))
    kept = [by_number.get(number, TASKS[number]) for number in range(300) if not 210 <= number < 220]
    assert pieces(frame["error"]) <= 64
    pd.testing.assert_frame_equal(frame, tasks_frame([*kept, put_in]), check_categorical=False)


def test_what_is_loaded_in_pages_is_in_one_piece() -> None:
    """However many pages it came in, in order or not."""
    pages = [make_tables(Batch(tuple(TASKS[start : start + 30]), RECORDS), stages=True) for start in range(0, 300, 30)]
    for batches in (pages, pages[::-1]):
        tasks, _ = both_of(batches)
        assert {pieces(tasks[name]) for name in ("task_id", "name", "error")} == {1}
        pd.testing.assert_frame_equal(tasks, tasks_frame(TASKS))

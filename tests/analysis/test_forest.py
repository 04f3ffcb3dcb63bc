"""The forest of retries: every lineage once, newest first, bounded whatever the size of the frames."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.analysis.forest import DRAWN_AT_MOST, LINEAGES_A_PAGE, Forest, grow_forest
from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.platforms.base import TaskRecord
from tests.frames.records import task

CHAIN = [
    task("root", name="日报", duration_s=10.0),
    task("again", hours=1, parent_id="root", duration_s=20.0),
    task("good", hours=5, parent_id="again", status="succeeded", duration_s=30.0),
    task("other", hours=2, parent_id="root", duration_s=None),
]
LOST = [task("lost", hours=3, duration_s=5.0), task("lost2", hours=4, parent_id="lost")]
ALONE = [task("alone", hours=9), task("fine", hours=8, status="succeeded")]


def forest_of(records: list[TaskRecord], **options: object) -> Forest:
    """The forest of these tasks."""
    tasks = tasks_frame(records)
    return grow_forest(tasks, build_lineage(tasks), **options)  # type: ignore[arg-type]  # as given


def test_trees_are_whole_and_the_newest_comes_first() -> None:
    """Retries stand below and one step right of what they retry, the older first; tasks alone are no tree."""
    forest = forest_of([*CHAIN, *LOST, *ALONE])
    assert [(row.task_id, row.level, row.parent, row.attempt) for row in forest.rows] == [
        ("root", 0, None, 0),
        ("again", 1, 0, 1),
        ("good", 2, 1, 2),
        ("other", 1, 0, 1),
        ("lost", 0, None, 0),
        ("lost2", 1, 4, 1),
    ]
    assert (forest.lineages, forest.tasks, forest.whole) == (2, 6, True)
    assert forest.rows[0].name == "日报"
    assert (forest.rows[0].seconds, forest.rows[3].seconds) == (10.0, None)


def test_outcomes_are_counted_whichever_is_wanted() -> None:
    """A choice of one outcome hides the others, and still says how many they are."""
    forest = forest_of([*CHAIN, *LOST], outcome="failed")
    assert forest.outcomes == {"recovered": 1, "failed": 1, "open": 0, "cancelled": 0, "unknown": 0}
    assert [row.task_id for row in forest.rows] == ["lost", "lost2"]
    assert (forest.lineages, forest.tasks) == (1, 2)


def test_a_lineage_matches_by_any_of_its_tasks() -> None:
    """And is then drawn with all of them."""
    tasks = tasks_frame([*CHAIN, *LOST])
    matching = (tasks["task_id"] == "good").to_numpy(dtype=np.bool_)
    forest = grow_forest(tasks, build_lineage(tasks), matching=matching)
    assert [row.task_id for row in forest.rows] == ["root", "again", "good", "other"]
    assert forest.outcomes["failed"] == 0


def test_unknown_bytes_are_not_nothing() -> None:
    """An original adds nothing; a retry's size is known, asked for in vain, or was never asked for."""
    forest = forest_of(CHAIN, disk={"root": 0, "again": 7, "good": None})
    told = {row.task_id: (row.extra_bytes, row.bytes_unknown) for row in forest.rows}
    assert told == {"root": (None, False), "again": (7, False), "good": (None, True), "other": (None, False)}


def test_orphans_and_circles_are_marked_and_drawn_once() -> None:
    """A task whose original is gone is a root; a circle is cut at its oldest task and keeps its place."""
    records = [
        task("orphan", hours=9, parent_id="gone"),
        task("a", hours=1, parent_id="b"),
        task("b", hours=2, parent_id="a"),
        task("self", hours=0, parent_id="self"),
        task("q", hours=-4, parent_id="p"),
        task("p", hours=-5),
    ]
    rows = {row.task_id: row for row in forest_of(records).rows}
    assert list(rows) == ["orphan", "a", "b", "self", "p", "q"]
    assert (rows["orphan"].orphan, rows["orphan"].level) == (True, 0)
    assert [(rows[name].cycle, rows[name].level) for name in ("a", "b", "self")] == [(True, 0), (True, 1), (True, 0)]


def test_above_the_bound_a_lineage_is_one_row_and_one_is_opened() -> None:
    """With sums over its tasks; the opened one shows its own."""
    records = [*CHAIN, *LOST]
    forest = forest_of(records, drawn_at_most=5, disk={"again": 7, "good": None})
    assert [(row.task_id, row.stands_for, row.status, row.tasks) for row in forest.rows] == [
        ("root", "lineage", "recovered", 4),
        ("lost", "lineage", "failed", 2),
    ]
    assert (forest.rows[0].seconds, forest.rows[0].extra_bytes, forest.rows[0].bytes_unknown) == (60.0, 7, True)
    assert forest.rows[0].created_at == max(record.created_at for record in CHAIN if record.created_at)
    opened = forest_of(records, drawn_at_most=5, opened="lost")
    assert [(row.task_id, row.stands_for, row.parent) for row in opened.rows] == [
        ("root", "lineage", None),
        ("lost", "opened", None),
        ("lost2", "task", 1),
    ]


def test_lineages_come_in_pages() -> None:
    """A page that there is not is the nearest."""
    records = [
        record
        for number in range(LINEAGES_A_PAGE + 1)
        for record in (task(f"t{number}", hours=-number), task(f"r{number}", hours=-number, parent_id=f"t{number}"))
    ]
    first, last = (forest_of(records, drawn_at_most=10, page=page) for page in (0, 9))
    assert (first.page, first.pages, len(first.rows)) == (0, 2, LINEAGES_A_PAGE)
    assert (last.page, len(last.rows), last.rows[0].task_id) == (1, 1, f"t{LINEAGES_A_PAGE}")


def test_a_chain_of_a_hundred_thousand_is_drawn_in_part() -> None:
    """Its newest tasks and its root; what is left out is counted."""
    count = 100_000
    ids = pd.Series([f"t{number}" for number in range(count)])[::-1].reset_index(drop=True)
    tasks = tasks_frame([task("t0")]).reindex([0] * count).reset_index(drop=True)
    parents = [f"t{number - 1}" if number else None for number in range(count)][::-1]
    tasks = tasks.assign(task_id=ids, parent_id=pd.Series(parents, dtype="str"))
    forest = grow_forest(tasks, build_lineage(tasks), opened="t0")
    assert len(forest.rows) == DRAWN_AT_MOST
    assert forest.left_out == count - DRAWN_AT_MOST
    assert {forest.rows[0].task_id, forest.rows[-1].task_id} == {"t0", f"t{count - 1}"}
    assert [row.level for row in forest.rows[:4]] == [0, 1, 2, 3]
    assert [row.parent for row in forest.rows[:4]] == [None, None, 1, 2]


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.one_of(st.none(), st.sampled_from("abcdefghxyz")), min_size=1),
    st.sampled_from([3, 100]),
)
def test_any_links_give_each_task_at_most_one_row(parents: dict[str, str | None], most: int) -> None:
    """Parents stand above; every lineage has a row; what is not drawn whole is counted."""
    records = [task(name, hours=-number, parent_id=parent) for number, (name, parent) in enumerate(parents.items())]
    forest = forest_of(records, drawn_at_most=most)
    drawn = [row.task_id for row in forest.rows]
    assert len(drawn) == len(set(drawn))
    assert all(row.parent is None or row.parent < number for number, row in enumerate(forest.rows))
    assert sum(row.tasks for row in forest.rows if row.level == 0) == forest.tasks
    assert sum(forest.outcomes.values()) == forest.lineages


@pytest.mark.parametrize("most", [1, 100])
def test_no_retries_make_no_forest(most: int) -> None:
    """Nor does an empty frame."""
    for records in (ALONE, []):
        forest = forest_of(records, drawn_at_most=most)
        assert (forest.rows, forest.lineages, forest.whole) == ((), 0, True)

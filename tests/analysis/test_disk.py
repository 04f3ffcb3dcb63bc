"""Disk cost: the formula, and unknown that stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from retry_toolkit.analysis.disk import disk_by_root, disk_cost, load_disk
from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.frames.schema import DISK
from retry_toolkit.platforms.base import FileRecord, Method, TaskFiles, TaskRecord
from tests.frames.records import RecordedPlatform, task

KEPT = datetime(2026, 2, 1, tzinfo=UTC)


def files(task_id: str, method: Method, *sizes: int | None, exists: bool | None = True) -> TaskFiles:
    """Files of a task, all of one method."""
    entries = (FileRecord(name=str(n), size_bytes=size, exists=exists, method=method) for n, size in enumerate(sizes))
    return TaskFiles(task_id=task_id, files=tuple(entries), retention_until=KEPT)


def chain(*names: str) -> list[TaskRecord]:
    """Tasks that each retry the one before."""
    return [task(name, hours=n, parent_id=names[n - 1] if n else None) for n, name in enumerate(names)]


def values(frame: pd.DataFrame, name: str) -> dict[str, Any]:
    """One column by task, None for missing."""
    return {
        task_id: None if pd.isna(value) else value for task_id, value in zip(frame["task_id"], frame[name], strict=True)
    }


TREE = chain("root", "copy", "link", "copy2")
TREE_FILES = [
    files("root", "original", 10, 5),
    files("copy", "copied", 10, 5),
    files("link", "linked", 10, 5),
    files("copy2", "copied", 10, 5),
]


def test_the_formula() -> None:
    """Extra space is the original's size times the number of retries that copied; links cost nothing."""
    cost = disk_cost(TREE_FILES, tasks_frame(TREE))
    assert values(cost, "extra_bytes") == {"copy2": 15, "link": 0, "copy": 15, "root": 0}
    assert values(cost, "method") == {"copy2": "copied", "link": "linked", "copy": "copied", "root": "original"}
    assert cost["extra_bytes"].sum() == 15 * 2
    assert set(cost["retention_until"]) == {KEPT}


def test_columns_and_dtypes_are_those_of_the_schema() -> None:
    """Also when empty, and from a lineage as from tasks."""
    tasks = tasks_frame(TREE)
    for frame in (disk_cost(TREE_FILES, tasks), disk_cost([], tasks_frame([])), disk_cost([], build_lineage(tasks))):
        assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
            (item.name, item.dtype) for item in DISK
        ]
    pd.testing.assert_frame_equal(disk_cost(TREE_FILES, tasks), disk_cost(TREE_FILES, build_lineage(tasks)))


@pytest.mark.parametrize(
    ("entry", "method", "extra"),
    [
        (None, "unknown", None),
        (files("copy", "copied", None), "copied", 15),
        (files("copy", "unknown", 7), "unknown", None),
        (files("copy", "linked", None), "linked", 0),
        (files("copy", "copied"), "unknown", None),
        (
            TaskFiles(task_id="copy", files=files("copy", "copied", 1).files + files("copy", "linked", 2).files),
            "copied",
            15,
        ),
        (
            TaskFiles(task_id="copy", files=files("copy", "copied", 1).files + files("copy", "unknown", 2).files),
            "unknown",
            None,
        ),
    ],
)
def test_a_retry_of_unknown_method_costs_what_nobody_knows(
    entry: TaskFiles | None, method: str, extra: int | None
) -> None:
    """The original's size counts, not the copy's; one copied file makes it a copy, one unknown file unknown."""
    known = [files("root", "original", 10, 5)] + ([entry] if entry else [])
    cost = disk_cost(known, tasks_frame(chain("root", "copy")))
    assert values(cost, "method") == {"copy": method, "root": "original"}
    assert values(cost, "extra_bytes") == {"copy": extra, "root": 0}


def test_an_original_of_unknown_size_is_replaced_by_the_copy() -> None:
    """Its copy has the same size; where neither is known, the cost is not."""
    tree = tasks_frame(chain("root", "copy"))
    assert values(disk_cost([files("copy", "copied", 7)], tree), "extra_bytes")["copy"] == 7
    assert (
        values(disk_cost([files("root", "original", None), files("copy", "copied", 7)], tree), "extra_bytes")["copy"]
        == 7
    )
    assert values(disk_cost([files("copy", "copied", None)], tree), "extra_bytes")["copy"] is None


def test_missing_files_are_counted_where_that_is_known() -> None:
    """Unknown is not none missing."""
    tree = tasks_frame([task("a"), task("b"), task("c"), task("d")])
    known = [
        files("a", "original", 1, 2, exists=False),
        files("b", "original", 1),
        files("c", "original", 1, exists=None),
    ]
    assert values(disk_cost(known, tree), "missing_files") == {"a": 2, "b": 0, "c": None, "d": None}


def test_large_sizes_keep_every_byte() -> None:
    """Sums past 2**53 are exact."""
    size = 2**53 + 1
    tree = [files("root", "original", size), files("copy", "copied", size), files("copy2", "copied", size)]
    by_root = disk_by_root(disk_cost(tree, tasks_frame(chain("root", "copy", "copy2"))))
    assert by_root["extra_bytes"].tolist() == [2 * size]


def test_by_root_sets_copied_against_linked() -> None:
    """Dearest lineage first; unknown retries are counted and not summed; tasks without retries are left out."""
    others = [*chain("small", "s1"), *chain("dark", "d1"), task("alone")]
    known = [*TREE_FILES, files("small", "original", 3), files("s1", "copied", 3), files("alone", "original", 99)]
    frame = disk_by_root(disk_cost(known, tasks_frame(TREE + others)))
    rows = frame.astype("object").where(frame.notna(), None).values.tolist()
    assert list(frame.columns) == ["root_id", "retries", "copied", "linked", "unknown", "original_bytes", "extra_bytes"]
    assert rows == [
        ["root", 3, 2, 1, 0, 15, 30],
        ["small", 1, 1, 0, 0, 3, 3],
        ["dark", 1, 0, 0, 1, None, 0],
    ]


def test_by_root_of_nothing_is_empty() -> None:
    """With its dtypes."""
    frame = disk_by_root(disk_cost([], tasks_frame([])))
    assert len(frame) == 0
    assert [str(dtype) for dtype in frame.dtypes] == ["str"] + ["Int64"] * 6


def test_loading_asks_for_the_chosen_tasks_and_their_roots() -> None:
    """The formula needs the original's size; the rows are those that were asked for."""
    source = RecordedPlatform(TREE, files=TREE_FILES)
    cost = load_disk(source.platform, ["copy2"])
    assert values(cost, "extra_bytes") == {"copy2": 15}
    assert sorted(asked for asked in source.asked if isinstance(asked, str)) == ["copy2", "root"]
    assert len(load_disk(source.platform)) == 4

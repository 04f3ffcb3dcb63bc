"""Disk cost: the formula, and unknown that stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from retry_toolkit.analysis.disk import disk_cost, load_disk
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
            1,
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
    """The sizes of what was copied count, else the original's; one copied file makes it a copy, one unknown unknown."""
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


def test_the_best_that_is_known_counts() -> None:
    """Blocks before sizes, sizes before the formula, and the formula where only the number of retries is known."""
    names = ("root", "blocks", "sizes", "formula", "counted", "linked")
    listed = [
        files("root", "original", 10),
        files("blocks", "copied", 10),
        files("sizes", "copied", 12),
        files("formula", "copied", None),
        files("linked", "linked", 10),
    ]
    blocks = {"root": 4096, "blocks": 8192, "sizes": None}
    cost = disk_cost(listed, tasks_frame(chain(*names)), allocated=blocks, unlisted="copied")
    assert values(cost, "extra_bytes") == {
        "root": 0, "blocks": 8192, "sizes": 12, "formula": 10, "counted": 10, "linked": 0
    }  # fmt: skip
    assert values(cost, "basis") == {
        "root": "sizes", "blocks": "blocks", "sizes": "sizes", "formula": "formula", "counted": "formula",
        "linked": "sizes",
    }  # fmt: skip
    assert values(cost, "allocated_bytes") == dict.fromkeys(names) | {"root": 4096, "blocks": 8192}
    assert values(disk_cost(listed, tasks_frame(chain(*names))), "basis")["counted"] == "unknown"


def test_missing_files_are_counted_where_that_is_known() -> None:
    """Unknown is not none missing."""
    tree = tasks_frame([task("a"), task("b"), task("c"), task("d")])
    known = [
        files("a", "original", 1, 2, exists=False),
        files("b", "original", 1),
        files("c", "original", 1, exists=None),
    ]
    assert values(disk_cost(known, tree), "missing_files") == {"a": 2, "b": 0, "c": None, "d": None}


def test_loading_asks_for_the_chosen_tasks_and_their_roots() -> None:
    """The formula needs the original's size; the rows are those that were asked for."""
    source = RecordedPlatform(TREE, files=TREE_FILES)
    cost = load_disk(source.platform, ["copy2"])
    assert values(cost, "extra_bytes") == {"copy2": 15}
    assert sorted(asked for asked in source.asked if isinstance(asked, str)) == ["copy2", "root"]
    assert len(load_disk(source.platform)) == 4


def test_loading_reads_blocks_where_the_files_lie_here(tmp_path: Path) -> None:
    """A retry that has the original's file by a hard link adds nothing, one with a copy its blocks."""
    source = RecordedPlatform(TREE, files=TREE_FILES)
    for name in ("root", "copy", "link"):
        (tmp_path / name).mkdir()
    (tmp_path / "root" / "data").write_bytes(b"x" * 5000)
    (tmp_path / "copy" / "data").write_bytes(b"x" * 5000)
    (tmp_path / "link" / "data").hardlink_to(tmp_path / "root" / "data")
    cost = load_disk(source.platform, paths={name: tmp_path / name for name in ("link", "copy", "root")})
    blocks = (tmp_path / "root" / "data").stat().st_blocks * 512
    assert values(cost, "extra_bytes") == {"root": 0, "copy": blocks, "link": 0, "copy2": 15}
    assert values(cost, "basis") == {"root": "sizes", "copy": "blocks", "link": "blocks", "copy2": "sizes"}

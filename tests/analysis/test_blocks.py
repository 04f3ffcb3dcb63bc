"""What files occupy: blocks, once for each file, and never a guess."""

from __future__ import annotations

import os
from pathlib import Path

from retry_toolkit.analysis.blocks import allocated_bytes


def blocks(path: Path) -> int:
    """Bytes that one file occupies."""
    return path.stat().st_blocks * 512


def test_holes_occupy_nothing_and_small_files_a_block(tmp_path: Path) -> None:
    """Lengths lie both ways; directories are walked."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    small = tmp_path / "deep" / "er" / "small"
    small.write_bytes(b"x")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(100 * 2**20)
    found = allocated_bytes({"task": tmp_path})["task"]
    assert found == blocks(small) + blocks(tmp_path / "sparse")
    assert found < 2**20
    assert allocated_bytes({"file": str(small)}) == {"file": blocks(small)}


def test_hard_links_count_once_for_the_first(tmp_path: Path) -> None:
    """Within a task and between tasks."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (first / "a").write_bytes(b"x" * 9000)
    os.link(first / "a", first / "b")
    os.link(first / "a", second / "c")
    (second / "own").write_bytes(b"y" * 9000)
    found = allocated_bytes({"first": first, "second": second})
    assert found == {"first": blocks(first / "a"), "second": blocks(second / "own")}


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Neither to files elsewhere nor in a circle."""
    (tmp_path / "elsewhere").write_bytes(b"x" * 9000)
    task = tmp_path / "task"
    task.mkdir()
    (task / "circle").symlink_to(task)
    (task / "out").symlink_to(tmp_path / "elsewhere")
    assert allocated_bytes({"task": task}) == {"task": 0}


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """And charges nobody: the next task pays for what they share."""
    shared = tmp_path / "shared"
    shared.write_bytes(b"x" * 9000)
    assert allocated_bytes({"gone": tmp_path / "gone", "here": shared}) == {"gone": None, "here": blocks(shared)}

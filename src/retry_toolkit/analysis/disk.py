"""What whole retries cost on disk, from the best that is known of each: blocks, sizes of files, or the formula.

The formula is `extra = size of the original input x number of retries that copied`. Linked retries cost nothing. An
unknown size or method stays unknown: it is never counted as 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from retry_toolkit.analysis.blocks import allocated_bytes
from retry_toolkit.analysis.lineage import build_lineage, load_lineage
from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.load import Tasks, read_files, task_ids
from retry_toolkit.frames.schema import DISK
from retry_toolkit.platforms.base import Method, Platform, TaskFiles


@describes(DISK)
def load_disk(
    platform: Platform,
    tasks: Tasks | None = None,
    *,
    paths: Mapping[str, Path | str] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Disk that tasks use and that retries add, one row a task.

    Args:
        platform: Where to read, from `connect()`.
        tasks: Which tasks: a frame with `task_id`, ids, or records; None for all. Their lineage is that of all tasks.
            One request a task.
        paths: Where the input files of tasks lie on this machine, for blocks instead of sizes.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.

    Source: `GET /api/tasks/{id}/files` (embedded platform); elsewhere all sizes are unknown.
    """
    lineage = load_lineage(platform, progress=progress)
    wanted = lineage if tasks is None else lineage[lineage["task_id"].isin(task_ids(tasks))]
    # The formula needs the originals of the wanted retries too.
    asked = pd.concat([wanted["task_id"], wanted["root_id"]]).unique()
    files = read_files(platform, asked.tolist(), progress=progress)
    # Roots come first: what a retry shares with its original by hard links is the original's.
    known = paths or {}
    oldest_first = lineage.sort_values("depth", kind="stable")["task_id"]
    blocks = allocated_bytes({task_id: known[task_id] for task_id in oldest_first if task_id in known})
    cost = disk_cost(files, lineage, allocated=blocks)
    return cost[cost["task_id"].isin(wanted["task_id"])].reset_index(drop=True)


@describes(DISK)
def disk_cost(
    files: Iterable[TaskFiles],
    tasks: pd.DataFrame,
    *,
    allocated: Mapping[str, int | None] | None = None,
    unlisted: Method = "unknown",
) -> pd.DataFrame:
    """Disk that tasks use and that retries add, one row a task of `tasks`, in its order.

    An original adds 0, and so does a retry that linked. Of one that copied the best that is known counts: the blocks
    that its files occupy, the sizes of the files that it copied, or the size of its lineage's original input.

    Args:
        files: Input files of tasks.
        tasks: A lineage, or canonical tasks.
        allocated: Bytes that input files occupy on this machine, by task, as `allocated_bytes` returns them.
        unlisted: How retries got their files that `files` does not list: where only the number of retries is known,
            `copied` gives the formula.

    Returns:
        {columns}

    Source of the formula: the whole-retry guide (`extra = original size x retries`, for retries that copy).
    """
    lineage = tasks if "root_id" in tasks else build_lineage(tasks)
    known = {entry.task_id: entry for entry in files}
    entries = [known.get(task_id) for task_id in lineage["task_id"]]
    originals = lineage["parent_id"].isna()
    methods = [_method(entry, original, unlisted) for entry, original in zip(entries, originals, strict=True)]
    blocks = _bytes((allocated or {}).get(task_id) for task_id in lineage["task_id"])
    extra, basis = _extra(
        np.array(methods, dtype=object),
        _bytes(_size(known.get(root_id)) for root_id in lineage["root_id"]),
        _bytes(_copied_size(entry) for entry in entries),
        blocks.mask(originals.to_numpy()),
    )
    return build_frame(
        DISK,
        {
            "task_id": lineage["task_id"],
            "root_id": lineage["root_id"],
            "method": methods,
            "input_bytes": _bytes(_size(entry) for entry in entries),
            "allocated_bytes": blocks,
            "extra_bytes": extra,
            "basis": basis,
            "missing_files": [_missing(entry) for entry in entries],
            "retention_until": [entry and entry.retention_until for entry in entries],
        },
    )


def _extra(
    methods: np.ndarray[tuple[int], np.dtype[np.object_]], original: pd.Series, copied: pd.Series, blocks: pd.Series
) -> tuple[pd.Series, Sequence[str]]:
    """What each task adds, and what that comes from, the best first."""
    cases = {
        "blocks": blocks,
        "sizes": copied.where(methods != "unknown"),
        "formula": original.where(methods == "copied").mask(np.isin(methods, ["original", "linked"]), 0),
    }
    extra = pd.Series(pd.NA, index=blocks.index, dtype="Int64")
    basis = pd.Series("unknown", index=blocks.index, dtype="str")
    for name, values in cases.items():
        basis = basis.mask(extra.isna() & values.notna(), name)
        extra = extra.fillna(values)
    return extra, basis.tolist()


def _bytes(sizes: Iterable[int | None]) -> pd.Series:
    return pd.Series(list(sizes), dtype="Int64")


def _method(entry: TaskFiles | None, is_original: bool, unlisted: Method) -> Method:
    """One word for all files of a task: a single copy makes it a copy, one unknown file leaves it unknown."""
    if entry is None:
        return "original" if is_original else unlisted
    methods = {file.method for file in entry.files}
    if not methods or methods == {"original"}:
        return "original" if is_original else "unknown"
    if "unknown" in methods:
        return "unknown"
    return "copied" if "copied" in methods else "linked"


def _copied_size(entry: TaskFiles | None) -> int | None:
    """Bytes of the files that were copied."""
    if entry is None:
        return None
    return _total(file.size_bytes for file in entry.files if file.method == "copied")


def _size(entry: TaskFiles | None) -> int | None:
    return None if entry is None else _total(file.size_bytes for file in entry.files)


def _total(sizes: Iterable[int | None]) -> int | None:
    """The sum, unknown where a part is."""
    known = list(sizes)
    return None if None in known else sum(size for size in known if size is not None)


def _missing(entry: TaskFiles | None) -> int | None:
    if entry is None or any(file.exists is None for file in entry.files):
        return None
    return sum(not file.exists for file in entry.files)

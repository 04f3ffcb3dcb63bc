"""What whole retries cost on disk: `extra = size of the original input x number of retries that copied`.

Linked retries cost nothing. An unknown size or method stays unknown: it is never counted as 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from retry_toolkit.analysis.lineage import build_lineage, load_lineage
from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.load import Tasks, read_files, task_ids
from retry_toolkit.frames.schema import DISK
from retry_toolkit.platforms.base import Method, Platform, TaskFiles


@describes(DISK)
def load_disk(platform: Platform, tasks: Tasks | None = None, *, progress: bool = True) -> pd.DataFrame:
    """Disk that tasks use and that retries add, one row a task.

    Args:
        platform: Where to read, from `connect()`.
        tasks: Which tasks: a frame with `task_id`, ids, or records; None for all. Their lineage is that of all tasks.
            One request a task.
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
    cost = disk_cost(files, lineage)
    return cost[cost["task_id"].isin(wanted["task_id"])].reset_index(drop=True)


@describes(DISK)
def disk_cost(files: Iterable[TaskFiles], tasks: pd.DataFrame) -> pd.DataFrame:
    """Disk that tasks use and that retries add, one row a task of `tasks`, in its order.

    A retry that copied adds the size of its lineage's original input, or its own where the original's is unknown; one
    that linked adds 0, and so does an original.

    Args:
        files: Input files of tasks; those of a task that is not among them are unknown.
        tasks: A lineage, or canonical tasks.

    Returns:
        {columns}

    Source of the formula: the whole-retry guide (`extra = original size x retries`, for retries that copy).
    """
    lineage = tasks if "root_id" in tasks else build_lineage(tasks)
    known = {entry.task_id: entry for entry in files}
    entries = [known.get(task_id) for task_id in lineage["task_id"]]
    originals = lineage["parent_id"].isna()
    methods = [_method(entry, is_original) for entry, is_original in zip(entries, originals, strict=True)]
    size = pd.Series([_size(entry) for entry in entries], dtype="Int64")
    root_size = pd.Series([_size(known.get(root_id)) for root_id in lineage["root_id"]], dtype="Int64")
    method = pd.Series(methods, dtype="str")
    extra = root_size.fillna(size).where(method == "copied").mask(method.isin(["original", "linked"]), 0)
    return build_frame(
        DISK,
        {
            "task_id": lineage["task_id"],
            "root_id": lineage["root_id"],
            "method": methods,
            "input_bytes": size.array,
            "extra_bytes": extra.array,
            "missing_files": [_missing(entry) for entry in entries],
            "retention_until": [entry and entry.retention_until for entry in entries],
        },
    )


def disk_by_root(cost: pd.DataFrame) -> pd.DataFrame:
    """What each lineage adds to the disk, one row a root with retries, dearest first.

    Args:
        cost: As `disk_cost` returns it.

    Returns:
        root_id (str): first task of the lineage
        retries (Int64): whole retries
        copied (Int64): of these, copied
        linked (Int64): of these, linked
        unknown (Int64): of these, of unknown cost; not in `extra_bytes`
        original_bytes (Int64): size of the original input, in bytes; missing where unknown
        extra_bytes (Int64): disk that the retries add, in bytes
    """
    retries = cost[(cost["method"] != "original") | (cost["task_id"] != cost["root_id"])]
    parts = pd.DataFrame(
        {
            "root_id": retries["root_id"],
            "retries": 1,
            "copied": retries["method"] == "copied",
            "linked": retries["method"] == "linked",
            "unknown": retries["extra_bytes"].isna(),
            "extra_bytes": retries["extra_bytes"].fillna(0),
        }
    )
    counts = ["retries", "copied", "linked", "unknown", "extra_bytes"]
    summed = parts.astype(dict.fromkeys(counts, "Int64")).groupby("root_id", as_index=False)[counts].sum()
    sizes = cost.drop_duplicates("task_id").set_index("task_id")["input_bytes"].rename("original_bytes")
    named = summed.join(sizes, on="root_id")[["root_id", *counts[:4], "original_bytes", "extra_bytes"]]
    return named.sort_values(["extra_bytes", "root_id"], ascending=[False, True], kind="stable", ignore_index=True)


def _method(entry: TaskFiles | None, is_original: bool) -> Method:
    """One word for all files of a task: a single copy makes it a copy, one unknown file leaves it unknown."""
    methods = {file.method for file in entry.files} if entry else set()
    if not methods or methods == {"original"}:
        return "original" if is_original else "unknown"
    if "unknown" in methods:
        return "unknown"
    return "copied" if "copied" in methods else "linked"


def _size(entry: TaskFiles | None) -> int | None:
    if entry is None:
        return None
    sizes = [file.size_bytes for file in entry.files]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _missing(entry: TaskFiles | None) -> int | None:
    if entry is None or any(file.exists is None for file in entry.files):
        return None
    return sum(not file.exists for file in entry.files)

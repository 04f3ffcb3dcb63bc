"""Failures grouped by cause: tasks whose errors have one fingerprint."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from retry_toolkit.frames.build import build_frame, empty_frame
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.schema import GROUPS

Numbers: TypeAlias = npt.NDArray[np.int64]

BUCKETS: Final = 8
"""Equal parts of the time from the first failure to the last, in which a trend is seen."""

LEAST: Final = 5
"""Fewer failures than this neither rise nor fall."""


@describes(GROUPS)
def group_failures(tasks: pd.DataFrame) -> pd.DataFrame:
    """Causes of failure, one row a fingerprint, the most frequent first.

    `counts` are the group's failures in eight equal parts of the time from the oldest failure in `tasks` to the newest.
    The trend is `new` where the first of them is in the last two parts, else `rising` where the second half of the time
    has at least twice as many as the first, `falling` where the first has twice as many, else `steady`; fewer than five
    failures are `new` or nothing, and where all were at one time there is no trend.

    Args:
        tasks: Canonical tasks; those that did not fail are left out.

    Returns:
        {columns}
    """
    failed = tasks[tasks["status"] == "failed"].sort_values("created_at", ascending=False, kind="stable")
    if failed.empty:
        return empty_frame(GROUPS)
    groups = failed.groupby("fingerprint", observed=True, dropna=False, sort=False)
    sums = groups.agg(
        count=("task_id", "size"),
        retryable=("retryable", "sum"),
        first_seen=("created_at", "min"),
        last_seen=("created_at", "max"),
        example_id=("task_id", "first"),
    ).reset_index()
    order = sums.sort_values(["count", "last_seen"], ascending=False, kind="stable").index.to_numpy()
    rows = np.argsort(order)[groups.ngroup().to_numpy()]
    members = np.argsort(rows, kind="stable")
    return _table(sums.iloc[order], failed.iloc[members], rows[members])


def _table(sums: pd.DataFrame, failed: pd.DataFrame, rows: Numbers) -> pd.DataFrame:
    """The frame; the failed tasks are in the order of its `rows`, newest first in each."""
    sizes = sums["count"].to_numpy()
    counts = _counts(failed["created_at"], rows, len(sums))
    time_passed = failed["created_at"].nunique() > 1
    known = {name: sums[name] for name in ("fingerprint", "count", "retryable", "first_seen", "last_seen")}
    return build_frame(
        GROUPS,
        known
        | {
            "share": sizes / len(failed),
            "trend": [_trend(buckets) if time_passed else None for buckets in counts.tolist()],
            "counts": counts.tolist(),
            "stages": _frequent(failed["failed_stage"], rows, len(sums)),
            "categories": _frequent(failed["failure_category"], rows, len(sums)),
            "tasks": _lists(failed["task_id"], sizes),
            "example_id": sums["example_id"],
            "example": failed["error"].iloc[np.cumsum(sizes) - sizes],
        },
    )


def _counts(created_at: pd.Series, rows: Numbers, count: int) -> Numbers:
    """Failures of each group in equal parts of the time; tasks of unknown time are in none."""
    known = created_at.notna().to_numpy()
    times = created_at[known].to_numpy("datetime64[us]").astype(np.int64)
    since = times - times.min(initial=np.iinfo(np.int64).max)
    # Integers: a float would put the newest of a long time into a ninth part.
    part = np.minimum(since * BUCKETS // max(int(since.max(initial=0)), 1), BUCKETS - 1)
    return np.bincount(rows[known] * BUCKETS + part, minlength=count * BUCKETS).reshape(count, BUCKETS)


def _trend(counts: list[int]) -> str | None:
    before, after = sum(counts[: BUCKETS // 2]), sum(counts[BUCKETS // 2 :])
    if not sum(counts[:-2]) and after:
        return "new"
    if before + after < LEAST:
        return None
    if after >= 2 * before:
        return "rising"
    return "falling" if before >= 2 * after else "steady"


def _frequent(column: pd.Series, rows: Numbers, count: int) -> Any:
    """The words of a category column in each group, the most frequent first."""
    encoded = column.astype("category")  # frames that were joined hold text
    words, codes = encoded.cat.categories, encoded.array.codes
    known = codes >= 0
    pairs, times = np.unique(rows[known] * len(words) + codes[known], return_counts=True)
    row, word = np.divmod(pairs, max(len(words), 1))
    order = np.lexsort((word, -times, row))
    return _lists(words[word[order]], np.bincount(row, minlength=count))


def _lists(texts: Any, sizes: Numbers) -> Any:
    """Texts one after the other as lists of these sizes."""
    ends = pa.array(np.append(0, np.cumsum(sizes)), type=pa.int32())
    whole = pa.array(texts, type=pa.large_string(), from_pandas=True)
    return pa.ListArray.from_arrays(ends, whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole)

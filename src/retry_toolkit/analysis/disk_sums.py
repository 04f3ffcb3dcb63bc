"""Disk added up: by lineage, project, owner or day, what a plan will add, and what expires when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from retry_toolkit.analysis.lineage import row_numbers
from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.schema import Column, Columns

Key: TypeAlias = Literal["project", "owner", "template", "day"]

_COUNTS: Final = ["tasks", "retries", "copied", "linked", "unknown", "extra_bytes", "linkable_bytes"]

EXPIRY: Columns = (
    Column("window", "category", "expired, so many days, later, or unknown"),
    Column("count", "count", "tasks whose files go then"),
    Column("input_bytes", "bytes", "size of their input files"),
    Column("unknown", "count", "tasks of unknown size, not in the sum"),
    Column("tasks", "texts", "their ids"),
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
        linkable_bytes (Int64): of these, what linking instead of copying would have saved: copies whose original
            still has all its files
        saved_bytes (Int64): what those that linked did not copy, in bytes; missing where unknown
    """
    parts = _parts(cost)
    summed = parts[parts["retries"] == 1].groupby("root_id", as_index=False)[_COUNTS].sum()
    sizes = cost.drop_duplicates("task_id").set_index("task_id")["input_bytes"].rename("original_bytes")
    table = summed.join(sizes, on="root_id")
    table["saved_bytes"] = table["linked"] * table["original_bytes"]
    columns = ["root_id", *_COUNTS[1:5], "original_bytes", "extra_bytes", "linkable_bytes", "saved_bytes"]
    ordered = table[columns].sort_values(["extra_bytes", "root_id"], ascending=[False, True], kind="stable")
    return ordered.reset_index(drop=True)


def disk_by(cost: pd.DataFrame, tasks: pd.DataFrame, by: Key) -> pd.DataFrame:
    """What tasks use and retries add, one row a value, dearest first; days in their order.

    Args:
        cost: As `disk_cost` returns it.
        tasks: Canonical tasks, which say what the tasks of `cost` belong to; those that they do not hold have a row
            without a value.
        by: `day` is the day of submission, in UTC.

    Returns:
        project (category) or another: the value, in a column of its own name; days are `datetime64[us, UTC]`
        tasks (Int64): tasks with it
        retries (Int64): of these, whole retries
        copied (Int64): of these, copied
        linked (Int64): of these, linked
        unknown (Int64): retries of unknown cost; not in `extra_bytes`
        extra_bytes (Int64): disk that the retries add, in bytes
        linkable_bytes (Int64): of these, what linking instead of copying would have saved
        saved_bytes (Int64): size of the originals of retries that linked, in bytes; missing where none is known
        input_bytes (Int64): size of all input files, in bytes; missing where none is known
        unknown_inputs (Int64): tasks of unknown size; not in `input_bytes`
    """
    values = tasks["created_at"].dt.floor("D").rename("day") if by == "day" else tasks[by]
    rows = row_numbers(tasks["task_id"], cost["task_id"])
    # The row behind the last stands for tasks that are not known.
    key = values.reset_index(drop=True).reindex(np.where(rows < 0, len(tasks), rows)).array
    parts = _parts(cost).assign(**{by: key}, unknown_inputs=cost["input_bytes"].isna().astype("Int64").array)
    groups = parts.groupby(by, observed=True, dropna=False)
    table = groups[[*_COUNTS, "unknown_inputs"]].sum()
    for place, name in enumerate(("saved_bytes", "input_bytes"), start=len(_COUNTS)):
        sums = groups[name].sum(min_count=1)
        # Nothing was linked: nothing saved is known.
        table.insert(place, name, sums.mask(sums.isna() & (table["linked"] == 0), 0) if name == "saved_bytes" else sums)
    if by != "day":
        table = table.sort_values("extra_bytes", ascending=False, kind="stable")
    return table.reset_index()


def _parts(cost: pd.DataFrame) -> pd.DataFrame:
    """What each task counts in the sums."""
    retry = (cost["method"] != "original") | (cost["task_id"] != cost["root_id"])
    copied = cost["method"] == "copied"
    extra = cost["extra_bytes"].fillna(0)
    linked = cost["method"] == "linked"
    first = cost.drop_duplicates("task_id").set_index("task_id").reindex(cost["root_id"])
    whole = (first["missing_files"] == 0).to_numpy(dtype=np.bool_, na_value=False)
    return pd.DataFrame(
        {
            "root_id": cost["root_id"].array,
            "input_bytes": cost["input_bytes"].array,
            "tasks": pd.array([1] * len(cost), dtype="Int64"),
            "retries": retry.astype("Int64").array,
            "copied": copied.astype("Int64").array,
            "linked": linked.astype("Int64").array,
            "unknown": (retry & cost["extra_bytes"].isna()).astype("Int64").array,
            "extra_bytes": extra.array,
            "linkable_bytes": extra.where(copied & whole, 0).array,
            "saved_bytes": first["input_bytes"].where(linked.to_numpy()).array,
        }
    )


@dataclass(frozen=True, slots=True)
class DiskForecast:
    """What a plan will add to the disk.

    Attributes:
        tasks: Tasks that it will retry.
        extra_bytes: Input files that it will copy; linking instead of copying saves all of it.
        unknown: Tasks of unknown size, not in the sum.
        free_bytes: Free space where they go, None where unknown.
    """

    tasks: int
    extra_bytes: int
    unknown: int
    free_bytes: int | None

    @property
    def fits(self) -> bool | None:
        """Whether there is room for it; None where that is not known."""
        if self.free_bytes is None:
            return None
        if self.extra_bytes > self.free_bytes:
            return False
        return None if self.unknown else True


def forecast_disk(plan: pd.DataFrame) -> DiskForecast:
    """What a plan will add to the disk.

    Args:
        plan: `plan_retry(...).frame`; refused rows add nothing.
    """
    ready = plan[plan["verdict"] == "ready"]
    free = ready["free_bytes"].min()
    return DiskForecast(
        tasks=len(ready),
        extra_bytes=int(ready["input_bytes"].sum()),
        unknown=int(ready["input_bytes"].isna().sum()),
        free_bytes=None if pd.isna(free) else int(free),
    )


def expiring(cost: pd.DataFrame, *, days: Sequence[int] = (7, 30), now: datetime | None = None) -> pd.DataFrame:
    """Which input files go when, one row a window of time: a retry needs them.

    Args:
        cost: As `disk_cost` returns it.
        days: Ends of the windows, counted from now; each begins where the one before ends.
        now: By default the time of the call; a naive time means UTC.

    Returns:
        window (category): `expired`, `7 days`, `30 days` (as `days` says), `later`, `unknown`, in this order
        count (Int64): tasks whose files go then
        input_bytes (Int64): size of their input files, in bytes
        unknown (Int64): tasks of unknown size, not in the sum
        tasks (lists of text): their ids
    """
    names = ["expired", *(f"{number} days" for number in days), "later", "unknown"]
    moment = now or datetime.now(UTC)
    start = pd.Timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).tz_convert("UTC")
    until = cost["retention_until"]
    ends = pd.DatetimeIndex([start, *(start + pd.Timedelta(days=number) for number in days)]).as_unit("us")
    place = np.searchsorted(ends.to_numpy("datetime64[us]"), until.to_numpy("datetime64[us]"), side="left")
    rows = [cost[np.where(until.isna(), len(names) - 1, place) == number] for number in range(len(names))]
    return build_frame(
        EXPIRY,
        {
            "window": names,
            "count": [len(part) for part in rows],
            "input_bytes": [int(part["input_bytes"].sum()) for part in rows],
            "unknown": [int(part["input_bytes"].isna().sum()) for part in rows],
            "tasks": [part["task_id"].tolist() for part in rows],
        },
    )

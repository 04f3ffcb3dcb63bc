"""What lineages cost: running time, tokens, money and disk, and how much of it came to nothing."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from retry_toolkit.analysis.lineage import Places, build_lineage, row_numbers
from retry_toolkit.frames.build import build_frame, empty_frame
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.schema import DISK, LEDGER

Key: TypeAlias = Literal["outcome", "template", "project", "owner", "day"]

_UNKNOWN: Final = {
    "seconds": "unknown_seconds",
    "tokens": "unknown_tokens",
    "cost": "unknown_cost",
    "extra_bytes": "unknown_bytes",
}
_UNTIL: Final = {"seconds": "s_to_recovery", "tokens": "tokens_to_recovery", "cost": "cost_to_recovery"}


@describes(LEDGER)
def cost_ledger(
    tasks: pd.DataFrame, *, attempts: pd.DataFrame | None = None, disk: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What each lineage cost, one row a lineage, in the order of their first tasks in `tasks`.

    A sum is of what is known, and missing where nothing is; beside it stands how many tasks it does not hold. What was
    spent until recovery is missing where the part of one task is unknown.

    Args:
        tasks: Canonical tasks.
        attempts: Canonical attempts. Where all attempts of a task have a running time (tokens), their sum takes the
            place of the task's own, which platforms count for the last attempt only.
        disk: As `disk_cost` returns it; without it the disk is unknown.

    Returns:
        {columns}
    """
    lineage = build_lineage(tasks)
    first, place = np.unique(row_numbers(lineage["task_id"], lineage["root_id"]), return_inverse=True)
    spent = _spent(tasks, attempts, disk)
    head = tasks.iloc[first].reset_index(drop=True)
    outcome = lineage["outcome"].iloc[first].reset_index(drop=True)
    columns: dict[str, Any] = {
        "root_id": head["task_id"],
        "outcome": outcome,
        "tasks": np.bincount(place, minlength=len(first)),
        **{name: head[name] for name in ("name", "template", "project", "owner", "created_at")},
    }
    for name, column in spent.items():
        columns[name] = _sum(column, place, len(first))
        columns[_UNKNOWN[name]] = np.bincount(place[column.isna()], minlength=len(first))
    until = _until_success(tasks, lineage["depth"].to_numpy(np.int64), place, spent).reindex(head.index)
    until = until.where(outcome == "recovered")
    return build_frame(LEDGER, columns | {str(name): until[name] for name in until})


def spending(ledger: pd.DataFrame, by: Key = "outcome") -> pd.DataFrame:
    """What lineages cost together, one row a value, dearest first; by outcome, `failed` is what never recovered.

    Days come in their order.

    Args:
        ledger: As `cost_ledger` returns it, or some rows of it.
        by: The column to sum by; `day` is the day of the first task's submission, in UTC. Lineages without a value have
            a row too.

    Returns:
        outcome (category): the value, in a column of its own name; days are `datetime64[us, UTC]`
        lineages (Int64): lineages with it
        tasks (Int64): their tasks
        seconds (Float64): running time, in seconds
        tokens (Int64): tokens
        cost (Float64): in the platform's currency
        extra_bytes (Int64): disk that retries add, in bytes
        unknown_seconds, unknown_tokens, unknown_cost, unknown_bytes (Int64): tasks that the sums do not hold
    """
    values = ledger.assign(day=ledger["created_at"].dt.floor("D")) if by == "day" else ledger
    groups = values.groupby(by, observed=True, dropna=False)
    columns = [*_UNKNOWN, *_UNKNOWN.values()]
    # A sum of nothing known is unknown, not 0.
    table = groups[["tasks", *columns]].sum(min_count=1)
    table.insert(0, "lineages", groups.size().astype("Int64"))
    if by == "day":
        return table.reset_index()
    return table.reset_index().sort_values(["cost", "seconds"], ascending=False, kind="stable", ignore_index=True)


def _spent(tasks: pd.DataFrame, attempts: pd.DataFrame | None, disk: pd.DataFrame | None) -> dict[str, pd.Series]:
    """What each task cost, missing where unknown."""
    known = {"seconds": tasks["duration_s"], "tokens": tasks["tokens"], "cost": tasks["cost"]}
    spent = {name: column.reset_index(drop=True) for name, column in known.items()}
    if attempts is not None:
        runs = attempts.drop_duplicates(["task_id", "stage_id", "attempt"]).groupby("task_id")
        for name, measure in (("seconds", "duration_s"), ("tokens", "tokens")):
            told = runs[measure].sum().where(runs[measure].count() == runs.size())
            spent[name] = _looked_up(told, tasks["task_id"]).fillna(spent[name])
    known_disk = empty_frame(DISK) if disk is None else disk.drop_duplicates("task_id")
    spent["extra_bytes"] = _looked_up(known_disk.set_index("task_id")["extra_bytes"], tasks["task_id"])
    return spent


def _looked_up(values: pd.Series, ids: pd.Series) -> pd.Series:
    return values.reindex(ids.array).reset_index(drop=True)


def _sum(column: pd.Series, place: Places, count: int) -> pd.Series:
    """Sums of what is known by place; missing where nothing is."""
    known = column.notna().to_numpy()
    sums: Any = np.zeros(count, dtype=column.dtype.type)
    # Not `bincount`: its weights are floats, which lose digits past 2**53.
    np.add.at(sums, place[known], column[known].to_numpy(dtype=sums.dtype))
    return pd.Series(sums, dtype=column.dtype).mask(np.bincount(place[known], minlength=count) == 0)


def _until_success(tasks: pd.DataFrame, depth: Places, place: Places, spent: dict[str, pd.Series]) -> pd.DataFrame:
    """What lineages spent up to their first success, in the order of time, one row a lineage with one."""
    order = np.lexsort((depth, tasks["created_at"].to_numpy("datetime64[us]"), place))
    lineage = place[order]
    hits = np.flatnonzero((tasks["status"] == "succeeded").to_numpy()[order])
    mended, first = np.unique(lineage[hits], return_index=True)
    end = np.full(len(order) + 1, -1)
    end[mended] = hits[first]
    within = np.arange(len(order)) <= end[lineage]
    members, number = lineage[within], np.bincount(lineage[within], minlength=len(order) + 1)
    table = {"retries_to_recovery": pd.Series(number[mended] - 1)}
    for name, column in _UNTIL.items():
        part = spent[name].iloc[order[within]]
        unknown = np.bincount(members[part.isna()], minlength=len(number)) > 0
        table[column] = _sum(part, members, len(number)).mask(unknown)[mended].reset_index(drop=True)
    return pd.DataFrame(table).set_index(mended)

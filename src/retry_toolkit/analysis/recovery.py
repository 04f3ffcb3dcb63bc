"""What retries came to: how often a retry of an error succeeds, and what it takes until one does."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from retry_toolkit.analysis.lineage import Places, build_lineage, row_numbers
from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.schema import RECOVERY

LEAST_CASES: Final = 5
"""With fewer cases than this a rate or a median says nothing, and is not given."""

WORTH: Final = 0.5
"""From this rate on a retry is advised."""

_Z: Final = 1.959963984540054  # 97.5 % of the normal distribution lie below
_MEASURES: Final = ["duration_s", "tokens", "cost"]
_MEDIANS: Final = ["retries_to_success", "s_to_success", "tokens_to_success", "cost_to_success"]


@describes(RECOVERY)
def recovery_rates(
    tasks: pd.DataFrame | None = None, attempts: pd.DataFrame | None = None, *, by_stage: bool = False
) -> pd.DataFrame:
    """How retries of each error ended, one row an error and kind of retry, those with most cases first.

    A case is a retry that succeeded or failed, of something that failed with the error: the next attempt of the same
    stage, or a task that retries the task as a whole. Retries that run, or were cancelled, are no cases. What it takes
    until success is counted from the first such error of a stage, or of a lineage, to the next success in it.

    The advice is `retry` where at least half of the cases recovered, `fix first` where fewer did, and `no data` below
    five cases, where neither rate nor median is given.

    Args:
        tasks: Canonical tasks, for whole retries.
        attempts: Canonical attempts, for stage retries; those that a retry erased are in `load_attempts`.
        by_stage: One row an error and stage.

    Returns:
        {columns}

    Source of the interval: E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
    """
    keys = ["fingerprint", "stage"] if by_stage else ["fingerprint"]
    parts = [_rates(_stage_runs(attempts), keys).assign(action="stage")] if attempts is not None else []
    parts += [_rates(_whole_runs(tasks), keys).assign(action="task")] if tasks is not None else []
    columns = [column.name for column in RECOVERY]
    table = pd.concat([part.reindex(columns=columns) for part in parts]) if parts else pd.DataFrame(columns=columns)
    ordered = table.sort_values("cases", ascending=False, kind="stable")
    return build_frame(RECOVERY, {name: ordered[name] for name in columns})


def wilson(recovered: pd.Series, cases: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both ends of the 95 % interval of a share."""
    rate = recovered / cases
    centre = (rate + _Z**2 / (2 * cases)) / (1 + _Z**2 / cases)
    half = (rate * (1 - rate) / cases + _Z**2 / (4 * cases**2)) ** 0.5 * _Z / (1 + _Z**2 / cases)
    return (centre - half).clip(lower=0), (centre + half).clip(upper=1)


def _stage_runs(attempts: pd.DataFrame) -> pd.DataFrame:
    """Attempts by stage and number; an attempt retries the one before it."""
    keys = ["task_id", "stage_id", "attempt"]
    # One attempt can be known twice: to the platform, and from the evidence.
    runs = attempts.drop_duplicates(keys).sort_values(keys, ignore_index=True)
    chain = runs.groupby(keys[:2], dropna=False).ngroup()
    follows = (chain == chain.shift()) & (runs["attempt"] == runs["attempt"].shift() + 1)
    return _runs(runs.assign(cost=np.nan), chain, np.where(follows.fillna(False), np.arange(len(runs)) - 1, -1))


def _whole_runs(tasks: pd.DataFrame) -> pd.DataFrame:
    """Tasks by lineage and time; a task retries its parent. Links that run in a circle tell nothing."""
    lineage = build_lineage(tasks)
    linked = ((lineage["tree_size"] > 1) & ~lineage["cycle"]).to_numpy(dtype=np.bool_)
    placed = tasks[linked].assign(**{name: lineage[name].array[linked] for name in ("root_id", "depth")})
    runs = placed.sort_values(["root_id", "created_at", "depth"], ignore_index=True).rename(
        columns={"failed_stage": "stage"}
    )
    return _runs(runs, runs.groupby("root_id").ngroup(), row_numbers(runs["task_id"], runs["parent_id"]))


def _runs(rows: pd.DataFrame, chain: pd.Series, parent: Places) -> pd.DataFrame:
    """Executions in the order of their chains, with the row number of what each retries, -1 for none."""
    runs = rows[["status", "fingerprint", "stage"]].astype("str")
    measures = {name: rows[name].astype("Float64").to_numpy(np.float64, na_value=np.nan) for name in _MEASURES}
    return runs.assign(chain=chain, parent=parent, **measures)


def _rates(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    cases = _cases(runs).groupby(keys, dropna=False)
    table = cases.agg(cases=("succeeded", "size"), recovered=("succeeded", "sum"), median_s=("duration_s", "median"))
    table["rate"] = table["recovered"] / table["cases"]
    table["rate_low"], table["rate_high"] = wilson(table["recovered"], table["cases"])
    spent = _to_success(runs, keys).groupby(keys, dropna=False)[_MEDIANS]
    table = table.join(spent.median().where(spent.count() >= LEAST_CASES))
    few = table["cases"] < LEAST_CASES
    told = ["rate", "rate_low", "rate_high", "median_s", *_MEDIANS]
    table["advice"] = np.select([few, table["rate"] >= WORTH], ["no data", "retry"], "fix first")
    table[told] = table[told].mask(few)
    return table.reset_index()


def _cases(runs: pd.DataFrame) -> pd.DataFrame:
    """Retries that ended, with the error and stage of what they retried."""
    ended = runs[runs["status"].isin(["succeeded", "failed"]) & (runs["parent"] >= 0)]
    retried = runs.iloc[ended["parent"]].reset_index(drop=True)
    cases = retried[["fingerprint", "stage"]].assign(
        succeeded=(ended["status"] == "succeeded").to_numpy(), duration_s=ended["duration_s"].to_numpy()
    )
    return cases[(retried["status"] == "failed") & retried["fingerprint"].notna()]


def _to_success(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """What came after the first of each error in a chain, up to the next success; chains without one tell nothing."""
    count = len(runs)
    places = np.arange(count)
    succeeded = (runs["status"] == "succeeded").to_numpy()
    next_success = np.minimum.accumulate(np.where(succeeded, places, count)[::-1])[::-1]
    broken = runs[(runs["status"] == "failed") & runs["fingerprint"].notna()].drop_duplicates(["chain", *keys])
    start, end = broken.index.to_numpy(), next_success[broken.index]
    chain = np.append(runs["chain"].to_numpy(), -1)
    mended = chain[end] == chain[start]
    broken, start, end = broken[mended], start[mended], end[mended]
    bounds = np.column_stack([start + 1, end + 1]).ravel()
    # The appended value lets a span end behind the last row.
    sums = {name: np.add.reduceat(np.append(runs[name], 0.0), bounds)[::2] for name in _MEASURES} if len(bounds) else {}
    spent = pd.DataFrame(sums, index=broken.index, columns=_MEASURES).set_axis(_MEDIANS[1:], axis="columns")
    told: pd.DataFrame = broken[keys].join(spent)
    return told.assign(retries_to_success=end - start)

"""The figures above the table: pure counts over the frames."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts of tasks; `recovered` are tasks that a stage retry mended, and lineages that a whole retry did."""

    total: int
    failed: int
    retryable: int
    at_limit: int
    running: int
    recovered: int


def count_figures(tasks: pd.DataFrame, stages: pd.DataFrame, lineage: pd.DataFrame) -> Figures:
    """The figures of a catalog. `retryable` counts failed tasks only: running a success again mends nothing."""
    failed = tasks["status"] == "failed"
    return Figures(
        total=len(tasks),
        failed=int(failed.sum()),
        retryable=int((failed & tasks["retryable"].fillna(False)).sum()),
        at_limit=int((failed & (tasks["refusal"] == "limit_reached")).sum()),
        running=int(tasks["status"].isin(["running", "pending"]).sum()),
        recovered=_recovered(tasks, stages, lineage),
    )


def _recovered(tasks: pd.DataFrame, stages: pd.DataFrame, lineage: pd.DataFrame) -> int:
    succeeded = tasks.loc[tasks["status"] == "succeeded", "task_id"]
    retried = stages.loc[stages["retry_count"].fillna(0) > 0, "task_id"]
    by_stage = frozenset(succeeded) & frozenset(retried)
    mended = lineage[(lineage["outcome"] == "recovered") & (lineage["tree_size"] > 1)]
    roots_by_stage = frozenset(mended.loc[mended["task_id"].isin(by_stage), "root_id"])
    return len(by_stage) + len(frozenset(mended["root_id"]) - roots_by_stage)

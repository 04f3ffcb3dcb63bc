"""Failures grouped by cause: tasks whose errors have one fingerprint."""

from __future__ import annotations

from typing import Any

import pandas as pd


def group_failures(tasks: pd.DataFrame) -> pd.DataFrame:
    """Causes of failure, one row a fingerprint, the most frequent first.

    Args:
        tasks: Canonical tasks; those that did not fail are left out.

    Returns:
        fingerprint (category): the error with its variable parts removed; missing for failures without a message
        tasks (Int64): failed tasks
        retryable (Int64): of these, tasks that the platform would take a retry of
        failed_stage (category): stage that fails most often with it
        failure_category (category): category that it has most often
        first_seen (datetime64[us, UTC]): creation of its oldest task
        last_seen (datetime64[us, UTC]): creation of its newest task
        example_id (str): newest task with it
        example (str): error of that task
    """
    failed = tasks[tasks["status"] == "failed"].sort_values("created_at", ascending=False, kind="stable")
    groups = failed.groupby("fingerprint", observed=True, dropna=False, sort=False)
    table = groups.agg(
        tasks=("task_id", "size"),
        retryable=("retryable", "sum"),
        failed_stage=("failed_stage", _most_frequent),
        failure_category=("failure_category", _most_frequent),
        first_seen=("created_at", "min"),
        last_seen=("created_at", "max"),
        example_id=("task_id", "first"),
        example=("error", lambda errors: errors.iloc[0]),
    )
    ordered = table.reset_index().sort_values(["tasks", "last_seen"], ascending=False, kind="stable", ignore_index=True)
    return ordered.astype(_DTYPES)


def _most_frequent(values: pd.Series) -> Any:
    counts = values.value_counts()
    return counts.index[0] if len(counts) and counts.iloc[0] else None


_DTYPES = {
    "fingerprint": "category",
    "tasks": "Int64",
    "retryable": "Int64",
    "failed_stage": "category",
    "failure_category": "category",
    "first_seen": "datetime64[us, UTC]",
    "last_seen": "datetime64[us, UTC]",
    "example_id": "str",
    "example": "str",
}

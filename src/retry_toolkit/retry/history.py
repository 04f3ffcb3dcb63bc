"""What became of earlier retries of the same error: how many, how many recovered, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from retry_toolkit.retry.records import Action

History = pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]
"""A frame of tasks, or one of tasks and one of attempts."""

LEAST_CASES = 5
"""With fewer cases than this a rate or a median says nothing, and is not given."""

_ENDED = ("succeeded", "failed")


@dataclass(frozen=True, slots=True)
class Past:
    """Earlier retries of one fingerprint: their number, the share that succeeded, and their median seconds."""

    cases: int
    recovery_rate: float | None = None
    median_s: float | None = None


def past_of(history: History, action: Action) -> Mapping[str, Past]:
    """Earlier retries by fingerprint.

    Of stages: an attempt that failed, and the next one of the same stage (needs the attempts). Of whole tasks: a task
    that failed, and the tasks that retry it. Retries that have not ended, or were cancelled, are no cases.
    """
    tasks, attempts = history if isinstance(history, tuple) else (history, None)
    cases = _whole_cases(tasks) if action == "task" else _stage_cases(attempts)
    return {} if cases is None else {str(name): _past(rows) for name, rows in cases.groupby("fingerprint")}


def _stage_cases(attempts: pd.DataFrame | None) -> pd.DataFrame | None:
    if attempts is None or attempts.empty:
        return None
    keys = ["task_id", "stage_id", "attempt"]
    # One attempt can be known twice: to the platform, and from the evidence.
    known = attempts.drop_duplicates(keys)
    failed = known.loc[known["status"] == "failed", [*keys, "fingerprint"]]
    following = known.loc[known["status"].isin(_ENDED), [*keys, "status", "duration_s"]]
    return _cases(failed, following.assign(attempt=following["attempt"] - 1), keys, keys)


def _whole_cases(tasks: pd.DataFrame) -> pd.DataFrame:
    failed = tasks.loc[tasks["status"] == "failed", ["task_id", "fingerprint"]]
    retries = tasks.loc[tasks["status"].isin(_ENDED), ["parent_id", "status", "duration_s"]]
    return _cases(failed, retries.dropna(subset="parent_id"), ["task_id"], ["parent_id"])


def _cases(failed: pd.DataFrame, retries: pd.DataFrame, left: list[str], right: list[str]) -> pd.DataFrame:
    """One row a case: the fingerprint that was retried, how the retry ended, and how long it took."""
    told = failed.dropna(subset="fingerprint").astype({"fingerprint": "str"})
    return told.merge(retries, left_on=left, right_on=right)[["fingerprint", "status", "duration_s"]]


def _past(cases: pd.DataFrame) -> Past:
    if len(cases) < LEAST_CASES:
        return Past(len(cases))
    median = cases["duration_s"].median()
    rate = float((cases["status"] == "succeeded").mean())
    return Past(len(cases), rate, None if pd.isna(median) else float(median))

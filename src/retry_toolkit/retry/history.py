"""What became of earlier retries of the same error: how many, how many recovered, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from retry_toolkit.analysis.recovery import recovery_rates
from retry_toolkit.retry.records import Action

History = pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]
"""A frame of tasks, or one of tasks and one of attempts."""


@dataclass(frozen=True, slots=True)
class Past:
    """Earlier retries of one fingerprint: their number, the share that succeeded, and their median seconds."""

    cases: int
    recovery_rate: float | None = None
    median_s: float | None = None


def past_of(history: History, action: Action) -> Mapping[str, Past]:
    """Earlier retries by fingerprint, of stages (which needs the attempts) or of whole tasks."""
    tasks, attempts = history if isinstance(history, tuple) else (history, None)
    rates = recovery_rates(tasks) if action == "task" else recovery_rates(attempts=attempts)
    rows = zip(*(rates[name].tolist() for name in ("fingerprint", "cases", "rate", "median_s")), strict=True)
    return {name: Past(cases, *(None if pd.isna(value) else value for value in told)) for name, cases, *told in rows}

"""The audit trail: who did what, in rows that only grow and that name each other by hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a verification found: `first_bad` is the first row (`seq`) that is not as it was written, or None."""

    ok: bool
    rows: int
    first_bad: int | None = None
    reason: str = ""


def current_actor() -> str:
    """Who runs this process: `user@machine`."""
    raise NotImplementedError


def verify(home: Path) -> AuditReport:
    """Whether every audit row of this home directory is as it was written, and none is missing."""
    raise NotImplementedError


def audit_frame(home: Path) -> pd.DataFrame:
    """The audit trail of this home directory, one row an action, newest first."""
    raise NotImplementedError

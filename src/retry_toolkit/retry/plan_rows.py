"""What a retry would do, as a value: shown to whoever decides, and executed as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.schema import PLAN
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.history import Past
from retry_toolkit.retry.plan_html import plan_html
from retry_toolkit.retry.records import Action, Intent, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What a retry of one task would do, or why it cannot be done. Unknown is None.

    `kept` are stages whose results stay, `after` those that run behind the one that is reset. `past` is what became of
    earlier retries of the same fingerprint.
    """

    task_id: str
    action: Action
    verdict: Literal["ready", "refused"]
    reason: str = ""
    name: str | None = None
    stage_id: str | None = None
    stage: str | None = None
    kept: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    attempt: int | None = None
    retry_limit: int | None = None
    error: str | None = None
    fingerprint: str | None = None
    input_bytes: int | None = None
    free_bytes: int | None = None
    past: Past | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPlan:
    """One row a task, made by `plan_retry`; nothing has been sent.

    Attributes:
        origin: Platform that it is about.
        action: `stage` resets one failed stage in place, `task` makes a new task.
        copy_files: Whether a new task copies the input files or links them.
        name: Name of the new task; the platform's choice if None.
        rows: One a task, in the order of the selection.
        hash: Of all of this: what is executed is what was shown.
        platform: Where it was read, and is executed unless another connection is given.
    """

    origin: str
    action: Action
    copy_files: bool
    name: str | None
    rows: tuple[PlanRow, ...]
    hash: str
    platform: Platform = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ready(self) -> tuple[PlanRow, ...]:
        """Rows that will be sent."""
        return tuple(row for row in self.rows if row.verdict == "ready")

    @property
    def refused(self) -> tuple[PlanRow, ...]:
        """Rows that will not."""
        return tuple(row for row in self.rows if row.verdict == "refused")

    @property
    def totals(self) -> dict[str, Any]:
        """Counts: `tasks, ready, refused, reasons` (of the refused), `fingerprints`, and `input_bytes` where known."""
        ready, refused = self.ready, self.refused
        sizes = [row.input_bytes for row in ready]
        known = [size for size in sizes if size is not None]
        return {
            "tasks": len(self.rows),
            "ready": len(ready),
            "refused": len(refused),
            "reasons": dict(Counter(row.reason for row in refused)),
            "fingerprints": len({row.fingerprint for row in ready}),
            "input_bytes": sum(known) if len(known) == len(sizes) else None,
        }

    @property
    def frame(self) -> pd.DataFrame:
        """One row a task; columns and dtypes of `schema.PLAN`."""
        rows = [_values(row) for row in self.rows]
        return build_frame(PLAN, {column.name: [row[column.name] for row in rows] for column in PLAN})

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What is to be done, one intent a ready row."""
        return tuple(
            Intent(
                origin=self.origin,
                task_id=row.task_id,
                action=self.action,
                attempt=row.attempt or 0,
                stage_id=row.stage_id,
                stage=row.stage,
                fingerprint=row.fingerprint,
                copy_files=self.copy_files,
                display_name=self.name,
            )
            for row in self.ready
        )

    def varied(self, *, copy_files: bool, name: str | None) -> RetryPlan:
        """The same whole retries with another choice of how they get their files, or of the new task's name.

        Only of a plan that copies: one that links has not asked for sizes.
        """
        if self.action != "task" or not self.copy_files:
            raise ValueError("Only a plan of whole retries that copies its files can be varied.")
        rows = self.rows if copy_files else tuple(_linking(row) for row in self.rows)
        plan = replace(self, copy_files=copy_files, name=name, rows=rows)
        return replace(plan, hash=plan.content_hash())

    def content_hash(self) -> str:
        """The hash that this content has."""
        rows = [[row.task_id, row.stage_id, row.attempt, row.verdict] for row in self.rows]
        return digest([self.origin, self.action, rows, self.copy_files, self.name])

    def __repr__(self) -> str:
        counts = f"ready={len(self.ready)}, refused={len(self.refused)}"
        return f"RetryPlan({self.action}, {counts}, origin={self.origin!r}, hash={self.hash[:12]})"

    def _repr_html_(self) -> str:
        return plan_html(self)


_READ: Mapping[str, Callable[[PlanRow], Any]] = {
    "stages_kept": lambda row: ", ".join(row.kept) or None,
    "stages_after": lambda row: ", ".join(row.after) or None,
    "reason": lambda row: row.reason or None,
    "median_s": lambda row: row.past and row.past.median_s,
    "recovery_rate": lambda row: row.past and row.past.recovery_rate,
    "cases": lambda row: row.past and row.past.cases,
}
"""Columns that are not simply the attribute of that name."""


def _linking(row: PlanRow) -> PlanRow:
    return row if row.verdict == "refused" else replace(row, input_bytes=0)


def _values(row: PlanRow) -> dict[str, Any]:
    return {
        column.name: _READ[column.name](row) if column.name in _READ else getattr(row, column.name) for column in PLAN
    }

"""The figures above the table: what they count, and the filters that show exactly that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from retry_toolkit.frames.filters import ACTIVE, Filters

FIGURES: Final = ("failed", "new", "retryable", "at_limit", "running", "recovered", "disk")
"""In the order of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts of tasks, and what they stand for.

    Attributes:
        total: Tasks.
        failed: Failed ones.
        retryable: Of these, those that the platform would take a retry of: running a success again mends nothing.
        at_limit: Failed ones that have no retry left.
        running: Running or waiting ones.
        last_visit: Since when `new` is counted; None where that is not known.
        new: Failed ones that ended since.
        recovered_ids: Tasks that succeeded by a retry: of a stage, or of a lineage its newest success.
    """

    total: int
    failed: int
    retryable: int
    at_limit: int
    running: int
    last_visit: datetime | None = None
    new: int | None = None
    recovered_ids: tuple[str, ...] = ()

    @property
    def recovered(self) -> int:
        """How many succeeded by a retry; a lineage counts once."""
        return len(self.recovered_ids)


def count_figures(
    tasks: pd.DataFrame, stages: pd.DataFrame, lineage: pd.DataFrame, last_visit: datetime | None = None
) -> Figures:
    """The figures of a catalog, for a browser that left the page at `last_visit`."""
    failed = tasks["status"] == "failed"
    return Figures(
        total=len(tasks),
        failed=int(failed.sum()),
        retryable=int((failed & tasks["retryable"].fillna(False)).sum()),
        at_limit=int((failed & (tasks["refusal"] == "limit_reached")).sum()),
        running=int(tasks["status"].isin(["running", "pending"]).sum()),
        last_visit=last_visit,
        new=None if last_visit is None else int((failed & (tasks["finished_at"] >= last_visit)).sum()),
        recovered_ids=_recovered(tasks, stages, lineage),
    )


def filters_of(name: str, figures: Figures, holders: tuple[str, ...] = ()) -> Filters | None:
    """Filters that let through exactly the tasks of a figure; None where that is not known.

    Args:
        name: One of `FIGURES`.
        figures: As they are shown.
        holders: Tasks that hold the extra bytes of the figure `disk`.
    """
    if name == "new" and figures.last_visit is None:
        return None
    return {
        "failed": Filters(status="failed"),
        "new": Filters(status="failed", ended_since=figures.last_visit),
        "retryable": Filters(status="failed", retryable_only=True),
        "at_limit": Filters(status="failed", refusal="limit_reached"),
        "running": Filters(status=ACTIVE),
        "recovered": Filters(task_ids=figures.recovered_ids),
        "disk": Filters(task_ids=holders),
    }[name]


def _recovered(tasks: pd.DataFrame, stages: pd.DataFrame, lineage: pd.DataFrame) -> tuple[str, ...]:
    """Ids in the order of the tasks: those that a stage retry mended, and one of each other lineage that recovered."""
    succeeded = (tasks["status"] == "succeeded").to_numpy()
    retried = stages.loc[stages["retry_count"].fillna(0) > 0, "task_id"]
    by_stage = succeeded & tasks["task_id"].isin(retried).to_numpy()
    roots = lineage["root_id"]
    mended = ((lineage["outcome"] == "recovered") & (lineage["tree_size"] > 1)).to_numpy(dtype=bool, na_value=False)
    rest = roots[succeeded & mended & ~roots.isin(roots[by_stage]).to_numpy()]
    newest = rest.drop_duplicates().index
    by_stage[newest] = True
    return tuple(tasks["task_id"][by_stage].tolist())

"""The tasks of the platform as canonical frames that belong together, and how a row of them is exchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import both_of, claims_of, stages_frame, tasks_frame
from retry_toolkit.frames.columns import Tables
from retry_toolkit.frames.conditions import Positions
from retry_toolkit.frames.splice import splice
from retry_toolkit.platforms.base import TaskRecord


@dataclass(frozen=True, eq=False)
class Catalog:
    """The frames of one load: tasks (newest first), their stages, their lineage (row for row as the tasks).

    `claims` are the direct retries that tasks name; `rejected` rows could not be read; `places` are the row numbers of
    the tasks by their ids.
    """

    tasks: pd.DataFrame
    stages: pd.DataFrame
    lineage: pd.DataFrame
    loaded_at: datetime
    claims: Mapping[str, Sequence[str]]
    places: Mapping[str, int]
    rejected: int = 0

    def window(self, positions: Positions) -> pd.DataFrame:
        """These rows of `tasks`, with the `depth` and the `children` of each in its lineage."""
        rows = self.tasks.iloc[positions]
        places = self.lineage[["depth", "children"]].iloc[positions]
        return pd.concat([rows, places], axis="columns")

    def positions(self, task_ids: Iterable[str]) -> list[int]:
        """Row numbers in `tasks` of the ids that are known, in frame order."""
        return sorted(self.places[task_id] for task_id in task_ids if task_id in self.places)

    def rows(self, task_ids: Iterable[str]) -> pd.DataFrame:
        """Rows of `tasks` of the ids that are known, in frame order."""
        return self.tasks.iloc[self.positions(task_ids)]

    def __contains__(self, task_id: str) -> bool:
        return task_id in self.places


@runtime_checkable
class Catalogued(Protocol):
    """A platform that has its catalog already: frames of a user."""

    def as_catalog(self, loaded_at: datetime) -> Catalog:
        """The catalog."""


def make_catalog(batches: Sequence[Tables], *, loaded_at: datetime, rejected: int = 0) -> Catalog:
    """The frames of these batches, read with their stages."""
    tasks, stages = both_of(batches)
    claims = claims_of(batch.claims for batch in batches)
    return Catalog(
        tasks, stages, build_lineage(tasks, claims), loaded_at, claims, places=places_of(tasks), rejected=rejected
    )


def replace_rows(catalog: Catalog, record: TaskRecord) -> Catalog:
    """`catalog` with the rows of one task as `record` has them now; a task that is new comes in by its time."""
    row = tasks_frame([record])
    stages = _with_stages(catalog.stages, record)
    claims = {**catalog.claims, record.task_id: record.retried_by} if _claims_moved(catalog, record) else catalog.claims
    at = catalog.places.get(record.task_id)
    if at is not None and _same(catalog.tasks, at, row, "created_at"):
        tasks = splice(catalog.tasks, at, at + 1, row)
        linked = claims is catalog.claims and _same(catalog.tasks, at, row, "parent_id")
        if linked and _same(catalog.tasks, at, row, "status"):
            lineage = catalog.lineage
        else:
            lineage = _with_outcome(catalog, tasks, at) if linked else build_lineage(tasks, claims)
        return replace(catalog, tasks=tasks, stages=stages, lineage=lineage, claims=claims)
    rest = catalog.tasks if at is None else splice(catalog.tasks, at, at + 1, row.iloc[:0])
    place = _place(rest["created_at"], record.created_at)
    tasks = splice(rest, place, place, row)
    lineage = build_lineage(tasks, claims)
    return replace(catalog, tasks=tasks, stages=stages, lineage=lineage, claims=claims, places=places_of(tasks))


def same_values(rows: pd.DataFrame, others: pd.DataFrame) -> bool:
    """Whether two frames of the same columns hold the same, whatever categories their dtypes name besides."""
    return _plain(rows).equals(_plain(others))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    words = {name: "str" for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    return frame.astype(words).reset_index(drop=True)


def places_of(tasks: pd.DataFrame) -> dict[str, int]:
    """Row numbers by id."""
    return {task_id: position for position, task_id in enumerate(tasks["task_id"].tolist())}


def _same(tasks: pd.DataFrame, at: int, row: pd.DataFrame, column: str) -> bool:
    before, now = tasks[column].iloc[at], row[column].iloc[0]
    return bool(before == now) if pd.notna(before) and pd.notna(now) else bool(pd.isna(before) and pd.isna(now))


def _claims_moved(catalog: Catalog, record: TaskRecord) -> bool:
    return tuple(catalog.claims.get(record.task_id, ())) != record.retried_by


def _place(times: pd.Series, moment: datetime | None) -> int:
    """Where a row of this time goes: in front of those of the same time, unknown times last."""
    known = int(times.notna().sum())
    if moment is None:
        return known
    ages = -times.iloc[:known].to_numpy(dtype="datetime64[us]").astype(np.int64)
    return int(np.searchsorted(ages, -pd.Timestamp(moment).as_unit("us").asm8.astype(np.int64), side="left"))


def _with_stages(stages: pd.DataFrame, record: TaskRecord) -> pd.DataFrame:
    """The stages of one task exchanged where they stand, else on top."""
    found = np.flatnonzero((stages["task_id"] == record.task_id).to_numpy(dtype=np.bool_))
    start, stop = (int(found[0]), int(found[-1]) + 1) if len(found) else (0, 0)
    return splice(stages, start, stop, stages_frame([record]))


def _with_outcome(catalog: Catalog, tasks: pd.DataFrame, at: int) -> pd.DataFrame:
    """The lineage where nothing but the status of one task has changed: only the outcome of its own tree can differ."""
    roots, before = catalog.lineage["root_id"], catalog.lineage["outcome"]
    members = np.flatnonzero((roots == roots.iloc[at]).to_numpy(dtype=np.bool_))
    claims = {task_id: catalog.claims.get(task_id, ()) for task_id in tasks["task_id"].iloc[members]}
    now = build_lineage(tasks.iloc[members], claims)["outcome"].iloc[0]  # all of one tree have the same
    outcome = before.cat.set_categories(sorted({*before.cat.categories, *([] if pd.isna(now) else [now])}))
    outcome.iloc[members] = now
    return catalog.lineage.assign(outcome=outcome)

"""The tasks of the platform as canonical frames that belong together, and how a row of them is exchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd

from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import both_of, claims_of, stages_frame, tasks_frame
from retry_toolkit.frames.columns import Tables
from retry_toolkit.frames.conditions import Positions
from retry_toolkit.frames.splice import Cut, splice
from retry_toolkit.platforms.base import TaskRecord

Times: TypeAlias = np.ndarray[tuple[int], np.dtype[np.datetime64]]


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


def replace_rows(catalog: Catalog, records: Iterable[TaskRecord]) -> Catalog:
    """`catalog` with the rows of some tasks as the records have them now; tasks that are new come in by their time.

    Of a task that is there more than once, the last counts.
    """
    fresh = {record.task_id: record for record in records}
    rows = tasks_frame(fresh.values())
    tasks, places = _with_tasks(catalog, rows)
    moved = {name: record.retried_by for name, record in fresh.items() if _claims_moved(catalog, record)}
    claims = {**catalog.claims, **moved} if moved else catalog.claims
    stages = _with_stages(catalog.stages, fresh.values())
    mended = replace(catalog, tasks=tasks, stages=stages, claims=claims)
    if places is None:
        return replace(mended, lineage=build_lineage(tasks, claims), places=places_of(tasks))
    before, now = (frame[["status", "parent_id"]].iloc[places] for frame in (catalog.tasks, tasks))
    if moved or not same_values(before[["parent_id"]], now[["parent_id"]]):
        return replace(mended, lineage=build_lineage(tasks, claims))
    return mended if same_values(before, now) else replace(mended, lineage=_with_outcomes(catalog, tasks, places))


def same_values(rows: pd.DataFrame, others: pd.DataFrame) -> bool:
    """Whether two frames of the same columns hold the same, whatever categories their dtypes name besides."""
    return _plain(rows).equals(_plain(others))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    words = {name: "str" for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    return frame.astype(words).reset_index(drop=True)


def places_of(tasks: pd.DataFrame) -> dict[str, int]:
    """Row numbers by id."""
    return {task_id: position for position, task_id in enumerate(tasks["task_id"].tolist())}


def _with_tasks(catalog: Catalog, rows: pd.DataFrame) -> tuple[pd.DataFrame, Positions | None]:
    """The tasks with these rows, and where they stand; None where that has changed for any task."""
    times, now = _microseconds(catalog.tasks["created_at"]), _microseconds(rows["created_at"])
    known = times[~np.isnat(times)]
    cuts: list[tuple[Cut, int]] = []
    for number, (task_id, time) in enumerate(zip(rows["task_id"].tolist(), now, strict=True)):
        at = catalog.places.get(task_id)
        if at is not None and (times[at] == time or np.isnat([times[at], time]).all()):
            cuts.append((Cut(at, at + 1, 1), number))
            continue
        if at is not None:
            cuts.append((Cut(at, at + 1, 0), number))
        place = _place(known, time)
        cuts.append((Cut(place, place, 1), number))
    cuts.sort()
    order = [number for cut, number in cuts if cut.given]
    tasks = splice(catalog.tasks, [cut for cut, _ in cuts], rows.iloc[order])
    in_place = all(cut.in_place for cut, _ in cuts)
    return tasks, np.asarray([cut.start for cut, _ in cuts], dtype=np.intp) if in_place else None


def _claims_moved(catalog: Catalog, record: TaskRecord) -> bool:
    return tuple(catalog.claims.get(record.task_id, ())) != record.retried_by


def _microseconds(times: pd.Series) -> Times:
    found: Times = times.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    return found


def _place(newest_first: Times, time: np.datetime64) -> int:
    """Where a row of this time goes: in front of those of the same time, unknown times last."""
    if np.isnat(time):
        return len(newest_first)
    return len(newest_first) - int(np.searchsorted(newest_first[::-1], time, side="right"))


def _with_stages(stages: pd.DataFrame, records: Iterable[TaskRecord]) -> pd.DataFrame:
    """The stages of some tasks exchanged where they stand, else on top."""
    by_id = {record.task_id: record for record in records}
    found = np.flatnonzero(stages["task_id"].isin(list(by_id)).to_numpy(dtype=np.bool_))
    blocks = dict.fromkeys(by_id, (0, 0))
    for task_id, at in zip(stages["task_id"].iloc[found].tolist(), found.tolist(), strict=True):
        start, stop = blocks[task_id]
        blocks[task_id] = (start if stop else at, at + 1)
    cuts = sorted((Cut(*blocks[task_id], len(record.stages)), task_id) for task_id, record in by_id.items())
    rows = stages_frame([by_id[task_id] for _, task_id in cuts])
    return splice(stages, [cut for cut, _ in cuts], rows)


def _with_outcomes(catalog: Catalog, tasks: pd.DataFrame, changed: Positions) -> pd.DataFrame:
    """The lineage where nothing but the status of these tasks has changed: only outcomes of their trees can differ."""
    roots, before = catalog.lineage["root_id"], catalog.lineage["outcome"]
    members = np.flatnonzero(roots.isin(roots.iloc[changed]).to_numpy(dtype=np.bool_))
    claims = {task_id: catalog.claims.get(task_id, ()) for task_id in tasks["task_id"].iloc[members]}
    now = build_lineage(tasks.iloc[members], claims)["outcome"]
    outcome = before.cat.set_categories(sorted({*before.cat.categories, *now.cat.categories}))
    outcome.iloc[members] = now.cat.set_categories(outcome.cat.categories).array
    return catalog.lineage.assign(outcome=outcome)

"""Bringing a catalog up to date as `refresh_tasks` does a frame: what is over and known is not asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import pandas as pd

from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import both_of, claims_of
from retry_toolkit.frames.columns import Tables, make_tables
from retry_toolkit.frames.reading import TaskReading
from retry_toolkit.frames.records import RECORDS
from retry_toolkit.frames.refresh import OVER, OVERLAP, newest_first
from retry_toolkit.frames.single import read_each
from retry_toolkit.frames.splice import stack
from retry_toolkit.panels.state.catalog_frames import Catalog, places_of, same_values
from retry_toolkit.platforms.base import Platform, TaskQuery
from retry_toolkit.platforms.bulk import Batch, Reading

READ_AT_MOST: Final = 200
"""Where more than so many tasks would have to be read one by one, loading everything asks for less."""


@dataclass(frozen=True, eq=False)
class _Part:
    """Tasks with their stages and the retries that they name, as one answer gave them."""

    tasks: pd.DataFrame
    stages: pd.DataFrame
    claims: Mapping[str, Sequence[str]]
    rejected: int = 0

    def without(self, task_ids: Iterable[str]) -> _Part:
        left_out = frozenset(task_ids)
        return _Part(
            self.tasks[~self.tasks["task_id"].isin(left_out)],
            self.stages[~self.stages["task_id"].isin(left_out)],
            {task_id: retries for task_id, retries in self.claims.items() if task_id not in left_out},
            self.rejected,
        )


def refresh_catalog(
    platform: Platform, catalog: Catalog, *, loaded_at: datetime, how: Reading, told: Callable[[int], None]
) -> Catalog | None:
    """The catalog of a whole load, for fewer requests; `catalog` itself where nothing has changed.

    Besides what `refresh_tasks` asks for, the parents of new tasks are read: they name their retries.

    Args:
        platform: Where the catalog came from.
        catalog: Everything, as it was.
        loaded_at: When this was begun.
        how: Pages in flight, and what ends it.
        told: Hears how many tasks were read so far.

    Returns:
        None where a whole load asks for less, or nothing is known to begin with.
    """
    newest = catalog.tasks["created_at"].max()
    if pd.isna(newest):
        return None
    # What is listed last is newest: a task may fail, or recover, between the two.
    queries = (TaskQuery(status="failed"), TaskQuery(since=(newest - OVERLAP).to_pydatetime()))
    listed: list[_Part] = []
    for query in queries:
        read_before = sum(len(part.tasks) for part in listed)
        listed.append(_list(platform, query, how, partial(_tell_sum, told, read_before)))
    known = frozenset(task_id for part in listed for task_id in part.tasks["task_id"])
    asked = [*_open(catalog.tasks, known), *_parents(catalog, listed, known)]
    if len(asked) > READ_AT_MOST:
        return None
    found, _ = read_each(asked, platform.task, what="tasks", progress=False)
    how.check()
    read = _part([make_tables(Batch(tuple(found), RECORDS), stages=True)])
    fresh = _merged([*listed, read])
    gone = frozenset(asked) - frozenset(read.tasks["task_id"])
    if not gone and _unchanged(catalog, fresh):
        return catalog
    return _taken_over(catalog, fresh, gone, loaded_at)


def _list(platform: Platform, query: TaskQuery, how: Reading, told: Callable[[int], None]) -> _Part:
    reading = TaskReading(platform, query, stages=True, how=how)
    batches = []
    for batch in reading.tables():
        batches.append(batch)
        told(reading.tasks)
    return _part(batches, rejected=len(reading.notes.rejected))


def _tell_sum(told: Callable[[int], None], before: int, count: int) -> None:
    told(before + count)


def _part(batches: Sequence[Tables], *, rejected: int = 0) -> _Part:
    tasks, stages = both_of(batches)
    return _Part(tasks, stages, claims_of(batch.claims for batch in batches), rejected)


def _open(tasks: pd.DataFrame, known: frozenset[str]) -> list[str]:
    """Tasks that were not over, and of which nothing has been heard yet."""
    waiting = tasks.loc[~tasks["status"].isin(OVER), "task_id"].tolist()
    return [task_id for task_id in waiting if task_id not in known]


def _parents(catalog: Catalog, listed: Sequence[_Part], known: frozenset[str]) -> list[str]:
    """Tasks that are over and retried by a new one: what they say of their retries has changed."""
    named = pd.concat([part.tasks.loc[~part.tasks["task_id"].isin(catalog.places), "parent_id"] for part in listed])
    over = dict.fromkeys(
        parent for parent in named.dropna().tolist() if parent in catalog.places and parent not in known
    )
    statuses = catalog.tasks["status"]
    return [parent for parent in over if statuses.iloc[catalog.places[parent]] in OVER]


def _merged(parts: Sequence[_Part]) -> _Part:
    """One part; of a task that is in several, what the last says."""
    merged = parts[0]
    for part in parts[1:]:
        rest = merged.without(part.tasks["task_id"])
        merged = _Part(
            stack([rest.tasks, part.tasks]),
            stack([rest.stages, part.stages]),
            {**rest.claims, **part.claims},
            merged.rejected + part.rejected,
        )
    return merged


def _unchanged(catalog: Catalog, fresh: _Part) -> bool:
    """Whether the catalog says of these tasks just what was heard."""
    ids = fresh.tasks["task_id"].tolist()
    if any(task_id not in catalog.places for task_id in ids):
        return False
    before = catalog.tasks.iloc[[catalog.places[task_id] for task_id in ids]]
    stages = catalog.stages[catalog.stages["task_id"].isin(ids)]
    order = ["task_id", "position", "stage_id"]
    return (
        all(tuple(catalog.claims.get(task_id, ())) == tuple(fresh.claims.get(task_id, ())) for task_id in ids)
        and same_values(before, fresh.tasks)
        and same_values(stages.sort_values(order), fresh.stages.sort_values(order))
    )


def _taken_over(catalog: Catalog, fresh: _Part, gone: frozenset[str], loaded_at: datetime) -> Catalog:
    before = _Part(catalog.tasks, catalog.stages, catalog.claims)
    rest = before.without([*fresh.tasks["task_id"], *gone])
    tasks = newest_first([rest.tasks, fresh.tasks])
    claims = {**rest.claims, **fresh.claims}
    return Catalog(
        tasks,
        stack([fresh.stages, rest.stages]),
        build_lineage(tasks, claims),
        loaded_at,
        claims,
        places=places_of(tasks),
        # Rows that could not be read are counted by a whole load; those among the listed ones were among them.
        rejected=max(catalog.rejected, fresh.rejected),
    )

"""The forest of whole retries as rows to draw: which lineages, in which order, how deep each task stands.

Up to `DRAWN_AT_MOST` tasks every tree is laid out whole. Above that a lineage is one row, a page of them at a time, and
one tree is opened: what is laid out has a bound, whatever the size of the frames.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from retry_toolkit.analysis.lineage import Flags, Places

DRAWN_AT_MOST: Final = 2000
LINEAGES_A_PAGE: Final = 100
OUTCOMES: Final = ("recovered", "failed", "open", "cancelled", "unknown")
_FACTS: Final = ["task_id", "name", "status", "duration_s", "created_at"]
_LINKS: Final = ["parent_id", "root_id", "depth", "tree_size", "outcome", "orphan", "cycle"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one task is drawn; `parent` is the row that it hangs from, None for what hangs from nothing."""

    task_id: str
    row: int
    level: int
    parent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """One task, or (`stands_for` a `lineage`) one lineage with sums over its tasks; unknown is None.

    `status` of a lineage is its outcome; where no task tells its status, a root tells the `outcome` of its lineage.
    `extra_bytes` are what the task adds to the disk: None for an original, which
    adds nothing, and where it is not known; `bytes_unknown` tells that a retry's size was asked for in vain.
    """

    task_id: str
    level: int
    parent: int | None
    stands_for: Literal["task", "lineage", "opened"]
    name: str | None
    status: str
    attempt: int
    tasks: int
    seconds: float | None
    extra_bytes: int | None
    bytes_unknown: bool
    created_at: datetime | None
    orphan: bool
    cycle: bool
    outcome: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """What is drawn of the lineages that have a retry.

    `outcomes` counts the lineages by outcome, of all outcomes; `lineages` and `tasks` count those that are wanted.
    `whole` says that every tree of them is in `rows`; otherwise they are one `page` of `pages`, and of the opened tree
    `left_out` tasks are missing.
    """

    rows: tuple[ForestRow, ...]
    outcomes: Mapping[str, int]
    lineages: int
    tasks: int
    whole: bool
    page: int = 0
    pages: int = 1
    left_out: int = 0


def grow_forest(
    tasks: pd.DataFrame,
    lineage: pd.DataFrame,
    *,
    matching: Flags | None = None,
    outcome: str | None = None,
    opened: str | None = None,
    page: int = 0,
    disk: Mapping[str, int | None] | None = None,
    drawn_at_most: int = DRAWN_AT_MOST,
) -> Forest:
    """The lineages that have a retry (or are one, of a task that is gone), those with the newest task first.

    Args:
        tasks: Canonical tasks, newest first.
        lineage: Their lineage, row for row.
        matching: Rows of `tasks`; only lineages with one of them are wanted. None for all.
        outcome: Only lineages with it.
        opened: The root whose tree is opened where not every one is.
        page: Which lineages, where not every one is drawn; the nearest that there is.
        disk: Extra bytes by task, None where they are unknown; a task that is not in it was not asked for.
        drawn_at_most: Tasks up to which every tree is laid out.
    """
    trees = _Trees(tasks, lineage, disk or {})
    wanted = np.ones(trees.count, dtype=np.bool_)
    if matching is not None:
        wanted[:] = False
        wanted[trees.number[matching[trees.members]]] = True
    counts = {word: int((wanted & (trees.outcome == word)).sum()) for word in OUTCOMES}
    if outcome is not None:
        wanted &= trees.outcome == outcome
    total, count = int(trees.size[wanted].sum()), int(wanted.sum())
    common: dict[str, Any] = {"outcomes": counts, "lineages": count, "tasks": total}
    if total <= drawn_at_most:
        nodes = trees.nodes(trees.members[wanted[trees.number]])
        return Forest(rows=tuple(_tree_rows(nodes, trees.disk, mute=trees.mute)), whole=True, **common)
    pages = -(-count // LINEAGES_A_PAGE)
    page = min(max(page, 0), pages - 1)
    shown = np.flatnonzero(wanted)[page * LINEAGES_A_PAGE : (page + 1) * LINEAGES_A_PAGE]
    rows, left_out = _page_rows(trees, shown, opened, drawn_at_most)
    return Forest(rows=rows, whole=False, page=page, pages=pages, left_out=left_out, **common)


class _Trees:
    """Rows of the lineage that stand in a tree (`members`), and for each the `number` of its tree, newest first."""

    def __init__(self, tasks: pd.DataFrame, lineage: pd.DataFrame, disk: Mapping[str, int | None]) -> None:
        self.tasks = tasks
        self.lineage = lineage
        self.disk = disk
        linked = (lineage["tree_size"] > 1) | lineage["orphan"] | lineage["cycle"]
        self.members: Places = np.flatnonzero(linked.to_numpy(dtype=np.bool_))
        part = lineage.iloc[self.members]
        codes, roots = pd.factorize(part["root_id"])
        self.number: Places = codes.astype(np.int64)
        self.roots = roots
        self.places = {root: place for place, root in enumerate(roots)}
        self.count = len(roots)
        self.size = np.bincount(self.number, minlength=self.count)
        first = np.unique(self.number, return_index=True)[1]
        words = part["outcome"].iloc[first].astype("object")
        self.outcome = words.where(words.notna(), "unknown").to_numpy()
        self.mute = bool((tasks["status"] == "unknown").all())

    def nodes(self, positions: Places) -> pd.DataFrame:
        """These tasks with their links, tree after tree, each from its root on, the older sibling first."""
        facts, links = self.tasks[_FACTS].iloc[positions], self.lineage[_LINKS].iloc[positions]
        tree = self.number[np.searchsorted(self.members, positions)]
        nodes = pd.concat([facts, links], axis="columns").assign(tree=tree)
        return nodes.sort_values(["tree", "depth", "created_at"], kind="stable", na_position="last", ignore_index=True)


def _tree_rows(
    nodes: pd.DataFrame,
    disk: Mapping[str, int | None],
    *,
    first: int = 0,
    opened: str | None = None,
    mute: bool = False,
) -> Iterator[ForestRow]:
    """A row a task; numbers of rows count from `first`. Of `mute` tasks no status is known."""
    facts: dict[str, dict[Any, Any]] = {row["task_id"]: row for row in nodes.to_dict("records")}
    shifts: list[int] = []
    # Where links run in a circle, the one out of its root is cut.
    for place in lay_out(nodes.assign(parent_id=nodes["parent_id"].where(nodes["depth"] > 0))):
        known = {str(key): None if pd.isna(value) else value for key, value in facts[place.task_id].items()}
        retry = known["parent_id"] is not None
        # A task whose parent is not among what is drawn hangs from nothing, but is no root.
        shifts.append(int(bool(known["depth"])) if place.parent is None else shifts[place.parent])
        extra = disk.get(place.task_id) if retry else None
        yield ForestRow(
            task_id=place.task_id,
            level=place.level + shifts[-1],
            parent=None if place.parent is None else place.parent + first,
            stands_for="opened" if place.task_id == opened else "task",
            name=known["name"],
            status=known["status"] or "unknown",
            attempt=int(known["depth"] or 0),
            tasks=int(known["tree_size"] or 1),
            seconds=known["duration_s"],
            extra_bytes=extra,
            bytes_unknown=retry and place.task_id in disk and extra is None,
            created_at=known["created_at"],
            orphan=bool(known["orphan"]),
            cycle=bool(known["cycle"]),
            outcome=known["outcome"] if mute and not known["depth"] else None,
        )


def _page_rows(
    trees: _Trees, shown: Places, opened: str | None, drawn_at_most: int
) -> tuple[tuple[ForestRow, ...], int]:
    """One row for each lineage of a page, under the opened one its tree; and how many tasks of that are left out."""
    here = np.isin(trees.number, shown)
    positions, numbers = trees.members[here], trees.number[here]
    rows: list[ForestRow] = []
    left_out = 0
    for closed in _closed_rows(trees, shown, positions, numbers):
        if closed.task_id != opened:
            rows.append(closed)
            continue
        members = positions[numbers == trees.places[opened]]
        kept = _kept(trees.tasks, members, opened, drawn_at_most)
        left_out = len(members) - len(kept)
        rows.extend(_tree_rows(trees.nodes(kept), trees.disk, first=len(rows), opened=opened, mute=trees.mute))
    return tuple(rows), left_out


def _closed_rows(trees: _Trees, shown: Places, positions: Places, numbers: Places) -> Iterator[ForestRow]:
    """One row a lineage, with sums over its tasks and the time of its newest."""
    part = trees.tasks[_FACTS].iloc[positions]
    sums = _sums(part, numbers, trees.disk)
    names = part.set_index("task_id")["name"].reindex(trees.roots[shown])
    newest = dict(zip(*_firsts(numbers, part["created_at"]), strict=True))
    for number, name in zip(shown.tolist(), names, strict=True):
        seconds, extra, unknown = sums[number]
        yield ForestRow(
            task_id=str(trees.roots[number]),
            level=0,
            parent=None,
            stands_for="lineage",
            name=None if pd.isna(name) else str(name),
            status=str(trees.outcome[number]),
            attempt=0,
            tasks=int(trees.size[number]),
            seconds=seconds,
            extra_bytes=extra,
            bytes_unknown=unknown,
            created_at=newest[number],
            orphan=False,
            cycle=False,
        )


def _sums(
    part: pd.DataFrame, numbers: Places, disk: Mapping[str, int | None]
) -> dict[int, tuple[float | None, int | None, bool]]:
    """Running time and extra bytes of each lineage, None where nothing of it is known; whether sizes are unknown."""
    asked = part["task_id"].isin(list(disk)).to_numpy(dtype=np.bool_)
    sizes = [disk.get(task_id) if known else None for task_id, known in zip(part["task_id"], asked, strict=True)]
    table = pd.DataFrame(
        {
            "number": numbers,
            "seconds": part["duration_s"].array,
            "bytes": pd.array(sizes, dtype="Int64"),
            "unknown": asked & np.array([size is None for size in sizes], dtype=np.bool_),
        }
    )
    groups = table.groupby("number")
    sums = groups[["seconds", "bytes"]].sum(min_count=1).assign(unknown=groups["unknown"].any())
    return {
        int(number): (
            _float(row["seconds"]),
            None if pd.isna(row["bytes"]) else int(row["bytes"]),
            bool(row["unknown"]),
        )
        for number, row in zip(sums.index, sums.to_dict("records"), strict=True)
    }


def _float(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _int(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _firsts(numbers: Places, times: pd.Series) -> tuple[list[int], list[datetime | None]]:
    """The time of the first row of each number."""
    found, first = np.unique(numbers, return_index=True)
    return found.tolist(), [None if pd.isna(time) else time for time in times.iloc[first]]


def _kept(tasks: pd.DataFrame, positions: Places, root: str, most: int) -> Places:
    """The newest tasks of one tree, and its root."""
    if len(positions) <= most:
        return positions
    kept = positions[: most - 1]
    at_root = positions[(tasks["task_id"].iloc[positions] == root).to_numpy(dtype=np.bool_)]
    return np.union1d(kept, at_root)


def lay_out(nodes: pd.DataFrame) -> tuple[Place, ...]:
    """Places of tasks, parents above their retries, in the frame's order among siblings.

    Links that lead out of the frame or round in a circle are cut where they are met: every task is drawn once.
    """
    ids = nodes["task_id"].tolist()
    parents = {
        task_id: None if pd.isna(parent) else parent for task_id, parent in zip(ids, nodes["parent_id"], strict=True)
    }
    children: dict[str, list[str]] = defaultdict(list)
    for task_id in ids:
        if (parent := parents[task_id]) is not None:
            children[parent].append(task_id)
    tops = [task_id for task_id in ids if parents[task_id] not in parents]
    places: dict[str, Place] = {}
    for top in (*tops, *ids):
        _place(top, children, places)
    return tuple(places.values())


def _place(top: str, children: Mapping[str, list[str]], places: dict[str, Place]) -> None:
    waiting: list[tuple[str, int, int | None]] = [(top, 0, None)]
    while waiting:
        task_id, level, parent = waiting.pop()
        if task_id in places:
            continue
        row = len(places)
        places[task_id] = Place(task_id, row, level, parent)
        waiting.extend((child, level + 1, row) for child in reversed(children.get(task_id, ())))

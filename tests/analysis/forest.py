"""Lineage the slow way, task by task and with dictionaries: what `build_lineage` must agree with.

The benchmarks measure against it too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd


class Told(NamedTuple):
    """What a task says of itself."""

    task_id: str
    parent_id: str | None
    status: str
    created_at: datetime | None


class Place(NamedTuple):
    """Where a task stands, in the order of the columns of the lineage frame."""

    task_id: str
    parent_id: str | None
    root_id: str
    depth: int
    children: int
    tree_size: int
    is_leaf: bool
    outcome: str | None
    orphan: bool
    cycle: bool
    conflict: bool


def told(tasks: pd.DataFrame) -> list[Told]:
    """The rows of a tasks frame."""
    columns = [tasks[name].astype("object") for name in ("task_id", "parent_id", "status")]
    times = [None if pd.isna(time) else time for time in tasks["created_at"].dt.to_pydatetime()]
    rows = zip(*(column.where(column.notna(), None) for column in columns), times, strict=True)
    return [Told(*row) for row in rows]


def places(tasks: Sequence[Told], claims: Mapping[str, Sequence[str]] | None = None) -> list[Place]:
    """Every task's place; the ids must differ."""
    at = {task.task_id: number for number, task in enumerate(tasks)}
    parents, conflicts = _parents(tasks, at, claims or {})
    links = [at.get(parent, -1) if parent is not None else -1 for parent in parents]
    cycles = _cycles(links)
    for circle in cycles:
        links[min(circle, key=lambda number: _age(tasks, number))] = -1
    roots, depths = _climb(links)
    children = Counter(at[parent] for parent in parents if parent in at)
    sizes = Counter(roots)
    outcomes = _outcomes(tasks, roots, sizes)
    circular = {number for circle in cycles for number in circle}
    return [
        Place(
            task_id=task.task_id,
            parent_id=parents[number],
            root_id=tasks[roots[number]].task_id,
            depth=depths[number],
            children=children[number],
            tree_size=sizes[roots[number]],
            is_leaf=children[number] == 0,
            outcome=outcomes[roots[number]],
            orphan=parents[number] is not None and parents[number] not in at,
            cycle=number in circular,
            conflict=number in conflicts,
        )
        for number, task in enumerate(tasks)
    ]


def _parents(
    tasks: Sequence[Told], at: Mapping[str, int], claims: Mapping[str, Sequence[str]]
) -> tuple[list[str | None], set[int]]:
    parents = [task.parent_id for task in tasks]
    conflicts: set[int] = set()
    for claimant, named in claims.items():
        for child in named:
            if claimant in at and child in at and tasks[at[child]].parent_id != claimant:
                conflicts.add(at[child])
                if tasks[at[child]].parent_id is None:
                    parents[at[child]] = claimant
    for number, task in enumerate(tasks):
        named = claims.get(task.parent_id, ()) if task.parent_id is not None and task.parent_id in at else ()
        if named and task.task_id not in named:
            conflicts.add(number)
    return parents, conflicts


def _cycles(links: Sequence[int]) -> list[list[int]]:
    """Circles of links, each once: a walk that meets its own trace has found one."""
    found: list[list[int]] = []
    walk_of = [-1] * len(links)
    for start in range(len(links)):
        trace: list[int] = []
        here = start
        while here != -1 and walk_of[here] == -1:
            walk_of[here] = start
            trace.append(here)
            here = links[here]
        if here != -1 and walk_of[here] == start:
            found.append(trace[trace.index(here) :])
    return found


def _age(tasks: Sequence[Told], number: int) -> Any:
    """The oldest first; unknown times last, and of one time the lower row is the older."""
    created = tasks[number].created_at
    return (created is None, created if created is not None else 0, -number)


def _climb(links: Sequence[int]) -> tuple[list[int], list[int]]:
    """Root and depth of every task, each step remembered."""
    roots, depths = [-1] * len(links), [0] * len(links)
    for start in range(len(links)):
        trace: list[int] = []
        here = start
        while roots[here] == -1 and links[here] != -1:
            trace.append(here)
            here = links[here]
        if roots[here] == -1:
            roots[here] = here
        for below in reversed(trace):
            roots[below], depths[below] = roots[here], depths[links[below]] + 1
    return roots, depths


def _outcomes(tasks: Sequence[Told], roots: Sequence[int], sizes: Mapping[int, int]) -> dict[int, str | None]:
    statuses: dict[int, set[str]] = {}
    for task, root in zip(tasks, roots, strict=True):
        statuses.setdefault(root, set()).add(task.status)
    return {root: _outcome(found, sizes[root]) for root, found in statuses.items()}


def _outcome(statuses: set[str], size: int) -> str | None:
    if "succeeded" in statuses:
        return "recovered" if size > 1 else None
    if statuses & {"pending", "running"}:
        return "open"
    return next((word for word in ("failed", "cancelled") if word in statuses), None)

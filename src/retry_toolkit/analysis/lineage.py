"""Lineage: the forest of tasks that whole retries link.

Roots and depths come from pointer jumping: each round doubles how far every task sees up its chain, so that a chain of
100,000 needs 17 rounds over arrays. Bad data is marked, never followed for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retry_toolkit.frames.build import build_frame, tasks_frame
from retry_toolkit.frames.describe import describes
from retry_toolkit.frames.load import read_tasks
from retry_toolkit.frames.schema import LINEAGE
from retry_toolkit.platforms.base import Platform, TaskRecord

Places: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Claims: TypeAlias = Mapping[str, Sequence[str]]

NOBODY = -1


@describes(LINEAGE)
def load_lineage(source: Platform | pd.DataFrame | Iterable[TaskRecord], *, progress: bool = True) -> pd.DataFrame:
    """The lineage of tasks, one row each, newest first.

    Args:
        source: A platform, whose tasks are all read; or tasks that were loaded, as a frame or as records.
        progress: Show a bar when the load takes longer than half a second.

    Returns:
        {columns}

    Raises:
        Unavailable: The platform did not answer, also when asked again.
        Unauthorized, PermissionDenied: The token may not read.

    Source: `parent_task_id` and `retried_task_ids` of the tasks (queue dialect, embedded platform).
    """
    if isinstance(source, pd.DataFrame):
        return build_lineage(source)
    records = tuple(source) if isinstance(source, Iterable) else read_tasks(source, progress=progress).tasks
    claims = {record.task_id: record.retried_by for record in records if record.retried_by}
    return build_lineage(tasks_frame(records), claims)


@describes(LINEAGE)
def build_lineage(tasks: pd.DataFrame, claims: Claims | None = None) -> pd.DataFrame:
    """The lineage of these tasks, one row each, in their order.

    A task whose parent is not among them is an orphan and its own root. Of links that run in a circle, the one out of
    the oldest task is cut. `conflict` marks a task whose parent does not name it, or which another task names as its
    retry: its own word counts, and where it names no parent, the other's. A lineage of one task that succeeded has no
    outcome: there was nothing to recover.

    Args:
        tasks: Canonical tasks; `task_id`, `parent_id`, `status` and `created_at` are read.
        claims: Direct retries by task id, in the words of the task that was retried.

    Returns:
        {columns}
    """
    ids = _texts(tasks["task_id"])
    named = _places(ids, _texts(tasks["parent_id"]))
    nameless = tasks["parent_id"].isna().to_numpy()
    parent, conflict = _agree(ids, named, nameless, claims or {})
    cycle = _on_cycle(parent)
    root, depth = _climb(_cut(parent, cycle, tasks["created_at"]))
    count = len(tasks)
    children = np.bincount(parent[parent != NOBODY], minlength=count)
    size = np.bincount(root, minlength=count)[root]
    adopted = nameless & (parent != NOBODY)
    parents = pc.if_else(pa.array(adopted), _pick(ids, parent), _texts(tasks["parent_id"]))
    return build_frame(
        LINEAGE,
        {
            "task_id": ids,
            "parent_id": parents,
            "root_id": _pick(ids, root),
            "depth": depth,
            "children": children,
            "tree_size": size,
            "is_leaf": children == 0,
            "outcome": _outcomes(tasks["status"], root, size),
            "orphan": ~nameless & (parent == NOBODY),
            "cycle": cycle,
            "conflict": conflict,
        },
    )


def _texts(column: Any) -> Any:
    array = pa.array(column, type=pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _places(ids: Any, wanted: Any) -> Places:
    """Row numbers of the wanted ids; `NOBODY` for missing and unknown ones. Of rows with one id the first counts."""
    found = pc.index_in(wanted, value_set=ids, skip_nulls=True)
    places: Places = found.fill_null(NOBODY).to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def _pick(ids: Any, places: Places) -> Any:
    return ids.take(pa.array(places, mask=places == NOBODY))


def _agree(ids: Any, named: Places, nameless: Flags, claims: Claims) -> tuple[Places, Flags]:
    """Parents by what both sides say, and where the two differ."""
    pairs = [(child, claimant) for claimant, children in claims.items() for child in children]
    child = _places(ids, _texts([pair[0] for pair in pairs]))
    claimant = _places(ids, _texts([pair[1] for pair in pairs]))
    speaks = _marked(len(named), claimant)
    known = (child != NOBODY) & (claimant != NOBODY)
    child, claimant = child[known], claimant[known]

    parent = named.copy()
    adopted = nameless[child]
    parent[child[adopted]] = claimant[adopted]

    agreed = named[child] == claimant
    unconfirmed = (named != NOBODY) & speaks[named] & ~_marked(len(named), child[agreed])
    conflict = unconfirmed | _marked(len(named), child[~agreed])
    return parent, conflict


def _marked(count: int, places: Places) -> Flags:
    flags = np.zeros(count, dtype=np.bool_)
    flags[places[places != NOBODY]] = True
    return flags


def _on_cycle(parent: Places) -> Flags:
    """Tasks whose links lead back to themselves: after as many steps as there are tasks, only they are reached."""
    count = len(parent)
    jump = np.append(np.where(parent == NOBODY, count, parent), count)
    for _ in range(count.bit_length()):
        if (jump == count).all():
            break
        jump = jump[jump]
    reached = np.zeros(count + 1, dtype=np.bool_)
    reached[jump] = True
    return reached[:count]


def _cut(parent: Places, cycle: Flags, created_at: pd.Series) -> Places:
    """The links without the one out of the oldest task of each circle."""
    tree = parent.copy()
    if not cycle.any():
        return tree
    age = _age_rank(created_at)
    oldest, jump = age.copy(), np.where(cycle, parent, np.arange(len(parent)))
    for _ in range(len(parent).bit_length()):
        oldest = np.minimum(oldest, oldest[jump])
        jump = jump[jump]
    tree[cycle & (oldest == age)] = NOBODY
    return tree


def _age_rank(created_at: pd.Series) -> Places:
    """0 for the oldest task; tasks of unknown time come last, and of one time the lower row is the older."""
    time = created_at.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT"))
    order = np.argsort(time[::-1], kind="stable")
    rank = np.empty(len(time), dtype=np.int64)
    rank[len(time) - 1 - order] = np.arange(len(time))
    return rank


def _climb(tree: Places) -> tuple[Places, Places]:
    """Root and depth of every task; the links must not run in circles."""
    above = np.where(tree == NOBODY, np.arange(len(tree)), tree)
    depth = (tree != NOBODY).astype(np.int64)
    for _ in range(len(tree).bit_length()):
        step = depth[above]
        if not step.any():
            break
        depth, above = depth + step, above[above]
    return above, depth


def _outcomes(status: pd.Series, root: Places, size: Places) -> Any:
    """What became of each lineage, told at every task of it."""

    def some(*words: str) -> Flags:
        members = root[status.isin(words).to_numpy()]
        return (np.bincount(members, minlength=len(root)) > 0)[root]

    succeeded = some("succeeded")
    conditions = [succeeded & (size > 1), succeeded, some("pending", "running"), some("failed"), some("cancelled")]
    words = np.array(["recovered", None, "open", "failed", "cancelled", None], dtype=object)
    return words[np.select(conditions, list(range(len(conditions))), default=len(conditions))]

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
_OUTCOMES = pa.array([None, "cancelled", "failed", "open", "recovered"], type=pa.large_string())
_RANKS = {"cancelled": 1, "failed": 2, "running": 3, "pending": 3, "succeeded": 4}
_SUCCEEDED = 4


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
    if not isinstance(source, Iterable):
        return build_lineage(*read_tasks(source, progress=progress))
    records = tuple(source)
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
    told = _texts(tasks["parent_id"])
    nameless = told.is_null().to_numpy(zero_copy_only=False)
    parent, conflict = _agree(ids, told, nameless, claims or {})
    cycle = _on_cycle(parent)
    root, depth = _climb(_cut(parent, cycle, tasks["created_at"]))
    count = len(tasks)
    children = np.bincount(parent[parent != NOBODY], minlength=count)
    size = np.bincount(root, minlength=count)[root]
    adopted = nameless & (parent != NOBODY)
    parents = pc.if_else(pa.array(adopted), _pick(ids, parent), told) if adopted.any() else told
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


def row_numbers(ids: pd.Series, wanted: pd.Series) -> Places:
    """Where the wanted ids stand among the ids, -1 for missing and unknown ones; of equal ids the first counts."""
    return _places(_texts(ids), _texts(wanted))[0]


def _texts(column: Any) -> Any:
    array = pa.array(column, type=pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _places(ids: Any, *wanted: Any) -> list[Places]:
    """Row numbers of the wanted ids; `NOBODY` for missing and unknown ones. Of rows with one id the first counts."""
    # All at once: most of the time goes into the index over the ids.
    found = pc.index_in(pa.concat_arrays(wanted), value_set=ids, skip_nulls=True)
    places: Places = found.fill_null(NOBODY).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(places, np.cumsum([len(part) for part in wanted[:-1]]))


def _pick(ids: Any, places: Places) -> Any:
    return ids.take(pa.array(places, mask=places == NOBODY))


def _agree(ids: Any, told: Any, nameless: Flags, claims: Claims) -> tuple[Places, Flags]:
    """Parents by what both sides say, and where the two differ."""
    pairs = [(child, claimant) for claimant, children in claims.items() for child in children]
    children, claimants = ([pair[side] for pair in pairs] for side in (0, 1))
    named, child, claimant = _places(ids, told, _texts(children), _texts(claimants))
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
    jump, going = parent.copy(), np.flatnonzero(parent != NOBODY)
    for _ in range(len(parent).bit_length()):
        jump[going] = jump[jump[going]]
        going = going[jump[going] != NOBODY]
    return _marked(len(parent), jump[going])


def _cut(parent: Places, cycle: Flags, created_at: pd.Series) -> Places:
    """The links without the one out of the oldest task of each circle."""
    tree, circular = parent.copy(), np.flatnonzero(cycle)
    age = _age_rank(created_at.iloc[circular])
    oldest, jump = age.copy(), np.searchsorted(circular, parent[circular])
    for _ in range(len(circular).bit_length()):
        oldest = np.minimum(oldest, oldest[jump])
        jump = jump[jump]
    tree[circular[oldest == age]] = NOBODY
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
    going = np.flatnonzero(depth)
    while going.size:
        step = depth[above[going]]
        going, step = going[step > 0], step[step > 0]
        higher = above[above[going]]
        depth[going] += step
        above[going] = higher
    return above, depth


def _outcomes(status: pd.Series, root: Places, size: Places) -> Any:
    """What became of each lineage, told at every task of it: what its best task came to."""
    words = status.astype("category")  # frames that were joined hold text
    ranks = np.array([_RANKS.get(word, 0) for word in words.cat.categories] + [0], dtype=np.int8)
    best = np.zeros(len(root), dtype=np.int8)
    np.maximum.at(best, root, ranks[words.array.codes])
    best[(best == _SUCCEEDED) & (size == 1)] = 0
    return _OUTCOMES.take(pa.array(best[root]))

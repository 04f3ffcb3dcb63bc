"""How the table is ordered, what it begins with, and what its filters offer: pure functions over the tasks frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retry_toolkit.frames.conditions import Mask, Positions
from retry_toolkit.frames.filters import Filters
from retry_toolkit.frames.schema import TASKS

OFF: Final[Mapping[str, Any]] = {field.name: field.default for field in fields(Filters)}
"""Every filter, and what it is while it is off."""

FAILED_ONLY: Final = Filters(status="failed")
"""What the table shows until somebody filters."""

SPANS: Final = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
"""Times until now that can be chosen by name."""

# Sorting by status puts what needs attention first.
_STATUS_RANK: Final = {
    status: rank
    for rank, status in enumerate(("failed", "running", "pending", "unknown", "cancelled", "skipped", "succeeded"))
}


@dataclass(frozen=True, slots=True)
class Sort:
    """One column that orders the table, and which way."""

    column: str = "created_at"
    descending: bool = True

    def code(self) -> str:
        """The call of pandas that does the same to a frame."""
        options = [repr(self.column)]
        if self.descending:
            options.append("ascending=False")
        if self.column == "status":
            options.append(f'key=lambda column: column.astype("str").map({_STATUS_RANK!r})')
        elif _KINDS.get(self.column) in {"text", "category", "id"}:
            options.append('key=lambda column: column.astype("str").str.lower()')
        return f'.sort_values({", ".join(options)}, kind="stable")'


NEWEST_FIRST: Final = (Sort(),)
"""How frames arrive, and the order of the table until somebody sorts."""
SORTS_AT_MOST: Final = 4
_KINDS: Final = {column.name: column.kind for column in TASKS}
# Columns whose first click shows the largest or newest first.
_DESCENDING_FIRST: Final = frozenset({"time", "seconds", "count", "number"})


def sorted_by(sorts: Sequence[Sort], column: str) -> tuple[Sort, ...]:
    """By this column alone; by it again, the other way round."""
    before = sorts[0] if len(sorts) == 1 and sorts[0].column == column else None
    return (Sort(column, not before.descending if before else _first_way(column)),)


def then_by(sorts: Sequence[Sort], column: str) -> tuple[Sort, ...]:
    """`sorts` with one more column behind them; asked for again it turns round, then goes."""
    if tuple(sorts) == NEWEST_FIRST:
        return sorted_by(sorts, column)
    before = next((sort for sort in sorts if sort.column == column), None)
    if before is None:
        return (*sorts[: SORTS_AT_MOST - 1], Sort(column, _first_way(column)))
    if before.descending == _first_way(column):
        turned = Sort(column, not before.descending)
        return tuple(turned if sort is before else sort for sort in sorts)
    return tuple(sort for sort in sorts if sort is not before) or NEWEST_FIRST


def _first_way(column: str) -> bool:
    return _KINDS.get(column) in _DESCENDING_FIRST


@dataclass(frozen=True, slots=True)
class View:
    """What makes the table show what it shows: filters, one of the `SPANS` that they follow, and the order."""

    filters: Filters = FAILED_ONLY
    span: str = ""
    sort: tuple[Sort, ...] = NEWEST_FIRST


def start_of(span: str, now: datetime) -> datetime:
    """Where one of the `SPANS` that ends `now` begins: a whole minute, so that it does not move with every look."""
    return (now - SPANS[span]).replace(second=0, microsecond=0)


def code_of(filters: Filters, sorts: Sequence[Sort], frame: str = "tasks") -> str:
    """The pandas code of what the table shows, in its order, for a frame of this name that arrived newest first."""
    code = filters.code(frame)
    if tuple(sorts) == NEWEST_FIRST:
        return code
    # Each sort is stable, so the first of them is done last.
    calls = "".join(f"\n    {sort.code()}" for sort in reversed(sorts))
    return f"(\n{code}{calls}\n)"


def ordered(tasks: pd.DataFrame, mask: Mask, sorts: Sequence[Sort]) -> Positions:
    """Row numbers of what matches in the order of `sorts`; missing values come last, ties stay newest first."""
    positions = np.flatnonzero(mask)
    for sort in reversed(sorts):
        positions = _sorted(tasks, positions, sort)
    return positions


def _sorted(tasks: pd.DataFrame, positions: Positions, sort: Sort) -> Positions:
    keys, missing = _keys(tasks[sort.column].iloc[positions])
    known = positions[~missing]
    order = np.argsort(-keys[~missing] if sort.descending else keys[~missing], kind="stable")
    return np.concatenate([known[order], positions[missing]])


def _keys(column: pd.Series) -> tuple[Any, Mask]:
    """Signed numbers that order like the values of a column, and where there is none."""
    missing = column.isna().to_numpy()
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _word_ranks(column.cat.categories, str(column.name))[column.array.codes], missing
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.to_numpy(dtype="datetime64[us]").view(np.int64), missing
    if pd.api.types.is_string_dtype(column.dtype):
        return _text_ranks(column), missing
    return column.to_numpy(dtype=np.float64, na_value=np.nan), missing


def _word_ranks(words: pd.Index, name: str) -> Any:
    """Rank of each category; the appended place serves the code -1 of missing values."""
    if name == "status":
        ranks = np.array([_STATUS_RANK.get(word, len(_STATUS_RANK)) for word in words], dtype=np.int64)
    else:
        ranks = _text_ranks(words)
    # NumPy sorts small integers by their bits, several times as fast.
    return np.append(ranks, 0).astype(np.int16 if len(words) < np.iinfo(np.int16).max else np.int64)


def _text_ranks(texts: Any) -> Any:
    """Ranks by letters in any case."""
    lower = pc.utf8_lower(pa.array(texts, type=pa.large_string(), from_pandas=True))
    return pc.rank(lower, tiebreaker="dense").to_numpy(zero_copy_only=False).astype(np.int64)


def choices(tasks: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Values of a category column that occur, sorted."""
    return tuple(sorted(counted(tasks, name)))


def counted(tasks: pd.DataFrame, name: str, rows: Positions | None = None) -> dict[str, int]:
    """How often each value of a category column occurs in these rows, or in all; those that do not are left out."""
    codes = tasks[name].array.codes
    few = codes if rows is None or len(rows) == len(codes) else codes[rows]
    found = np.bincount(few.astype(np.intp) + 1)[1:]  # a missing value has the code -1
    occurring = np.flatnonzero(found)
    words = tasks[name].cat.categories[occurring].astype("str").tolist()
    return dict(zip(words, found[occurring].tolist(), strict=True))

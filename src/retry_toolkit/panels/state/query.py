"""How the table is ordered, what it begins with, and what its filters offer: pure functions over the tasks frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retry_toolkit.frames.conditions import Mask, Positions
from retry_toolkit.frames.filters import Filters

FAILED_ONLY: Final = Filters(status="failed")
"""What the table shows until somebody filters."""

# Sorting by status puts what needs attention first.
_STATUS_RANK: Final = {
    status: rank
    for rank, status in enumerate(("failed", "running", "pending", "unknown", "cancelled", "skipped", "succeeded"))
}


@dataclass(frozen=True, slots=True)
class Sort:
    """The column that orders the table."""

    column: str = "created_at"
    descending: bool = True


def ordered(tasks: pd.DataFrame, mask: Mask, sort: Sort) -> Positions:
    """Row numbers of what matches in the order of `sort`; missing values come last, ties stay newest first."""
    positions = np.flatnonzero(mask)
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
    codes = tasks[name].array.codes.astype(np.intp)
    occurring = np.flatnonzero(np.bincount(codes[codes >= 0]))
    return tuple(tasks[name].cat.categories[occurring].astype("str"))

"""Changing a few rows of a large frame: columns in which nothing changes are shared, and text is seldom copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from pandas.api.types import union_categoricals

_PIECES: Final = 64


def splice(frame: pd.DataFrame, start: int, stop: int, rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with `rows`, which has the same columns, in place of its rows from `start` to `stop`."""
    columns = {name: _spliced(frame[name], start, stop, rows[name]) for name in frame.columns}
    return pd.DataFrame(columns, copy=False)


def _spliced(column: pd.Series, start: int, stop: int, new: pd.Series) -> pd.Series:
    if _plain(column.iloc[start:stop]).equals(_plain(new)):
        return column
    if isinstance(column.dtype, pd.CategoricalDtype):
        column, new = _of_one_dtype(column, new)
    # Concatenating Arrow texts puts chunks side by side; a search looks at each by itself, so there must not be many.
    return _in_few_pieces(pd.concat([column.iloc[:start], new, column.iloc[stop:]], ignore_index=True))


def _in_few_pieces(column: pd.Series) -> pd.Series:
    array: Any = column.array
    chunks: Any = getattr(array, "__arrow_array__", list)()
    if getattr(chunks, "num_chunks", 1) <= _PIECES:
        return column
    return pd.Series(column.dtype.__from_arrow__(chunks.combine_chunks()), name=column.name)  # type: ignore[union-attr]


def _plain(column: pd.Series) -> pd.Series:
    words = column.astype("str") if isinstance(column.dtype, pd.CategoricalDtype) else column
    return words.reset_index(drop=True)


def _of_one_dtype(column: pd.Series, new: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both with the same categories: concatenating different ones would fall back to text."""
    if not new.cat.categories.isin(column.cat.categories).all():
        both = union_categoricals([column, new], sort_categories=True)
        column = column.cat.set_categories(both.categories)
    return column, new.cat.set_categories(column.cat.categories)


def stack(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames of the same columns one below the other, with their dtypes."""
    columns = {}
    for name, column in frames[0].items():
        parts = [frame[name] for frame in frames]
        if isinstance(column.dtype, pd.CategoricalDtype):
            columns[name] = pd.Series(union_categoricals(parts, sort_categories=True))
        else:
            columns[name] = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(columns, copy=False)

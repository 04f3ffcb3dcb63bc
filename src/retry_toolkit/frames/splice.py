"""Changing a few rows of a large frame: columns in which nothing changes are shared, and text is seldom copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, starmap
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import union_categoricals

from retry_toolkit.frames.conditions import Positions

_PIECES: Final = 64


class Cut(NamedTuple):
    """Rows from `start` to `stop` make room for `given` others."""

    start: int
    stop: int
    given: int

    @property
    def in_place(self) -> bool:
        """Whether no other row moves."""
        return self.stop - self.start == self.given


def splice(frame: pd.DataFrame, cuts: Sequence[Cut], rows: pd.DataFrame) -> pd.DataFrame:
    """The frame with `rows` in place of what is cut out.

    Args:
        frame: Any frame.
        cuts: From the top down, apart from each other; each is given the next of `rows`.
        rows: As many as the cuts are given, with the same columns.
    """
    runs = list(_runs(cuts, len(frame)))
    order = _positions(runs)
    removed = _positions([(cut.start, cut.stop) for cut in cuts])
    in_place = all(cut.in_place for cut in cuts)
    columns = {}
    for name, column in frame.items():
        same = in_place and _plain(column.iloc[removed]).equals(_plain(rows[name]))
        if same:
            columns[name] = column
        elif isinstance(column.dtype, pd.StringDtype):
            columns[name] = _picked_texts(column, rows[name], runs)
        else:
            columns[name] = _picked(column, rows[name], order)
    return pd.DataFrame(columns, copy=False)


def _runs(cuts: Sequence[Cut], length: int) -> Iterator[tuple[int, int]]:
    """What the result consists of: positions (from, to) in the frame with the new rows below it."""
    at, taken = 0, length
    for cut in cuts:
        yield at, cut.start
        yield taken, taken + cut.given
        at, taken = cut.stop, taken + cut.given
    yield at, length


def _positions(runs: Sequence[tuple[int, int]]) -> Positions:
    return np.concatenate([np.zeros(0, dtype=np.intp), *starmap(np.arange, runs)])


def _picked(column: pd.Series, new: pd.Series, order: Positions) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column, new = _of_one_dtype(column, new)
    return pd.concat([column, new], ignore_index=True).take(order).reset_index(drop=True)


def _picked_texts(column: pd.Series, new: pd.Series, runs: Sequence[tuple[int, int]]) -> pd.Series:
    """Texts stay where they are, in pieces side by side; not many, for a search looks at each piece by itself."""
    dtype: Any = column.dtype
    both = pa.chunked_array([*_texts(column).chunks, *_texts(new).chunks])
    pieces = chain.from_iterable(both.slice(start, stop - start).chunks for start, stop in runs if stop > start)
    picked = pa.chunked_array(pieces, type=both.type)
    if picked.num_chunks > _PIECES:
        picked = picked.combine_chunks()
    return pd.Series(dtype.__from_arrow__(picked), name=column.name)


def _texts(column: pd.Series) -> pa.ChunkedArray:
    return column.array.__arrow_array__()


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

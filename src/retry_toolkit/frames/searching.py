"""Plain text sought in a column, in any case: neighbouring rows are looked at together before each by itself."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_BLOCK: Final = 256


def contain(column: Any, text: str, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Which of these rows of a text or category column contain the text; missing does not.

    Args:
        column: A series or an index.
        text: What is sought, not empty.
        rows: Row numbers, ascending.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = column.cat.categories
        # The appended place serves the code -1 of missing values.
        hits = np.append(contain(words, text, np.arange(len(words))), False)
        return np.asarray(hits[np.asarray(column.array.codes)[rows]])
    whole = pa.array(column, type=pa.large_string(), from_pandas=True)
    chunks = (whole.chunks or [whole.combine_chunks()]) if isinstance(whole, pa.ChunkedArray) else [whole]
    ends = np.cumsum([len(chunk) for chunk in chunks])
    parts = np.split(rows, np.searchsorted(rows, ends[:-1]))
    starts = [end - len(chunk) for end, chunk in zip(ends, chunks, strict=True)]
    found = [
        _found(_taken(chunk, part - start), text) for chunk, part, start in zip(chunks, parts, starts, strict=True)
    ]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *found])


def _taken(texts: Any, rows: npt.NDArray[np.intp]) -> Any:
    """These rows; of neighbours nothing is copied."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return texts.slice(rows[0], len(rows))
    return texts.take(pa.array(rows))


def _found(texts: Any, text: str) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(texts), dtype=np.bool_)
    if len(texts):
        near = np.repeat(_matches(_blocks(texts), text), _BLOCK)[: len(texts)]
        found[near] = _matches(texts.filter(pa.array(near)), text)
    return found


def _blocks(texts: Any) -> Any:
    """Neighbouring rows as one text each, nothing copied: where a block does not contain it, no row of it does."""
    _, offsets, letters = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    bounds = np.append(ends[:-1:_BLOCK], ends[-1])
    return pa.LargeStringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), letters or pa.py_buffer(b""))


def _matches(texts: Any, text: str) -> npt.NDArray[np.bool_]:
    found = pc.match_substring(texts, text, ignore_case=True).fill_null(False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)

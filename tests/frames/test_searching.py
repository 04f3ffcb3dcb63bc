"""Text sought in columns: as pandas finds it, whatever the column is made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.frames.searching import contain

PIECES = st.lists(st.lists(st.none() | st.text(st.sampled_from("aAbkKſ销\n"), max_size=4), max_size=5), max_size=4)


def column(pieces: list[list[str | None]]) -> pd.Series:
    """A column in so many chunks, the first of them cut out of something longer."""
    chunks = [pa.array(["aa", *piece], type=pa.large_string())[1:] for piece in pieces]
    return pd.Series(pd.array(pa.chunked_array(chunks, pa.large_string()), dtype="str"))


@given(PIECES, st.text(st.sampled_from("aAbk销\n"), min_size=1, max_size=3), st.data())
def test_any_column_is_searched_as_pandas_would(pieces: list[list[str | None]], text: str, data: st.DataObject) -> None:
    """In chunks, cut, with missing values, as text and as category, all rows or some."""
    texts = column(pieces)
    chosen = [data.draw(st.booleans()) for _ in texts]
    rows = np.flatnonzero(np.array(chosen, dtype=np.bool_))
    expected = texts.str.contains(text, case=False, regex=False).to_numpy(dtype=np.bool_)[rows]
    assert contain(texts, text, rows).tolist() == expected.tolist()
    assert contain(texts.astype("category"), text, rows).tolist() == expected.tolist()


@pytest.mark.parametrize("step", [1, 3])
def test_blocks_of_rows_lose_nothing(step: int) -> None:
    """A text at the edge of a block is found; one that only two rows together make is not."""
    texts = pd.Series(["x"] * 1000, dtype="str")
    texts[[0, 255, 256, 999]] = "needle"
    texts[511], texts[512] = "nee", "dle"
    rows = np.arange(0, 1000, step)
    found = rows[contain(texts, "NEEDLE", rows)]
    assert found.tolist() == [row for row in (0, 255, 256, 999) if row % step == 0]

"""The disk chart: round ticks, labels apart, unknown sizes not drawn as something."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.charts import _ticks, chart_disk_cost
from retry_toolkit.text import Texts


@given(st.floats(min_value=0.05, max_value=999_999))
def test_ticks_are_few_and_reach_the_largest(largest: float) -> None:
    """At most five steps from 0 to where the longest bar ends."""
    ticks = _ticks(largest)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 7
    assert ticks[-1] >= largest - 1e-6


@pytest.mark.parametrize(
    ("largest", "ticks"), [(4.8, [0, 1, 2, 3, 4, 5]), (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (23, [0, 5, 10, 15, 20, 25])]
)
def test_ticks_are_round(largest: float, ticks: list[float]) -> None:
    """Steps of 1, 2 or 5."""
    assert _ticks(largest) == ticks


def test_bars_are_stacked_in_one_unit() -> None:
    """The dearest lineage on top, both parts in the unit that the axis names; what is unknown has no length."""
    by_root = pd.DataFrame(
        {
            "root_id": ["root-000001", "root-000002"],
            "name": ["A very long name of a lineage", "A very long name of a lineage"],
            "extra_bytes": pd.array([3_000_000, 1_000_000], dtype="Int64"),
            "saved_bytes": pd.array([500_000, None], dtype="Int64"),
        }
    )
    figure = chart_disk_cost(Texts("en"), by_root)
    (bars,) = figure.marks
    assert bars.y.tolist() == [[1.0, 3.0], [0.0, 0.5]]
    assert len(set(bars.x.tolist())) == 2
    assert figure.axes[1].label == "Input files of retries (MB)"

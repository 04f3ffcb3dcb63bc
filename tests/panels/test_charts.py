"""The charts: round ticks, one unit, days named in their order, unknown amounts not drawn as something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances

from retry_toolkit.charts import HEIGHT, Bar, Over, _ticks, close_bars, draw_bars, plan_bars, redraw_bars
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
    """Both parts in the unit that the axis names, the first on top; what is unknown has no length."""
    bars = [Bar("A very long name of a lineage", (3_000_000, 500_000)), Bar("B", (1_000_000, None))]
    figure = draw_bars(plan_bars(Texts("en"), bars, "bytes", "names"))
    (marks,) = figure.marks
    assert marks.y.tolist() == [[3.0, 1.0], [0.5, 0.0]]
    assert marks.scales["x"].domain == ["1", "0"]
    assert figure.axes[0].tick_labels == {"0": "A very long name of…", "1": "B"}
    assert figure.axes[1].label == "Input files of retries (MB)"


def test_equal_names_are_different_bars() -> None:
    """Two lineages may be called the same."""
    figure = draw_bars(plan_bars(Texts("en"), [Bar("same", (1, 0)), Bar("same", (2, 0))], "tokens", "names"))
    assert len(set(figure.marks[0].x.tolist())) == 2


@pytest.mark.parametrize(
    ("amount", "label"), [(7200, "Compute time (hours)"), (90, "Compute time (minutes)"), (5, "Compute time (seconds)")]
)
def test_running_time_has_a_unit_that_fits(amount: float, label: str) -> None:
    """Not 7,200 seconds."""
    assert plan_bars(Texts("en"), [Bar("a", (amount, 0))], "seconds", "names").frame.label == label


def test_a_few_days_are_named_and_the_last_is_one_of_them() -> None:
    """However many there are."""
    bars = [Bar(f"day {number}", (number, 0)) for number in range(42)]
    figure = draw_bars(plan_bars(Texts("zh"), bars, "bytes", "days"))
    named = [name for name in figure.axes[0].tick_labels.values() if name]
    assert 3 <= len(named) <= 6
    assert named[-1] == "day 41"
    assert len(figure.marks[0].x) == 42


def test_every_figure_has_one_height() -> None:
    """Nothing jumps when another is drawn."""
    kinds: tuple[Over, ...] = ("names", "days")
    heights = {
        draw_bars(
            plan_bars(Texts("en"), [Bar(str(number), (1, 1)) for number in range(count)], "bytes", over)
        ).layout.height
        for over in kinds
        for count in (1, 10)
    }
    assert heights == {f"{HEIGHT}px"}


def test_a_figure_is_changed_and_closed_as_a_whole() -> None:
    """Its bars in their place; and nothing of it stays in the kernel when it goes."""
    before = frozenset(_instances)
    plan = plan_bars(Texts("en"), [Bar("a", (4.2, 0)), Bar("b", (1, 1))], "bytes", "names")
    other = plan_bars(Texts("en"), [Bar("a", (5, 0)), Bar("b", (2, 2))], "bytes", "names")
    assert plan.frame == other.frame
    figure = draw_bars(plan)
    redraw_bars(figure, other)
    assert figure.marks[0].y.tolist() == [[5.0, 2.0], [0.0, 2.0]]
    close_bars(figure)
    assert frozenset(_instances) == before

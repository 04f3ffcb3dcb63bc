"""Figures of amounts: bars of two parts, by name or over days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import bqplot
import numpy as np

from retry_toolkit.text import Texts, within

Measure = Literal["bytes", "seconds", "tokens", "cost"]

HEIGHT: Final = 320
"""Every figure is so high, whatever it shows: nothing jumps when it changes."""

_STEPS: Final[dict[Measure, tuple[tuple[str, float], ...]]] = {
    "bytes": (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
    "seconds": (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)),
    "tokens": (("millions", 1e6), ("thousands", 1e3), ("ones", 1.0)),
    "cost": (("ones", 1.0),),
}
_LABEL: Final = 150
_THICKEST: Final = 22
_MOST_DAYS_NAMED: Final = 6
_TICKS: Final = 5
_ACROSS: Final = {"top": 8, "bottom": 48, "left": 160, "right": 24}
_UPWARDS: Final = {"top": 8, "bottom": 28, "left": 64, "right": 16}
_COLOURS: Final = ("var(--fd-accent, #1976d2)", "var(--fd-line-strong, #bdbdbd)")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its `name`, and its two parts, of which None is unknown and has no length."""

    name: str
    parts: tuple[float | None, float | None]


def chart_by_name(texts: Texts, bars: Sequence[Bar], measure: Measure) -> Any:
    """Horizontal bars, the first on top; names are cut to the margin.

    Args:
        texts: Words of the axis.
        bars: At most ten, with something known.
        measure: What the parts are.
    """
    amounts, unit, ticks = _scaled(bars, measure)
    keys = _keys(bars)
    places, sizes = bqplot.OrdinalScale(domain=keys[::-1]), bqplot.LinearScale(min=0, max=ticks[-1])
    marks = _bars(keys, amounts, {"x": places, "y": sizes}, orientation="horizontal")
    names = {key: within(bar.name, _LABEL) for key, bar in zip(keys, bars, strict=True)}
    axes = [
        bqplot.Axis(scale=places, side="left", tick_labels=names, grid_lines="none"),
        _amount_axis(sizes, ticks, label=texts(f"chart.{measure}", unit=_unit_word(texts, measure, unit))),
    ]
    return _figure(marks, axes, _ACROSS)


def chart_over_days(texts: Texts, bars: Sequence[Bar], measure: Measure) -> Any:
    """Vertical bars in the order of time; some of the days are named.

    Args:
        texts: Words of the axis.
        bars: Days (or weeks) without a gap, with something known.
        measure: What the parts are.
    """
    amounts, unit, ticks = _scaled(bars, measure)
    keys = _keys(bars)
    places, sizes = bqplot.OrdinalScale(domain=keys), bqplot.LinearScale(min=0, max=ticks[-1])
    marks = _bars(keys, amounts, {"x": places, "y": sizes}, orientation="vertical")
    every = -(-len(bars) // _MOST_DAYS_NAMED)
    # Counted from the last day, which is the one that is looked at.
    names = {
        key: bar.name if (len(bars) - 1 - number) % every == 0 else ""
        for number, (key, bar) in enumerate(zip(keys, bars, strict=True))
    }
    axes = [
        bqplot.Axis(scale=places, tick_labels=names, grid_lines="none"),
        _amount_axis(
            sizes, ticks, label=texts(f"chart.{measure}", unit=_unit_word(texts, measure, unit)), upwards=True
        ),
    ]
    return _figure(marks, axes, _UPWARDS)


def _bars(keys: list[str], amounts: Any, scales: dict[str, Any], *, orientation: str) -> Any:
    # A few bars are no thicker than many.
    room = HEIGHT - _ACROSS["top"] - _ACROSS["bottom"] if orientation == "horizontal" else 2 * HEIGHT
    return bqplot.Bars(
        x=keys,
        y=amounts,
        scales=scales,
        orientation=orientation,
        type="stacked",
        colors=list(_COLOURS),
        padding=max(1 - _THICKEST * len(keys) / room, 0.25),
        stroke_width=0,
        interactions={"hover": "tooltip"},
        tooltip_style={"opacity": 1},
    )


def _amount_axis(scale: Any, ticks: list[float], *, label: str, upwards: bool = False) -> Any:
    return bqplot.Axis(
        scale=scale,
        side="left" if upwards else "bottom",
        label=label,
        tick_values=ticks,
        tick_format=_tick_format(ticks),
        label_offset="46px" if upwards else "36px",
        label_color="var(--fd-muted)",
        grid_lines="solid",
        num_ticks=len(ticks),
    )


def _figure(marks: Any, axes: list[Any], margin: dict[str, int]) -> Any:
    return bqplot.Figure(
        marks=[marks],
        axes=axes,
        fig_margin=dict(margin),
        background_style={"fill": "transparent"},
        layout={"width": "100%", "height": f"{HEIGHT}px", "min_width": "0"},
        animation_duration=0,
        display_toolbar=False,
    )


def _scaled(bars: Sequence[Bar], measure: Measure) -> tuple[Any, str, list[float]]:
    """The parts in the largest unit that fits, one row each; the unit; and the ticks of the axis."""
    amounts = np.array([[part or 0.0 for part in bar.parts] for bar in bars], dtype=np.float64).T
    largest = float(amounts.sum(axis=0).max())
    steps = _STEPS[measure]
    unit, divisor = next((step for step in steps if largest >= step[1]), steps[-1])
    return amounts / divisor, unit, _ticks(largest / divisor)


def _unit_word(texts: Texts, measure: Measure, unit: str) -> str:
    return unit if measure == "bytes" else texts(f"chart.unit_{unit}")


def _ticks(largest: float) -> list[float]:
    """Round steps from 0 to where `largest` fits, at most five of them."""
    power = 10.0 ** np.floor(np.log10(largest))
    step = next(power * factor for factor in (0.2, 0.5, 1, 2) if largest <= power * factor * _TICKS)
    return [round(step * number, 6) for number in range(int(np.ceil(largest / step)) + 1)]


def _tick_format(ticks: list[float]) -> str:
    return ",d" if all(tick == int(tick) for tick in ticks) else ",.2~f"


def _keys(bars: Sequence[Bar]) -> list[str]:
    """What tells bars apart: several may have one name."""
    return [str(number) for number in range(len(bars))]

"""Figures of amounts: bars of two parts, by name or over days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import bqplot
import numpy as np

from retry_toolkit.text import Texts, within

Measure = Literal["bytes", "seconds", "tokens", "cost"]
Over = Literal["names", "days"]

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
_ROOM_ACROSS: Final = HEIGHT - _ACROSS["top"] - _ACROSS["bottom"]
_ROOM_UPWARDS: Final = 640
_COLOURS: Final = ("var(--fd-accent, #1976d2)", "var(--fd-line-strong, #bdbdbd)")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its `name`, and its two parts, of which None is unknown and has no length."""

    name: str
    parts: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around bars: figures with equal frames differ in nothing but the length of their bars."""

    over: Over
    names: tuple[str, ...]
    label: str
    ticks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a figure will be: its frame, and the `amounts` of the bars in the unit of the axis, a row for each part."""

    frame: Frame
    amounts: tuple[tuple[float, ...], ...]


def plan_bars(texts: Texts, bars: Sequence[Bar], measure: Measure, over: Over) -> Plan:
    """What `draw_bars` draws.

    Args:
        texts: Words of the axis.
        bars: At least one, and something of them known: the first on top, or days (or weeks) in their order, without a
            gap, of which some are named.
        measure: What the parts are.
        over: Whether they are named things or days.
    """
    amounts = np.array([[part or 0.0 for part in bar.parts] for bar in bars], dtype=np.float64).T
    largest = float(amounts.sum(axis=0).max())
    steps = _STEPS[measure]
    unit, divisor = next((step for step in steps if largest >= step[1]), steps[-1])
    word = unit if measure == "bytes" else texts(f"chart.unit_{unit}")
    names = [within(bar.name, _LABEL) for bar in bars] if over == "names" else _some_days(bars)
    label = texts(f"chart.{measure}", unit=word)
    frame = Frame(over, tuple(names), label, tuple(_ticks(largest / divisor)))
    return Plan(frame, tuple(tuple(row) for row in (amounts / divisor).tolist()))


def draw_bars(plan: Plan) -> Any:
    """A figure of stacked bars: horizontal ones of names, upright ones of days."""
    frame, across = plan.frame, plan.frame.over == "names"
    # Several bars may have one name: numbers tell them apart.
    keys = [str(number) for number in range(len(frame.names))]
    places = bqplot.OrdinalScale(domain=keys[::-1] if across else keys)
    sizes = bqplot.LinearScale(min=0, max=frame.ticks[-1])
    named = bqplot.Axis(
        scale=places,
        side="left" if across else "bottom",
        tick_labels=dict(zip(keys, frame.names, strict=True)),
        grid_lines="none",
    )
    amounts = bqplot.Axis(
        scale=sizes,
        side="bottom" if across else "left",
        label=frame.label,
        tick_values=list(frame.ticks),
        tick_format=",d" if all(tick == int(tick) for tick in frame.ticks) else ",.2~f",
        label_offset="36px" if across else "46px",
        label_color="var(--fd-muted)",
        grid_lines="solid",
    )
    bars = bqplot.Bars(
        x=keys,
        y=np.array(plan.amounts),
        scales={"x": places, "y": sizes},
        orientation="horizontal" if across else "vertical",
        type="stacked",
        colors=list(_COLOURS),
        # A few bars are no thicker than many.
        padding=max(1 - _THICKEST * len(keys) / (_ROOM_ACROSS if across else _ROOM_UPWARDS), 0.25),
        stroke_width=0,
        interactions={"hover": "tooltip"},
        tooltip_style={"opacity": 1},
    )
    return bqplot.Figure(
        marks=[bars],
        axes=[named, amounts],
        fig_margin=dict(_ACROSS if across else _UPWARDS),
        background_style={"fill": "transparent"},
        layout={"width": "100%", "height": f"{HEIGHT}px", "min_width": "0"},
        animation_duration=0,
        display_toolbar=False,
    )


def redraw_bars(figure: Any, plan: Plan) -> None:
    """Change the bars of a figure that was drawn with an equal frame."""
    figure.marks[0].y = np.array(plan.amounts)


def close_bars(figure: Any) -> None:
    """Let go of a figure with all that it is made of: each part is a widget of its own."""
    for part in (*figure.marks, *figure.axes):
        scales = part.scales.values() if hasattr(part, "scales") else ()
        for widget in (*scales, part):
            widget.close()
    for widget in (figure.scale_x, figure.scale_y, figure.layout, figure):
        widget.close()


def _some_days(bars: Sequence[Bar]) -> list[str]:
    """Names of some bars, counted from the last, which is the one that is looked at."""
    every = -(-len(bars) // _MOST_DAYS_NAMED)
    return [bar.name if (len(bars) - 1 - number) % every == 0 else "" for number, bar in enumerate(bars)]


def _ticks(largest: float) -> list[float]:
    """Round steps from 0 to where `largest` fits, at most five of them."""
    power = float(10.0 ** np.floor(np.log10(largest)))
    step = next(power * factor for factor in (0.2, 0.5, 1, 2) if largest <= power * factor * _TICKS)
    return [round(step * number, 6) for number in range(int(np.ceil(largest / step)) + 1)]

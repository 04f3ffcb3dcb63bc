"""Figures of frames, one function each."""

from __future__ import annotations

from typing import Any, Final

import bqplot
import numpy as np
import pandas as pd

from retry_toolkit.text import Texts, fitted

_UNITS: Final = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0))
_LABEL_CELLS: Final = 24
_ID_CELLS: Final = 10
# A figure keeps the width that it was drawn with: this one fits the narrowest column that it may stand in.
_WIDTH: Final = 560
_BAR_HEIGHT: Final = 28
_STEPS: Final = 5
_MARGIN: Final = {"top": 8, "bottom": 44, "left": 176, "right": 24}
_COLOURS: Final = ("var(--fd-accent, #1976d2)", "var(--fd-line-strong, #bdbdbd)")


def chart_disk_cost(texts: Texts, by_root: pd.DataFrame) -> Any:
    """Stacked bars of bytes by lineage, the dearest on top: what was copied against what links saved.

    Args:
        texts: Words of the axes.
        by_root: `root_id, name, extra_bytes, saved_bytes`, one row a lineage, dearest first.
    """
    rows = by_root.iloc[::-1]
    amounts = rows[["extra_bytes", "saved_bytes"]].fillna(0).to_numpy(dtype=np.float64).T
    unit, divisor = _unit(float(amounts.sum(axis=0).max()))
    labels = _labels(rows)
    ticks = _ticks(float((amounts / divisor).sum(axis=0).max()))
    places, sizes = bqplot.OrdinalScale(domain=labels), bqplot.LinearScale(min=0, max=ticks[-1])
    bars = bqplot.Bars(
        x=labels,
        y=amounts / divisor,
        scales={"x": places, "y": sizes},
        orientation="horizontal",
        type="stacked",
        colors=list(_COLOURS),
        padding=0.35,
    )
    axes = [
        bqplot.Axis(scale=places, side="left", grid_lines="none"),
        bqplot.Axis(
            scale=sizes,
            label=texts("disk.axis", unit=unit),
            tick_values=ticks,
            tick_format=_tick_format(ticks),
            label_offset="34px",
            label_color="var(--fd-muted)",
            grid_lines="solid",
        ),
    ]
    height = _MARGIN["top"] + _MARGIN["bottom"] + _BAR_HEIGHT * max(len(labels), 3)
    return bqplot.Figure(
        marks=[bars],
        axes=axes,
        fig_margin=dict(_MARGIN),
        background_style={"fill": "transparent"},
        layout={"width": f"{_WIDTH}px", "height": f"{height}px", "min_width": "0"},
        animation_duration=0,
    )


def _unit(largest: float) -> tuple[str, float]:
    return next((unit, divisor) for unit, divisor in _UNITS if largest >= divisor or divisor == 1)


def _ticks(largest: float) -> list[float]:
    """Round steps from 0 to where `largest` fits, at most five of them."""
    power = 10.0 ** np.floor(np.log10(largest))
    step = next(power * factor for factor in (0.2, 0.5, 1, 2) if largest <= power * factor * _STEPS)
    return [round(step * number, 6) for number in range(int(np.ceil(largest / step)) + 1)]


def _tick_format(ticks: list[float]) -> str:
    return "d" if all(tick == int(tick) for tick in ticks) else ".1f"


def _labels(rows: pd.DataFrame) -> list[str]:
    """Names cut to the margin; two lineages of one name are told apart by their ids."""
    names = [root if pd.isna(name) else str(name) for root, name in zip(rows["root_id"], rows["name"], strict=True)]
    short = [fitted(name, _LABEL_CELLS) for name in names]
    return [
        text if short.count(text) == 1 else f"{fitted(name, _LABEL_CELLS - _ID_CELLS)} · {root[-6:]}"
        for text, name, root in zip(short, names, rows["root_id"], strict=True)
    ]

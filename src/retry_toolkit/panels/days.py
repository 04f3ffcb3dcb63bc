"""Sums by day as bars without gaps: days, or as many of them together as leave a readable number of bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from retry_toolkit.text import Texts

AT_LEAST: Final = 14
AT_MOST: Final = 42
_STEPS: Final = (1, 7, 28, 91)


@dataclass(frozen=True, slots=True)
class Span:
    """From the day `first` to the day `last`, both included; None for what is of no known day. `sums` by column."""

    first: pd.Timestamp | None
    last: pd.Timestamp | None
    sums: dict[str, Any]

    @property
    def key(self) -> str:
        """Names the span."""
        return "unknown" if self.first is None or self.last is None else f"{self.first:%Y-%m-%d}/{self.last:%Y-%m-%d}"

    def name(self, texts: Texts) -> str:
        """Its first day, as an axis has room for."""
        return texts("unit.unknown") if self.first is None else texts.day(self.first.date())

    def title(self, texts: Texts) -> str:
        """All of it."""
        if self.first is None or self.last is None or self.first == self.last:
            return self.name(texts)
        return texts("chart.span", first=texts.day(self.first.date()), last=texts.day(self.last.date()))


def spans_of(table: pd.DataFrame, columns: Sequence[str]) -> tuple[Span, ...]:
    """Spans of equal length that end with the last day of `table`; days without a row are nothing, not unknown.

    Args:
        table: One row a `day`, in their order.
        columns: What is summed; a sum of nothing known is missing.
    """
    known = table[table["day"].notna()]
    spans: list[Span] = []
    if len(known):
        first, last = known["day"].iloc[0], known["day"].iloc[-1]
        count = max((last - first).days + 1, AT_LEAST)
        step = next((step for step in _STEPS if -(-count // step) <= AT_MOST), -(-count // AT_MOST))
        number = -(-count // step)
        begin = last - pd.Timedelta(days=number * step - 1)
        place = ((known["day"] - begin).dt.days // step).to_numpy(dtype=np.int64)
        sums = known[list(columns)].groupby(place).sum(min_count=1)
        for index in range(number):
            start = begin + pd.Timedelta(days=index * step)
            row = sums.loc[index] if index in sums.index else pd.Series(0, index=list(columns))
            spans.append(Span(start, start + pd.Timedelta(days=step - 1), dict(row)))
    lost = table[table["day"].isna()]
    if len(lost):
        spans.append(Span(None, None, dict(lost[list(columns)].sum(min_count=1))))
    return tuple(spans)

"""What a filter asks of a row: each condition gives a mask over the tasks frame, and the pandas code of that mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

import numpy as np
import pandas as pd

from retry_toolkit.frames.searching import contain

Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
Positions: TypeAlias = np.ndarray[tuple[int], np.dtype[np.intp]]

# Cheapest first: what an earlier column has found is not looked at again.
SEARCHED: Final = ("owner", "task_id", "name", "error")


class Condition(Protocol):
    """One thing that a row must fulfil."""

    def mask(self, tasks: pd.DataFrame) -> Mask:
        """Rows that fulfil it."""

    def code(self, frame: str) -> str:
        """The pandas expression of the same mask, for a frame of this name."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """A category column holds one of these words; compared by codes, not by text."""

    column: str
    words: tuple[str, ...]

    def mask(self, tasks: pd.DataFrame) -> Mask:
        """Rows with one of the words; missing is none of them."""
        column = tasks[self.column].astype("category")  # frames that were joined hold text
        wanted = column.cat.categories.get_indexer(pd.Index(self.words, dtype="str"))
        mask = np.zeros(len(tasks), dtype=np.bool_)
        for code in wanted[wanted >= 0]:
            mask |= column.array.codes == code
        return mask

    def code(self, frame: str) -> str:
        """Equality with one word, `isin` of several."""
        column = f'{frame}["{self.column}"]'
        return f"({column} == {self.words[0]!r})" if len(self.words) == 1 else f"{column}.isin({list(self.words)!r})"


@dataclass(frozen=True, slots=True)
class Listed:
    """A task is one of these."""

    task_ids: tuple[str, ...]

    def mask(self, tasks: pd.DataFrame) -> Mask:
        """Rows with one of the ids."""
        return np.asarray(tasks["task_id"].isin(self.task_ids).to_numpy(dtype=np.bool_))

    def code(self, frame: str) -> str:
        """`isin` of the ids."""
        return f'{frame}["task_id"].isin({list(self.task_ids)!r})'


@dataclass(frozen=True, slots=True)
class Since:
    """A time is a moment or later, or lies before it; a naive moment means UTC."""

    column: str
    moment: datetime
    side: str
    """`>=` or `<`."""

    def mask(self, tasks: pd.DataFrame) -> Mask:
        """Rows on this side of the moment; tasks of unknown time are on neither."""
        times = tasks[self.column].to_numpy(dtype="datetime64[us]")
        bound = np.datetime64(self._utc().replace(tzinfo=None), "us")
        return np.asarray(times >= bound if self.side == ">=" else times < bound)

    def code(self, frame: str) -> str:
        """A comparison with a `pd.Timestamp`."""
        return f'({frame}["{self.column}"] {self.side} pd.Timestamp({self._utc().isoformat()!r}))'

    def _utc(self) -> datetime:
        return self.moment.replace(tzinfo=UTC) if self.moment.tzinfo is None else self.moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Retryable:
    """The platform would take a retry; where that is unknown, it does not count."""

    def mask(self, tasks: pd.DataFrame) -> Mask:
        """Rows whose flag is set."""
        return np.asarray(tasks["retryable"].to_numpy(dtype=np.bool_, na_value=False))

    def code(self, frame: str) -> str:
        """The column, unknown taken as no."""
        return f'{frame}["retryable"].fillna(False)'


@dataclass(frozen=True, slots=True)
class Contains:
    """Id, name, owner or error contain a text, as it stands, in any case; sought only in what the conditions leave."""

    text: str

    def among(self, tasks: pd.DataFrame, rows: Positions) -> Mask:
        """Which of these rows contain it; the others are not looked at."""
        found = np.zeros(len(rows), dtype=np.bool_)
        for name in SEARCHED:
            left = np.flatnonzero(~found)
            found[left] = contain(tasks[name], self.text, rows[left])
        return found

    def code(self, frame: str) -> str:
        """One `str.contains` a column, joined by or."""
        sought = f"str.contains({self.text!r}, case=False, regex=False)"
        tests = [f'{frame}["{name}"].astype("str").{sought}' for name in SEARCHED]
        return f"({' | '.join(tests)})"


def masked(tasks: pd.DataFrame, conditions: Iterable[Condition]) -> Mask:
    """Rows that fulfil all of the conditions."""
    mask = np.ones(len(tasks), dtype=np.bool_)
    for condition in conditions:
        mask &= condition.mask(tasks)
    return mask

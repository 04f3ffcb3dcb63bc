"""The progress of a batch in one line: a bar with the buckets behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from retry_toolkit.retry.states import FINAL, STATES, State


class Progress(Protocol):
    """Is told the buckets of a batch after changes."""

    def show(self, buckets: Mapping[State, int]) -> None:
        """These are the buckets now."""

    def close(self) -> None:
        """Nothing more is to come."""


class NoProgress:
    """Shows nothing."""

    def show(self, buckets: Mapping[State, int]) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Close nothing."""


class Bar:
    """A tqdm bar: in notebooks a widget, elsewhere a line on stderr. Make it in the thread that shows it."""

    def __init__(self, total: int) -> None:
        from tqdm.auto import tqdm  # noqa: PLC0415 - picks the notebook's bar, which loads ipywidgets there

        self._bar = tqdm(total=total, desc="retry", unit="task")

    def show(self, buckets: Mapping[State, int]) -> None:
        """Move to what is settled, and name the buckets that are not empty."""
        self._bar.n = settled(buckets)
        self._bar.set_postfix_str(bucket_words(buckets), refresh=True)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()


def settled(buckets: Mapping[State, int]) -> int:
    """Items of which nothing more is to come; those that are unclear are not among them."""
    return sum(count for state, count in buckets.items() if state in FINAL)


def bucket_words(buckets: Mapping[State, int]) -> str:
    """The buckets that are not empty, in the order of an item's life."""
    return ", ".join(f"{buckets[state]} {state}" for state in STATES if buckets[state])

"""A progress bar that short loads never show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

DELAY_S = 0.5
"""How long a load runs before its bar appears, in seconds."""


class Bar(Protocol):
    """What a load tells of itself while it runs."""

    total: float | None

    def update(self, n: float = 1) -> object:
        """Count `n` more."""


class _NoBar:
    total: float | None = None

    def update(self, n: float = 1) -> None:
        """Count nothing."""


@contextmanager
def progress_bar(
    what: str, *, shown: bool, total: int | None = None, delay: float = DELAY_S, file: TextIO | None = None
) -> Iterator[Bar]:
    """A bar for the length of a `with` block; it disappears when the block ends."""
    if not shown:
        yield _NoBar()
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - picks the notebook's bar, which loads ipywidgets there

    with tqdm(desc=what, total=total, delay=delay, file=file, leave=False) as bar:
        yield bar

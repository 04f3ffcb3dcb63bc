"""A window onto any number of lines, moved by reading on, by searching and by following the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from traitlets import HasTraits, Instance

from retry_toolkit.panels.state.lines import Line

PAGE_LINES: Final = 1_000
MOST_LINES: Final = 3_000
PAGE_BYTES: Final = 100_000
MOST_BYTES: Final = 250_000
LONGEST_LINE: Final = 2_000
_CONTEXT: Final = 40
_ROW_BYTES: Final = 40
_WIDE: Final = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Where a search stands: `count` lines have the text, the `at`-th of them is looked at."""

    query: str = ""
    count: int = 0
    at: int = 0
    number: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What is shown: lines with their numbers from 1, and how many lie before and behind.

    `skipped` of those before are not kept. `goto` is a line to bring into sight, with a number that grows with each.
    """

    key: str = ""
    lines: tuple[tuple[int, Line], ...] = ()
    total: int = 0
    earlier: int = 0
    later: int = 0
    skipped: int = 0
    errors: int = 0
    found: Found = Found()
    following: bool = True
    goto: tuple[int, int] = (0, 0)


class Reader(HasTraits):
    """`view` follows the lines that were `put` and what the reader asked for; it is small whatever their number."""

    view = Instance(View, args=())

    def __init__(self) -> None:
        super().__init__()
        self._key = ""
        self._lines: Sequence[Line] = ()
        self._skipped = self._latest = 0
        self._ends: Any = np.zeros(1, dtype=np.int64)
        self._window = (0, 0)
        self._following = True
        self._found = Found()
        self._hits: Any = np.zeros(0, dtype=np.int64)
        self._errors: Any = np.zeros(0, dtype=np.int64)
        self._goto = (0, 0)

    def put(
        self, key: str, lines: Sequence[Line], *, skipped: int = 0, latest: int = 0, from_start: bool = False
    ) -> None:
        """Show these lines: from their end, or `from_start`; with the same `key` as before, they have grown.

        `skipped` came before and are not kept; the first error is looked for from the place `latest` on.
        """
        fresh = key != self._key
        before, dropped = len(self._lines), skipped - self._skipped
        if fresh:
            self._key, self._found, self._following = key, Found(), not from_start
        self._lines, self._skipped, self._latest = lines, skipped, latest
        self._ends = np.cumsum([0, *map(_cost, lines)])
        self._errors = np.flatnonzero([line.mark == "error" for line in lines])
        if fresh and from_start:
            self._window = self._forward(0, MOST_LINES, MOST_BYTES)
        elif fresh or self._following:
            self._window = self._back(len(lines), PAGE_LINES, PAGE_BYTES)
        else:
            self._grow(before, dropped)
        self._look_for(self._found.query)
        self._publish()

    def earlier(self) -> None:
        """Show more lines above; what is then too much below goes."""
        first, last = self._window
        above = self._back(first, PAGE_LINES, PAGE_BYTES)[0]
        self._window = (above, min(last, self._forward(above, MOST_LINES, MOST_BYTES)[1]))
        self._following = self._following and self._window[1] == len(self._lines)
        self._publish()

    def later(self) -> None:
        """Show more lines below; what is then too much above goes."""
        first, last = self._window
        below = self._forward(last, PAGE_LINES, PAGE_BYTES)[1]
        self._window = (max(first, self._back(below, MOST_LINES, MOST_BYTES)[0]), below)
        self._publish()

    def follow(self, *, on: bool) -> None:
        """Stay at the end as it grows, or stay where the reader is."""
        self._following = on
        if on:
            self._window = self._back(len(self._lines), PAGE_LINES, PAGE_BYTES)
        self._publish()

    def search(self, text: str) -> None:
        """Look for a text, whatever its case; the first line that has it in sight is shown, else the last before."""
        self._look_for(text)
        if len(self._hits):
            first, last = self._window
            inside = int(np.searchsorted(self._hits, first))
            seen = inside < len(self._hits) and self._hits[inside] < last
            self._choose(inside if seen else max(0, inside - 1))
        self._publish()

    def step(self, by: int) -> None:
        """The next or the previous line that was found; after the last comes the first."""
        if len(self._hits):
            self._choose((self._found.at - 1 + by) % len(self._hits))
            self._publish()

    def first_error(self) -> None:
        """Show the first line of the latest attempt that looks like an error, else the first of all."""
        if len(self._errors):
            at = int(np.searchsorted(self._errors, self._latest)) % len(self._errors)
            self._show(int(self._errors[at]))
            self._publish()

    def text(self, most: int) -> str:
        """The end of all lines that are kept, at most so many characters."""
        whole = "\n".join(line.text for line in self._lines)
        return whole[-most:]

    def _grow(self, before: int, dropped: int) -> None:
        """The reader stays where he is; lines that came at the end are added while there is room."""
        first, last = (max(0, place - dropped) for place in self._window)
        room = self._forward(first, MOST_LINES, MOST_BYTES)[1]
        self._window = (first, room if last >= before - dropped else min(last, room))

    def _look_for(self, text: str) -> None:
        wanted, number = text.lower(), self._found.number
        if not wanted:
            self._hits, self._found = self._hits[:0], Found()
            return
        self._hits = np.flatnonzero([wanted in line.text.lower() for line in self._lines])
        place = 0 if number is None else int(np.searchsorted(self._hits, number - 1 - self._skipped))
        same = text == self._found.query and place < len(self._hits)
        at = place + 1 if same else 0
        self._found = Found(text, len(self._hits), at, number if same else None)

    def _choose(self, at: int) -> None:
        place = int(self._hits[at])
        self._found = Found(self._found.query, len(self._hits), at + 1, self._number(place))
        self._show(place)

    def _show(self, place: int) -> None:
        first, last = self._window
        if not first <= place < last:
            self._window = self._forward(max(0, place - _CONTEXT), PAGE_LINES, PAGE_BYTES)
        self._following = False
        self._goto = (self._goto[0] + 1, self._number(place))

    def _number(self, place: int) -> int:
        return self._skipped + place + 1

    def _back(self, last: int, lines: int, room: int) -> tuple[int, int]:
        """The window that ends at `last`."""
        first = int(np.searchsorted(self._ends, self._ends[last] - room))
        return min(max(first, last - lines), max(last - 1, 0)), last

    def _forward(self, first: int, lines: int, room: int) -> tuple[int, int]:
        """The window that begins at `first`."""
        last = int(np.searchsorted(self._ends, self._ends[first] + room, side="right")) - 1
        return first, max(min(last, first + lines, len(self._lines)), min(first + 1, len(self._lines)))

    def _publish(self) -> None:
        first, last = self._window
        self.view = View(
            key=self._key,
            lines=tuple((self._number(place), _clipped(self._lines[place])) for place in range(first, last)),
            total=self._skipped + len(self._lines),
            earlier=first,
            later=len(self._lines) - last,
            skipped=self._skipped,
            errors=len(self._errors),
            found=self._found,
            following=self._following,
            goto=self._goto,
        )


def act_on(reader: Reader, action: str, value: object) -> None:
    """What the browser asks of a reader; anything else is ignored."""
    actions: dict[str, Callable[[], None]] = {
        "earlier": reader.earlier,
        "later": reader.later,
        "follow": lambda: reader.follow(on=value is True),
        "search": lambda: reader.search(value[:LONGEST_LINE] if isinstance(value, str) else ""),
        "step": lambda: reader.step(-1 if value == -1 else 1),
        "first_error": reader.first_error,
    }
    if action in actions:
        actions[action]()


def _cost(line: Line) -> int:
    """Bytes that a line needs on its way, about."""
    text = line.text
    wide = 1 if text.isascii() else _WIDE
    return min(len(text), LONGEST_LINE) * wide + _ROW_BYTES


def _clipped(line: Line) -> Line:
    return line if len(line.text) <= LONGEST_LINE else Line(f"{line.text[:LONGEST_LINE]}…", line.mark, cut=True)

"""What differs between two texts of the same work: numbers, ids, times and paths differ each time and do not count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from retry_toolkit.frames.fingerprints import masked

MOST_LINES: Final = 2_000
"""Lines of each text that are compared, counted from the first that differs."""

MOST_ROWS: Final = 200
CONTEXT: Final = 2

_EXACT_PAIRS: Final = 1_000_000
_TOKENS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Side:
    """A line of one text: its number from 1, and from where to where it differs from the other one's."""

    number: int
    text: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """Lines that belong together: `same`, `changed`, only `before`, only `after`, or a `gap` of `count` equal ones."""

    kind: Literal["same", "changed", "before", "after", "gap"]
    before: Side | None = None
    after: Side | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows with what differs and a little around it; the first that differs is the first that is not the same.

    `changes` counts lines that differ, `left_out` of them are not in `rows`. Of very different texts `uncompared` lines
    were not looked at. `identical` texts do not even differ in numbers.
    """

    rows: tuple[Row, ...] = ()
    changes: int = 0
    left_out: int = 0
    uncompared: int = 0
    identical: bool = True

    @property
    def equal(self) -> bool:
        """Whether nothing differs but what always does."""
        return not self.changes and not self.uncompared


def find_difference(before: Sequence[str], after: Sequence[str]) -> Difference:
    """What differs between two texts of one line each entry.

    Args:
        before: Lines of the first text.
        after: Lines of the second text.

    Returns:
        At most `MOST_ROWS` rows, whatever the length of the texts.
    """
    if list(before) == list(after):
        return Difference()
    keys = masked([*before, *after])
    old, new = keys[: len(before)], keys[len(before) :]
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    beyond = max(0, len(middle_old) - MOST_LINES) + max(0, len(middle_new) - MOST_LINES)
    blocks = [
        ("equal", 0, head, 0, head),
        *(
            (word, a + head, b + head, c + head, d + head)
            for word, a, b, c, d in _blocks(middle_old[:MOST_LINES], middle_new[:MOST_LINES])
        ),
        *([] if beyond else [("equal", len(old) - tail, len(old), len(new) - tail, len(new))]),
    ]
    rows = list(_rows(before, after, _joined(blocks)))
    changes = sum(row.kind not in {"same", "gap"} for row in rows)
    kept = rows[:MOST_ROWS]
    shown = sum(row.kind not in {"same", "gap"} for row in kept)
    return Difference(tuple(kept), changes, changes - shown, beyond, identical=False)


_Block = tuple[str, int, int, int, int]


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines are equal from the start on."""
    return next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _blocks(old: Sequence[str], new: Sequence[str]) -> list[_Block]:
    """What became of which lines."""
    counts = Counter(new)
    # Lines that come again and again make the search quadratic: then the frequent ones are no anchors.
    many = sum(counts[line] for line in old) > _EXACT_PAIRS
    return list(SequenceMatcher(None, old, new, autojunk=many).get_opcodes())


def _joined(blocks: Sequence[_Block]) -> list[_Block]:
    """Neighbouring equal blocks as one; empty ones gone."""
    joined: list[_Block] = []
    for word, a, b, c, d in blocks:
        if a == b and c == d:
            continue
        if joined and joined[-1][0] == word == "equal":
            _, first, _, third, _ = joined.pop()
            joined.append((word, first, b, third, d))
        else:
            joined.append((word, a, b, c, d))
    return joined


def _rows(before: Sequence[str], after: Sequence[str], blocks: Sequence[_Block]) -> Iterator[Row]:
    for index, (word, a, b, c, d) in enumerate(blocks):
        if word == "equal":
            yield from _equal(before[a:b], after[c:d], a, c, first=index == 0, last=index == len(blocks) - 1)
            continue
        pairs = min(b - a, d - c)
        for at in range(pairs):
            yield _changed(Side(a + at + 1, before[a + at]), Side(c + at + 1, after[c + at]))
        yield from (Row("before", before=_whole(at + 1, before[at])) for at in range(a + pairs, b))
        yield from (Row("after", after=_whole(at + 1, after[at])) for at in range(c + pairs, d))


def _equal(
    old: Sequence[str], new: Sequence[str], old_at: int, new_at: int, *, first: bool, last: bool
) -> Iterator[Row]:
    """The lines next to a change, and how many lie between."""
    count = len(old)
    above, below = 0 if first else CONTEXT, 0 if last else CONTEXT
    gap = count - above - below
    for at in range(count):
        if gap > 1 and at == above:
            yield Row("gap", count=gap)
        if gap <= 1 or at < above or at >= count - below:
            yield Row("same", before=Side(old_at + at + 1, old[at]), after=Side(new_at + at + 1, new[at]))


def _whole(number: int, text: str) -> Side:
    return Side(number, text, 0, len(text))


def _changed(before: Side, after: Side) -> Row:
    """Two lines of which the part that differs is marked; what holds a number is taken for equal where it can be."""
    old, new = _TOKENS.findall(before.text), _TOKENS.findall(after.text)
    for key in (_kind, str):
        head = _common([key(each) for each in old], [key(each) for each in new])
        tail = _common([key(each) for each in old[head:]][::-1], [key(each) for each in new[head:]][::-1])
        if head + tail < max(len(old), len(new)):
            return Row("changed", _marked(before, old, head, tail), _marked(after, new, head, tail))
    return Row("changed", _whole(before.number, before.text), _whole(after.number, after.text))


def _kind(token: str) -> str:
    return "#" if any(char.isdigit() for char in token) else token


def _marked(side: Side, tokens: Sequence[str], head: int, tail: int) -> Side:
    start = sum(map(len, tokens[:head]))
    end = len(side.text) - sum(map(len, tokens[len(tokens) - tail :]))
    return Side(side.number, side.text, start, max(end, start))

"""What differs between two texts, and what differs each time and does not count."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.analysis.difference import MOST_LINES, MOST_ROWS, Difference, Row, find_difference

LINES = st.lists(
    st.sampled_from(["read 1 row", "read 2 rows", "KeyError: 'a'", "", "done", "部分 3 完成"]), max_size=30
)


def kinds(found: Difference) -> list[str]:
    """What became of each row."""
    return [row.kind for row in found.rows]


def part(row: Row) -> tuple[str, str]:
    """The parts that are marked."""
    assert row.before is not None
    assert row.after is not None
    return tuple(side.text[side.start : side.end] for side in (row.before, row.after))  # type: ignore[return-value]


def test_times_numbers_ids_and_paths_do_not_count() -> None:
    """Equal but for what differs each time; word for word the same is more than that."""
    before = [
        "2026-11-25 10:00:01 read 12 rows from /tmp/a1/in.csv",
        "task 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 0x7f",
    ]
    after = [
        "2026-11-26 11:30:09 read 15 rows from /tmp/b2/in.csv",
        "task 9b2504e0-4f89-11d3-9a0c-0305e82c33ff at 0x8a",
    ]
    found = find_difference(before, after)
    assert found.equal
    assert not found.identical
    assert find_difference(before, before).identical


def test_codes_and_quoted_words_count() -> None:
    """Another exit code and another column are another cause, and the part that differs is marked."""
    found = find_difference(["start 1", "exit code 137"], ["start 2", "exit code 139"])
    assert (kinds(found), found.changes) == (["same", "changed"], 1)
    assert part(found.rows[1]) == ("137", "139")
    found = find_difference(["KeyError: 'amount' in row 3"], ["KeyError: 'total' in row 4"])
    assert part(found.rows[0]) == ("amount", "total")


def test_what_is_equal_is_counted_and_left_out() -> None:
    """Two lines stay on each side of a change, with their numbers in both texts."""
    before = [f"line {'x' * number}" for number in range(20)]
    found = find_difference(before, [*before[:10], "new", *before[10:]])
    assert kinds(found) == ["gap", "same", "same", "after", "same", "same", "gap"]
    assert (found.rows[0].count, found.rows[-1].count) == (8, 8)
    assert found.rows[4].before is not None
    assert found.rows[4].after is not None
    assert (found.rows[4].before.number, found.rows[4].after.number) == (11, 12)


def test_very_different_texts_are_bounded() -> None:
    """In rows and in what is compared at all; what was left out is counted."""
    pick = random.Random(7)
    before, after = ([pick.choice("abcdefgh") for _ in range(3 * MOST_LINES)] for _ in range(2))
    found = find_difference(["same", *before], ["same", *after])
    assert len(found.rows) == MOST_ROWS
    assert found.left_out > 0
    assert found.uncompared > 0
    assert not found.equal


@given(LINES, LINES)
def test_every_line_is_told(before: list[str], after: list[str]) -> None:
    """Lines of both texts are in the rows or in a gap, in order, and nothing of a text differs from itself."""
    assert find_difference(before, list(before)).identical
    found = find_difference(before, after)
    if found.identical:
        assert before == after
        return
    for name, text in (("before", before), ("after", after)):
        place = 0
        for row in found.rows:
            side = getattr(row, name)
            if row.kind == "gap":
                place += row.count
            elif side is not None:
                place += 1
                assert (side.number, side.text) == (place, text[place - 1])
        assert place == len(text)

"""The anchor: how far the journal had come, in a file that survives torn writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.anchor import NOTHING, Anchor, Head


def head(number: int) -> Head:
    """A head of this number."""
    return Head(number, f"{number:064x}")


@pytest.fixture
def anchor(tmp_path: Path) -> Anchor:
    """An anchor that was started."""
    made = Anchor(tmp_path / "journal.anchor")
    assert made.read() is None
    made.start()
    return made


def test_it_only_goes_forward(anchor: Anchor) -> None:
    """A slower process cannot take back what a faster one anchored."""
    assert anchor.read() == NOTHING
    for number in (3, 1, 7, 5, 7):
        anchor.advance(head(number))
    assert anchor.read() == head(7)


def test_the_furthest_head_survives_any_torn_write_of_the_next(anchor: Anchor) -> None:
    """A write that stopped at any byte leaves the head before it, or the new one."""
    anchor.advance(head(5))
    before = anchor.path.read_bytes()
    anchor.advance(head(6))
    after = anchor.path.read_bytes()
    changed = [at for at in range(len(after)) if before[at : at + 1] != after[at : at + 1]]
    for stop in range(changed[0], len(after) + 1):
        anchor.path.write_bytes(after[:stop] + before[stop:])
        assert anchor.read() in {head(5), head(6)}


def test_threads_leave_the_furthest(anchor: Anchor) -> None:
    """Whoever writes last, the furthest head stays."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: anchor.advance(head(number)), range(200)))
    assert anchor.read() == head(199)


def test_an_anchor_that_says_nothing_is_refused(anchor: Anchor) -> None:
    """A file of noise is no beginning: it is an error, also for who wants to write."""
    anchor.path.write_bytes(b"\xff noise" * 40)
    with pytest.raises(JournalError, match="is damaged"):
        anchor.read()
    with pytest.raises(JournalError, match="is damaged"):
        anchor.advance(head(1))

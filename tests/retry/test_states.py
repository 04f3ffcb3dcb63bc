"""The life of an item: which state may follow which."""

from __future__ import annotations

import pytest

from retry_toolkit.retry.states import FINAL, LIVE, OPEN, RESOLUTIONS, SENDABLE, STATES, State, may_follow


def test_the_whole_table() -> None:
    """Exactly these steps are possible; everything else is not."""
    steps = {(old, new) for old in STATES for new in STATES if may_follow(old, new)}
    assert steps == {
        ("PLANNED", "SENT"),
        ("PLANNED", "SKIPPED"),
        ("NOT_SENT", "SENT"),
        ("SENT", "ACCEPTED"),
        ("SENT", "REJECTED"),
        ("SENT", "NOT_SENT"),
        ("SENT", "UNKNOWN"),
        ("UNKNOWN", "ACCEPTED"),
        ("UNKNOWN", "REJECTED"),
        ("ACCEPTED", "SUCCEEDED"),
        ("ACCEPTED", "FAILED_AGAIN"),
        ("ACCEPTED", "CANCELLED"),
    }


@pytest.mark.parametrize("state", sorted(set(STATES) - SENDABLE))
def test_only_what_never_left_is_sent(state: State) -> None:
    """Nothing that may have left this machine becomes sendable by itself."""
    assert not any(may_follow(state, sendable) for sendable in SENDABLE - {"NOT_SENT"})
    assert not may_follow(state, "SENT")
    assert may_follow(state, "NOT_SENT") is (state == "SENT")


def test_the_groups_cover_every_state() -> None:
    """Every state is open, unknown or final; what is taken is never planned again while it may have been sent."""
    assert OPEN | {"UNKNOWN"} | FINAL == set(STATES)
    assert set(STATES) - LIVE == {"REJECTED", "NOT_SENT", "SKIPPED", "CANCELLED"}
    assert not RESOLUTIONS & {"PLANNED", "SENT", "UNKNOWN", "NOT_SENT"}

"""The life of one item of a batch: its states, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

State = Literal[
    "PLANNED",
    "SENT",
    "ACCEPTED",
    "REJECTED",
    "NOT_SENT",
    "UNKNOWN",
    "SUCCEEDED",
    "FAILED_AGAIN",
    "CANCELLED",
    "SKIPPED",
]
"""SKIPPED: never sent; its reason says why (stopped, batch cancelled, attempt moved, already in the journal)."""

STATES: tuple[State, ...] = get_args(State)

LIVE: frozenset[State] = frozenset({"PLANNED", "SENT", "ACCEPTED", "UNKNOWN", "SUCCEEDED", "FAILED_AGAIN"})
"""An intent in one of these is taken: no other batch may plan it again."""

SENDABLE: frozenset[State] = frozenset({"PLANNED", "NOT_SENT"})
"""The states that a claim starts from."""

OPEN: frozenset[State] = frozenset({"PLANNED", "SENT", "ACCEPTED"})
"""Something is still to be done: send, read back or watch."""

FINAL: frozenset[State] = frozenset(STATES) - OPEN - {"UNKNOWN"}
"""Nothing more is to come."""

RESOLUTIONS: frozenset[State] = frozenset({"ACCEPTED", "REJECTED", "SUCCEEDED", "FAILED_AGAIN", "CANCELLED"})
"""What a person who looked may say that an UNKNOWN item came to; REJECTED: it did not happen."""

_FOLLOWS: Mapping[State, frozenset[State]] = {
    "PLANNED": frozenset({"SENT", "SKIPPED"}),
    "NOT_SENT": frozenset({"SENT"}),
    "SENT": frozenset({"ACCEPTED", "REJECTED", "NOT_SENT", "UNKNOWN"}),
    # Never NOT_SENT: what may have left this machine must not become sendable by itself.
    "UNKNOWN": frozenset({"ACCEPTED", "REJECTED"}),
    "ACCEPTED": frozenset({"SUCCEEDED", "FAILED_AGAIN", "CANCELLED"}),
}


def may_follow(old: State, new: State) -> bool:
    """Whether an item may go from `old` to `new` by itself; a person's word on an UNKNOWN item is not meant."""
    return new in _FOLLOWS.get(old, frozenset())

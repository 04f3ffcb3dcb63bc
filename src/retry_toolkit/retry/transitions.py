"""What may happen to items and batches, each in a transaction of the caller."""

from __future__ import annotations

from typing import Any

from retry_toolkit.errors import JournalError
from retry_toolkit.retry import queries
from retry_toolkit.retry.changes import Change
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import BatchRow, BatchState, Item
from retry_toolkit.retry.rows import StoredItem
from retry_toolkit.retry.states import FINAL, OPEN, RESOLUTIONS, SENDABLE, State, may_follow

_DETAIL_KEPT = 65_536  # characters of a platform's words


def claim_item(change: Change, op_id: str, batch: BatchRow, *, evidence_id: str | None) -> Item | None:
    """The item, SENT, or None when this batch may not send it (any more)."""
    stored = queries.current_item(change.connection, op_id)
    if batch.state != "running" or stored is None or stored.item.batch_id != batch.batch_id:
        return None
    if stored.item.state not in SENDABLE:
        return None
    fields = {
        "state": "SENT",
        "sent_at": change.now,
        "answered_at": None,
        "settled_at": None,
        "evidence_id": evidence_id or stored.item.evidence_id,
    }
    return change.alter_item(stored, batch, "sent", fields)


def settle_item(change: Change, op_id: str, state: State, **known: Any) -> Item:
    """The item in the state that it came to; what is empty in `known` keeps what was there.

    Raises:
        JournalError: There is none, or `state` may not follow.
    """
    stored = change.get_item(op_id)
    if not may_follow(stored.item.state, state):
        raise JournalError(f"Item {op_id} is {stored.item.state}: it cannot become {state}.")
    return _set_state(change, stored, "settled", state, **known)


def skip_planned(change: Change, batch: BatchRow, reason: str) -> None:
    """Let every PLANNED item of a batch be SKIPPED."""
    for stored in queries.stored_items(change.connection, batch_id=batch.batch_id, states=["PLANNED"]):
        _set_state(change, stored, "settled", "SKIPPED", reason=reason)


def lose_track(change: Change, batch_id: str) -> list[Item]:
    """What a process that died left SENT: UNKNOWN."""
    return [
        _set_state(change, stored, "recovered", "UNKNOWN", reason=say("process_ended"))
        for stored in queries.stored_items(change.connection, batch_id=batch_id, states=["SENT"])
    ]


def plan_again(change: Change, op_id: str, *, typed_task_id: str) -> Item:
    """An UNKNOWN item, PLANNED for a new round; its batch is to go on.

    Raises:
        JournalError: It is not UNKNOWN, or the task's id was not typed.
    """
    stored = _unknown_item(change, op_id)
    if typed_task_id != stored.item.task_id:
        raise JournalError("What was typed is not the task's id: nothing is sent again.", advice="Type it exactly.")
    batch = _reopened(change, stored.item.batch_id)
    fields = {"state": "PLANNED", "round": stored.item.round + 1, "sent_at": None, "answered_at": None}
    return change.alter_item(stored, batch, "planned again", fields)


def resolve_item(change: Change, op_id: str, outcome: State, note: str) -> Item:
    """An UNKNOWN item after a person looked.

    Raises:
        JournalError: It is not UNKNOWN, or `outcome` is nothing that a person can say.
    """
    if outcome not in RESOLUTIONS:
        raise JournalError(
            f"An item cannot be resolved as {outcome}.", advice=f"One of {', '.join(sorted(RESOLUTIONS))}."
        )
    stored = _unknown_item(change, op_id)
    if outcome in OPEN:
        _reopened(change, stored.item.batch_id)
    return _set_state(change, stored, "resolved", outcome, reason=note)


def move_batch(change: Change, batch_id: str, state: BatchState, *, reason: str) -> BatchRow:
    """A batch in its new state.

    Raises:
        JournalError: It is over, or is to be done while items are open.
    """
    stored = queries.get_batch(change.connection, batch_id)
    old = stored.batch.state
    if old == state:
        return stored.batch
    if old in {"cancelled", "done"}:
        raise JournalError(f"Batch {batch_id} is {old}.", advice="Plan a new one.")
    if state == "cancelled":
        skip_planned(change, stored.batch, reason or "the batch was cancelled")
    if state == "done":
        _refuse_open_items(change, batch_id)
    return change.alter_batch(stored, state, reason=reason)


def _set_state(change: Change, stored: StoredItem, what: str, state: State, **known: Any) -> Item:
    fields = {name: value for name, value in known.items() if value not in (None, "")} | {"state": state}
    if "detail" in fields:
        fields["detail"] = _shortened(fields["detail"])
    if stored.item.state in {"SENT", "UNKNOWN"}:
        fields["answered_at"] = change.now
    if state in FINAL:
        fields["settled_at"] = change.now
    batch = queries.get_batch(change.connection, stored.item.batch_id).batch
    return change.alter_item(stored, batch, what, fields)


def _unknown_item(change: Change, op_id: str) -> StoredItem:
    stored = change.get_item(op_id)
    if stored.item.state != "UNKNOWN":
        raise JournalError(f"Item {op_id} is {stored.item.state}, not UNKNOWN.", advice="Refresh.")
    return stored


def _reopened(change: Change, batch_id: str) -> BatchRow:
    """The batch, paused when it was over: somebody has to resume it."""
    stored = queries.get_batch(change.connection, batch_id)
    if stored.batch.state in {"running", "paused"}:
        return stored.batch
    return change.alter_batch(stored, "paused", reason="an item is to go on")


def _refuse_open_items(change: Change, batch_id: str) -> None:
    counts = queries.count_states(change.connection, batch_id)
    still = ", ".join(f"{counts[state]} {state}" for state in sorted(OPEN) if counts[state])
    if still:
        raise JournalError(f"Batch {batch_id} is not done: {still}.", advice="Resume or cancel it.")


def _shortened(words: str) -> str:
    more = len(words) - _DETAIL_KEPT
    return words if more <= 0 else f"{words[:_DETAIL_KEPT]} … ({more} more characters)"

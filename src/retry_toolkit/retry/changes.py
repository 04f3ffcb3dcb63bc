"""One writing transaction on the journal: rows change by compare-and-set, each together with its audit row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from retry_toolkit.errors import JournalError
from retry_toolkit.retry import queries
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import BatchRow, BatchState, Intent, Item
from retry_toolkit.retry.rows import StoredBatch, StoredItem
from retry_toolkit.retry.states import LIVE, State
from retry_toolkit.retry.trail import Trail

_SAME_KEY: frozenset[State] = frozenset({"NOT_SENT", "SKIPPED"})
"""Never sent: should that ever be wrong, the platform still knows the second sending by its key."""

_TAKEN: Mapping[State, str] = {
    "PLANNED": "planned_elsewhere",
    "SENT": "sent_elsewhere",
    "UNKNOWN": "unclear_elsewhere",
}


class Change:
    """What is changed in one transaction, by one actor, at one time."""

    def __init__(self, connection: Connection, *, actor: str, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.trail = Trail(connection, actor=actor, now=now)

    def get_item(self, op_id: str) -> StoredItem:
        """The current item of an intent.

        Raises:
            JournalError: There is none.
        """
        found = queries.current_item(self.connection, op_id)
        if found is None:
            raise JournalError(f"The journal has no item {op_id!r}.")
        return found

    def add_batch(self, batch: BatchRow, intents: Sequence[Intent]) -> None:
        """A new batch and its items: PLANNED, or SKIPPED where the intent is taken."""
        stored = StoredBatch(batch=batch, audit_seq=self.trail.next_seq)
        _insert(self.connection, "batches", stored.row())
        self._note_batch(stored, "created", before=None, facts={"options": dict(batch.options)})
        for position, intent in enumerate(intents):
            self._add_item(batch, Item(batch_id=batch.batch_id, position=position, intent=intent, state="PLANNED"))

    def alter_item(
        self,
        stored: StoredItem,
        batch: BatchRow,
        what: str,
        fields: Mapping[str, Any],
        *,
        current: bool = True,
        facts: Mapping[str, Any] | None = None,
    ) -> Item:
        """Set fields of an item of a batch, if it still is as it was read.

        Raises:
            JournalError: It is not.
        """
        item = replace(stored.item, **fields)
        after = replace(stored, item=item, current=current, audit_seq=self.trail.next_seq)
        row = after.row()
        updated = self.connection.execute(
            f"UPDATE items SET {', '.join(f'{name} = :{name}' for name in row)}"  # noqa: S608 - our own names
            " WHERE id = :rowid AND digest = :as_read",
            row | {"rowid": stored.rowid, "as_read": stored.row()["digest"]},
        ).rowcount
        if updated != 1:
            raise JournalError(f"Item {item.op_id} was changed meanwhile.", advice="Read it again.")
        self._note_item(after, batch, what, before=stored.item.state, facts=facts)
        return item

    def alter_batch(self, stored: StoredBatch, state: BatchState, *, reason: str = "") -> BatchRow:
        """Set the state of a batch, if it still is as it was read.

        Raises:
            JournalError: It is not.
        """
        batch = replace(stored.batch, state=state)
        after = StoredBatch(batch=batch, audit_seq=self.trail.next_seq)
        row = after.row()
        updated = self.connection.execute(
            "UPDATE batches SET state = :state, audit_seq = :audit_seq, digest = :digest"
            " WHERE batch_id = :batch_id AND digest = :as_read",
            {name: row[name] for name in ("state", "audit_seq", "digest", "batch_id")}
            | {"as_read": stored.row()["digest"]},
        ).rowcount
        if updated != 1:
            raise JournalError(f"Batch {batch.batch_id} was changed meanwhile.", advice="Read it again.")
        self._note_batch(after, state, before=stored.batch.state, facts={"reason": reason})
        return batch

    def _add_item(self, batch: BatchRow, item: Item) -> None:
        old = queries.current_item(self.connection, item.op_id)
        if old is not None and old.item.state not in LIVE:
            old_batch = queries.get_batch(self.connection, old.item.batch_id).batch
            self.alter_item(old, old_batch, "superseded", {}, current=False, facts={"by": batch.batch_id})
            item = replace(item, round=old.item.round + (old.item.state not in _SAME_KEY))
        planned = StoredItem(item=item, current=True)
        # The unique index decides, not what was read before it.
        added = _insert(self.connection, "items", planned.row(), "ON CONFLICT (op_id) WHERE current = 1 DO NOTHING")
        if added is None:
            self._add_skipped(batch, replace(item, state="SKIPPED", reason=_why_taken(old), settled_at=self.now))

    def _add_skipped(self, batch: BatchRow, item: Item) -> None:
        skipped = StoredItem(item=item, current=False, audit_seq=self.trail.next_seq)
        rowid = _insert(self.connection, "items", skipped.row())
        self._note_item(replace(skipped, rowid=rowid), batch, "skipped", before=None)

    def _note_item(
        self,
        stored: StoredItem,
        batch: BatchRow,
        what: str,
        *,
        before: State | None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        item, intent = stored.item, stored.item.intent
        said = {
            "task_id": intent.task_id,
            "stage": intent.stage,
            "attempt": intent.attempt,
            "round": item.round,
            "reason": item.reason,
            "detail": item.detail,
            "attempt_after": item.attempt_after,
            "new_task_id": item.new_task_id,
            "evidence_id": item.evidence_id,
        }
        self.trail.append(
            what,
            identity=batch.platform_identity,
            origin=intent.origin,
            batch_id=item.batch_id,
            plan_hash=batch.plan_hash,
            item_id=stored.rowid,
            op_id=item.op_id,
            before=before,
            after=item.state,
            facts=said | dict(facts or {}),
            digest_after=stored.row()["digest"],
        )

    def _note_batch(self, stored: StoredBatch, what: str, *, before: str | None, facts: Mapping[str, Any]) -> None:
        batch = stored.batch
        self.trail.append(
            what,
            identity=batch.platform_identity,
            origin=batch.origin,
            batch_id=batch.batch_id,
            plan_hash=batch.plan_hash,
            count=batch.total,
            before=before,
            after=batch.state,
            facts={"action": batch.action} | dict(facts),
            digest_after=stored.row()["digest"],
        )


def _insert(connection: Connection, table: str, row: Mapping[str, Any], on_conflict: str = "") -> int | None:
    """The new row's id, or None when `on_conflict` kept it out."""
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    cursor = connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({values}) {on_conflict}",  # noqa: S608 - our own names
        dict(row),
    )
    return cursor.lastrowid if cursor.rowcount == 1 else None


def _why_taken(old: StoredItem | None) -> str:
    if old is None:
        return say("named_twice")
    return say(_TAKEN.get(old.item.state, "done_elsewhere"), batch=old.item.batch_id)

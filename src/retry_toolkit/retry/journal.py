"""The journal: which retries were decided, sent and answered; what makes one intent be sent at most once.

Every change is one transaction that compares the old state, sets the new one and adds its audit row. It is on the disk
before the method returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from types import ModuleType
from typing import Any, Self

from retry_toolkit.errors import JournalError
from retry_toolkit.retry import queries, transitions
from retry_toolkit.retry.journal_file import LOCK, JournalFile
from retry_toolkit.retry.leases import Lease, Leases, Owner
from retry_toolkit.retry.records import Action, BatchRow, BatchState, Intent, Item
from retry_toolkit.retry.states import OPEN, State
from retry_toolkit.retry.trail import current_actor

__all__ = ["Action", "BatchRow", "BatchState", "Intent", "Item", "Journal", "Lease", "Owner", "State"]


class Journal:
    """`journal.db` of a home directory; may be used from several threads and processes at once.

    Every method raises `JournalError` when the file cannot be used: then nothing may be sent.
    """

    def __init__(self, file: JournalFile, leases: Leases) -> None:
        self._file = file
        self._leases = leases

    @classmethod
    def open(cls, home: Path, *, driver: ModuleType | None = None) -> Self:
        """The journal of this home directory, made if there never was one, checked whole.

        Args:
            home: The directory.
            driver: The SQLite driver; None for the best one that is installed.

        Raises:
            JournalError: It is damaged, cut short, foreign, or of a newer version.
        """
        return cls(JournalFile.open(home, driver=driver), Leases(home / "leases", gate=home / LOCK))

    def create_batch(
        self,
        plan_hash: str,
        origin: str,
        action: Action,
        intents: Sequence[Intent],
        *,
        actor: str,
        options: Mapping[str, Any] | None = None,
        platform_identity: str | None = None,
    ) -> BatchRow:
        """A new running batch with one item an intent, in that order, in one transaction.

        An intent that is live in another batch (or came before in this one) becomes SKIPPED, with a reason that
        names that batch; one that is REJECTED, NOT_SENT, SKIPPED or CANCELLED there is superseded.
        """
        if not intents:
            raise ValueError("A batch needs at least one intent.")
        if any((intent.origin, intent.action) != (origin, action) for intent in intents):
            raise ValueError("Every intent of a batch has its origin and its action.")
        with self._file.changing(actor) as change:
            batch = BatchRow(
                batch_id=f"{change.now:%Y%m%d-%H%M%S}-{token_hex(4)}",
                plan_hash=plan_hash,
                origin=origin,
                action=action,
                created_at=change.now,
                created_by=actor,
                total=len(intents),
                state="running",
                options=dict(options or {}),
                platform_identity=platform_identity,
            )
            change.add_batch(batch, intents)
        return batch

    def claim(self, op_id: str, batch_id: str, *, actor: str, evidence_id: str | None = None) -> Item | None:
        """The item, durably SENT, or None when it may not be sent.

        None: it is not PLANNED or NOT_SENT (any more), another batch superseded it, or the batch is not running.
        Whoever gets the item sends it once; nobody else gets it.
        """
        evidence = {} if evidence_id is None else {op_id: evidence_id}
        claimed = self.claim_many([op_id], batch_id, actor=actor, evidence=evidence)
        return claimed[0] if claimed else None

    def claim_many(
        self, op_ids: Iterable[str], batch_id: str, *, actor: str, evidence: Mapping[str, str] | None = None
    ) -> list[Item]:
        """`claim` for one batch call, in one transaction: those that may be sent. `evidence`: op_id -> evidence_id."""
        known = evidence or {}
        with self._file.changing(actor) as change:
            batch = queries.get_batch(change.connection, batch_id).batch
            claimed = [
                transitions.claim_item(change, op_id, batch, evidence_id=known.get(op_id))
                for op_id in dict.fromkeys(op_ids)
            ]
        return [item for item in claimed if item is not None]

    def settle(
        self,
        op_id: str,
        state: State,
        *,
        reason: str = "",
        detail: str = "",
        attempt_after: int | None = None,
        new_task_id: str | None = None,
        actor: str | None = None,
    ) -> Item:
        """The item after what became of it; empty arguments keep what was known. PLANNED -> SKIPPED is here too.

        Raises:
            JournalError: No such item, or `state` may not follow the one that it is in now.
        """
        if state in {"PLANNED", "SENT"}:
            raise ValueError(f"{state} is no outcome.")
        with self._file.changing(actor or current_actor()) as change:
            return transitions.settle_item(
                change,
                op_id,
                state,
                reason=reason,
                detail=detail,
                attempt_after=attempt_after,
                new_task_id=new_task_id,
            )

    def item(self, op_id: str) -> Item | None:
        """The current item of an intent: the one that a claim would be about; None when it was never wanted."""
        with self._file.reading() as connection:
            found = queries.current_item(connection, op_id)
        return None if found is None else found.item

    def items(
        self, batch_id: str | None = None, *, states: Iterable[State] | None = None, origin: str | None = None
    ) -> list[Item]:
        """Items of a batch (or of all, oldest batch first) in their order; only those in `states` and of `origin`."""
        with self._file.reading() as connection:
            found = queries.stored_items(connection, batch_id=batch_id, states=states, origin=origin)
        return [stored.item for stored in found]

    def batch(self, batch_id: str) -> BatchRow | None:
        """One batch, or None."""
        with self._file.reading() as connection:
            found = queries.find_batch(connection, batch_id)
        return None if found is None else found.batch

    def batches(self, *, limit: int | None = 100, origin: str | None = None) -> list[BatchRow]:
        """Batches, newest first."""
        with self._file.reading() as connection:
            return queries.list_batches(connection, origin=origin, limit=limit)

    def unfinished(self, origin: str | None = None) -> list[BatchRow]:
        """Batches that are running or paused, or have items to send, read back or watch; newest first."""
        with self._file.reading() as connection:
            return queries.list_batches(connection, origin=origin, with_items=OPEN)

    def unsettled(self, origin: str | None = None) -> list[BatchRow]:
        """Those that are `unfinished`, and those with items that stayed unclear; newest first."""
        with self._file.reading() as connection:
            return queries.list_batches(connection, origin=origin, with_items=OPEN | {"UNKNOWN"})

    def buckets(self, batch_id: str) -> dict[State, int]:
        """How many items of a batch are in each state, every state named; they sum to its total."""
        with self._file.reading() as connection:
            return queries.count_states(connection, batch_id)

    def set_batch_state(self, batch_id: str, state: BatchState, *, actor: str, reason: str = "") -> BatchRow:
        """The batch in its new state. `cancelled` makes its PLANNED items SKIPPED; setting the same state is harmless.

        Raises:
            JournalError: It is over (cancelled or done), or `done` while items are PLANNED, SENT or ACCEPTED.
        """
        with self._file.changing(actor) as change:
            return transitions.move_batch(change, batch_id, state, reason=reason)

    def lease(self, batch_id: str, *, actor: str) -> Lease | None:
        """The right to run this batch, or None while another one (process or thread) has it."""
        if self.batch(batch_id) is None:
            raise JournalError(f"The journal has no batch {batch_id!r}.")
        return self._leases.take(batch_id, actor=actor)

    def owner(self, batch_id: str) -> Owner | None:
        """Who runs this batch right now; None when nobody does, also when its process died."""
        return self._leases.owner(batch_id)

    def recover(self, lease: Lease, *, actor: str) -> list[Item]:
        """What a process that died left SENT in this batch, now UNKNOWN: to be read back, never to be sent again."""
        if not lease.held:
            raise JournalError(f"The lease of batch {lease.batch_id} was given back.", advice="Take it again.")
        with self._file.changing(actor) as change:
            return transitions.lose_track(change, lease.batch_id)

    def resend_unknown(self, op_id: str, *, typed_task_id: str, actor: str) -> Item:
        """An UNKNOWN item, PLANNED for a new round with a new key; a batch that was over is paused.

        Raises:
            JournalError: It is not UNKNOWN, or `typed_task_id` is not exactly the task's id.
        """
        with self._file.changing(actor) as change:
            return transitions.plan_again(change, op_id, typed_task_id=typed_task_id)

    def mark_resolved(self, op_id: str, outcome: State, *, actor: str, note: str = "") -> Item:
        """An UNKNOWN item after a person looked: ACCEPTED, SUCCEEDED, FAILED_AGAIN, CANCELLED, or REJECTED (not done).

        Raises:
            JournalError: It is not UNKNOWN, or `outcome` is none of these.
        """
        with self._file.changing(actor) as change:
            return transitions.resolve_item(change, op_id, outcome, note)

    def close(self) -> None:
        """Close the file and give every lease free; harmless when repeated."""
        self._leases.release_all()
        self._file.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

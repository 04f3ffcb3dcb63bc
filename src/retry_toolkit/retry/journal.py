"""The journal: which retries were decided, sent and answered; what makes one intent be sent at most once.

Every change is one transaction that compares the old state, sets the new one and adds its audit row; it is on the
disk before the method returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from retry_toolkit.retry.leases import Lease, Owner
from retry_toolkit.retry.records import Action, BatchRow, BatchState, Intent, Item
from retry_toolkit.retry.states import State

__all__ = ["Action", "BatchRow", "BatchState", "Intent", "Item", "Journal", "Lease", "Owner", "State"]


class Journal:
    """`journal.db` of a home directory; may be used from several threads and processes at once.

    Every method raises `JournalError` when the file cannot be used: then nothing may be sent.
    """

    @classmethod
    def open(cls, home: Path) -> Self:
        """The journal of this home directory, made if missing, checked whole.

        Raises:
            JournalError: It is damaged, cut short, foreign, or of a newer version.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    def claim(self, op_id: str, batch_id: str, *, actor: str, evidence_id: str | None = None) -> Item | None:
        """The item, durably SENT, or None when it may not be sent.

        None: it is not PLANNED or NOT_SENT (any more), another batch superseded it, or the batch is not running.
        Whoever gets the item sends it once; nobody else gets it.
        """
        raise NotImplementedError

    def claim_many(
        self, op_ids: Iterable[str], batch_id: str, *, actor: str, evidence: Mapping[str, str] | None = None
    ) -> list[Item]:
        """`claim` for one batch call, in one transaction: those that may be sent. `evidence`: op_id -> evidence_id."""
        raise NotImplementedError

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
        raise NotImplementedError

    def item(self, op_id: str) -> Item | None:
        """The current item of an intent: the one that a claim would be about; None when it was never wanted."""
        raise NotImplementedError

    def items(
        self, batch_id: str | None = None, *, states: Iterable[State] | None = None, origin: str | None = None
    ) -> list[Item]:
        """Items of a batch (or of all, oldest batch first) in their order; only those in `states` and of `origin`."""
        raise NotImplementedError

    def batch(self, batch_id: str) -> BatchRow | None:
        """One batch, or None."""
        raise NotImplementedError

    def batches(self, *, limit: int | None = 100, origin: str | None = None) -> list[BatchRow]:
        """Batches, newest first."""
        raise NotImplementedError

    def unfinished(self, origin: str | None = None) -> list[BatchRow]:
        """Batches that are running or paused, or have items to send, read back or watch; newest first."""
        raise NotImplementedError

    def buckets(self, batch_id: str) -> dict[State, int]:
        """How many items of a batch are in each state, every state named; they sum to its total."""
        raise NotImplementedError

    def set_batch_state(self, batch_id: str, state: BatchState, *, actor: str, reason: str = "") -> BatchRow:
        """The batch in its new state. `cancelled` makes its PLANNED items SKIPPED; setting the same state is harmless.

        Raises:
            JournalError: It is over (cancelled or done), or `done` while items are PLANNED, SENT or ACCEPTED.
        """
        raise NotImplementedError

    def lease(self, batch_id: str, *, actor: str) -> Lease | None:
        """The right to run this batch, or None while another one (process or thread) has it."""
        raise NotImplementedError

    def owner(self, batch_id: str) -> Owner | None:
        """Who runs this batch right now; None when nobody does, also when its process died."""
        raise NotImplementedError

    def recover(self, lease: Lease, *, actor: str) -> list[Item]:
        """What a process that died left SENT in this batch, now UNKNOWN: to be read back, never to be sent again."""
        raise NotImplementedError

    def resend_unknown(self, op_id: str, *, typed_task_id: str, actor: str) -> Item:
        """An UNKNOWN item, PLANNED for a new round with a new key; a batch that was over is paused.

        Raises:
            JournalError: It is not UNKNOWN, or `typed_task_id` is not exactly the task's id.
        """
        raise NotImplementedError

    def mark_resolved(self, op_id: str, outcome: State, *, actor: str, note: str = "") -> Item:
        """An UNKNOWN item after a person looked: ACCEPTED, SUCCEEDED, FAILED_AGAIN, CANCELLED, or REJECTED (not done).

        Raises:
            JournalError: It is not UNKNOWN, or `outcome` is none of these.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Close the file and give every lease free; harmless when repeated."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

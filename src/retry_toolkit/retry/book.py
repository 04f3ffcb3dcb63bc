"""The items of one batch in memory, as the journal has them; every change goes to the journal first."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.classify import Verdict
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.records import BatchRow, BatchState, Item
from retry_toolkit.retry.states import STATES, State


class Book:
    """One batch of a journal; safe to use from several threads.

    Args:
        row: The batch; its items are read by `load`.
        actor: In whose name it is changed.
    """

    def __init__(self, row: BatchRow, *, actor: str) -> None:
        self.row = row
        self.actor = actor
        self._lock = threading.Lock()
        self._items: list[Item] = []
        self._positions: dict[str, int] = {}
        self._counts: Counter[State] = Counter()
        self._journal: Journal | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """Every item, in the order of the plan."""
        with self._lock:
            return tuple(self._items)

    @property
    def buckets(self) -> dict[State, int]:
        """How many items are in each state, every state named; they sum to the number of items."""
        with self._lock:
            return {state: self._counts[state] for state in STATES}

    def attach(self, journal: Journal) -> None:
        """Write to this journal from now on, after reading the batch and every item from it."""
        self._journal = journal
        self.load(journal)

    def load(self, journal: Journal) -> None:
        """Read the batch and every item."""
        self.row = journal.batch(self.row.batch_id) or self.row
        items = journal.items(self.row.batch_id)
        with self._lock:
            self._items = items
            self._counts = Counter(item.state for item in items)
            # One that is SKIPPED because its intent is taken has the name of the one that took it.
            self._positions = {item.op_id: item.position for item in items if item.state != "SKIPPED"}

    def move(self, state: BatchState, journal: Journal, *, reason: str = "") -> None:
        """Put the batch into another state; one that is over stays so."""
        batch = journal.batch(self.row.batch_id) or self.row
        if batch.state in {"running", "paused"}:
            batch = journal.set_batch_state(batch.batch_id, state, actor=self.actor, reason=reason)
        self.row = batch
        if state == "cancelled":
            # Others settle meanwhile: only what was never sent is read anew.
            known = self.items
            for item in journal.items(batch.batch_id, states=["SKIPPED"]):
                if known[item.position].state == "PLANNED":
                    self.keep(item)

    def item(self, op_id: str) -> Item:
        """One item that is not SKIPPED from the start."""
        with self._lock:
            return self._items[self._positions[op_id]]

    def claim(self, op_ids: Sequence[str], evidence: Mapping[str, str]) -> list[Item]:
        """Those that may be sent now, durably SENT."""
        claimed = self.journal.claim_many(op_ids, self.row.batch_id, actor=self.actor, evidence=evidence)
        return [self.keep(item) for item in claimed]

    def settle(self, item: Item, verdict: Verdict) -> Item:
        """The item as it is now that its verdict is written down.

        A verdict that changes no state changes only what is said of it here. Where somebody else was faster (a person
        who resolved it), the journal's word stands.
        """
        if verdict.state == item.state:
            return self._say(item, verdict.reason)
        try:
            settled = self.journal.settle(
                item.op_id,
                verdict.state,
                reason=verdict.reason,
                detail=verdict.detail,
                attempt_after=verdict.attempt_after,
                new_task_id=verdict.new_task_id,
                actor=self.actor,
            )
        except JournalError:
            settled = self.reread(item)
            if settled.state == item.state:
                raise
        return self.keep(settled)

    def reread(self, item: Item) -> Item:
        """The item as the journal has it; as it was where another batch has taken it over."""
        now = self.journal.item(item.op_id)
        return self.keep(now if now is not None and now.batch_id == self.row.batch_id else item)

    @property
    def journal(self) -> Journal:
        """Where it is written down."""
        if self._journal is None:
            raise JournalError(f"Batch {self.row.batch_id} does not run here.", advice="Resume it.")
        return self._journal

    def _say(self, item: Item, reason: str) -> Item:
        with self._lock:
            now = self._items[item.position]
            if reason and now.state == item.state:
                now = self._items[item.position] = replace(now, reason=reason)
        return now

    def keep(self, item: Item) -> Item:
        """The item, as the journal has it now, in the place of what was known of it."""
        with self._lock:
            self._counts[self._items[item.position].state] -= 1
            self._counts[item.state] += 1
            self._items[item.position] = item
        return item

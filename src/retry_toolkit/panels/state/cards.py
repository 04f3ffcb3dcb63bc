"""A batch of retries as the page shows it: a value, made anew after each change of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from retry_toolkit.panels.state.proposals import Kind
from retry_toolkit.platforms.base import TaskFiles
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.leases import Owner
from retry_toolkit.retry.records import BatchState, Item
from retry_toolkit.retry.states import OPEN, State

Condition = Literal["running", "paused", "interrupted", "elsewhere", "ended"]
"""What can be done with a batch: hold it, let it go on, go on with it, only look, or settle what is unclear."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Card:
    """One batch as it is shown: its buckets, its items, and the bucket whose items are listed (None: those to look at).

    `typing` is the unclear item whose task's id is being typed, because it is to be sent again.
    """

    batch_id: str
    kind: Kind
    state: BatchState
    condition: Condition
    owner: Owner | None
    created_at: datetime
    created_by: str
    total: int
    buckets: Mapping[State, int]
    items: tuple[Item, ...]
    error: Exception | None = None
    files: TaskFiles | None = None
    shown: State | None = None
    typing: str | None = None

    @property
    def task_ids(self) -> frozenset[str]:
        """The tasks that it is about, new ones included."""
        return frozenset(name for item in self.items for name in (item.task_id, item.new_task_id) if name)

    @property
    def needs_a_look(self) -> bool:
        """Whether somebody has to do something about it."""
        waits = self.condition in {"paused", "interrupted", "elsewhere"}
        return waits or bool(self.buckets["UNKNOWN"]) or self.error is not None

    @property
    def open(self) -> int:
        """Items that something is still to be done for."""
        return sum(self.buckets[state] for state in OPEN)

    def is_news_after(self, old: Card) -> bool:
        """Whether who has sent away `old` wants to see this one: it no longer runs by itself, or needs a new look."""
        failed = self.error is not None and old.error is None
        return self.condition != "running" or self.buckets["UNKNOWN"] > old.buckets["UNKNOWN"] or failed


def make_card(batch: RetryBatch, old: Card | None, *, kind: Kind | None, owner: Owner | None) -> Card:
    """The card of a batch as it is now; what the user has chosen on its old one stays.

    Args:
        batch: The batch.
        old: Its card until now, if it had one.
        kind: What was confirmed, where that is known; told by its items otherwise.
        owner: Who runs it, where that is not this process.
    """
    card = Card(
        batch_id=batch.id,
        kind=kind or _kind_of(batch),
        state=batch.state,
        condition=_condition_of(batch, owner),
        owner=owner,
        created_at=batch.created_at,
        created_by=batch.created_by,
        total=batch.total,
        buckets=batch.buckets,
        items=batch.items,
        error=batch.error if isinstance(batch.error, Exception) else None,
    )
    return replace(card, files=old.files, shown=old.shown, typing=old.typing) if old else card


def _condition_of(batch: RetryBatch, owner: Owner | None) -> Condition:
    if batch.running:
        return "paused" if batch.state == "paused" else "running"
    buckets = batch.buckets
    if batch.state in {"running", "paused"} or any(buckets[state] for state in OPEN):
        return "elsewhere" if owner else "interrupted"
    return "ended"


def _kind_of(batch: RetryBatch) -> Kind:
    if batch.total > 1:
        return "batch"
    return "stage" if batch.action == "stage" else "whole"

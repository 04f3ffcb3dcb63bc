"""The batches of retries that the page shows: those begun here, and those that the journal has unfinished."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from traitlets import HasTraits, Tuple, Unicode

from retry_toolkit.panels.state.cards import Card, make_card
from retry_toolkit.panels.state.proposals import Kind, Proposal
from retry_toolkit.panels.state.session import Session
from retry_toolkit.platforms.base import Platform, TaskRecord
from retry_toolkit.retry import reasons
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.execute import execute, open_batch, resume
from retry_toolkit.retry.leases import Owner
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.retry.states import State

USERS_SHARE: Final = 3.0
"""So many times as long as the page took over the last news of a batch, it does not take over the next."""


class BatchesState(HasTraits):
    """`cards`, newest first; every action on one, in threads; `typed` is what is typed to send an item again.

    `away` are the cards of running batches that were taken off the page: each comes back when there is news.

    Args:
        session: Who acts, and where results come back.
        archive: Where journal and evidence are.
        timing: Waits of the batches.
        clock: Seconds that only grow; injected in tests.
    """

    cards = Tuple()
    away = Tuple()
    typed = Unicode()

    def __init__(
        self,
        session: Session,
        archive: Archive,
        timing: Timing = TIMING,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._session = session
        self._archive = archive
        self._timing = timing
        self._clock = clock
        self._rests_until = clock()
        self._lock = threading.Lock()
        self._batches: dict[str, RetryBatch] = {}
        self._owners: dict[str, Owner] = {}
        self._platforms: dict[str, Platform] = {}
        self._kinds: dict[str, Kind] = {}
        self._told: set[str] = set()
        self._records: dict[str, TaskRecord] = {}
        self._new_tasks: set[str] = set()
        self._adopted: dict[str, tuple[Callable[[], None], ...]] = {}
        self.on_records: Callable[[Iterable[TaskRecord]], None] = _ignore
        self.on_new_task: Callable[[str], None] = _ignore
        self.on_end: Callable[[Card], None] = _ignore

    @property
    def all_cards(self) -> tuple[Card, ...]:
        """Those on the page, then those that are away."""
        return (*self.cards, *self.away)

    @property
    def begun_here(self) -> frozenset[str]:
        """Batches that were begun on this page."""
        return frozenset(self._kinds)

    def of_task(self, task_id: str | None) -> Card | None:
        """The newest card that is about this task alone."""
        return next((card for card in self.cards if card.total == 1 and task_id in card.task_ids), None)

    def batch(self, batch_id: str) -> RetryBatch | None:
        """The batch of a card, for who wants to have it in hand."""
        return self._batches.get(batch_id)

    def begin(self, proposal: Proposal, then: Callable[[], None], otherwise: Callable[[Exception], None]) -> None:
        """Execute what was confirmed."""
        writer = self._session.writer()

        def begun(batch: RetryBatch) -> None:
            self._platforms[batch.id] = writer
            self._kinds[batch.id] = proposal.kind
            self._take(batch)
            then()

        run = partial(execute, proposal.plan, writer, canary=proposal.canary)
        self._session.start(partial(self._run, run), begun, otherwise)

    def adopt(self, batch: RetryBatch) -> None:
        """Show a batch that somebody else has in hand, and act through it."""
        self._adopted[batch.id] = (batch.on_change(self._hear), batch.on_task(self._see))

        def taken(owner: Owner | None) -> None:
            if owner is not None:
                self._owners[batch.id] = owner
            self._take(batch)

        self._session.start(partial(self._owner, batch), taken)

    def look(self) -> None:
        """Show what the journal has unfinished or unclear of this platform, begun by whomever."""
        self._session.start(self._read_journal, self._found)

    def pause(self, batch_id: str) -> None:
        """Send nothing more until `go_on`."""
        if self._may_act():
            self._do(batch_id, RetryBatch.pause)

    def go_on(self, batch_id: str) -> None:
        """Let a paused batch go on, or run here one that nobody runs."""
        batch = self._known(batch_id)
        if batch is not None and batch.running:
            self._do(batch_id, RetryBatch.resume)
        elif batch is not None:
            self._resume(batch_id)

    def cancel(self, batch_id: str) -> None:
        """Send nothing more for good; what was sent is still followed."""
        if self._may_act():
            self._do(batch_id, RetryBatch.cancel, then=self._follow)

    def check_again(self, batch_id: str) -> None:
        """Read back once more what is unclear."""
        batch = self._known(batch_id)
        if batch is not None and batch.running:
            self._do(batch_id, RetryBatch.check_again)
        elif batch is not None:
            self._resume(batch_id)

    def resolve(self, batch_id: str, task_id: str, *, done: bool) -> None:
        """Take the user's word on an unclear item; what was done is followed to its end."""
        if not self._may_act():
            return
        outcome: State = "ACCEPTED" if done else "REJECTED"
        note = reasons.say("seen_done" if done else "seen_undone")
        self._do(batch_id, lambda batch: batch.mark_resolved(task_id, outcome, note=note), then=self._follow)

    def ask_to_type(self, batch_id: str, task_id: str | None) -> None:
        """Ask for a task's id before its unclear item is sent again; None no longer asks."""
        self.typed = ""
        self._change(batch_id, typing=task_id)

    def send_again(self, batch_id: str, task_id: str) -> None:
        """Send an unclear item once more, at the risk of doing it twice: only when its task's id was typed."""
        if not self._may_act():
            return
        typed = self.typed.strip()
        if typed != task_id:
            self._session.notices.tell("unclear.mistyped")
            return
        self.ask_to_type(batch_id, None)
        self._do(batch_id, lambda batch: batch.send_again(task_id, typed=typed), then=self.go_on)

    def show(self, batch_id: str, state: State | None) -> None:
        """List the items of one bucket; the same again lists those to look at."""
        card = self._card(batch_id)
        if card is not None:
            self._change(batch_id, shown=None if card.shown == state else state)

    def dismiss(self, batch_id: str) -> None:
        """Take a batch off the page; a running one goes on and is away, an unfinished one is offered again later."""
        card = next((card for card in self.cards if card.batch_id == batch_id), None)
        if card is not None and card.condition == "running":
            self.away = (card, *self.away)
        self.cards = tuple(other for other in self.cards if other is not card)

    def bring_back(self) -> None:
        """Show the batches again that are away."""
        self.cards = (*self.away, *self.cards)
        self.away = ()

    def release(self, platform: Platform) -> None:
        """Stop what runs over a connection, without cancelling it, then close the connection."""
        running = [self._batches[name] for name, used in self._platforms.items() if used is platform]

        def work() -> None:
            for batch in running:
                batch.close()
            platform.close()

        self._session.start(work, lambda _: None)

    def close(self) -> None:
        """Leave what runs here, without cancelling; nobody waits for it. What others have in hand runs on."""
        for batch in self._batches.values():
            if batch.id not in self._adopted:
                batch.close(timeout=0)
        for stop_listening in (stop for stops in self._adopted.values() for stop in stops):
            stop_listening()
        self._adopted.clear()

    def _may_act(self) -> bool:
        """Whether this page may act: a button that is not there can still be fired at the kernel."""
        if not self._session.can_act:
            self._session.notices.tell(f"block.{self._session.closed_why}")
        return self._session.can_act

    def _known(self, batch_id: str) -> RetryBatch | None:
        """The batch, unless the page has none of that name: then it says so."""
        if batch_id not in self._batches:
            self._session.notices.tell("batch.gone")
        return self._batches.get(batch_id)

    def _do(
        self, batch_id: str, action: Callable[[RetryBatch], None], then: Callable[[str], None] | None = None
    ) -> None:
        batch = self._known(batch_id)
        if batch is None:
            return

        def done(_: None) -> None:
            self._take(batch)
            if then is not None:
                then(batch_id)

        self._session.start(lambda: action(batch), done)

    def _follow(self, batch_id: str) -> None:
        """Run a batch that nobody runs, where something of it can still be watched or read back."""
        card = self._card(batch_id)
        if card is not None and card.open and not self._batches[batch_id].running:
            self._resume(batch_id)

    def _resume(self, batch_id: str) -> None:
        if batch_id in self._adopted and not self._session.unlocked:
            # In place, so that whoever has it in hand sees it go on.
            self._owners.pop(batch_id, None)
            self._do(batch_id, RetryBatch.resume)
            return
        platform = self._session.writer() if self._session.can_act else self._session.platform

        def resumed(batch: RetryBatch) -> None:
            self._platforms[batch_id] = platform
            self._owners.pop(batch_id, None)
            self._take(batch)

        self._session.start(partial(self._run, partial(resume, batch_id, platform)), resumed)

    def _run(self, begin: Callable[..., RetryBatch]) -> RetryBatch:
        """A batch that runs by itself and tells the page; `begin` is `execute` or `resume`."""
        return begin(
            progress=False,
            wait=False,
            on_change=self._hear,
            on_task=self._see,
            journal=self._archive.journal,
            evidence=self._archive.evidence,
            timing=self._timing,
        )

    def _read_journal(self) -> list[tuple[RetryBatch, Owner | None]]:
        """Batches that are unsettled and do not run here."""
        if not self._archive.begun:
            return []
        platform = self._session.platform
        here = {batch.id for batch in tuple(self._batches.values()) if batch.running}
        with self._archive.open() as opened:
            rows = [row for row in opened.journal.unsettled(platform.origin) if row.batch_id not in here]
            owners = [opened.journal.owner(row.batch_id) for row in rows]
        return [(self._open(row.batch_id), owner) for row, owner in zip(rows, owners, strict=True)]

    def _owner(self, batch: RetryBatch) -> Owner | None:
        """Who runs it, where that is not this process."""
        if batch.running:
            return None
        with self._archive.open() as opened:
            return opened.journal.owner(batch.id)

    def _open(self, batch_id: str) -> RetryBatch:
        return open_batch(
            batch_id,
            self._session.platform,
            journal=self._archive.journal,
            evidence=self._archive.evidence,
            timing=self._timing,
        )

    def _found(self, found: list[tuple[RetryBatch, Owner | None]]) -> None:
        for batch, owner in reversed(found):
            known = self._batches.get(batch.id)
            if known is None or not known.running:
                self._owners.pop(batch.id, None)
                if owner is not None:
                    self._owners[batch.id] = owner
                self._take(batch)

    def _hear(self, batch: RetryBatch) -> None:
        """In the batch's thread: have the page take it over, once for all changes until then."""
        with self._lock:
            told, self._told = batch.id in self._told, self._told | {batch.id}
        if not told:
            self._session.post(partial(self._heard, batch), after_s=max(0.0, self._rests_until - self._clock()))

    def _heard(self, batch: RetryBatch) -> None:
        with self._lock:
            self._told.discard(batch.id)
        begun = self._clock()
        self._take(batch)
        # A batch has always news, and news is dear where there are many tasks: most of the time is the user's.
        now = self._clock()
        self._rests_until = now + USERS_SHARE * (now - begun)

    def _see(self, record: TaskRecord) -> None:
        """In a thread of a batch: keep what was read until the page takes it over."""
        with self._lock:
            self._records[record.task_id] = record

    def _take(self, batch: RetryBatch) -> None:
        """Show a batch as it is now, and tell of what is new in it."""
        with self._lock:
            records, self._records = tuple(self._records.values()), {}
        old, self._batches[batch.id] = self._card(batch.id), batch
        card = make_card(batch, old, kind=self._kinds.get(batch.id), owner=self._owners.get(batch.id))
        self.on_records(records)
        self._put(card, old)
        self._tell_new_tasks(card)
        if any(item.reason == reasons.say("forbidden") for item in card.items if item.state == "REJECTED"):
            self._session.asked_for_token = True
        if card.condition == "ended" and old is not None and old.condition in {"running", "paused"}:
            self.on_end(card)

    def _put(self, card: Card, old: Card | None) -> None:
        """In the place of what it was; in front where it is new on the page."""
        if old in self.cards:
            self.cards = tuple(card if other is old else other for other in self.cards)
        elif old is not None and not card.is_news_after(old):
            self.away = tuple(card if other is old else other for other in self.away)
        else:
            self.cards = (card, *self.cards)
            self.away = tuple(other for other in self.away if other is not old)

    def _tell_new_tasks(self, card: Card) -> None:
        for item in card.items:
            if item.new_task_id is not None and item.new_task_id not in self._new_tasks:
                self._new_tasks.add(item.new_task_id)
                self.on_new_task(item.new_task_id)
                if card.kind == "whole" and self._session.platform.capabilities.files:
                    read = partial(self._session.platform.files, item.new_task_id)
                    self._session.start(read, lambda files: self._change(card.batch_id, files=files))

    def _card(self, batch_id: str) -> Card | None:
        return next((card for card in self.all_cards if card.batch_id == batch_id), None)

    def _change(self, batch_id: str, **fields: object) -> None:
        old = self._card(batch_id)
        if old is not None:
            self._put(replace(old, **fields), old)  # type: ignore[arg-type]  # callers name fields of a card


def _ignore(_: object) -> None:
    """Until a listener is set."""

"""A batch in the hand of its user: see it, hold it, let it go on, settle what is unclear."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import ExitStack
from datetime import datetime
from typing import Self, TypeVar

import pandas as pd

from retry_toolkit.errors import BatchBusy, JournalError, ReadOnly
from retry_toolkit.platforms.base import Platform, TaskRecord
from retry_toolkit.retry.agenda import Agenda
from retry_toolkit.retry.archive import Archive, Opened
from retry_toolkit.retry.book import Book
from retry_toolkit.retry.journal import Lease
from retry_toolkit.retry.launch import prepare_run
from retry_toolkit.retry.options import Options
from retry_toolkit.retry.policy import Timing
from retry_toolkit.retry.progress import NoProgress, Progress
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Action, BatchRow, BatchState, Item
from retry_toolkit.retry.results import batch_html, results_frame, summary_text
from retry_toolkit.retry.run import Runner
from retry_toolkit.retry.states import OPEN, State

Listener = Callable[["RetryBatch"], None]
Watcher = Callable[[TaskRecord], None]

T = TypeVar("T")

_log = logging.getLogger(__name__)


class RetryBatch:
    """A plan being executed, or one that was; made by `execute`, `resume` and `open_batch`.

    It runs in threads of its own and never blocks an event loop. Ending the process ends the run, not the batch:
    `resume` goes on with it. Every change is in the journal before it shows here.
    """

    def __init__(
        self,
        row: BatchRow,
        platform: Platform,
        archive: Archive,
        *,
        actor: str,
        timing: Timing,
    ) -> None:
        self._platform = platform
        self._archive = archive
        self._actor = actor
        self._timing = timing
        self._options = Options.read(row.options)
        self._book = Book(row, actor=actor)
        self._progress: Progress = NoProgress()
        self._listeners: list[Listener] = []
        self._watchers: list[Watcher] = []
        self._lock = threading.Lock()
        self._runner: Runner | None = None
        self._ended: Future[None] = Future()
        self._ended.set_result(None)

    @property
    def id(self) -> str:
        """Name of the batch in the journal."""
        return self._book.row.batch_id

    @property
    def plan_hash(self) -> str:
        """Hash of the plan that it executes."""
        return self._book.row.plan_hash

    @property
    def origin(self) -> str:
        """Platform that it is about."""
        return self._book.row.origin

    @property
    def platform(self) -> Platform:
        """The connection that it reads and writes through."""
        return self._platform

    @property
    def archive(self) -> Archive:
        """Where its journal and its evidence are."""
        return self._archive

    @property
    def action(self) -> Action:
        """`stage` or `task`."""
        return self._book.row.action

    @property
    def created_at(self) -> datetime:
        """When it was begun."""
        return self._book.row.created_at

    @property
    def created_by(self) -> str:
        """Who began it: user and machine."""
        return self._book.row.created_by

    @property
    def total(self) -> int:
        """Items."""
        return self._book.row.total

    @property
    def state(self) -> BatchState:
        """`running`, `paused`, `cancelled` or `done`, as the journal has it."""
        return self._book.row.state

    @property
    def running(self) -> bool:
        """Whether this object is working on it."""
        return not self._ended.done()

    @property
    def error(self) -> BaseException | None:
        """What ended the last run before its time, or None."""
        return self._ended.exception() if self._ended.done() else None

    @property
    def buckets(self) -> dict[State, int]:
        """How many items are in each state, every state named; they always sum to `total`."""
        return self._book.buckets

    @property
    def items(self) -> tuple[Item, ...]:
        """Every item, in the order of the plan."""
        return self._book.items

    @property
    def results(self) -> pd.DataFrame:
        """One row an item, in the order of the plan; columns and dtypes of `schema.RESULTS`."""
        return results_frame(self._book.items)

    @property
    def summary(self) -> str:
        """The buckets and what they mean, in a few lines."""
        text = summary_text(self._book.row, self.running, self.buckets)
        return f"{text}\nIt ended before its time: {self.error}" if self.error else text

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call this with the batch after changes, in the batch's own thread; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def on_task(self, watcher: Watcher) -> Callable[[], None]:
        """Call this with each state of a task that is watched, in a thread of the batch; returns what ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing more is to come, at most so many seconds; whether that is so.

        Raises:
            JournalError: The journal could not be written: nothing more was sent.
        """
        ended = self._ended
        if not wait_for([ended], timeout).done:
            return False
        ended.result()
        return True

    async def done(self) -> Self:
        """The batch, once nothing more is to come; for `await` in notebooks."""
        await asyncio.shield(asyncio.wrap_future(self._ended))
        return self

    def pause(self) -> None:
        """Send nothing more until `resume()`; what is under way is read back and watched."""
        with self._archive.open() as opened:
            self._book.move("paused", opened.journal)
        self._post(Agenda.pause)

    def resume(self) -> None:
        """Go on, also when the run has ended or was left.

        Raises:
            BatchBusy: Somebody else runs it.
        """
        if not self.running:
            self.launch(self._archive.open())
            return
        with self._archive.open() as opened:
            self._book.move("running", opened.journal)
        self._post(Agenda.go_on)

    def cancel(self) -> None:
        """Send nothing more for good: what was not sent is SKIPPED. What was sent is read back and watched."""
        reason = say("not_sent", why=say("batch_cancelled"))
        with self._archive.open() as opened:
            self._book.move("cancelled", opened.journal, reason=reason)
        self._post(lambda agenda: agenda.stop(reason))

    def close(self, timeout: float | None = None) -> bool:
        """Stop running it here, without cancelling; whether it has stopped. `resume` goes on, here or elsewhere."""
        if self._runner is not None:
            self._runner.leave()
        return bool(wait_for([self._ended], timeout).done)

    def check_again(self) -> None:
        """Read everything back that is unclear, once more."""
        if not self.running:
            self.launch(self._archive.open())
            return
        for item in self.items:
            if item.state == "UNKNOWN":
                self._revisit(item)

    def mark_resolved(self, task_id: str, outcome: State, *, note: str = "") -> None:
        """Settle an unclear item by hand, after looking at the platform.

        Args:
            task_id: Its task.
            outcome: ACCEPTED, SUCCEEDED, FAILED_AGAIN or CANCELLED (it happened), or REJECTED (it did not).
            note: What was seen; goes into the audit trail.

        Raises:
            JournalError: The task has no unclear item, or the outcome is none of these.
        """
        op_id = self._unclear(task_id).op_id
        with self._archive.open() as opened:
            resolved = opened.journal.mark_resolved(op_id, outcome, actor=self._actor, note=note)
            self._book.row = opened.journal.batch(self.id) or self._book.row
        self._revisit(self._book.keep(resolved))

    def send_again(self, task_id: str, *, typed: str) -> None:
        """Send an unclear item once more, at the risk of doing it twice: only when its task's id was typed.

        A batch that was over is paused: `resume()` sends.

        Raises:
            JournalError: The task has no unclear item, or `typed` is not exactly its id.
        """
        op_id = self._unclear(task_id).op_id
        with self._archive.open() as opened:
            planned = opened.journal.resend_unknown(op_id, typed_task_id=typed, actor=self._actor)
            self._book.row = opened.journal.batch(self.id) or self._book.row
        self._revisit(self._book.keep(planned))

    def load(self, opened: Opened) -> None:
        """Read the batch as the journal has it now; for a batch that does not run here."""
        self._book.load(opened.journal)

    def launch(self, opened: Opened, progress: Progress | None = None) -> None:
        """Begin to run it in a thread; what was opened is closed when the run ends.

        Raises:
            BatchBusy: Somebody else runs it.
            ReadOnly: The connection refuses everything that writes, and something is still to be sent.
        """
        with self._lock, ExitStack() as stack:
            stack.enter_context(opened)
            runner = self._prepare(opened, stack.enter_context(self._lease(opened)))
            ended: Future[None] = Future()
            self._runner, self._ended, self._progress = runner, ended, progress or NoProgress()
            name = f"retry-toolkit-batch-{self.id}"
            run = threading.Thread(target=self._run, args=(runner, ended, stack.pop_all()), name=name, daemon=True)
            run.start()

    def __len__(self) -> int:
        return self.total

    def __repr__(self) -> str:
        return f"<RetryBatch {self.summary}>"

    def _repr_html_(self) -> str:
        return batch_html(self._book.row, self.running, self.items, self.buckets)

    def _lease(self, opened: Opened) -> Lease:
        lease = opened.journal.lease(self.id, actor=self._actor)
        if lease is None:
            owner = opened.journal.owner(self.id)
            who = f"process {owner.pid} of {owner.actor} on {owner.host}" if owner else "somebody else"
            raise BatchBusy(f"Batch {self.id} is being run by {who}.")
        return lease

    def _prepare(self, opened: Opened, lease: Lease) -> Runner:
        opened.journal.recover(lease, actor=self._actor)
        self._book.attach(opened.journal)
        if self._platform.read_only and self.buckets["PLANNED"]:
            raise ReadOnly("This connection is read-only: nothing can be sent through it.")
        self._book.move("running", opened.journal)
        return prepare_run(
            opened,
            self._platform,
            self._book,
            self._options,
            self._timing,
            changed=self._changed,
            seen=self._seen,
        )

    def _run(self, runner: Runner, ended: Future[None], opened: ExitStack) -> None:
        error: BaseException | None = None
        try:
            with opened:
                if runner.run() and not any(self.buckets[state] for state in OPEN):
                    self._book.move("done", self._book.journal)
        except BaseException as raised:  # noqa: BLE001 - handed over to whoever waits
            error = raised
        self._progress.show(self.buckets)
        self._progress.close()
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)
        self._changed()

    def _changed(self) -> None:
        self._progress.show(self.buckets)
        self._tell(self._listeners, self)

    def _seen(self, task: TaskRecord) -> None:
        self._tell(self._watchers, task)

    def _tell(self, listeners: Iterable[Callable[[T], None]], what: T) -> None:
        for listener in tuple(listeners):
            try:
                listener(what)
            except Exception:  # noqa: BLE001 - whoever listens must not end the batch; it is logged
                _log.exception("a listener of batch %s failed", self.id)

    def _unclear(self, task_id: str) -> Item:
        item = next((item for item in self.items if (item.task_id, item.state) == (task_id, "UNKNOWN")), None)
        if item is None:
            raise JournalError(f"Batch {self.id} has no unclear item of task {task_id!r}.", advice="Refresh.")
        return item

    def _revisit(self, item: Item) -> None:
        self._post(lambda agenda: agenda.revisit(item.op_id, item.state, time.monotonic()))

    def _post(self, call: Callable[[Agenda], None]) -> None:
        if self._runner is not None:
            self._runner.post(call)

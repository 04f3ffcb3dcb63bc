"""Running a batch: one thread asks the agenda what is due, a few do it."""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from retry_toolkit.errors import NotFound, RetryToolkitError
from retry_toolkit.platforms.base import Platform, TaskRecord
from retry_toolkit.retry.agenda import Agenda, Look, Send, Skip, Step, Stop, Watch
from retry_toolkit.retry.book import Book
from retry_toolkit.retry.classify import Verdict
from retry_toolkit.retry.lookback import read_back
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Item
from retry_toolkit.retry.sending import Event, Sender
from retry_toolkit.retry.states import State
from retry_toolkit.retry.watch import end_of, gone, watched_id

SHOW_EVERY_S = 0.1
"""Changes are told of at most so often, in seconds."""

GONE_AFTER = 3
"""Looks in a row by which a task does not exist, before it counts as deleted."""


class Runner:
    """Does what an agenda says until it is finished, left, or the journal cannot be written any more.

    Args:
        platform: Where to send, look and watch.
        book: The items, and the journal behind them.
        sender: Sends.
        agenda: Decides; touched only by the thread of `run`.
        workers: Steps under way at a time.
        changed: Called in the thread of `run` after changes, at most every `SHOW_EVERY_S`.
        seen: Called with each state of a task that was read to watch it, in a thread of a worker.
    """

    def __init__(
        self,
        *,
        platform: Platform,
        book: Book,
        sender: Sender,
        agenda: Agenda,
        workers: int,
        changed: Callable[[], None],
        seen: Callable[[TaskRecord], None],
    ) -> None:
        self._platform = platform
        self._book = book
        self._sender = sender
        self._agenda = agenda
        self._workers = workers
        self._changed = changed
        self._seen = seen
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._working = 0
        self._leaving = False
        self._error: BaseException | None = None
        self._absent: Counter[str] = Counter()
        self._shown_at = 0.0
        self._stale = False

    def post(self, call: Callable[[Agenda], None]) -> None:
        """Let the running thread do something with its agenda."""
        self._inbox.put(lambda: call(self._agenda))

    def leave(self) -> None:
        """End `run` when what is under way has ended; what is left is for somebody to resume."""
        self._inbox.put(self._leave)

    def run(self) -> bool:
        """Run; whether the agenda was finished.

        Raises:
            JournalError: The journal cannot be written: nothing more was sent.
        """
        with ThreadPoolExecutor(self._workers, thread_name_prefix="retry-toolkit-worker") as pool:
            while not self._over():
                now = time.monotonic()
                if not self._ending():
                    for step in self._agenda.steps(now):
                        self._working += 1
                        pool.submit(self._work, step)
                self._show(now)
                if not self._over():
                    self._listen(self._agenda.wake_at(now), now)
        if self._error is not None:
            raise self._error
        return self._agenda.finished

    def _ending(self) -> bool:
        return self._leaving or self._error is not None

    def _over(self) -> bool:
        return self._working == 0 and (self._agenda.finished or self._ending())

    def _leave(self) -> None:
        self._leaving = True

    def _show(self, now: float) -> None:
        if self._stale and now - self._shown_at >= SHOW_EVERY_S:
            self._stale, self._shown_at = False, now
            self._changed()

    def _listen(self, until: float | None, now: float) -> None:
        """Take what has come in; wait for something, at most until then."""
        times = [] if until is None or self._ending() else [until]
        times += [self._shown_at + SHOW_EVERY_S] if self._stale else []
        try:
            self._inbox.get(timeout=max(0.0, min(times) - now) if times else None)()
            while not self._inbox.empty():
                self._inbox.get()()
        except queue.Empty:
            return
        self._stale = True

    def _work(self, step: Step) -> None:
        try:
            for event in self._do(step):
                self._inbox.put(partial(self._hear, event))
            if isinstance(step, Stop):
                self._inbox.put(self._agenda.stopped)
        except BaseException as error:  # noqa: BLE001 - handed over: an error in a thread would vanish
            self._inbox.put(partial(self._break, error))
        finally:
            self._inbox.put(self._worked)

    def _worked(self) -> None:
        self._working -= 1

    def _break(self, error: BaseException) -> None:
        self._error = self._error or error

    def _hear(self, event: Event) -> None:
        verdict = event.verdict
        if verdict.state == "PLANNED" and not verdict.again and self._is_paused():
            self._agenda.pause()
        self._agenda.hear(event.item.op_id, verdict, time.monotonic())

    def _is_paused(self) -> bool:
        batch = self._book.journal.batch(self._book.row.batch_id)
        return batch is not None and batch.state == "paused"

    def _do(self, step: Step) -> Iterable[Event]:
        match step:
            case Send(op_ids):
                return self._sender.send([self._book.item(op_id) for op_id in op_ids])
            case Look(op_id, call_off):
                return [self._look(self._book.item(op_id), call_off=call_off)]
            case Watch(op_id):
                return [self._watch(self._book.item(op_id))]
            case Skip(op_ids, reason):
                return self._skip(op_ids, reason)
            case Stop(reason):
                return self._stop(reason)

    def _look(self, item: Item, *, call_off: bool) -> Event:
        if item.state != "UNKNOWN":
            # A person has resolved it meanwhile.
            return Event(item=item, verdict=Verdict(state=item.state))
        known = self._sender.known_retries(item.op_id)
        may_write = not self._platform.read_only
        try:
            verdict = read_back(self._platform, item, known=known, call_off=call_off and may_write)
        except RetryToolkitError as error:
            verdict = Verdict(state="UNKNOWN", reason=say("unread", error=error.message), again=True)
        return self._settled(item, verdict)

    def _watch(self, item: Item) -> Event:
        try:
            task = self._platform.task(watched_id(item))
            self._absent.pop(item.op_id, None)
            self._seen(task)
            ended = end_of(item, task)
        except NotFound:
            self._absent[item.op_id] += 1
            ended = gone() if self._absent[item.op_id] >= GONE_AFTER else None
        except RetryToolkitError as error:
            ended = Verdict(state="ACCEPTED", reason=say("unwatched", error=error.message), again=True)
        return self._settled(item, ended or Verdict(state="ACCEPTED"))

    def _skip(self, op_ids: Iterable[str], reason: str) -> Iterator[Event]:
        for op_id in op_ids:
            item = self._book.item(op_id)
            state: State = "SKIPPED" if item.state == "PLANNED" else item.state
            yield self._settled(item, Verdict(state=state, reason=reason))

    def _stop(self, reason: str) -> Iterable[Event]:
        """Skip everything that was not sent in one transaction: a claim comes before it, or gets nothing."""
        self._book.move("cancelled", self._book.journal, reason=reason)
        return ()

    def _settled(self, item: Item, verdict: Verdict) -> Event:
        settled = self._book.settle(item, verdict)
        if settled.state != verdict.state:
            return Event(item=settled, verdict=Verdict(state=settled.state))
        return Event(item=settled, verdict=verdict)

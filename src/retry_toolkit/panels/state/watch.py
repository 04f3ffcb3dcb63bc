"""Watching tasks until they end: one thread, polling at a growing interval, for a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from retry_toolkit.errors import NotFound, RetryToolkitError
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.still import StillPlatform
from retry_toolkit.platforms.base import FINISHED, TaskRecord

FIRST_INTERVAL_S: Final = 0.5
GROWTH: Final = 1.4
LONGEST_INTERVAL_S: Final = 8.0
WATCHED_AT_MOST_S: Final = 3600.0
FAILURES_IN_A_ROW: Final = 6


class Watch:
    """Reads the tasks that it was given again and again; a listener hears each record.

    Args:
        session: Its platform reads, its background runs.
        pause: Waits so many seconds; injected in tests.
        clock: Seconds that only grow; injected in tests.
    """

    def __init__(
        self,
        session: Session,
        *,
        pause: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._stop = threading.Event()
        self._pause = pause or self._stop.wait
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._interval = FIRST_INTERVAL_S
        self._running = False
        self.on_record: Callable[[TaskRecord], None] = _ignore_record

    @property
    def watched(self) -> frozenset[str]:
        """Tasks that are being watched."""
        with self._lock:
            return frozenset(self._since)

    def follow(self, task_ids: Iterable[str]) -> None:
        """Watch these until they end; what is already watched stays so, and what stands still needs no watching."""
        if isinstance(self._session.platform, StillPlatform):
            return
        with self._lock:
            for task_id in task_ids:
                self._since.setdefault(task_id, self._clock())
                self._interval = FIRST_INTERVAL_S
            begin = bool(self._since) and not self._running
            self._running = self._running or begin
        if begin:
            self._session.start(self._poll, lambda _: None, self._broke)

    def drop(self, task_id: str) -> None:
        """Watch this one no longer."""
        with self._lock:
            self._since.pop(task_id, None)
            self._failures.pop(task_id, None)

    def close(self) -> None:
        """End the thread at its next step."""
        self._stop.set()
        with self._lock:
            self._since.clear()

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._pause(self._interval)
            with self._lock:
                watched = tuple(self._since)
                self._interval = min(self._interval * GROWTH, LONGEST_INTERVAL_S)
            for task_id in watched:
                self._read(task_id)
            with self._lock:
                if not self._since:
                    self._running = False
                    return

    def _read(self, task_id: str) -> None:
        try:
            record = self._session.platform.task(task_id)
        except NotFound:
            self.drop(task_id)
        except RetryToolkitError:
            self._failures[task_id] = self._failures.get(task_id, 0) + 1
            if self._failures[task_id] >= FAILURES_IN_A_ROW:
                self.drop(task_id)
        else:
            self._failures.pop(task_id, None)
            tired = self._clock() - self._since.get(task_id, self._clock()) > WATCHED_AT_MOST_S
            if record.status in FINISHED or tired:
                self.drop(task_id)
            self._session.post(partial(self.on_record, record))

    def _broke(self, error: Exception) -> None:
        with self._lock:
            self._running = False
            self._since.clear()
        self._session.notices.report(error)


def _ignore_record(record: TaskRecord) -> None:
    """Until a listener is set."""

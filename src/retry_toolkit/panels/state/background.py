"""Where long work runs: in threads, with its results handed back to the kernel's event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")
Failed = Callable[[Exception], None]

_log = logging.getLogger(__name__)


class Background(Protocol):
    """Runs work aside; states are only ever touched through `post`, `then` and `otherwise`."""

    def start(self, work: Callable[[], T], then: Callable[[T], None], otherwise: Failed) -> None:
        """Run `work` aside, then call `then` with its result, or `otherwise` with what went wrong in either."""

    def post(self, call: Callable[[], None], otherwise: Failed, *, after_s: float = 0.0) -> None:
        """Run `call` where states may be touched, so many seconds later; for use from inside `work`."""


class ThreadBackground:
    """One daemon thread for each piece of work; results come back on the event loop that ran when this was made.

    Without such a loop (a plain script) results are handed over in the thread itself, one at a time.
    """

    def __init__(self) -> None:
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._turn = threading.RLock()

    def start(self, work: Callable[[], T], then: Callable[[T], None], otherwise: Failed) -> None:
        """Run `work` in a thread of its own."""

        def run() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - handed over: an error in a thread would vanish
                # Bound in a local: `error` is gone when the loop gets to it.
                reason = error
                self.post(lambda: otherwise(reason), _log_lost)
            else:
                self.post(lambda: then(result), otherwise)

        threading.Thread(target=run, name="retry-toolkit-panels", daemon=True).start()

    def post(self, call: Callable[[], None], otherwise: Failed, *, after_s: float = 0.0) -> None:
        """Run `call` on the event loop, or here and now where none runs that something else could wait for."""

        def guarded() -> None:
            try:
                call()
            except Exception as error:  # noqa: BLE001 - handed over: an error in a loop's callback would vanish
                otherwise(error)

        if self._loop is None:
            with self._turn:
                guarded()
        elif self._loop.is_closed():
            return
        elif after_s:
            self._loop.call_soon_threadsafe(self._loop.call_later, after_s, guarded)
        else:
            self._loop.call_soon_threadsafe(guarded)


def _log_lost(error: Exception) -> None:
    """The last resort: the page itself could not show the error."""
    _log.error("an error could not be shown on the page: %s: %s", type(error).__name__, error)

"""Work that follows what changes often: one piece at a time, the last state once more, and rests in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final, Generic, TypeVar

from retry_toolkit.panels.state.session import Session

T = TypeVar("T")

REST_S: Final = 1.0
"""At least so long between two answers while rows change all the time, as they do under a large batch."""


class Following(Generic[T]):
    """Keeps an answer up to date while it is `on`; asked for while it is off, it is made when it goes on.

    Args:
        session: Where work runs.
        prepare: Takes what is needed from the states and returns the work, None where there is nothing to do yet.
        done: Takes the answer.
        failed: Hears what went wrong; shown as a message if None.
        rest_s: The shortest rest between an answer and the next one that only followed a change.
    """

    def __init__(
        self,
        session: Session,
        prepare: Callable[[], Callable[[], T] | None],
        done: Callable[[T], None],
        *,
        failed: Callable[[Exception], None] | None = None,
        rest_s: float = REST_S,
    ) -> None:
        self._session = session
        self._prepare = prepare
        self._done = done
        self._failed = failed or session.notices.report
        self._rest_s = rest_s
        self._on = False
        self._stale = True
        self._busy = False

    def turn(self, on: bool) -> None:
        """Show the answer, or no longer."""
        self._on = on
        if on and self._stale:
            self.ask()

    def ask(self) -> None:
        """Make it anew: now, or after what runs."""
        self._stale = True
        if self._on and not self._busy:
            self._begin()

    def _begin(self) -> None:
        work = self._prepare()
        if work is None:
            return
        self._busy, self._stale = True, False
        self._session.start(partial(_timed, work), self._finished, self._broke)

    def _finished(self, found: tuple[T, float]) -> None:
        self._busy = False
        answer, took_s = found
        try:
            self._done(answer)
        finally:
            self._go_on(max(2 * took_s, self._rest_s))

    def _broke(self, error: Exception) -> None:
        self._busy = False
        self._failed(error)
        self._go_on(self._rest_s)

    def _go_on(self, rest_s: float) -> None:
        if self._stale and self._on:
            # Taken up with what the states say then, not with what they said when it was asked for.
            self._busy = True
            self._session.start(partial(time.sleep, rest_s), lambda _: self._rested(), self._broke)

    def _rested(self) -> None:
        self._busy = False
        if self._on and self._stale:
            self._begin()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """The answer, and the seconds that it took."""
    began = time.monotonic()
    return work(), time.monotonic() - began

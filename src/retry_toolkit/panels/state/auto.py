"""Refreshing by itself: the browser gives the beat, so that a page out of sight, or a closed one, asks nothing.

A thread of the kernel would go on after its page was closed, and each change that it sends would keep the kernel from
being culled.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from traitlets import HasTraits, Int

INTERVALS: Final = (0, 10, 60)
"""Seconds between two refreshes that are offered; 0 is off."""

_EARLY: Final = 0.5


class AutoRefresh(HasTraits):
    """Refreshes every `interval` seconds, as long as the page is in sight.

    Args:
        refresh: Refreshes without a sign, and leaves out what comes while something is being loaded.
        clock: Seconds that only grow; injected in tests.
    """

    interval = Int(INTERVALS[0])

    def __init__(self, refresh: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._refresh = refresh
        self._clock = clock
        self._last = clock()
        self._closed = False

    def choose(self, seconds: int) -> None:
        """Refresh so often from now on; what is not offered changes nothing."""
        if seconds in INTERVALS:
            self._last = self._clock()
            self.interval = seconds

    def beat(self) -> None:
        """The interval is over, says the browser; whoever sends beats faster is not followed."""
        now = self._clock()
        if self.interval and not self._closed and now - self._last >= self.interval * _EARLY:
            self._last = now
            self._refresh()

    def close(self) -> None:
        """Follow no beat any more."""
        self._closed = True

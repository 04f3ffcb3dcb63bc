"""How many repeats of reads one process may make, so that a sick platform is not buried under them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RetryBudget:
    """A bucket of repeats that fills up with time; shared by every connection and safe to use from threads.

    Args:
        capacity: Most repeats at once.
        per_second: Repeats that come back each second.
        elapsed: Seconds on some steady clock.
    """

    def __init__(
        self, capacity: int = 20, per_second: float = 1.0, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = float(capacity)
        self._per_second = per_second
        self._elapsed = elapsed
        self._left = self._capacity
        self._seen = elapsed()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Use up one repeat; False when none is left."""
        with self._lock:
            now = self._elapsed()
            self._left = min(self._capacity, self._left + (now - self._seen) * self._per_second)
            self._seen = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


BUDGET = RetryBudget()
"""The one budget of this process."""

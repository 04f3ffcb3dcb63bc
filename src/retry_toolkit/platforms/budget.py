"""How many repeats of reads one process may make, so that a sick platform is not buried under them."""

from __future__ import annotations

import threading


class RetryBudget:
    """Repeats of reads, shared by every connection of a process; safe to use from threads.

    While nothing answers, repeats come to at most `share` of the reads that were begun, or to `reserve` where that is
    more. Every answer gives one repeat back.

    Args:
        reserve: Repeats that are there from the start, so that a first stumble is caught.
        share: Repeats for each read that was begun since something answered.
    """

    def __init__(self, reserve: int = 10, share: float = 0.1) -> None:
        self._reserve = reserve
        self._share = share
        self._spent = 0
        self._begun = 0
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Count a read that is asked for the first time."""
        with self._lock:
            self._begun += 1

    def take(self) -> bool:
        """Use up one repeat; False when none is left."""
        with self._lock:
            if self._spent >= max(self._reserve, int(self._share * self._begun)):
                return False
            self._spent += 1
            return True

    def answered(self) -> None:
        """Count a read that the platform answered."""
        with self._lock:
            self._begun = 0
            self._spent = max(0, self._spent - 1)


BUDGET = RetryBudget()
"""The one budget of this process."""

"""Who looks: whether the page is in sight, and when this browser left it last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from traitlets import Bool, HasTraits, Instance

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER: Final = timedelta(minutes=5)


class Presence(HasTraits):
    """`last_visit` is fixed when the page opens (`arrived`); None is the first visit, as far as the browser knows.

    Args:
        now: The time; injected in tests.
    """

    visible = Bool(True)
    arrived = Bool()
    last_visit = Instance(datetime, allow_none=True)

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._now = now

    def arrive(self, left: object) -> None:
        """The page has opened in a browser that left it at `left`, in milliseconds since 1970; only the first counts.

        A browser can hold and send anything: what is no time of this century's past is none.
        """
        if not self.arrived:
            with self.hold_trait_notifications():
                self.last_visit, self.arrived = self._moment(left), True

    def _moment(self, left: object) -> datetime | None:
        if not isinstance(left, int):
            return None
        earliest, latest = EARLIEST.timestamp() * 1000, (self._now() + CLOCKS_DIFFER).timestamp() * 1000
        return datetime.fromtimestamp(left / 1000, UTC) if earliest <= left <= latest else None

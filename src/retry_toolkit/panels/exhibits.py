"""What the gallery makes its panels with: work that is done at once or never, and a journal of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from retry_toolkit.errors import Unavailable
from retry_toolkit.panels.state.background import Failed
from retry_toolkit.platforms.base import Capabilities
from retry_toolkit.retry.archive import Archive
from retry_toolkit.settings import Language

UNABLE: Final = Capabilities(stage_retry="none", whole_retry="none", batch="none")
AWAY: Final = Unavailable("no answer", status=503, detail="upstream connect error: connection refused")

_HOME = TemporaryDirectory(prefix="retry-toolkit-gallery-")
ARCHIVE: Final = Archive(home=Path(_HOME.name))


class AtOnce:
    """Does work where it is asked for: a gallery has nothing to wait for."""

    def start(self, work: Callable[[], Any], then: Callable[[Any], None], otherwise: Failed) -> None:
        """Do it now."""
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - handed over, as threads do
            otherwise(error)
        else:
            self.post(lambda: then(result), otherwise)

    def post(self, call: Callable[[], None], otherwise: Failed, *, after_s: float = 0.0) -> None:
        """Call it now."""
        del after_s
        try:
            call()
        except Exception as error:  # noqa: BLE001 - handed over, as threads do
            otherwise(error)


class Never(AtOnce):
    """Begins work and never comes to its end: what is loading, for ever."""

    def start(self, work: Callable[[], Any], then: Callable[[Any], None], otherwise: Failed) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel in a state, and what that is called."""

    title: str
    make: Callable[[Language | None], Any]

"""States over a platform in memory, with work done at once and watching that moves the platform on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.session import Operator
from retry_toolkit.text import Texts
from tests.panels.background import AtOnce
from tests.panels.memory import MemoryPlatform

MakeDesk = Callable[..., DeskState]


@pytest.fixture
def make_desk() -> MakeDesk:
    """Makes the state of a desk that has loaded its lists; each pause of its watching is a step of the platform."""

    def make(
        platform: MemoryPlatform, *, background: Background | None = None, operator: Operator | None = None
    ) -> DeskState:
        desk = DeskState(
            platform,
            texts=Texts("en"),
            background=background or AtOnce(),
            operator=operator,
            pause=lambda _seconds: platform.advance(),
        )
        desk.refresh()
        return desk

    return make

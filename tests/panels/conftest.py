"""States over a platform in memory, with work done at once and watching that moves the platform on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.session import Operator
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.journal import Journal
from retry_toolkit.text import Texts
from tests.live import wait_until
from tests.panels.background import AtOnce
from tests.panels.memory import MemoryPlatform
from tests.retry.ledger import QUICK

MakeDesk = Callable[..., DeskState]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """A real journal and real evidence of the test's own."""
    with Journal.open(tmp_path / "home") as journal, Evidence.open(tmp_path / "home") as evidence:
        yield Archive(journal=journal, evidence=evidence)


def confirm(desk: DeskState) -> None:
    """Say yes to what is proposed, and wait until every batch has done what it can."""
    assert desk.retry.proposal is not None
    desk.retry.confirm(desk.retry.proposal.key)
    rest(desk)


def rest(desk: DeskState) -> None:
    """Wait until nothing runs."""
    wait_until(
        lambda: all(card.condition not in {"running", "paused"} for card in desk.batches.all_cards), "the batches"
    )
    # What their last news brings about is over when the turn comes to this.
    desk.session.post(lambda: None)


@pytest.fixture
def make_desk(archive: Archive) -> Iterator[MakeDesk]:
    """Makes the state of a desk that has loaded its lists; each pause of its watching is a step of the platform."""
    made: list[DeskState] = []

    def make(
        platform: MemoryPlatform, *, background: Background | None = None, operator: Operator | None = None
    ) -> DeskState:
        desk = DeskState(
            platform,
            texts=Texts("en"),
            background=background or AtOnce(),
            operator=operator,
            pause=lambda _seconds: platform.advance(),
            archive=archive,
            timing=QUICK,
        )
        made.append(desk)
        desk.refresh()
        return desk

    yield make
    for desk in made:
        rest(desk)
        desk.close()

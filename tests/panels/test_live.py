"""The panels on a real platform: what was fed by hand elsewhere is real here."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from retry_toolkit import connect
from retry_toolkit.errors import Unauthorized, Unsupported
from retry_toolkit.panels.operator import connect_operator
from retry_toolkit.panels.state.background import ThreadBackground
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.audit import verify
from retry_toolkit.settings import load_settings
from retry_toolkit.text import Texts
from tests.conftest import OPERATOR, VIEWER
from tests.live import LivePlatform, wait_until


def desk_on(url: str, token: str | None, home: Path, *, read_only: bool) -> DeskState:
    """The state of a desk, with threads and a journal of its own."""
    platform = connect(url, token=token, read_only=read_only, settings=load_settings())
    return DeskState(
        platform,
        texts=Texts("en"),
        background=ThreadBackground(),
        operator=lambda typed: connect_operator(platform.origin, typed),
        archive=Archive(home=home),
    )


def test_a_stage_is_retried_with_a_typed_token(
    platform: LivePlatform, guarded_platform: LivePlatform, home: Path
) -> None:
    """A page that reads with the viewer's token acts with the operator's, and sees the task end."""
    task_id = platform.failed().id
    desk = desk_on(guarded_platform.url, VIEWER, home, read_only=True)
    desk.report.open(task_id)
    wait_until(lambda: desk.report.task is not None, "the report")
    assert desk.retry.stage_block() == "read_only"
    desk.session.unlock(OPERATOR)
    wait_until(lambda: desk.session.can_act, "the operator's connection")
    desk.retry.propose_stage()
    wait_until(lambda: desk.retry.proposal is not None, "the question")
    assert desk.retry.proposal is not None
    desk.retry.confirm(desk.retry.proposal.key)
    wait_until(lambda: bool(desk.batches.cards) and desk.batches.cards[0].condition == "ended", "the end")
    (item,) = desk.batches.cards[0].items
    assert item.state in {"SUCCEEDED", "FAILED_AGAIN"}
    assert verify(home).ok
    desk.close()
    wait_until(lambda: not _works_aside(), "what was read in the end")
    desk.session.platform.close()


def _works_aside() -> bool:
    return any(thread.name == "retry-toolkit-panels" for thread in threading.enumerate())


@pytest.mark.parametrize("token", ["not-a-token", "no token at all", "密码"])
def test_a_wrong_token_is_not_taken(guarded_platform: LivePlatform, token: str) -> None:
    """The platform decides, and what cannot even be sent is none."""
    with pytest.raises(Unauthorized):
        connect_operator(guarded_platform.url, token)


def test_a_platform_without_tokens_cannot_be_unlocked(platform: LivePlatform) -> None:
    """It would take every word for a token: a page that only reads must stay closed."""
    with pytest.raises(Unsupported):
        connect_operator(platform.url, "anything")

"""Permissions: tokens, roles and read-only connections, by every dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from retry_toolkit import connect, errors
from retry_toolkit.platforms.base import Platform
from retry_toolkit.server.records import Task
from tests.conformance.conftest import Connect, WatchedWire
from tests.conftest import OPERATOR, VIEWER
from tests.live import LivePlatform

DIALECTS = ["auto", "embedded", "pipeline", "queue"]
ACTIONS: dict[str, Callable[[Platform, Task], Any]] = {
    "retry_stage": lambda made, task: made.retry_stage(task.id, task.stages[1].id),
    "retry_batch": lambda made, task: made.retry_batch([task.id]),
    "retry_task": lambda made, task: made.retry_task(task.id),
    "cancel": lambda made, task: made.cancel(task.id),
}


@pytest.fixture
def behind(guarded_platform: LivePlatform) -> Iterator[Connect]:
    """Connects to the address that asks for tokens; all connections are closed in the end."""
    made: list[Platform] = []

    def open_platform(dialect: Any, token: str | None) -> Platform:
        made.append(connect(guarded_platform.url, dialect=dialect, token=token))
        return made[-1]

    yield open_platform
    for each in made:
        each.close()


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("token", [None, "wrong", VIEWER + "x"])
def test_without_a_valid_token_nothing_is_told(behind: Connect, dialect: str, token: str | None) -> None:
    """Connecting fails, and says what to pass."""
    with pytest.raises(errors.Unauthorized, match="connect\\(url, token=") as caught:
        behind(dialect, token)
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_viewer_reads(behind: Connect, seen_failed: Task, dialect: str) -> None:
    """All of it."""
    made = behind(dialect, VIEWER)
    assert made.task(seen_failed.id).name == seen_failed.title
    assert next(iter(made.tasks())).tasks


@pytest.mark.parametrize(
    ("dialect", "action"),
    [
        *(("embedded", action) for action in ACTIONS),
        ("pipeline", "retry_stage"),
        ("pipeline", "retry_batch"),
        ("pipeline", "cancel"),
        ("queue", "retry_task"),
        ("queue", "cancel"),
    ],
)
def test_a_viewer_does_not_act(
    behind: Connect, platform: LivePlatform, seen_failed: Task, dialect: str, action: str
) -> None:
    """403 by the platform itself, whatever the client thinks."""
    made = behind(dialect, VIEWER)
    with pytest.raises(errors.PermissionDenied, match="operator") as caught:
        ACTIONS[action](made, seen_failed)
    assert caught.value.status == 403
    assert platform.task(seen_failed.id) == seen_failed


def test_the_embedded_platform_tells_a_viewer_beforehand(behind: Connect, seen_failed: Task) -> None:
    """So that panels need not try."""
    assert behind("embedded", VIEWER).read_only
    assert behind("embedded", VIEWER).task(seen_failed.id).refusal == "read_only"
    assert not behind("embedded", OPERATOR).read_only


def test_an_operator_acts(behind: Connect, platform: LivePlatform) -> None:
    """And is named as who asked."""
    task = platform.failed()
    made = behind("embedded", OPERATOR)
    assert made.retry_stage(task.id, task.stages[1].id).attempt == 2
    platform.wait(task.id, "failed")
    assert [attempt.requested_by for attempt in made.attempts(task.id)][-1] == "operator"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_a_read_only_connection_sends_no_write(
    connected: Connect,
    wire: WatchedWire,
    seen_failed: Task,
    dialect: str,
    action: Callable[[Platform, Task], Any],
) -> None:
    """The wire sees reads only, whatever the token may do."""
    made = connected(dialect, read_only=True)
    with pytest.raises((errors.ReadOnly, errors.Unsupported)):
        action(made, seen_failed)
    assert wire.writes == []
    assert made.task(seen_failed.id).refusal == "read_only"

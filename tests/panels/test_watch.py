"""Watching until the end: growing pauses, bounded time."""

from __future__ import annotations

import pytest

from retry_toolkit.errors import Unavailable
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.watch import (
    FAILURES_IN_A_ROW,
    FIRST_INTERVAL_S,
    LONGEST_INTERVAL_S,
    WATCHED_AT_MOST_S,
    Watch,
)
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.text import Texts
from tests.panels.background import AtOnce
from tests.panels.memory import MemoryPlatform, make_task


class Watched:
    """A watch whose pauses are counted and take no time; `steps` is called at each."""

    def __init__(self, platform: MemoryPlatform) -> None:
        self.platform = platform
        self.pauses: list[float] = []
        self.statuses: list[tuple[str, str]] = []
        self.advances = True
        session = Session(platform, texts=Texts("en"), background=AtOnce())
        self.watch = Watch(session, pause=self._pause, clock=lambda: sum(self.pauses))
        self.watch.on_record = self._record

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self.advances:
            self.platform.advance()

    def _record(self, record: TaskRecord) -> None:
        self.statuses.append((record.task_id, record.status))


def test_each_state_is_heard_until_the_end() -> None:
    """Two tasks by one thread, each until it ends."""
    watched = Watched(
        MemoryPlatform.of(make_task("a", status="pending"), make_task("b", status="running"), results={"b": "failed"})
    )
    watched.watch.follow(["a", "b"])
    assert watched.statuses == [("a", "running"), ("b", "failed"), ("a", "succeeded")]
    assert watched.watch.watched == frozenset()
    watched.watch.follow(["a"])
    assert watched.statuses[-1] == ("a", "succeeded")


def test_pauses_grow_and_the_time_is_bounded() -> None:
    """A task that never ends is asked for less and less often, then let go: it still runs."""
    watched = Watched(MemoryPlatform.of(make_task("a", status="running")))
    watched.advances = False
    watched.watch.follow(["a"])
    assert watched.pauses[0] == FIRST_INTERVAL_S
    assert watched.pauses == sorted(watched.pauses)
    assert watched.pauses[-1] == LONGEST_INTERVAL_S
    assert WATCHED_AT_MOST_S < sum(watched.pauses) <= WATCHED_AT_MOST_S + 2 * LONGEST_INTERVAL_S
    assert watched.watch.watched == frozenset()


def test_a_task_that_is_gone_is_let_go_at_once() -> None:
    """It was deleted while it was watched."""
    watched = Watched(MemoryPlatform.of())
    watched.watch.follow(["a"])
    assert (len(watched.pauses), watched.watch.watched) == (1, frozenset())


class Stumbling(MemoryPlatform):
    """Does not answer the first so many times."""

    stumbles = 0

    def task(self, task_id: str) -> TaskRecord:
        if self.stumbles:
            self.stumbles -= 1
            raise Unavailable("no answer")
        return super().task(task_id)


@pytest.mark.parametrize(("stumbles", "seen"), [(FAILURES_IN_A_ROW - 1, ["succeeded"]), (FAILURES_IN_A_ROW, [])])
def test_a_short_outage_is_outlived(stumbles: int, seen: list[str]) -> None:
    """Some reads in a row may fail; after that it is let go."""
    platform = Stumbling.of(make_task("a", status="running"))
    platform.stumbles = stumbles
    watched = Watched(platform)
    watched.watch.follow(["a"])
    assert [status for _, status in watched.statuses] == seen
    assert watched.watch.watched == frozenset()

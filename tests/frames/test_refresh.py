"""A frame that is brought up to date is the frame that a whole load gives, for fewer requests."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from retry_toolkit import connect
from retry_toolkit.errors import NotFound
from retry_toolkit.frames.load import RejectedRows, load_tasks
from retry_toolkit.frames.refresh import refresh_tasks
from retry_toolkit.platforms.base import EVERY_TASK, Platform, Status, TaskPage, TaskQuery, TaskRecord
from tests.live import LivePlatform

START = datetime(2026, 11, 1, tzinfo=UTC)
STATUSES: tuple[Status, ...] = ("failed", "running", "pending", "succeeded", "cancelled", "unknown")


@dataclass
class World:
    """A platform of plain records, newest first; counts what was asked."""

    records: dict[str, TaskRecord] = field(default_factory=dict)
    listed: int = 0
    read: list[str] = field(default_factory=list)
    origin: str = "http://world.test"
    name: str = "world"

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        rows = sorted(self.records.values(), key=_created, reverse=True)
        if query.status is not None:
            rows = [row for row in rows if row.status == query.status]
        if query.since is not None:
            rows = [row for row in rows if _created(row) >= query.since]
        self.listed += len(rows)
        yield TaskPage(number=1, tasks=tuple(rows), total=len(rows))

    def task(self, task_id: str) -> TaskRecord:
        self.read.append(task_id)
        if task_id not in self.records:
            raise NotFound("No such task.", status=404, detail="Task not found")
        return self.records[task_id]

    def submit(self, status: Status) -> None:
        """A new task, a day after the last."""
        number = len(self.records)
        task_id = f"t{number:03d}"
        error = f"row {number} is empty" if status == "failed" else None
        self.records[task_id] = TaskRecord(
            task_id=task_id,
            name=f"任务 {number}",
            status=status,
            native_status=status,
            created_at=START + timedelta(days=number),
            project=f"p{number % 3}",
            error=error,
        )

    def move(self, task_id: str, status: Status) -> None:
        """A task goes on, unless it is over."""
        old = self.records[task_id]
        if old.status not in {"succeeded", "cancelled"}:
            self.records[task_id] = replace(old, status=status, native_status=status)


def _created(row: TaskRecord) -> datetime:
    assert row.created_at is not None
    return row.created_at


def loaded(world: World) -> pd.DataFrame:
    """Everything."""
    return load_tasks(cast("Platform", world), progress=False)


def refreshed_by(world: World, frame: pd.DataFrame) -> pd.DataFrame:
    """What is brought up to date."""
    return refresh_tasks(cast("Platform", world), frame, progress=False)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Values without the categories that dtypes still name."""
    words = {name: "str" for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    return frame.astype(words)


@given(st.randoms(use_true_random=False), st.integers(1, 30), st.integers(0, 20))
def test_a_refreshed_frame_is_a_loaded_one(chance: random.Random, count: int, moves: int) -> None:
    """Whatever has failed, ended, begun or come meanwhile."""
    world = World()
    for _ in range(count):
        world.submit(chance.choice(STATUSES))
    frame = loaded(world)
    for _ in range(moves):
        if chance.random() < 0.3:
            world.submit(chance.choice(STATUSES))
        else:
            world.move(chance.choice(list(world.records)), chance.choice(STATUSES))
    refreshed = refreshed_by(world, frame)
    assert_frame_equal(plain(refreshed), plain(loaded(world)))
    assert refreshed.dtypes.map(type).equals(frame.dtypes.map(type))


def test_what_is_over_is_not_asked_for_again() -> None:
    """A thousand successes cost nothing: the newest, the failed and the running do."""
    world = World()
    for _ in range(1_000):
        world.submit("succeeded")
    world.submit("failed")
    world.submit("running")
    frame = loaded(world)
    for _ in range(5):
        world.submit("succeeded")
    world.move("t1001", "succeeded")
    world.listed = 0
    refreshed = refreshed_by(world, frame)
    assert len(refreshed) == 1_007
    assert world.listed <= 8
    assert len(world.read) <= 1


def test_a_task_that_is_gone_leaves_the_frame() -> None:
    """Deleted while it ran: it is told, and its row is not kept as if it still ran."""
    world = World()
    statuses: tuple[Status, ...] = ("succeeded", "running", "succeeded", "succeeded")
    for status in statuses:
        world.submit(status)
    frame = loaded(world)
    del world.records["t001"]
    with pytest.warns(RejectedRows, match="t001"):
        refreshed = refreshed_by(world, frame)
    assert refreshed["task_id"].tolist() == ["t003", "t002", "t000"]


def test_nothing_known_means_a_whole_load() -> None:
    """An empty frame, or one without times."""
    world = World()
    frame = loaded(world)
    world.submit("succeeded")
    assert len(refreshed_by(world, frame)) == 1


def test_a_real_platform_is_refreshed(platform: LivePlatform) -> None:
    """Over the wire, with a task that was retried and one that is new."""
    old = platform.failed().id
    with connect(platform.url) as client:
        frame = load_tasks(client, progress=False)
        client.retry_task(old)
        new = platform.failed().id
        refreshed = refresh_tasks(client, frame, progress=False)
        assert {old, new} <= set(refreshed["task_id"])
        assert set(refreshed["task_id"]) >= set(frame["task_id"])
        assert refreshed["task_id"].is_unique

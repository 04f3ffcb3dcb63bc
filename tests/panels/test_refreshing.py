"""A refreshed catalog is the one of a whole load, for fewer pages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from retry_toolkit import connect
from retry_toolkit.errors import NotFound, Unavailable
from retry_toolkit.frames.columns import make_tables
from retry_toolkit.frames.reading import TaskReading
from retry_toolkit.frames.records import RECORDS
from retry_toolkit.panels.state.catalog import WHOLE_EVERY, Catalog, make_catalog
from retry_toolkit.panels.state.refreshing import READ_AT_MOST, refresh_catalog
from retry_toolkit.platforms.base import EVERY_TASK, Platform, Status, TaskPage, TaskQuery, TaskRecord
from retry_toolkit.platforms.bulk import AS_USUAL, Batch
from tests.live import LivePlatform
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk
from tests.panels.memory import NOW, MemoryPlatform, make_task

ALL: tuple[Status, ...] = ("failed", "running", "pending", "succeeded", "cancelled", "unknown")
OVER = ("succeeded", "cancelled")


@dataclass
class World(MemoryPlatform):
    """A platform that filters where it is asked to, page by page; counts the pages."""

    pages: int = 0
    queries: list[TaskQuery] = field(default_factory=list)

    def tasks(self, query: TaskQuery | None = None) -> Iterator[TaskPage]:
        self._note("tasks")
        query = query or EVERY_TASK
        self.queries.append(query)
        rows = [row for row in self._newest_first() if query.status in {None, row.status}]
        rows = [row for row in rows if query.since is None or _created(row) >= query.since]
        for number, first in enumerate(range(0, max(len(rows), 1), self.page_size), start=1):
            self.pages += 1
            yield TaskPage(number=number, tasks=tuple(rows[first : first + self.page_size]), total=len(rows))

    def submit(self, status: Status, parent: str | None = None) -> None:
        """A new task, an hour after the last, perhaps as a retry of another."""
        task_id = f"t{len(self.records):04d}"
        at = NOW + timedelta(hours=len(self.records))
        self.records[task_id] = make_task(task_id, status=status, created_at=at, parent_id=parent)
        if parent is not None:
            old = self.records[parent]
            self.records[parent] = replace(old, retried_by=(*old.retried_by, task_id))

    def move(self, task_id: str, status: Status) -> None:
        """A task goes on, unless it is over."""
        old = self.records[task_id]
        if old.status not in OVER:
            made = make_task(task_id, status=status, created_at=old.created_at, parent_id=old.parent_id)
            self.records[task_id] = replace(made, retried_by=old.retried_by)

    def _newest_first(self) -> list[TaskRecord]:
        return sorted(self.records.values(), key=_created, reverse=True)

    def catalog(self) -> Catalog:
        """A whole load."""
        tables = make_tables(Batch(self._newest_first(), RECORDS), stages=True)
        return make_catalog([tables], loaded_at=NOW)

    def refreshed(self, catalog: Catalog) -> Catalog | None:
        """What is brought up to date."""
        return refresh_catalog(cast("Platform", self), catalog, loaded_at=NOW, how=AS_USUAL, told=lambda _count: None)


def _created(row: TaskRecord) -> datetime:
    return row.created_at or NOW


def plain(frame: pd.DataFrame, *order: str) -> pd.DataFrame:
    """Values without the categories that dtypes still name."""
    words = {name: "str" for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    sorted_frame = frame.sort_values(list(order)) if order else frame
    return sorted_frame.astype(words).reset_index(drop=True)


def assert_same(ours: Catalog, theirs: Catalog) -> None:
    """All frames and what goes with them."""
    assert_frame_equal(plain(ours.tasks), plain(theirs.tasks))
    assert_frame_equal(plain(ours.lineage), plain(theirs.lineage))
    assert_frame_equal(plain(ours.stages, "task_id", "position"), plain(theirs.stages, "task_id", "position"))
    assert ours.places == theirs.places
    assert {key: tuple(value) for key, value in ours.claims.items()} == dict(theirs.claims)
    for name in ("tasks", "stages", "lineage"):
        ours_types, types = getattr(ours, name).dtypes.map(type), getattr(theirs, name).dtypes.map(type)
        assert ours_types.equals(types)


@given(st.randoms(use_true_random=False), st.integers(1, 25), st.integers(0, 15))
@settings(max_examples=60, deadline=None)
def test_a_refreshed_catalog_is_a_loaded_one(chance: random.Random, count: int, moves: int) -> None:
    """Whatever has failed, ended, begun, been retried as a whole, or gone meanwhile."""
    world = World({})
    for _ in range(count):
        world.submit(chance.choice(ALL))
    catalog = world.catalog()
    for _ in range(moves):
        what = chance.random()
        known = list(world.records)
        if what < 0.25:
            world.submit(chance.choice(ALL))
        elif what < 0.5:
            world.submit(chance.choice(ALL), parent=chance.choice(known))
        else:
            world.move(chance.choice(known), chance.choice(ALL))
    refreshed = world.refreshed(catalog)
    assert refreshed is not None
    assert_same(refreshed, world.catalog())


def test_an_open_task_that_is_gone_leaves_the_catalog() -> None:
    """Deleted while it ran or after it failed: neither row nor stages nor place of it are left."""
    world = World({})
    for status in ("succeeded", "running", "failed", "succeeded"):
        world.submit(status)
    catalog = world.catalog()
    del world.records["t0001"], world.records["t0002"]
    refreshed = world.refreshed(catalog)
    assert refreshed is not None
    assert_same(refreshed, world.catalog())


def test_nothing_new_is_the_same_catalog() -> None:
    """So that nothing on the page is drawn again."""
    world = World({})
    for status in ALL:
        world.submit(status)
    catalog = world.catalog()
    assert world.refreshed(catalog) is catalog
    task = world.records["t0001"]
    stages = (replace(task.stages[0], turns=7), *task.stages[1:])
    world.records["t0001"] = replace(task, stages=stages)
    refreshed = world.refreshed(catalog)
    assert refreshed is not None
    assert_same(refreshed, world.catalog())
    world.records["t0001"] = replace(task, retried_by=("elsewhere",))
    assert world.refreshed(catalog) is not catalog


def test_where_most_is_open_everything_is_loaded() -> None:
    """Reading them one by one would ask for more than a whole load."""
    world = World({})
    for _ in range(READ_AT_MOST + 20):
        world.submit("running")
    assert world.refreshed(world.catalog()) is None
    assert world.called("task") == []
    assert World({}).refreshed(World({}).catalog()) is None


def test_a_refresh_asks_for_fewer_pages(make_desk: MakeDesk) -> None:
    """Forty pages of what is over are not asked for again; every so often they are, for what was deleted there."""
    world = World({}, page_size=25)
    for _ in range(1_000):
        world.submit("succeeded")
    world.submit("failed")
    desk = make_desk(world)
    assert (world.pages, len(world.queries)) == (41, 1)
    world.submit("failed")
    world.pages = 0
    desk.refresh()
    assert world.pages == 2
    assert desk.catalog.catalog is not None
    assert len(desk.catalog.catalog.tasks) == 1_002
    for _ in range(WHOLE_EVERY - 1):
        desk.catalog.refresh_quietly()
    world.pages = 0
    desk.refresh()
    assert world.pages == 41
    desk.refresh()
    assert world.pages == 43


def test_after_a_failure_everything_is_loaded(make_desk: MakeDesk) -> None:
    """What was away may have been restored to something else."""
    world = World({}, page_size=1)
    world.submit("succeeded")
    world.submit("failed")
    desk = make_desk(world)
    world.breaks["tasks"] = Unavailable("no answer")
    desk.catalog.refresh_quietly()
    del world.records["t0000"]
    world.queries.clear()
    desk.refresh()
    assert world.queries == [EVERY_TASK]
    assert desk.catalog.catalog is not None
    assert desk.catalog.catalog.tasks["task_id"].tolist() == ["t0001"]


def test_a_quiet_refresh_shows_no_sign(make_desk: MakeDesk) -> None:
    """Neither while it runs nor when it fails: then what is shown is stale, until the next success."""
    background = WhenTold()
    world = World({})
    world.submit("failed")
    desk = make_desk(world, background=background)
    background.run()
    before = desk.catalog.loaded_at
    seen: list[bool] = []
    desk.catalog.observe(lambda change: seen.append(change.new), names="loading")
    desk.catalog.refresh_quietly()
    assert (desk.catalog.busy, desk.catalog.loading) == (True, False)
    world.breaks["tasks"] = Unavailable("no answer")
    background.run()
    assert (desk.catalog.stale, desk.catalog.loaded_at, desk.session.notices.items) == (True, before, ())
    desk.catalog.refresh_quietly()
    background.run()
    assert not desk.catalog.stale
    assert desk.catalog.loaded_at is not None
    assert before is not None
    assert desk.catalog.loaded_at > before
    assert seen == []


def test_who_asks_gets_a_load_of_its_own(make_desk: MakeDesk) -> None:
    """Also where nothing has changed: what is read besides the list is read again, and not after a quiet refresh."""
    world = World({})
    world.submit("failed")
    desk = make_desk(world)
    first = desk.catalog.catalog
    desk.catalog.refresh_quietly()
    assert desk.catalog.catalog is first
    desk.refresh()
    second = desk.catalog.catalog
    assert first is not None
    assert second is not None
    assert second.loaded_at > first.loaded_at
    world.submit("failed")
    desk.catalog.refresh_quietly()
    assert desk.catalog.catalog is not None
    assert desk.catalog.catalog.loaded_at == second.loaded_at
    assert (desk.catalog.loaded_at or NOW) > second.loaded_at


def test_who_asks_during_a_quiet_refresh_sees_it_and_gets_another(make_desk: MakeDesk) -> None:
    """The button does what it says, whatever runs; a quiet refresh waits for nobody and is left out."""
    background = WhenTold()
    world = World({})
    world.submit("failed")
    desk = make_desk(world, background=background)
    background.run()
    world.queries.clear()
    desk.catalog.refresh_quietly()
    desk.catalog.refresh_quietly()
    desk.catalog.refresh()
    assert desk.catalog.loading
    background.run()
    assert (len(world.queries), desk.catalog.loading, desk.catalog.busy) == (4, False, False)


def test_a_closed_desk_ends_its_load(make_desk: MakeDesk) -> None:
    """Page by page it looks whether anybody waits, and says nothing of having stopped."""
    background = WhenTold()
    world = World({})
    world.submit("failed")
    desk = make_desk(world, background=background)
    desk.close()
    background.run()
    assert (desk.catalog.catalog, desk.catalog.problem, desk.catalog.busy) == (None, None, False)


def test_a_mended_row_survives_a_refresh_that_began_before(make_desk: MakeDesk) -> None:
    """Also where the refresh itself found nothing new."""
    background = WhenTold()
    world = World({})
    world.submit("failed")
    desk = make_desk(world, background=background)
    background.run()
    desk.catalog.refresh_quietly()
    desk.catalog.mend([replace(world.records["t0000"], status="succeeded")])
    background.run()
    assert desk.catalog.catalog is not None
    assert desk.catalog.catalog.tasks["status"].tolist() == ["succeeded"]


def test_a_task_that_cannot_be_read_ends_no_refresh() -> None:
    """It is gone."""
    world = World({})
    world.submit("running")
    world.submit("succeeded")
    catalog = world.catalog()
    world.breaks["task"] = NotFound("gone", status=404)
    world.records["t0000"] = replace(world.records["t0000"], created_at=NOW - timedelta(days=3))
    refreshed = world.refreshed(catalog)
    assert refreshed is not None
    assert refreshed.tasks["task_id"].tolist() == ["t0001"]


@pytest.mark.parametrize("status", ["failed", "succeeded"])
def test_what_a_retry_of_an_old_task_changes_is_known(status: Status) -> None:
    """Its parent names it now: there is no conflict where a whole load sees none."""
    world = World({})
    world.submit(status)
    for _ in range(5):
        world.submit("succeeded")
    catalog = world.catalog()
    world.submit("pending", parent="t0000")
    refreshed = world.refreshed(catalog)
    assert refreshed is not None
    assert not refreshed.lineage["conflict"].any()
    assert_same(refreshed, world.catalog())


def whole(platform: Platform) -> Catalog:
    """Everything that a platform has now."""
    return make_catalog(list(TaskReading(platform, stages=True).tables()), loaded_at=NOW)


def test_a_real_platform_is_refreshed(platform: LivePlatform) -> None:
    """Over the wire: a task that was retried as a whole, one that went on, and one that is new."""
    old, other = platform.failed().id, platform.failed().id
    with connect(platform.url) as client:
        catalog = whole(client)
        platform.wait(client.retry_task(old).new_task_id, "failed")
        platform.mend(other)
        client.retry_stage(other, platform.stage(other, "check").id)
        platform.wait(other, "completed")
        platform.failed()
        refreshed = refresh_catalog(client, catalog, loaded_at=NOW, how=AS_USUAL, told=lambda _count: None)
        assert refreshed is not None
        assert refreshed is not catalog
        assert_same(refreshed, whole(client))
        assert refresh_catalog(client, refreshed, loaded_at=NOW, how=AS_USUAL, told=lambda _count: None) is refreshed

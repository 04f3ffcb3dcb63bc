"""Loading the lists: as a whole, a row at a time, and when that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from retry_toolkit.errors import Unavailable
from retry_toolkit.frames.columns import make_tables
from retry_toolkit.frames.records import RECORDS
from retry_toolkit.frames.schema import STAGES, TASKS, Columns
from retry_toolkit.panels.state.catalog import Catalog, make_catalog, replace_rows
from retry_toolkit.platforms.base import STATUSES, Status, TaskRecord
from retry_toolkit.platforms.bulk import Batch
from tests.panels.background import WhenTold
from tests.panels.conftest import MakeDesk
from tests.panels.memory import NOW, MemoryPlatform, make_task

PARENTS = st.none() | st.sampled_from([f"t{number}" for number in range(8)])


def catalog_of(records: Sequence[TaskRecord]) -> Catalog:
    """A catalog as it is loaded from a platform that has these."""
    return make_catalog([make_tables(Batch(records, RECORDS), stages=True)], loaded_at=NOW)


def changed_task(number: int, minutes: int | None, status: Status, parent: str | None, stages: int) -> TaskRecord:
    """One of a few tasks, in some state; no two have the same time, unless it is unknown."""
    made = make_task(f"t{number}", status=status, minutes_ago=(minutes or 0) + number / 60, parent_id=parent)
    return replace(made, created_at=None if minutes is None else made.created_at, stages=made.stages[:stages])


def dtypes(columns: Columns) -> dict[str, str]:
    """The dtypes that the schema names."""
    return {column.name: column.dtype for column in columns}


def test_a_row_is_replaced_as_if_all_were_loaded_again() -> None:
    """A mended frame is the frame of a fresh load: rows, order and dtypes, whatever categories come and go."""
    tasks = [make_task(f"t{number}", minutes_ago=number, owner=f"owner{number}") for number in range(4)]
    fresh = replace(tasks[2], status="succeeded", stages=(), template="new template", owner=None)
    mended = replace_rows(catalog_of(tasks), [fresh])
    loaded = catalog_of([fresh if task is tasks[2] else task for task in tasks])
    assert_frame_equal(
        mended.tasks.astype({"template": "str", "status": "str"}),
        loaded.tasks.astype({"template": "str", "status": "str"}),
        check_categorical=False,
    )
    assert {name: str(dtype) for name, dtype in mended.tasks.dtypes.items()} == dtypes(TASKS)
    assert {name: str(dtype) for name, dtype in mended.stages.dtypes.items()} == dtypes(STAGES)
    assert sorted(mended.stages["stage_id"]) == sorted(loaded.stages["stage_id"])


def test_a_new_row_comes_in_by_its_time() -> None:
    """Also as the retry of a task that is known: its lineage is there at once."""
    tasks = [make_task("old", minutes_ago=9)]
    new = make_task("new", status="pending", parent_id="old", minutes_ago=1)
    catalog = replace_rows(catalog_of(tasks), [new])
    assert catalog.tasks["task_id"].tolist() == ["new", "old"]
    window = catalog.window(catalog.positions(["new", "old"]))  # type: ignore[arg-type]  # a list of positions serves too
    assert window[["depth", "children"]].to_numpy().tolist() == [[1, 0], [0, 1]]


CHANGES = st.tuples(
    st.integers(0, 7), st.none() | st.integers(0, 9), st.sampled_from(STATUSES), PARENTS, st.integers(0, 3)
)


@given(st.lists(st.lists(CHANGES, min_size=1, max_size=5), max_size=4))
@settings(max_examples=60, deadline=None)
def test_mending_rows_is_loading_anew(rounds: list[list[tuple[int, int | None, Status, str | None, int]]]) -> None:
    """Whatever comes in which order, one or many at once, known or new, linked or not: it is as if loaded."""
    records = {f"t{number}": make_task(f"t{number}", minutes_ago=number) for number in range(4)}
    catalog = catalog_of(tuple(records.values()))
    for changes in rounds:
        fresh = [changed_task(*change) for change in changes]
        records |= {record.task_id: record for record in fresh}
        catalog = replace_rows(catalog, fresh)
    loaded = catalog_of(sorted(records.values(), key=lambda task: task.created_at or NOW, reverse=True))
    order = catalog.tasks.sort_values(["created_at", "task_id"], ascending=[False, True]).index
    again = loaded.tasks.sort_values(["created_at", "task_id"], ascending=[False, True]).index
    for ours, theirs in ((catalog.tasks, loaded.tasks), (catalog.lineage, loaded.lineage)):
        assert_frame_equal(
            ours.loc[order].reset_index(drop=True), theirs.loc[again].reset_index(drop=True), check_categorical=False
        )
    assert catalog.tasks["created_at"].dropna().is_monotonic_decreasing
    assert catalog.tasks["created_at"].notna().is_monotonic_decreasing
    assert catalog.places == {task_id: at for at, task_id in enumerate(catalog.tasks["task_id"])}
    by = ["task_id", "position"]
    assert_frame_equal(
        catalog.stages.sort_values(by, ignore_index=True),
        loaded.stages.sort_values(by, ignore_index=True),
        check_categorical=False,
    )


def test_a_failed_load_keeps_what_was_loaded(make_desk: MakeDesk) -> None:
    """The rows stay, the page says what is wrong beside them, and takes it back when a load succeeds."""
    platform = MemoryPlatform.of(make_task("t1"))
    desk = make_desk(platform)
    platform.breaks["tasks"] = Unavailable("no answer")
    desk.refresh()
    assert desk.catalog.catalog is not None
    assert [notice.title_key for notice in desk.session.notices.items] == ["problem.network.title"]
    desk.refresh()
    assert desk.session.notices.items == ()
    assert desk.catalog.problem is None


def test_a_first_load_that_fails_is_the_table_s_to_tell(make_desk: MakeDesk) -> None:
    """Without rows the problem stands in their place."""
    platform = MemoryPlatform.of(make_task("t1"), breaks={"tasks": Unavailable("no answer", detail="overloaded")})
    desk = make_desk(platform)
    assert desk.catalog.problem is not None
    assert (desk.catalog.problem.key, desk.catalog.problem.words) == ("network", "overloaded")
    assert desk.session.notices.items == ()


def test_what_is_asked_for_while_loading_is_loaded_afterwards(make_desk: MakeDesk) -> None:
    """Once more, however often it was asked for: what is being read may be older than what was done."""
    background = WhenTold()
    platform = MemoryPlatform.of(make_task("t1"))
    desk = make_desk(platform, background=background)
    desk.catalog.load()
    desk.catalog.load()
    background.run()
    assert len(platform.called("tasks")) == 2
    assert not desk.catalog.loading


def test_a_row_that_was_mended_while_loading_stays_mended(make_desk: MakeDesk) -> None:
    """A load that began before a task ended must not bring its old state back."""
    background = WhenTold()
    desk = make_desk(MemoryPlatform.of(make_task("t1")), background=background)
    background.run()
    desk.catalog.load()
    desk.catalog.mend([make_task("t1", status="succeeded")])
    background.run()
    assert desk.catalog.catalog is not None
    assert desk.catalog.catalog.rows(["t1"])["status"].tolist() == ["succeeded"]


def test_states_that_come_together_are_one_change(make_desk: MakeDesk) -> None:
    """A batch tells of many tasks at once, and each change of the lists is dear; what is known changes nothing."""
    desk = make_desk(MemoryPlatform.of(*(make_task(f"t{number}", minutes_ago=number) for number in range(9))))
    changes: list[object] = []
    desk.catalog.observe(changes.append, names="catalog")
    ended = [make_task(f"t{number}", status="succeeded", minutes_ago=number) for number in range(9)]
    for _ in range(2):
        desk.batches.on_records(ended)
    assert len(changes) == 1
    assert desk.catalog.catalog is not None
    assert set(desk.catalog.catalog.tasks["status"]) == {"succeeded"}


def test_figures_count_what_they_say(make_desk: MakeDesk) -> None:
    """Failed, retryable, at their limit, in progress, and recovered by either kind of retry, each lineage once."""
    recovered = make_task("stage", status="succeeded")
    recovered = replace(recovered, stages=(replace(recovered.stages[0], retry_count=2), *recovered.stages[1:]))
    both = replace(
        recovered,
        task_id="both",
        parent_id="limit",
        stages=tuple(replace(stage, task_id="both", stage_id=f"both-{stage.stage}") for stage in recovered.stages),
    )
    desk = make_desk(
        MemoryPlatform.of(
            make_task("plain"),
            make_task("limit", retry_count=3),
            make_task("parent"),
            make_task("child", status="succeeded", parent_id="parent"),
            make_task("first", status="succeeded"),
            make_task("run", status="running"),
            make_task("wait", status="pending"),
            recovered,
            both,
        )
    )
    figures = desk.figures
    assert figures is not None
    assert (figures.total, figures.failed, figures.retryable, figures.at_limit, figures.running) == (9, 3, 2, 1, 2)
    assert figures.recovered == 3

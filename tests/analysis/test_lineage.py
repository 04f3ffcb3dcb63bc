"""Lineage: roots, depths and outcomes, and bad data that is marked and never hangs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.generate import Shape
from benchmarks.generate import tasks as history
from retry_toolkit.analysis.lineage import build_lineage, load_lineage
from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.frames.schema import LINEAGE
from retry_toolkit.platforms.base import TaskRecord
from tests.analysis.forest import places, told
from tests.frames.records import START, RecordedPlatform, task


def lineage(tasks: list[TaskRecord], claims: dict[str, list[str]] | None = None) -> pd.DataFrame:
    """The lineage of these tasks, by id."""
    return build_lineage(tasks_frame(tasks), claims).set_index("task_id")


def column(frame: pd.DataFrame, name: str) -> dict[str, Any]:
    """One column by task, None for missing."""
    return {task_id: None if pd.isna(value) else value for task_id, value in frame[name].items()}  # type: ignore[misc]  # ids are text


def test_a_forest() -> None:
    """Two retries of one task, one of them retried again, beside a task of its own."""
    frame = lineage(
        [task("a"), task("b", parent_id="a"), task("c", parent_id="a"), task("d", parent_id="c"), task("e")]
    )
    assert column(frame, "root_id") == {"a": "a", "b": "a", "c": "a", "d": "a", "e": "e"}
    assert column(frame, "depth") == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 0}
    assert column(frame, "children") == {"a": 2, "b": 0, "c": 1, "d": 0, "e": 0}
    assert column(frame, "tree_size") == {"a": 4, "b": 4, "c": 4, "d": 4, "e": 1}
    assert [name for name, leaf in column(frame, "is_leaf").items() if leaf] == ["b", "d", "e"]
    assert not frame[["orphan", "cycle", "conflict"]].to_numpy().any()


def test_columns_and_order_are_those_of_the_schema_and_the_tasks() -> None:
    """Also when empty."""
    tasks = tasks_frame([task("b", hours=1), task("a")])
    for frame in (build_lineage(tasks), build_lineage(tasks_frame([]))):
        assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
            (item.name, item.dtype) for item in LINEAGE
        ]
    assert build_lineage(tasks)["task_id"].tolist() == ["b", "a"]


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (["failed", "succeeded"], "recovered"),
        (["failed", "succeeded", "running"], "recovered"),
        (["failed", "failed"], "failed"),
        (["failed", "cancelled"], "failed"),
        (["failed", "running"], "open"),
        (["failed", "pending"], "open"),
        (["cancelled"], "cancelled"),
        (["failed"], "failed"),
        (["running"], "open"),
        (["succeeded"], None),
        (["unknown"], None),
    ],
)
def test_outcomes_are_told_at_every_task(statuses: list[Any], outcome: str | None) -> None:
    """What became of the lineage as a whole; a task that just succeeded had nothing to recover."""
    chain = [task(f"t{n}", status=status, parent_id=f"t{n - 1}" if n else None) for n, status in enumerate(statuses)]
    assert set(column(lineage(chain), "outcome").values()) == {outcome}


def test_an_orphan_is_its_own_root() -> None:
    """Its parent has been deleted or was not loaded; its own retries hang below it."""
    frame = lineage([task("b", parent_id="gone"), task("c", parent_id="b")])
    assert column(frame, "orphan") == {"b": True, "c": False}
    assert column(frame, "parent_id") == {"b": "gone", "c": "b"}
    assert column(frame, "root_id") == {"b": "b", "c": "b"}


def test_circles_are_cut_above_their_oldest_task_and_marked() -> None:
    """A task that names itself, a circle of three, and a tail that leads into it."""
    circle = [task("x", hours=2, parent_id="z"), task("y", hours=1, parent_id="x"), task("z", hours=3, parent_id="y")]
    frame = lineage([*circle, task("tail", parent_id="z"), task("self", parent_id="self"), task("fine")])
    assert column(frame, "cycle") == {"x": True, "y": True, "z": True, "tail": False, "self": True, "fine": False}
    assert {name: column(frame, "root_id")[name] for name in ("x", "y", "z", "tail", "self")} == {
        "x": "y",
        "y": "y",
        "z": "y",
        "tail": "y",
        "self": "self",
    }
    assert {name: column(frame, "depth")[name] for name in ("y", "z", "x", "tail")} == {
        "y": 0,
        "z": 1,
        "x": 2,
        "tail": 2,
    }


def test_circles_of_tasks_without_a_time_end_too() -> None:
    """Where nothing is known of age, the lower row counts as the older."""
    frame = lineage([task("a", parent_id="b", created_at=None), task("b", parent_id="a", created_at=None)])
    assert column(frame, "root_id") == {"a": "b", "b": "b"}


def test_both_sides_may_tell_of_a_link() -> None:
    """They agree; only the parent tells; they disagree; the parent has forgotten; the child is not known."""
    tasks = [
        task("p"),
        task("agreed", parent_id="p"),
        task("told"),
        task("claimed", parent_id="q"),
        task("q"),
        task("forgotten", parent_id="p"),
        task("silent", parent_id="told"),
    ]
    frame = lineage(tasks, {"p": ["agreed", "told", "claimed", "deleted"], "nobody": ["agreed"]})
    parents = column(frame, "parent_id")
    assert (parents["agreed"], parents["told"], parents["claimed"], parents["silent"]) == ("p", "p", "q", "told")
    assert [name for name, conflict in column(frame, "conflict").items() if conflict] == [
        "told",
        "claimed",
        "forgotten",
    ]
    assert column(frame, "root_id")["silent"] == "p"


def test_rows_with_one_id_do_no_harm() -> None:
    """The first counts as the parent."""
    frame = build_lineage(tasks_frame([task("a", hours=1), task("a"), task("b", parent_id="a")]))
    assert frame.loc[frame["task_id"] == "b", "depth"].tolist() == [1]
    assert frame["children"].tolist() == [1, 0, 0]


def test_a_chain_of_a_hundred_thousand_is_quick() -> None:
    """Rounds double: 17 of them, not 100,000."""
    count = 100_000
    ids = pd.Series([f"t{number}" for number in range(count)], dtype="str")
    tasks = pd.DataFrame(
        {
            "task_id": ids,
            "parent_id": ids.shift(1),
            "status": pd.Categorical(["failed"] * count),
            "created_at": pd.date_range("2026-01-01", periods=count, freq="s", tz="UTC", unit="us"),
        }
    )
    frame = build_lineage(tasks)
    assert frame["depth"].tolist() == list(range(count))
    assert set(frame["root_id"]) == {"t0"}
    tasks["parent_id"] = np.roll(ids.to_numpy(dtype=object), 1)
    circle = build_lineage(tasks)
    assert circle["cycle"].all()
    assert circle["depth"].tolist() == list(range(count))


STATUSES: st.SearchStrategy[Any] = st.sampled_from(["failed", "succeeded", "running", "cancelled", "unknown"])
LINKS = st.lists(st.tuples(st.none() | st.integers(0, 14), STATUSES, st.none() | st.integers(0, 2)), max_size=12)


@given(LINKS, st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=6))
def test_any_links_give_what_the_slow_way_gives(
    links: list[tuple[int | None, Any, int | None]], pairs: list[tuple[int, int]]
) -> None:
    """Parents that are unknown, circles, claims that agree and that do not, times that are missing or the same."""
    records = [
        task(
            f"t{number}",
            status=status,
            parent_id=None if parent is None else f"t{parent}",
            created_at=None if hours is None else START + timedelta(hours=hours),
        )
        for number, (parent, status, hours) in enumerate(links)
    ]
    claims: dict[str, list[str]] = {}
    for claimant, child in pairs:
        claims.setdefault(f"t{claimant}", []).append(f"t{child}")
    tasks = tasks_frame(records)
    expected = places(told(tasks), claims)
    frame = build_lineage(tasks, claims).astype("object")
    assert list(frame.where(frame.notna(), None).itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize("shape", ["forest", "chain", "cycles"])
def test_large_histories_give_what_the_slow_way_gives(shape: Shape) -> None:
    """Lineages 51 deep, one chain, and circles, over thousands of tasks."""
    tasks = history(5_000, shape=shape)
    frame = build_lineage(tasks).astype("object")
    expected = places(told(tasks))
    assert list(frame.where(frame.notna(), None).itertuples(index=False, name=None)) == expected


def test_joined_frames_hold_text_and_are_placed_the_same() -> None:
    """Categories that differ become text when frames are joined."""
    tasks = history(200)
    joined = tasks.astype(dict.fromkeys(tasks.select_dtypes("category").columns, "str"))
    pd.testing.assert_frame_equal(build_lineage(joined), build_lineage(tasks))


def test_a_platform_or_tasks_may_be_given() -> None:
    """A platform tells both sides of the links, a frame one."""
    tasks = [task("b", hours=1), task("a", retried_by=("b",))]
    source = RecordedPlatform(tasks)
    for given_tasks in (source.platform, tasks):
        frame = load_lineage(given_tasks)
        assert frame["root_id"].tolist() == ["a", "a"]
        assert frame["conflict"].tolist() == [True, False]
    assert load_lineage(tasks_frame(tasks))["root_id"].tolist() == ["b", "a"]

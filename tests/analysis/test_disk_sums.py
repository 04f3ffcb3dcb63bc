"""Disk added up, forecast, and what expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.analysis.disk import disk_cost
from retry_toolkit.analysis.disk_sums import DiskForecast, disk_by, disk_by_root, expiring, forecast_disk
from retry_toolkit.frames.build import build_frame, tasks_frame
from retry_toolkit.frames.schema import DISK, PLAN
from retry_toolkit.platforms.base import Method
from tests.analysis.test_disk import TREE, TREE_FILES, chain, files
from tests.frames.records import START, task

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_by_root_sets_copied_against_linked() -> None:
    """Dearest lineage first; unknown retries are counted and not summed; tasks without retries are left out."""
    others = [*chain("small", "s1"), *chain("dark", "d1"), task("alone")]
    known = [*TREE_FILES, files("small", "original", 3), files("s1", "copied", 3), files("alone", "original", 99)]
    frame = disk_by_root(disk_cost(known, tasks_frame(TREE + others)))
    rows = frame.astype("object").where(frame.notna(), None).values.tolist()
    assert list(frame.columns) == [
        "root_id",
        "retries",
        "copied",
        "linked",
        "unknown",
        "original_bytes",
        "extra_bytes",
        "linkable_bytes",
        "saved_bytes",
    ]
    assert rows == [
        ["root", 3, 2, 1, 0, 15, 30, 30, 15],
        ["small", 1, 1, 0, 0, 3, 3, 3, 0],
        ["dark", 1, 0, 0, 1, None, 0, 0, None],
    ]


def test_by_root_of_nothing_is_empty() -> None:
    """With its dtypes."""
    frame = disk_by_root(disk_cost([], tasks_frame([])))
    assert len(frame) == 0
    assert [str(dtype) for dtype in frame.dtypes] == ["str"] + ["Int64"] * 8


def test_large_sizes_keep_every_byte() -> None:
    """Sums past 2**53 are exact."""
    size = 2**53 + 1
    tree = [files("root", "original", size), files("copy", "copied", size), files("copy2", "copied", size)]
    by_root = disk_by_root(disk_cost(tree, tasks_frame(chain("root", "copy", "copy2"))))
    assert by_root["extra_bytes"].tolist() == [2 * size]


def test_copies_of_an_original_that_lost_files_cannot_be_linked() -> None:
    """Their bytes would not have been saved."""
    gone = files("root", "original", 10, 5, exists=False)
    by_root = disk_by_root(disk_cost([gone, *TREE_FILES[1:]], tasks_frame(TREE)))
    assert by_root[["extra_bytes", "linkable_bytes"]].to_numpy().tolist() == [[30, 0]]


def test_by_project_owner_and_day() -> None:
    """Every task counts once; tasks that nobody knows have a row without a value; unknown is counted."""
    records = [
        task("a", project="sales", owner="anna"),
        task("b", hours=30, project="sales", owner="bob", parent_id="a"),
        task("c", hours=31, project="mesh", owner="bob"),
    ]
    tasks = tasks_frame(records)
    cost = disk_cost([files("a", "original", 7), files("b", "copied", 8)], tasks)
    by_project = disk_by(cost, tasks, "project").astype("object")
    assert by_project.where(by_project.notna(), None).to_numpy().tolist() == [
        ["sales", 2, 1, 1, 0, 0, 8, 8, 0, 15, 0],
        ["mesh", 1, 0, 0, 0, 0, 0, 0, 0, None, 1],
    ]
    by_day = disk_by(cost, tasks, "day")
    assert by_day["day"].tolist() == [pd.Timestamp(START), pd.Timestamp(START + timedelta(days=1))]
    assert by_day["tasks"].tolist() == [1, 2]
    unknown = disk_by(cost, tasks[tasks["owner"] == "bob"], "owner")
    assert unknown["owner"].astype("object").where(unknown["owner"].notna(), None).tolist() == ["bob", None]


def test_what_links_saved_is_the_size_of_the_originals() -> None:
    """Known where the original's size is; where nothing was linked nothing was saved, and that is no question."""
    records = [
        task("a", project="sales"),
        task("b", project="sales", parent_id="a"),
        task("c", project="mesh"),
        task("d", project="mesh", parent_id="c"),
        task("e", project="none"),
    ]
    listed = [files("a", "original", 7), files("b", "linked", 7), files("d", "linked", None)]
    table = disk_by(disk_cost(listed, tasks_frame(records)), tasks_frame(records), "project")
    saved = dict(zip(table["project"], table["saved_bytes"], strict=True))
    assert saved["sales"] == 7
    assert pd.isna(saved["mesh"])
    assert saved["none"] == 0


SIZES = st.none() | st.integers(0, 2**60)
METHODS: st.SearchStrategy[Method] = st.sampled_from(["copied", "linked", "unknown"])


@given(st.lists(st.tuples(st.sampled_from("xyz"), METHODS, SIZES), max_size=8))
def test_any_sums_are_what_adding_by_hand_gives(rows: list[tuple[str, Method, int | None]]) -> None:
    """By project, and all together; no byte is lost."""
    names = [f"t{number}" for number in range(len(rows))]
    tasks = tasks_frame(
        [
            task(name, project=row[0], parent_id="t0" if name != "t0" else None)
            for name, row in zip(names, rows, strict=True)
        ]
    )
    listed = [files(name, method, size) for name, (_, method, size) in zip(names, rows, strict=True)]
    cost = disk_cost(listed, tasks)
    for row in disk_by(cost, tasks, "project").to_dict("records"):
        members = cost[cost["task_id"].isin(tasks.loc[tasks["project"] == row["project"], "task_id"])]
        known = [size for size in members["input_bytes"] if not pd.isna(size)]
        assert row["extra_bytes"] == sum(size for size in members["extra_bytes"] if not pd.isna(size))
        assert (row["tasks"], row["unknown_inputs"]) == (len(members), len(members) - len(known))
        assert (None if pd.isna(row["input_bytes"]) else row["input_bytes"]) == (sum(known) if known else None)


def plan(*rows: dict[str, Any]) -> pd.DataFrame:
    """A plan's frame."""
    return build_frame(PLAN, {column.name: [row.get(column.name) for row in rows] for column in PLAN})


def ready(size: int | None, free: int | None = None) -> dict[str, Any]:
    """A row that will be sent."""
    return {"task_id": "t", "verdict": "ready", "action": "task", "input_bytes": size, "free_bytes": free}


@pytest.mark.parametrize(
    ("rows", "expected", "fits"),
    [
        ([], DiskForecast(0, 0, 0, None), None),
        ([ready(5, 10), ready(6, 10), ready(9) | {"verdict": "refused"}], DiskForecast(2, 11, 0, 10), False),
        ([ready(5, 10), ready(4, 12)], DiskForecast(2, 9, 0, 10), True),
        ([ready(5, 10), ready(None, 10)], DiskForecast(2, 5, 1, 10), None),
        ([ready(5), ready(2**60)], DiskForecast(2, 2**60 + 5, 0, None), None),
    ],
)
def test_a_plan_is_forecast(rows: list[dict[str, Any]], expected: DiskForecast, fits: bool | None) -> None:
    """Ready rows add their input; unknown sizes are counted, and leave it open whether there is room."""
    forecast = forecast_disk(plan(*rows))
    assert (forecast, forecast.fits) == (expected, fits)


def test_what_expires_when() -> None:
    """Windows follow each other; their ends belong to them; unknown sizes and times are counted."""
    days = {"gone": 0, "soon": 7, "month": 7.01, "late": 31, "never": None}
    ends = [None if number is None else NOW + timedelta(days=number) for number in days.values()]
    blank: dict[str, list[Any]] = {column.name: [None] * 5 for column in DISK}
    cost = build_frame(
        DISK, blank | {"task_id": list(days), "input_bytes": [1, None, 4, 8, 16], "retention_until": ends}
    )
    for now in (NOW, NOW.replace(tzinfo=None)):
        table = expiring(cost, now=now)
        assert table["window"].tolist() == ["expired", "7 days", "30 days", "later", "unknown"]
        assert table["tasks"].tolist() == [["gone"], ["soon"], ["month"], ["late"], ["never"]]
        assert table[["count", "input_bytes", "unknown"]].to_numpy().tolist() == [
            [1, 1, 0], [1, 0, 1], [1, 4, 0], [1, 8, 0], [1, 16, 0]
        ]  # fmt: skip
    assert expiring(cost, days=[1], now=NOW)["count"].tolist() == [1, 0, 3, 1]
    assert expiring(cost)["count"].sum() == 5

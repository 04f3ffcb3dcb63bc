"""What lineages cost: sums of what is known, with what is not known beside them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.analysis.ledger import cost_ledger, spending
from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import attempts_frame, build_frame, tasks_frame
from retry_toolkit.frames.schema import DISK, LEDGER
from retry_toolkit.platforms.base import AttemptRecord
from tests.frames.records import START, task

MENDED = [
    task("root", duration_s=10.0, tokens=100, cost=1.0, project="sales", owner="anna", name="日报"),
    task("again", hours=1, parent_id="root", duration_s=20.0, tokens=None, cost=2.0),
    task("good", hours=2, parent_id="again", status="succeeded", duration_s=30.0, tokens=300, cost=4.0),
    task("more", hours=3, parent_id="again", status="running"),
]
LOST = [task("lost", hours=-1, duration_s=5.0, tokens=2**53 + 1, cost=8.0), task("lost2", parent_id="lost", tokens=1)]
ALONE = [task("alone", hours=-9, status="succeeded", duration_s=7.0)]


def row(frame: pd.DataFrame, root: str) -> dict[Any, Any]:
    """One row, None for missing."""
    rows = frame.astype("object").where(frame.notna(), None).to_dict("records")
    return next(row for row in rows if row["root_id"] == root)


def test_one_lineage_is_one_row() -> None:
    """Sums of what is known, and how much is not; names are those of the first task."""
    frame = cost_ledger(tasks_frame([*MENDED, *LOST, *ALONE]))
    assert frame["root_id"].tolist() == ["root", "lost", "alone"]
    mended = row(frame, "root")
    assert [mended[name] for name in ("name", "project", "owner", "outcome")] == ["日报", "sales", "anna", "recovered"]
    assert [mended[name] for name in ("tasks", "seconds", "tokens", "cost")] == [4, 60.0, 400, 7.0]
    assert [mended[f"unknown_{name}"] for name in ("seconds", "tokens", "cost", "bytes")] == [1, 2, 1, 4]
    assert mended["extra_bytes"] is None


def test_what_was_spent_until_recovery() -> None:
    """Up to the first success; unknown where a part of it is; missing where there was nothing to recover."""
    frame = cost_ledger(tasks_frame([*MENDED, *LOST, *ALONE]))
    told = ["retries_to_recovery", "s_to_recovery", "cost_to_recovery", "tokens_to_recovery"]
    assert [row(frame, "root")[name] for name in told] == [2, 60.0, 7.0, None]
    for root in ("lost", "alone"):
        assert {row(frame, root)[name] for name in told} == {None}


def test_attempts_tell_more_than_the_last_state_of_a_task() -> None:
    """Erased attempts count; where one of them is unknown, the task's own figure stays."""

    def attempt(task_id: str, number: int, seconds: float | None, tokens: int | None) -> AttemptRecord:
        return AttemptRecord(task_id=task_id, stage_id=f"{task_id}-s", stage="s", attempt=number, status="failed",
                             duration_s=seconds, tokens=tokens)  # fmt: skip

    attempts = attempts_frame(
        [attempt("root", 1, 6.0, 1), attempt("root", 2, 10.0, None), attempt("root", 2, 10.0, None),
         attempt("lost", 1, None, 3)]
    )  # fmt: skip
    frame = cost_ledger(tasks_frame([*MENDED, *LOST]), attempts=attempts)
    assert (row(frame, "root")["seconds"], row(frame, "root")["tokens"]) == (66.0, 400)
    assert (row(frame, "lost")["seconds"], row(frame, "lost")["tokens"]) == (5.0, 4)


def test_disk_is_added_where_it_is_known() -> None:
    """By task; a task that the disk frame does not hold is unknown."""
    missing: dict[str, list[Any]] = {column.name: [None] * 2 for column in DISK}
    disk = build_frame(DISK, missing | {"task_id": ["again", "good"], "extra_bytes": [7, 2**53 + 1]})
    mended = row(cost_ledger(tasks_frame(MENDED), disk=disk), "root")
    assert (mended["extra_bytes"], mended["unknown_bytes"]) == (2**53 + 8, 2)


def test_spending_adds_up_by_outcome() -> None:
    """What never recovered stands in one row; a sum of nothing known is unknown; digits past 2**53 stay."""
    table = spending(cost_ledger(tasks_frame([*MENDED, *LOST, *ALONE])))
    assert table["outcome"].astype("object").where(table["outcome"].notna(), None).tolist() == [
        "failed",
        "recovered",
        None,
    ]
    lost = table.iloc[0]
    assert (lost["lineages"], lost["tasks"], lost["seconds"], lost["tokens"], lost["cost"]) == (
        1,
        2,
        5.0,
        2**53 + 2,
        8.0,
    )
    assert table["cost"].isna().tolist() == [False, False, True]
    assert spending(cost_ledger(tasks_frame(MENDED)), by="project")["project"].tolist() == ["sales"]


def test_days_are_those_of_the_first_task_in_their_order() -> None:
    """However dear a later day is, and whenever the retries of a lineage came."""
    late = task("late", hours=30, status="succeeded", duration_s=900.0, cost=90.0)
    table = spending(cost_ledger(tasks_frame([*MENDED, late])), by="day")
    assert table["day"].tolist() == [pd.Timestamp(START), pd.Timestamp(START + timedelta(days=1))]
    assert table["seconds"].tolist() == [60.0, 900.0]


@pytest.mark.parametrize("records", [[], MENDED, ALONE])
def test_columns_and_dtypes_are_those_of_the_schema(records: list[Any]) -> None:
    """Also when empty."""
    frame = cost_ledger(tasks_frame(records))
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [(item.name, item.dtype) for item in LEDGER]
    kinds = [str(dtype) for dtype in spending(frame).dtypes]
    assert kinds == ["category", "Int64", "Int64", "Float64", "Int64", "Float64", *["Int64"] * 5]


def test_rows_with_one_id_do_no_harm() -> None:
    """Every row counts once, whichever of them the root is looked up in."""
    records = [task("a", hours=2, parent_id="b", cost=1.0), task("a", cost=2.0), task("b", hours=1, cost=4.0)]
    frame = cost_ledger(tasks_frame(records))
    assert (frame["tasks"].sum(), frame["cost"].sum()) == (3, 7.0)


COSTS = st.none() | st.integers(0, 9)
LINKS = st.lists(
    st.tuples(st.none() | st.integers(0, 12), st.sampled_from(["failed", "succeeded", "running"]), COSTS, COSTS),
    max_size=12,
)


@given(LINKS)
def test_any_lineages_cost_what_adding_by_hand_gives(links: list[tuple[Any, ...]]) -> None:
    """Every lineage, task by task."""
    tasks = tasks_frame(
        [
            task(f"t{number}", created_at=START + timedelta(hours=number % 4), status=status, tokens=tokens, cost=cost,
                 parent_id=None if parent is None else f"t{parent}")
            for number, (parent, status, tokens, cost) in enumerate(links)
        ]
    )  # fmt: skip
    places = build_lineage(tasks).to_dict("records")
    rows = [told | place for told, place in zip(tasks.to_dict("records"), places, strict=True)]
    frame = cost_ledger(tasks)
    assert frame["tasks"].sum() == len(rows)
    for found in frame.astype("object").where(frame.notna(), None).to_dict("records"):
        tree = sorted(
            (one for one in rows if one["root_id"] == found["root_id"]),
            key=lambda one: (one["created_at"], one["depth"]),
        )
        for name in ("tokens", "cost"):
            known = [one[name] for one in tree if not pd.isna(one[name])]
            assert (found[name], found[f"unknown_{name}"]) == (sum(known) if known else None, len(tree) - len(known))
        success = next((at for at, one in enumerate(tree) if one["status"] == "succeeded"), None)
        recovered = found["outcome"] == "recovered" and success is not None
        assert found["retries_to_recovery"] == (success if recovered else None)
        for name in ("tokens", "cost"):
            spent = [one[name] for one in tree[: (success or 0) + 1]] if recovered else [math.nan]
            assert found[f"{name}_to_recovery"] == (None if any(map(pd.isna, spent)) else sum(spent))

"""What retries came to: rates from enough cases, and what it took until success."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.analysis.recovery import LEAST_CASES, recovery_rates, wilson
from retry_toolkit.frames.build import attempts_frame, tasks_frame
from retry_toolkit.frames.schema import RECOVERY
from retry_toolkit.platforms.base import AttemptRecord, Status
from tests.frames.records import START, stage, task

SPENT = ["retries_to_success", "s_to_success", "tokens_to_success", "cost_to_success"]


def attempt(chain: int, number: int, status: Status, error: str | None = None, **fields: Any) -> AttemptRecord:
    """One attempt of the stage of a task."""
    given = {"stage": "check", "stage_id": f"{chain}-check", **fields}
    return AttemptRecord(task_id=f"t{chain}", attempt=number, status=status, error=error, **given)


def mended(chain: int, *, after: int = 1, error: str = "boom", **fields: Any) -> list[AttemptRecord]:
    """A stage that fails some times, then succeeds."""
    failed = [attempt(chain, number, "failed", error, **fields) for number in range(1, after + 1)]
    return [*failed, attempt(chain, after + 1, "succeeded", **fields)]


def rates(*records: Iterable[AttemptRecord], **options: Any) -> dict[str, dict[Any, Any]]:
    """Rows by fingerprint, None for missing."""
    frame = recovery_rates(attempts=attempts_frame(one for some in records for one in some), **options)
    rows = frame.astype("object").where(frame.notna(), None).to_dict("records")
    return {str(row["fingerprint"]): row for row in rows}


def test_a_rate_needs_five_cases() -> None:
    """Fewer are counted, and nothing is said about them."""
    four = rates(*(mended(number) for number in range(LEAST_CASES - 1)))["boom"]
    assert (four["cases"], four["recovered"], four["advice"]) == (4, 4, "no data")
    assert {four[name] for name in ("rate", "rate_low", "rate_high", "median_s", *SPENT)} == {None}
    five = rates(*(mended(number, duration_s=number) for number in range(LEAST_CASES)))["boom"]
    assert (five["cases"], five["rate"], five["median_s"], five["advice"]) == (5, 1.0, 2.0, "retry")


@pytest.mark.parametrize(("recovered", "advice"), [(0, "fix first"), (3, "fix first"), (4, "retry"), (8, "retry")])
def test_advice_follows_the_rate(recovered: int, advice: str) -> None:
    """At least half of eight."""
    failed = [[attempt(n, 1, "failed", "boom"), attempt(n, 2, "failed")] for n in range(8 - recovered)]
    row = rates(*failed, *(mended(100 + number) for number in range(recovered)))["boom"]
    assert (row["advice"], row["rate"], row["recovered"]) == (advice, recovered / 8, recovered)


def test_what_it_takes_is_counted_from_the_first_error_to_success() -> None:
    """Two failures, then success: two retries, and the time and tokens of both."""
    row = rates(*(mended(number, after=2, duration_s=3.0, tokens=10) for number in range(5)))["boom"]
    assert (row["cases"], row["recovered"], row["rate"]) == (10, 5, 0.5)
    assert [row[name] for name in SPENT] == [2.0, 6.0, 20.0, None]


def test_an_unknown_cost_is_no_cost_of_nothing() -> None:
    """Of five successes one has unknown tokens: too few are left for a median."""
    chains = [mended(number, tokens=7) for number in range(4)]
    row = rates(*chains, mended(9))["boom"]
    assert (row["retries_to_success"], row["tokens_to_success"]) == (1.0, None)


def test_stages_can_be_told_apart() -> None:
    """The same error in two stages."""
    chains = [*(mended(number, stage="load") for number in range(5)), *(mended(number) for number in range(50, 57))]
    frame = recovery_rates(attempts=attempts_frame(one for some in chains for one in some), by_stage=True)
    assert frame[["stage", "cases"]].to_numpy().tolist() == [["check", 7], ["load", 5]]
    assert recovery_rates(attempts=attempts_frame([one for some in chains for one in some]))["cases"].tolist() == [12]


def test_whole_retries_are_told_from_stage_retries() -> None:
    """A failed task and the one that retries it; both kinds can be asked for at once."""
    tasks = []
    for number in range(5):
        failed = stage(f"old{number}", "load", error=f"boom {number}")
        tasks += [task(f"old{number}", stages=(failed,)), task(f"new{number}", hours=1, status="succeeded", cost=2.0,
                  parent_id=f"old{number}", duration_s=4.0)]  # fmt: skip
    frame = recovery_rates(tasks_frame(tasks), attempts_frame(mended(1)), by_stage=True)
    assert frame[["action", "fingerprint", "stage", "cases"]].to_numpy().tolist() == [
        ["task", "boom *", "load", 5],
        ["stage", "boom", "check", 1],
    ]
    assert (frame["s_to_success"][0], frame["cost_to_success"][0]) == (4.0, 2.0)


def test_wilson_gives_the_textbook_interval() -> None:
    """8 of 10: from 0.4902 to 0.9433; no share leaves 0 to 1."""
    low, high = wilson(pd.Series([8, 0, 5]), pd.Series([10, 5, 5]))
    assert low.round(4).tolist() == [0.4902, 0.0, 0.5655]
    assert high.round(4).tolist() == [0.9433, 0.4345, 1.0]


def test_columns_and_dtypes_are_those_of_the_schema() -> None:
    """Of nothing, of one kind, of both."""
    tasks, attempts = tasks_frame([task("a")]), attempts_frame(mended(1))
    for given_frames in ((None, None), (tasks, None), (None, attempts_frame([])), (tasks, attempts)):
        frame = recovery_rates(*given_frames)
        assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
            (column.name, column.dtype) for column in RECOVERY
        ]


STATUSES: st.SearchStrategy[Any] = st.sampled_from(["failed", "failed", "succeeded", "cancelled", "running"])
ERRORS = st.sampled_from([None, "one", "two"])
SECONDS = st.none() | st.integers(0, 9)
ATTEMPTS = st.builds(
    attempt, st.integers(0, 6), st.integers(1, 5), STATUSES, ERRORS, duration_s=SECONDS, tokens=SECONDS
)  # fmt: skip


@given(st.lists(ATTEMPTS, max_size=40))
def test_stage_retries_are_what_walking_gives(records: list[AttemptRecord]) -> None:
    """Attempt by attempt; gaps, duplicates and every order."""
    chains: dict[str, dict[int, dict[Any, Any]]] = {}
    for row in attempts_frame(records).assign(cost=None).to_dict("records"):
        chains.setdefault(row["stage_id"], {}).setdefault(row["attempt"], row)
    walks = [[known[number] for number in sorted(known)] for known in chains.values()]
    pairs = [
        (known[number - 1], row) for known in chains.values() for number, row in known.items() if number - 1 in known
    ]
    check(recovery_rates(attempts=attempts_frame(records)), pairs, walks)


LINKS = st.lists(st.tuples(st.none() | st.integers(0, 15), STATUSES, ERRORS, SECONDS, SECONDS), max_size=16)


@given(LINKS)
def test_whole_retries_are_what_walking_gives(links: list[tuple[Any, ...]]) -> None:
    """Task by task; branches, circles, parents that come later."""
    tasks = tasks_frame(
        [
            task(f"t{number}", created_at=START + timedelta(hours=number % 5), status=status, error=error, cost=cost,
                 duration_s=seconds, parent_id=None if parent is None else f"t{parent}")
            for number, (parent, status, error, seconds, cost) in enumerate(links)
        ]
    )  # fmt: skip
    lineage = build_lineage(tasks)
    rows = {
        row["task_id"]: row | place
        for row, place in zip(tasks.to_dict("records"), lineage.to_dict("records"), strict=True)
    }
    linked = {name: row for name, row in rows.items() if row["tree_size"] > 1 and not row["cycle"]}
    pairs = [(linked[row["parent_id"]], row) for row in linked.values() if row["parent_id"] in linked]
    trees: dict[str, list[dict[Any, Any]]] = {}
    for row in sorted(linked.values(), key=lambda row: (row["created_at"], row["depth"])):
        trees.setdefault(row["root_id"], []).append(row)
    check(recovery_rates(tasks), pairs, list(trees.values()))


def check(found: pd.DataFrame, pairs: list[tuple[Any, Any]], walks: list[list[Any]]) -> None:
    """Compare a table with pairs of what failed and what retried it, and with executions in their order."""
    cases: dict[str, list[Any]] = {}
    for before, after in pairs:
        if (
            before["status"] == "failed"
            and not pd.isna(before["fingerprint"])
            and after["status"] in {"failed", "succeeded"}
        ):
            cases.setdefault(before["fingerprint"], []).append(after)
    assert dict(zip(found["fingerprint"], found["cases"], strict=True)) == {
        name: len(some) for name, some in cases.items()
    }
    for row in found.to_dict("records"):
        after = cases[row["fingerprint"]]
        assert row["recovered"] == sum(one["status"] == "succeeded" for one in after)
        expected: list[float | None] = [None] * 5
        if len(after) >= LEAST_CASES:
            seconds = [one["duration_s"] for one in after if not pd.isna(one["duration_s"])]
            expected = [statistics.median(seconds) if seconds else None, *medians(walks, row["fingerprint"])]
        assert [None if pd.isna(row[name]) else row[name] for name in ("median_s", *SPENT)] == expected


def medians(walks: list[list[Any]], error: str) -> list[float | None]:
    """Medians of what every walk spent from its first such error to the next success."""
    spent: list[list[float]] = []
    for walk in walks:
        first = next(
            (at for at, row in enumerate(walk) if row["status"] == "failed" and row["fingerprint"] == error), None
        )
        last = next(
            (at for at, row in enumerate(walk) if first is not None and at > first and row["status"] == "succeeded"),
            None,
        )
        if first is not None and last is not None:
            part = walk[first + 1 : last + 1]
            spent.append(
                [last - first, *(total(row[name] for row in part) for name in ("duration_s", "tokens", "cost"))]
            )
    known = [[value for value in column if not math.isnan(value)] for column in zip(*spent, strict=True)] or [[]] * 4
    return [statistics.median(column) if len(column) >= LEAST_CASES else None for column in known]


def total(values: Iterable[Any]) -> float:
    """A sum that is not a number where a part is unknown."""
    return math.fsum(math.nan if pd.isna(value) else value for value in values)

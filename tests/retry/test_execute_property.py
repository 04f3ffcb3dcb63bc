"""Whatever happens to requests: nothing is done twice, nothing is lost, and nothing is called what it is not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retry_toolkit import errors
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.policy import StopRule
from retry_toolkit.retry.records import Item
from tests.retry.ledger import (
    BATCHED,
    FAULTS,
    KEYED,
    KEYED_BATCHED,
    PLAIN,
    Fault,
    KeyedPlatform,
    LedgerPlatform,
)
from tests.retry.workshop import NEVER, Workshop, ended, workshop

TASKS = tuple("abcdef")
# One storm on the disk costs tens of milliseconds; the pure agenda has many more.
few = settings(max_examples=15, deadline=None)


@dataclass(frozen=True)
class Storm:
    """Faults and results by task, and how the batch is executed."""

    faults: dict[str, list[Fault]]
    results: dict[str, str]
    action: str
    canary: int
    rule: StopRule
    together: bool


STORMS = st.builds(
    Storm,
    faults=st.fixed_dictionaries(
        {task_id: st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3) for task_id in TASKS}
    ),
    results=st.fixed_dictionaries({}, optional=dict.fromkeys(TASKS, st.sampled_from(["boom", "another error"]))),
    action=st.sampled_from(["stage", "task"]),
    canary=st.integers(0, 2),
    rule=st.sampled_from([NEVER, StopRule(unknown=2, refused=2, not_sent=2)]),
    together=st.booleans(),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One journal for all storms: their platforms have different origins."""
    with workshop(tmp_path_factory.mktemp("shop")) as made:
        yield made


def acted(platform: LedgerPlatform, item: Item) -> bool:
    """Whether the ledger has this intent."""
    return (item.task_id, item.intent.stage_id or "", item.intent.attempt) in platform.ledger


def check(platform: LedgerPlatform, batch: RetryBatch) -> None:
    """The promise, by the platform's own ledger."""
    for item in batch.items:
        assert item.state in batch.buckets
        if item.state in {"SUCCEEDED", "FAILED_AGAIN", "CANCELLED", "ACCEPTED"}:
            assert acted(platform, item), f"false accepted: {item}"
        if item.state in {"REJECTED", "NOT_SENT", "SKIPPED"}:
            assert not acted(platform, item), f"false failed: {item}"
    assert sum(batch.buckets.values()) == batch.total == len(batch.items)
    assert all(count <= 1 for count in platform.writes.values()), f"sent twice: {platform.writes}"


def run(shop: Workshop, platform: LedgerPlatform, storm: Storm) -> RetryBatch:
    """A batch through all these faults; its buckets sum to N at every moment that it tells of."""
    sums: set[int] = set()
    batch = shop.begin(
        platform,
        TASKS,
        action=storm.action,
        canary=storm.canary,
        stop_after=storm.rule,
        on_change=lambda one: sums.add(sum(one.buckets.values())),
    )
    ended(batch)
    assert sums <= {batch.total}
    return batch


@few
@given(STORMS)
def test_without_keys(shop: Workshop, storm: Storm) -> None:
    """Attempt numbers are all there is: what was not seen stays unclear, and what arrives late is found later."""
    faults = storm.faults
    if storm.action == "task":
        # A plain queue has nothing against a network that delivers a request twice.
        faults = {task_id: [fault for fault in some if fault != "twice"] for task_id, some in faults.items()}
    can = BATCHED if storm.together else PLAIN
    platform = LedgerPlatform.of(*TASKS, faults=faults, results=storm.results, capabilities=can)
    batch = run(shop, platform, storm)
    check(platform, batch)
    platform.deliver()
    batch.check_again()
    check(platform, ended(batch))
    assert platform.acted_twice == []


@few
@given(STORMS)
def test_with_keys(shop: Workshop, storm: Storm) -> None:
    """Nothing stays unclear: what was not acted on is called off, and refused when it still arrives."""
    can = KEYED_BATCHED if storm.together else KEYED
    platform = KeyedPlatform.of(*TASKS, faults=storm.faults, results=storm.results, capabilities=can)
    batch = run(shop, platform, storm)
    assert batch.buckets["UNKNOWN"] == 0
    check(platform, batch)
    while platform.waiting:
        # Alone it is refused; in a batch call each of its items is.
        with contextlib.suppress(errors.Refused):
            platform.deliver()
    check(platform, batch)
    assert platform.acted_twice == []

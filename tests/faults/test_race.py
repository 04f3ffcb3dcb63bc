"""Several processes want the same retries at the same time: each is sent once, by one of them."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.records import Intent
from tests.faults.sizes import SEED, SIZES, fast_home

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SIZES.timeout_s)]

ORIGIN = "http://127.0.0.1:8642"


def race(runner: Callable[..., None], *arguments: Any) -> None:
    """Let processes run at once, each with a number of its own; fail if one fails."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(SIZES.racers)
    runners = [
        context.Process(target=runner, args=(number, start, *arguments), name=f"racer-{number}")
        for number in range(SIZES.racers)
    ]
    for process in runners:
        process.start()
    for process in runners:
        process.join(SIZES.timeout_s)
    assert [process.exitcode for process in runners] == [0] * SIZES.racers


def claim_all(number: int, start: Any, home: Path, batch_id: str) -> None:
    """Claim every item in an order of one's own, and note what one may send."""
    with Journal.open(home) as journal, (home / f"sent-{number}").open("w") as sent:
        op_ids = [item.op_id for item in journal.items(batch_id)]
        random.Random(f"{SEED} {number}").shuffle(op_ids)
        start.wait()
        for op_id in op_ids:
            if journal.claim(op_id, batch_id, actor=f"racer-{number}") is not None:
                sent.write(f"{op_id}\n")


def plan_all(number: int, start: Any, home: Path) -> None:
    """Plan the same intents in batches of one's own, each in another order, and claim what became of them."""
    intents = intents_of(SIZES.raced)
    random.Random(f"{SEED} {number}").shuffle(intents)
    with Journal.open(home) as journal, (home / f"sent-{number}").open("w") as sent:
        start.wait()
        for first in range(0, len(intents), 10):
            some = intents[first : first + 10]
            batch = journal.create_batch(f"plan-{number}-{first}", ORIGIN, "stage", some, actor="tests")
            claimed = journal.claim_many([intent.op_id for intent in some], batch.batch_id, actor="tests")
            sent.writelines(f"{item.op_id}\n" for item in claimed)


def intents_of(count: int) -> list[Intent]:
    """What everybody wants."""
    return [
        Intent(origin=ORIGIN, task_id=f"task-{number}", action="stage", attempt=0, stage_id="s")
        for number in range(count)
    ]


def sends(home: Path) -> list[list[str]]:
    """What each process was given to send."""
    return [path.read_text().split() for path in sorted(home.glob("sent-*"))]


def test_one_batch_claimed_by_many_processes() -> None:
    """Every item of a batch is given to exactly one process, and several processes get some."""
    with fast_home() as home:
        with Journal.open(home) as journal:
            batch = journal.create_batch("plan", ORIGIN, "stage", intents_of(SIZES.raced), actor="tests")
        race(claim_all, home, batch.batch_id)
        given = sends(home)
        assert sorted(op_id for ids in given for op_id in ids) == sorted(
            intent.op_id for intent in intents_of(SIZES.raced)
        )
        assert sum(map(bool, given)) > 1
        with Journal.open(home) as journal:
            assert journal.buckets(batch.batch_id)["SENT"] == SIZES.raced


def test_one_intent_planned_by_many_processes() -> None:
    """The same intents in the batches of several processes are sent once in all; the other items say so."""
    with fast_home() as home:
        race(plan_all, home)
        given = sends(home)
        assert sorted(op_id for ids in given for op_id in ids) == sorted(
            intent.op_id for intent in intents_of(SIZES.raced)
        )
        with Journal.open(home) as journal:
            states = [item.state for item in journal.items()]
            assert all(sum(journal.buckets(batch.batch_id).values()) == batch.total for batch in journal.batches())
        assert states.count("SENT") == SIZES.raced
        assert states.count("SKIPPED") == SIZES.raced * (SIZES.racers - 1)

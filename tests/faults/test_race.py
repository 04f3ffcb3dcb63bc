"""Several processes want the same retries at the same time: each is sent once, by one of them."""

from __future__ import annotations

import multiprocessing

import pytest

from retry_toolkit.retry.journal import Journal
from tests.faults.kinds import ARRIVING, Schedule, tasks_written
from tests.faults.oracle import judge
from tests.faults.proxy import FaultProxy
from tests.faults.racer import execute_all
from tests.faults.sizes import SEED, SIZES, fast_home
from tests.faults.still import still_platform, task_ids
from tests.faults.storm import last_words

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SIZES.timeout_s)]


def test_one_retry_executed_by_many_processes() -> None:
    """Processes that execute the same plans send each retry once in all, and the platform does each once."""
    ids = task_ids(SIZES.raced)
    calm = Schedule(SEED, writes=0.0, reads=0.0, kinds=ARRIVING)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(SIZES.racers)
    with fast_home() as home, still_platform(home / "platform", len(ids)) as still:
        with FaultProxy(still.url, calm) as proxy:
            racers = [
                context.Process(target=execute_all, args=(start, home, proxy.url, ids, f"{SEED} {number}"))
                for number in range(SIZES.racers)
            ]
            for racer in racers:
                racer.start()
            for racer in racers:
                racer.join(SIZES.timeout_s)
            assert [racer.exitcode for racer in racers] == [0] * SIZES.racers
            proxy.settle()
        sent = [task_id for call in proxy.arrived for task_id in tasks_written(call)]
        assert sorted(sent) == ids
        with Journal.open(home) as journal:
            judge(dict.fromkeys(ids, 0), last_words(journal), still.acts(), proxy.arrived).check()
            states = [item.state for item in journal.items()]
        assert states.count("SKIPPED") == len(ids) * (SIZES.racers - 1)

"""A storm over real sockets: thousands of retries of the embedded platform through every fault, with rivals.

Afterwards the platform's own ledger says what happened, and the journal has to say the same of every single one.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan import plan_retry
from tests.faults.kinds import ARRIVING, Schedule
from tests.faults.oracle import judge
from tests.faults.proxy import ClosedDoor, FaultProxy
from tests.faults.sizes import SEED, SIZES, fast_home
from tests.faults.still import RIVAL, StillPlatform, connected, stage_id, still_platform, task_ids
from tests.faults.storm import (
    CALM,
    IMPATIENT,
    PATIENCE_S,
    PATIENT,
    STORMY,
    check_evidence,
    check_fired,
    finish,
    last_words,
    plan_of,
    run_side_by_side,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SIZES.timeout_s)]

BATCHES = 8


@contextmanager
def rivals(still: StillPlatform, count: int) -> Iterator[None]:
    """Somebody else retries some of the tasks, too, straight at the platform, as fast as it answers.

    As patient as the storm is long: the platform has everybody else's requests to answer, too.
    """
    over = threading.Event()
    chosen = random.Random(SEED).sample(task_ids(SIZES.socket), count)

    def retry_some() -> None:
        with httpx.Client(base_url=still.url, trust_env=False, timeout=PATIENCE_S) as client:
            for task_id in chosen:
                client.post(
                    f"/api/v1/tasks/{task_id}/retry-from-stage",
                    json={"stage_id": stage_id(task_id)},
                    headers={"Idempotency-Key": f"{RIVAL}{task_id}"},
                ).read()
                if over.wait(0.05):
                    return

    thread = threading.Thread(target=retry_some, name="rivals")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_storm_over_sockets() -> None:
    """Nothing is done twice, nothing lost, nothing said falsely, and nothing stays unclear once the storm is over."""
    schedule = Schedule(SEED, writes=0.6, reads=0.12, kinds=ARRIVING)
    door = Schedule(SEED, writes=0.06, reads=0.01, kinds=("refuse",))
    ids = task_ids(SIZES.socket)
    with fast_home() as home, ExitStack() as stack:
        still = stack.enter_context(still_platform(home / "platform", len(ids)))
        journal = stack.enter_context(Journal.open(home))
        evidence = stack.enter_context(Evidence.open(home))
        proxy = stack.enter_context(FaultProxy(still.url, schedule))
        for each in (schedule, door):
            each.pause()
        thorough, one_by_one, together = (
            stack.enter_context(connected(proxy.url, IMPATIENT, wire=ClosedDoor(door), **told))
            for told in ({"batch": "none"}, {"batch": "none", "logs": False}, {"logs": False})
        )
        parts = [ids[start::BATCHES] for start in range(BATCHES)]
        plans = [
            plan_retry(thorough, parts[0], max_items=len(parts[0])),
            plan_of(thorough, parts[1]),
            *(plan_of(one_by_one, part) for part in parts[2:5]),
            plan_of(one_by_one, parts[5], "task"),
            *(plan_of(together, part) for part in parts[6:]),
        ]
        for each in (schedule, door):
            each.go_on()
        with rivals(still, len(ids) // 20):
            run_side_by_side(plans, journal, evidence, timing=STORMY, concurrency=8)
        for each in (schedule, door):
            each.pause()
        proxy.settle()
        calm = stack.enter_context(connected(proxy.url, PATIENT))
        finish(lambda _: calm, journal, evidence, timing=CALM)
        proxy.settle()
        items = last_words(journal)
        check_evidence(items, evidence)
        findings = judge(dict.fromkeys(ids, 0), items, still.acts(), proxy.arrived)
    findings.check()
    check_fired([schedule.fired, door.fired], least=SIZES.fired)

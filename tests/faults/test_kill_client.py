"""kill -9 of a client in the middle of its batch, again and again: nothing is sent twice, nothing lost or invented."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict

import pytest

from retry_toolkit.retry.audit import verify
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.journal import Journal
from tests.faults.kinds import ARRIVING, Schedule
from tests.faults.nursery import Task, Told
from tests.faults.oracle import judge
from tests.faults.proxy import FaultProxy
from tests.faults.sizes import SEED, SIZES, fast_home
from tests.faults.still import connected, still_platform, task_ids
from tests.faults.storm import CALM, PATIENT, check_evidence, finish, last_words, plan_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SIZES.timeout_s)]

LONGEST_START_S = 5.0
"""From the birth of a client to the first thing that it does for the batch."""


def nursed(task: Task) -> Told:
    """What a nursery tells in the end."""
    command = [sys.executable, "-m", "tests.faults.nursery", json.dumps(asdict(task))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SIZES.timeout_s, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    return Told(**json.loads(done.stdout))


def test_a_client_that_is_killed_again_and_again() -> None:
    """Every life goes on where the last one stopped, within seconds; in the end each task was retried once or not."""
    ids = task_ids(SIZES.killed_batch)
    calm = Schedule(SEED, writes=0.0, reads=0.0, kinds=ARRIVING)
    with fast_home() as home, ExitStack() as stack:
        still = stack.enter_context(still_platform(home / "platform", len(ids)))
        proxy = stack.enter_context(FaultProxy(still.url, calm))
        platform = stack.enter_context(connected(proxy.url, PATIENT))
        plan = plan_of(platform, ids)
        with Journal.open(home) as journal:
            batch = journal.create_batch(
                plan.hash, plan.origin, "stage", plan.intents, actor="tests", options={"concurrency": 2}
            )
        task = Task(
            home=str(home), url=proxy.url, batch_id=batch.batch_id, kills=SIZES.kills, total=len(ids), seed=SEED
        )
        told = nursed(task)
        with Journal.open(home) as journal, Evidence.open(home) as evidence:
            interrupted = journal.buckets(batch.batch_id)
            assert sum(interrupted.values()) == len(ids)
            finish(lambda _: platform, journal, evidence, timing=CALM)
            proxy.settle()
            items = last_words(journal)
            check_evidence(items, evidence)
            findings = judge(dict.fromkeys(ids, 0), items, still.acts(), proxy.arrived)
        report = verify(home)
    findings.check()
    assert report.ok, report.reason
    assert told.killed == SIZES.kills, "the batch was over before every client was killed"
    assert told.slowest_start_s < LONGEST_START_S

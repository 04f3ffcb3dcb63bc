"""A storm in process: tens of thousands of retries of the plain dialects, which know neither keys nor attempt checks.

There a client can only be careful: what it says is true, and it says that it does not know where nobody can.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from retry_toolkit.platforms.base import Capabilities, Platform
from retry_toolkit.platforms.pipeline import CAPABILITIES, PipelinePlatform
from retry_toolkit.platforms.queue import QueuePlatform
from retry_toolkit.platforms.transport import Clock, Transport
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.records import Action
from tests.faults.kinds import KINDS, Kind, Schedule
from tests.faults.oracle import Findings, judge
from tests.faults.plain import PlainPipeline, PlainQueue
from tests.faults.sizes import SEED, SIZES, fast_home
from tests.faults.storm import (
    IMPATIENT,
    NO_WAITS,
    check_evidence,
    check_fired,
    finish,
    last_words,
    plan_of,
    plenty,
    run_side_by_side,
)
from tests.faults.wire import FaultyWire

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SIZES.timeout_s)]

PROCESSES = 2
PARTS = 10
"""Storms of their own, each with a platform and a journal of its own."""


class OneByOne(PipelinePlatform):
    """A client that knows of no batch calls."""

    @property
    def capabilities(self) -> Capabilities:
        """Those of the dialect without its batches."""
        return replace(CAPABILITIES, batch="none")


class Brief(PipelinePlatform):
    """A client that knows of no logs."""

    @property
    def capabilities(self) -> Capabilities:
        """Those of the dialect without its logs."""
        return replace(CAPABILITIES, logs=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """A kind of storm: the platform, its client, what is asked of it, and what goes wrong."""

    handler: Callable[[Sequence[str]], PlainPipeline | PlainQueue]
    client: Callable[[Transport], Platform]
    action: Action = "stage"
    kinds: tuple[Kind, ...] = KINDS


CLIMATES = (
    Climate(handler=PlainPipeline, client=OneByOne),
    Climate(handler=PlainPipeline, client=Brief),
    # A plain queue does a duplicate twice, whoever sent it once: nobody can prevent that.
    Climate(
        handler=PlainQueue,
        client=QueuePlatform,
        action="task",
        kinds=tuple(kind for kind in KINDS if kind != "duplicate"),
    ),
)


def storm(number: int) -> tuple[Findings, Counter[Kind]]:
    """One part: retry tasks in a storm, then settle what is left in calm; what is wrong, and what fired."""
    climate = CLIMATES[number % len(CLIMATES)]
    ids = [f"plain-{number}-{each:06d}" for each in range(SIZES.wire // PARTS)]
    schedule = Schedule(SEED, writes=0.25, reads=0.03, kinds=climate.kinds)
    platform = climate.handler(ids)
    wire = FaultyWire(platform, schedule)
    clock = Clock(sleep=lambda seconds: time.sleep(0))
    link = Transport("http://plain.test", wire=wire, bounds=IMPATIENT, clock=clock, budget=plenty())
    client = climate.client(link)
    with fast_home() as home, ExitStack() as stack:
        journal = stack.enter_context(Journal.open(home))
        evidence = stack.enter_context(Evidence.open(home))
        plans = [plan_of(client, ids[start::2], climate.action) for start in range(2)]
        run_side_by_side(plans, journal, evidence, timing=NO_WAITS, concurrency=2)
        schedule.pause()
        wire.settle()
        finish(lambda _: client, journal, evidence, timing=NO_WAITS)
        items = last_words(journal)
        check_evidence(items, evidence)
        findings = judge(dict.fromkeys(ids, 0), items, platform.ledger, wire.arrived)
    return findings, schedule.fired


def test_a_storm_in_process() -> None:
    """Nothing is done twice, lost or said falsely; unclear is only what was never done and may still be on its way."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = [pool.submit(storm, number) for number in range(PARTS)]
        try:
            results = [part.result() for part in parts]
        finally:
            # Of a storm that failed the other parts are not wanted.
            pool.shutdown(wait=False, cancel_futures=True)
    for findings, _ in results:
        findings.check(unknown=True)
    check_fired([fired for _, fired in results], least=SIZES.fired)

"""One of several processes that want the same retries at the same time."""

from __future__ import annotations

import random
from multiprocessing.synchronize import Barrier
from pathlib import Path

from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.journal import Journal
from tests.faults.still import connected
from tests.faults.storm import CALM, PATIENT, plan_of, run_side_by_side

TOGETHER = 20
"""Tasks of one plan."""


def execute_all(start: Barrier, home: Path, url: str, ids: list[str], seed: str) -> None:
    """Plan and execute these retries, in batches and an order of one's own."""
    random.Random(seed).shuffle(ids)
    with connected(url, PATIENT) as platform, Journal.open(home) as journal, Evidence.open(home) as evidence:
        start.wait()
        for first in range(0, len(ids), TOGETHER):
            plan = plan_of(platform, ids[first : first + TOGETHER])
            run_side_by_side([plan], journal, evidence, timing=CALM, concurrency=2)

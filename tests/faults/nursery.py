"""Raises clients that go on with one batch, and kills each in the middle of it: `python -m tests.faults.nursery TASK`.

A process of its own, without threads, so that it can fork: the libraries are loaded once, and a life takes as long as
its work does. `TASK` is the JSON of a `Task`; prints the JSON of a `Told` in the end.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from retry_toolkit.platforms.embedded import CAPABILITIES_PATH, EmbeddedPlatform
from retry_toolkit.platforms.transport import Transport
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.execute import resume
from retry_toolkit.retry.journal import Journal
from tests.faults.storm import PATIENT, PROMPT, plenty

LONGEST_LIFE_S = 60.0
STARTED, SENT = b"s", b"."


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a nursery is to do: kill so many clients of a batch, which has `total` items."""

    home: str
    url: str
    batch_id: str
    kills: int
    total: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What it did: how many clients it killed, how many of them while they started, and the slowest start otherwise."""

    killed: int
    early: int
    slowest_start_s: float


def live(task: Task, report: int, *, together: bool) -> None:
    """Go on with the batch until it is over; tell of the start, and of every item that was sent."""
    home = Path(task.home)
    link = Transport(task.url, bounds=PATIENT, budget=plenty())
    told = link.read(CAPABILITIES_PATH) | ({} if together else {"batch": "none"})
    with EmbeddedPlatform(link, told) as platform, Journal.open(home) as journal, Evidence.open(home) as evidence:
        left = journal.buckets(task.batch_id)["PLANNED"]

        def tell(batch: RetryBatch) -> None:
            nonlocal left
            before, left = left, batch.buckets["PLANNED"]
            os.write(report, STARTED + SENT * (before - left))

        resume(
            task.batch_id,
            platform,
            progress=False,
            wait=True,
            on_change=tell,
            journal=journal,
            evidence=evidence,
            timing=PROMPT,
        )


def raise_one(task: Task, *, together: bool) -> tuple[int, int]:
    """A child that lives; its process id, and where it tells."""
    ear, mouth = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ear)
        try:
            live(task, mouth, together=together)
        except BaseException as error:  # noqa: BLE001 - told by the exit code, and in words
            os.write(sys.stderr.fileno(), f"a client ended with {error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(mouth)
    return child, ear


def listen(ear: int, *, sent: int) -> bool:
    """Wait until a child has sent so many; whether it did before its end."""
    heard = b""
    deadline = time.monotonic() + LONGEST_LIFE_S
    while STARTED not in heard or heard.count(SENT) < sent:
        ready, _, _ = select.select([ear], [], [], max(0.0, deadline - time.monotonic()))
        said = os.read(ear, 4096) if ready else b""
        if not said:
            return False
        heard += said
    return True


def raise_and_kill(task: Task) -> Told:
    """Raise and kill clients until so many were killed, or the batch is over."""
    chance = random.Random(task.seed)
    starts = [0.0]
    killed = early = 0
    while killed < task.kills:
        born = time.monotonic()
        child, ear = raise_one(task, together=chance.random() < 0.1)
        if chance.random() < 0.1:
            time.sleep(chance.random() * 0.3)  # at any moment of its start
            early += 1
        elif listen(ear, sent=0):
            starts.append(time.monotonic() - born)
            listen(ear, sent=chance.randrange(1 + task.total // task.kills))
            time.sleep(chance.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(ear)
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0, f"life {killed} ended with {status}"
            break
        killed += 1
    return Told(killed=killed, early=early, slowest_start_s=max(starts))


if __name__ == "__main__":
    told = raise_and_kill(Task(**json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps(asdict(told)))

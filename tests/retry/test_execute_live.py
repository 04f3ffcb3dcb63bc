"""Executing plans on a real platform, over real sockets, also when answers are lost and processes die."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from retry_toolkit.connector import connect
from retry_toolkit.frames.load import load_attempts
from retry_toolkit.platforms.base import Platform
from retry_toolkit.platforms.embedded import CAPABILITIES_PATH, EmbeddedPlatform
from retry_toolkit.platforms.transport import Transport
from retry_toolkit.retry.audit import verify
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.execute import execute, resume
from retry_toolkit.retry.plan import plan_retry
from retry_toolkit.retry.policy import Timing
from retry_toolkit.retry.records import Intent
from tests.live import WAIT_S, LivePlatform
from tests.retry.ledger import QUICK, LedgerPlatform
from tests.retry.workshop import Workshop, ended, states, workshop

SOON = Timing(look_first_s=0.02, looks=5, call_off_at=2, watch_first_s=0.05, watch_longest_s=0.2)
DIALECTS: tuple[Any, ...] = ("embedded", "pipeline")
RESUMED = 10_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """One journal for all tests here: their tasks are different ones."""
    with workshop(tmp_path_factory.mktemp("shop")) as made:
        yield made


def run(
    shop: Workshop, platform: Platform, task_ids: list[str], *, action: Any = "stage", **options: Any
) -> RetryBatch:
    """A batch of these tasks that has ended."""
    plan = plan_retry(platform, task_ids, action=action)
    return ended(
        execute(plan, journal=shop.journal, evidence=shop.evidence, timing=SOON, progress=False, wait=False, **options)
    )


class Losing(httpx.BaseTransport):
    """The real network, but `lose` decides what becomes of each write."""

    def __init__(self, lose: Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]) -> None:
        self._network = httpx.HTTPTransport()
        self._lose = lose

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Reads pass; writes are decided on."""
        if request.method == "GET":
            return self._network.handle_request(request)
        return self._lose(request, lambda: self._network.handle_request(request))

    def close(self) -> None:
        """Close the real one."""
        self._network.close()


def through(live: LivePlatform, wire: httpx.BaseTransport, **told: object) -> EmbeddedPlatform:
    """The live platform through this wire; `told` changes what it says of itself."""
    with live.client() as client:
        says = client.get(CAPABILITIES_PATH).json()
    return EmbeddedPlatform(Transport(live.url, wire=wire), says | told)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stages_are_reset_once_and_their_reports_are_kept(shop: Workshop, platform: LivePlatform, dialect: Any) -> None:
    """Two succeed, one fails again; the attempts of the platform and of the evidence tell the same story."""
    tasks = [platform.failed() for _ in range(3)]
    for task in tasks[:2]:
        platform.mend(task.id)
    with connect(platform.url, dialect=dialect) as client:
        batch = run(shop, client, [task.id for task in tasks])
        assert list(states(batch).values()) == ["SUCCEEDED", "SUCCEEDED", "FAILED_AGAIN"]
        assert [platform.stage(task.id, "check").retry_count for task in tasks] == [1, 1, 1]
        kept = shop.evidence.attempts(client.origin, tasks[0].id)
        assert [(each.stage, each.attempt, each.status) for each in kept if each.stage == "check"] == [
            ("check", 1, "failed")
        ]
        known = load_attempts(client, [tasks[0].id], progress=False)
    assert kept[1].error == (tasks[0].stages[1].error_message)
    assert known[known["stage"] == "check"]["attempt"].max() == 2


@pytest.mark.parametrize("dialect", ["embedded", "queue"])
def test_whole_tasks_are_retried_once(shop: Workshop, platform: LivePlatform, dialect: Any) -> None:
    """A new task each, with copies of its files, and the old one knows it."""
    task = platform.failed(files={"a.csv": b"1,2\n"})
    platform.mend(task.id)
    with connect(platform.url, dialect=dialect) as client:
        batch = run(shop, client, [task.id], action="task")
    assert states(batch) == {task.id: "SUCCEEDED"}
    assert platform.task(task.id).retried_task_ids == (batch.items[0].new_task_id,)


@pytest.mark.parametrize("together", ["per_item", "none"])
def test_answers_that_are_lost_are_found(shop: Workshop, platform: LivePlatform, together: str) -> None:
    """The platform acted and nobody heard it: its keys tell."""

    def lose(request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        response = send()
        if "retry" not in request.url.path:
            return response
        response.read()
        raise httpx.ReadTimeout("lost", request=request)

    tasks = [platform.failed() for _ in range(4)]
    with through(platform, Losing(lose), batch=together) as client:
        batch = run(shop, client, [task.id for task in tasks], concurrency=2)
    assert set(states(batch).values()) == {"FAILED_AGAIN"}
    assert [platform.stage(task.id, "check").retry_count for task in tasks] == [1] * 4


def test_requests_that_are_lost_are_called_off(shop: Workshop, platform: LivePlatform) -> None:
    """They arrive after all, much later: the platform refuses them."""
    late: list[httpx.Request] = []

    def lose(request: httpx.Request, send: Callable[[], httpx.Response]) -> httpx.Response:
        if "retry" not in request.url.path:
            return send()
        late.append(httpx.Request(request.method, request.url, headers=request.headers, content=request.read()))
        raise httpx.ReadTimeout("lost", request=request)

    tasks = [platform.failed() for _ in range(2)]
    with through(platform, Losing(lose), batch="none") as client:
        batch = run(shop, client, [tasks[0].id])
        batch_of_tasks = run(shop, client, [tasks[1].id], action="task")
    assert [*states(batch).values(), *states(batch_of_tasks).values()] == ["REJECTED"] * 2
    with platform.client() as raw:
        assert [raw.send(request).status_code for request in late] == [409, 409]
    assert [platform.stage(task.id, "check").retry_count for task in tasks] == [0, 0]
    assert platform.task(tasks[1].id).retried_task_ids == ()


@pytest.mark.parametrize(("moment", "acted"), [("before", 0), ("after", 1)])
def test_a_killed_process_is_followed_by_another(
    tmp_path: Path, platform: LivePlatform, moment: str, acted: int
) -> None:
    """What it had sent is read back, what it had not is sent, what was accepted is watched; nothing twice."""
    tasks = [platform.failed() for _ in range(4)]
    child = subprocess.run(
        [sys.executable, "-m", "tests.retry.dying_child", str(tmp_path), platform.url, moment]
        + [task.id for task in tasks],
        timeout=WAIT_S,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL
    for task in tasks:
        platform.mend(task.id)
    with workshop(tmp_path) as shop, connect(platform.url) as client:
        (row,) = shop.journal.unfinished()
        left = Counter(item.state for item in shop.journal.items(row.batch_id))
        assert (left["SENT"], left["PLANNED"]) == (1, 2)
        batch = ended(
            resume(
                row.batch_id,
                client,
                journal=shop.journal,
                evidence=shop.evidence,
                timing=SOON,
                progress=False,
                wait=False,
            )
        )
    lost = "SUCCEEDED" if acted else "REJECTED"
    assert list(states(batch).values())[1:] == [lost, "SUCCEEDED", "SUCCEEDED"]
    assert [platform.stage(task.id, "check").retry_count for task in tasks] == [1, acted, 1, 1]
    assert verify(tmp_path).ok


def test_ten_thousand_items_go_on_within_seconds(tmp_path: Path) -> None:
    """From the call of `resume` to the first request, with everything accounted for."""
    ids = [f"t{number}" for number in range(RESUMED)]
    platform = LedgerPlatform.of(*ids)
    with workshop(tmp_path) as shop:
        intents = [
            Intent(
                origin=platform.origin,
                task_id=task_id,
                action="stage",
                attempt=0,
                stage_id=f"{task_id}-check",
                stage="check",
            )
            for task_id in ids
        ]
        row = shop.journal.create_batch("a plan", platform.origin, "stage", intents, actor="tests")
        shop.journal.claim(intents[0].op_id, row.batch_id, actor="tests")
    begun: list[float] = []
    platform.before_write = lambda task_id: begun.append(time.monotonic())
    with workshop(tmp_path) as shop:
        called = time.monotonic()
        batch = shop.resume(row.batch_id, platform, timing=QUICK)
        while not begun:
            assert time.monotonic() - called < WAIT_S
            time.sleep(0.01)
        assert begun[0] - called < 5
        assert batch.close(WAIT_S)
        assert sum(batch.buckets.values()) == RESUMED
        assert batch.buckets["UNKNOWN"] == 1
        assert (platform.acted_twice, platform.writes["t0"]) == ([], 0)

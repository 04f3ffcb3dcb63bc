"""A part of the demo, run for real: causes, retries, history, interruption, mending."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from retry_toolkit.server.demo import exists, finished, mend, stories
from retry_toolkit.server.demo.moves import KEYS
from retry_toolkit.server.demo.plan import Case, demo_plan
from retry_toolkit.server.logs import TaskLogs
from retry_toolkit.server.records import Task
from retry_toolkit.server.store import Store
from retry_toolkit.settings import Settings, load_settings
from tests.live import ServerProcess, sample_settings, wait_until

ROOT = Path(__file__).parents[2]
# What becomes of each case and of the whole retries that its story makes, in the order of their making.
ENDS = {
    "malformed_row-1": ["failed"],
    "reference_rows-5": ["failed", "failed"],
    "reference_rows-8": ["failed"],
    "reference_column-5": ["failed"],
    "mended_column-1": ["completed"],
    "mended_column-5": ["failed", "failed", "completed"],
    "quality_gate-1": ["failed"],
    "empty_export-1": ["failed"],
    "lost_scan-6": ["failed"],
    "exit_code-3": ["failed", "failed", "failed", "failed"],
    "exit_code-8": ["failed"],
    "rate_limit-1": ["completed"],
    "rate_limit-5": ["failed", "completed"],
    "cold_index-1": ["completed"],
    "memory_limit-4": ["failed"],
    "time_out-6": ["failed"],
    "divergence-3": ["failed"],
    "stopped-1": ["cancelled"],
    "stopped-2": ["cancelled", "failed"],
    "sales_report-4": ["completed"],
    "archive_check-1": ["completed"],
    "price_feed-1": ["completed"],
    "mesh_sim-1": ["completed"],
}
STOP_AFTER = 6


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """A home directory with a part of the demo, and what the three calls that made it said."""

    settings: Settings
    store: Store
    cases: dict[str, Case]
    calls: list[dict[str, Any]]
    tasks_after_interruption: int
    began: datetime

    def task(self, key: str, name: str = "") -> Task:
        """A case's original, or one of its whole retries."""
        stored = self.store.recall(f"{KEYS}/{key}/{name}")
        assert stored is not None
        task = self.store.task(str(stored.answer.body.get("new_task_id") or stored.answer.body["id"]))
        assert task is not None
        return task

    def family(self, key: str) -> list[Task]:
        """A case's original and its whole retries, in the order of their making."""
        return [self.task(key), *(self.task(key, move.makes) for move in self.cases[key].moves if move.makes)]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """Seed a part of the demo: interrupted, then to its end, then once more."""
    settings = load_settings(home=tmp_path_factory.mktemp("demo"))
    began = datetime.now(UTC)
    calls = seed_in_child(settings.home, began, calls=1, stop_after=STOP_AFTER)
    store = Store.open(settings)
    interrupted = store.tasks(page=1, page_size=1).total
    calls += seed_in_child(settings.home, began, calls=2, stop_after=0)
    yield Seeded(
        settings=settings,
        store=store,
        cases={case.key: case for case in demo_plan(began)},
        calls=calls,
        tasks_after_interruption=interrupted,
        began=began,
    )
    store.close()


def seed_in_child(home: Path, now: datetime, *, calls: int, stop_after: int) -> list[dict[str, Any]]:
    """Seed in another process; what each call said."""
    words = [str(home), now.isoformat(), str(calls), str(stop_after), *ENDS]
    done = subprocess.run(
        [sys.executable, "-m", "tests.server.demo_child", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_an_interrupted_seeding_goes_on_where_it_stopped(seeded: Seeded) -> None:
    """The first call stops early, the second ends the demo, and nothing is made twice by any of the three."""
    assert [call["finished"] for call in seeded.calls] == [False, True, True]
    expected = sum(len(statuses) for statuses in ENDS.values())
    assert seeded.tasks_after_interruption < expected
    assert seeded.store.tasks(page=1, page_size=1).total == expected
    assert exists(seeded.settings)
    assert finished(seeded.settings)


def test_progress_counts_up_to_the_total(seeded: Seeded) -> None:
    """Whoever watches sees a growing number of steps, the same total all the time, and in the end all of them."""
    for call in seeded.calls:
        done = [step for step, _ in call["reported"]]
        assert done == sorted(done)
        assert len({total for _, total in call["reported"]}) == 1
    assert all(call["reported"][-1][0] == call["reported"][-1][1] for call in seeded.calls[1:])
    assert len(seeded.calls[2]["reported"]) == 1


@pytest.mark.parametrize("key", ENDS)
def test_tasks_end_as_their_story_says(key: str, seeded: Seeded) -> None:
    """Originals and whole retries end as planned, whatever machine ran them."""
    assert [task.status for task in seeded.family(key)] == ENDS[key]


@pytest.mark.parametrize("cause", stories.CAUSES, ids=lambda cause: cause.name)
def test_causes_strike_for_real(cause: stories.Cause, seeded: Seeded) -> None:
    """The first attempt of a stage failed in its category, and that stage had been reached by completing the others."""
    for key in (key for key in ENDS if key.rsplit("-", 1)[0] == cause.name):
        attempts = [attempt for attempt in seeded.store.attempts(seeded.task(key).id) if attempt.attempt == 1]
        failed = next(attempt for attempt in attempts if attempt.status == "failed")
        assert (failed.stage, failed.failure_category) == (cause.stage, cause.category)
        assert failed.error_message
        assert all(attempt.status == "completed" for attempt in attempts[: attempts.index(failed)])


def test_retries_count_up_to_the_limit(seeded: Seeded) -> None:
    """Stage retries are the platform's own: counted, kept as attempts, and at their limit where the story says."""
    retried = {
        key: max((stage.retry_count, stage.max_retries) for stage in seeded.task(key).stages)
        for key in ("malformed_row-1", "quality_gate-1", "rate_limit-1", "mended_column-1")
    }
    assert retried == {
        "malformed_row-1": (3, 3),
        "quality_gate-1": (1, 1),
        "rate_limit-1": (1, 3),
        "mended_column-1": (2, 3),
    }
    statuses = [a.status for a in seeded.store.attempts(seeded.task("mended_column-1").id) if a.stage == "aggregate"]
    assert statuses == ["failed", "failed", "completed"]


def test_whole_retries_form_trees(seeded: Seeded) -> None:
    """One original has two direct retries, one copied and one linked; one retry is retried itself."""
    original, copied, linked, grandchild = seeded.family("exit_code-3")
    assert set(original.retried_task_ids) == {copied.id, linked.id}
    assert (grandchild.parent_task_id, grandchild.retry_count) == (copied.id, 2)
    methods = [{file.method for file in seeded.store.files(task.id)} for task in (original, copied, linked, grandchild)]
    assert methods == [{"original"}, {"copied"}, {"linked"}, {"linked"}]


def test_the_history_is_spread_over_the_past(seeded: Seeded) -> None:
    """Each task lies when the plan says, retries come after what they retry, and durations are as measured."""
    for key in ENDS:
        case = seeded.cases[key]
        for task in seeded.family(key):
            assert task.created_at < seeded.began
            for attempt in seeded.store.attempts(task.id):
                assert attempt.started_at is not None
                assert attempt.completed_at is not None
                assert attempt.started_at >= task.created_at
                assert attempt.completed_at < seeded.began
                measured = (attempt.completed_at - attempt.started_at).total_seconds()
                assert attempt.duration_seconds == pytest.approx(measured, abs=0.01)
        assert abs(seeded.task(key).created_at - case.created) < timedelta(milliseconds=1)
        for move in (move for move in case.moves if move.makes):
            child, parent = seeded.task(key, move.makes), seeded.task(key, move.of)
            assert parent.completed_at is not None
            assert child.created_at > parent.completed_at
            assert abs(child.created_at - case.at(move)) < timedelta(milliseconds=1)


def test_attempts_lie_apart(seeded: Seeded) -> None:
    """Stage retries are spread like everything else, also across the interruption."""
    attempts = [a for a in seeded.store.attempts(seeded.task("malformed_row-1").id) if a.stage == "validate"]
    starts = [attempt.started_at for attempt in attempts if attempt.started_at]
    assert len(starts) == 4
    assert all(timedelta(minutes=30) < later - earlier < timedelta(hours=1) for earlier, later in pairwise(starts))


def test_some_logs_are_long_and_have_both_streams(seeded: Seeded) -> None:
    """A verbose task logs thousands of lines; failures write to the error stream too."""
    logs = TaskLogs(seeded.store)
    assert logs.rows(seeded.task("sales_report-4").id, page=1, page_size=1)[1] > 3000
    rows, _ = logs.rows(seeded.task("exit_code-3").id, page=1, page_size=200)
    assert {row["event_type"] for row in rows} >= {"stdout", "stderr"}


@pytest.fixture(scope="module")
def served(seeded: Seeded) -> Iterator[httpx.Client]:
    """The demo's home directory, mended and served by `retry-toolkit serve`; it finds the demo by itself."""
    mend(seeded.settings)
    server = ServerProcess(sample_settings(seeded.settings.home, concurrency=2))
    try:
        server.wait_ready()
        with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
            yield client
    finally:
        server.stop()


@pytest.fixture(scope="module")
def outcomes(seeded: Seeded, served: httpx.Client) -> Callable[[str], str]:
    """Retries one task of each cause after the mend, all together; what became of the task of a key."""
    keys = [key for key, ends in ENDS.items() if ends == ["failed"]]
    ids = {key: seeded.task(key).id for key in keys}
    answer = served.post("/api/v1/tasks/retry-batch", json={"task_ids": list(ids.values())}).json()
    accepted = {item["task_id"]: item["success"] for item in answer["items"]}

    def status(task_id: str) -> str:
        return str(served.get(f"/api/v1/tasks/{task_id}").json()["status"])

    def ended() -> bool:
        return all(status(task_id) in {"completed", "failed"} for task_id in ids.values())

    wait_until(ended, "the retried tasks")
    return lambda key: status(ids[key]) if accepted[ids[key]] else "refused"


@pytest.mark.parametrize(
    ("key", "outcome"),
    [
        ("reference_rows-8", "completed"),
        ("reference_column-5", "completed"),
        ("lost_scan-6", "completed"),
        ("memory_limit-4", "completed"),
        ("time_out-6", "completed"),
        ("divergence-3", "failed"),
        ("empty_export-1", "refused"),
        ("malformed_row-1", "refused"),
        ("quality_gate-1", "refused"),
    ],
)
def test_after_the_mend_retries_recover(key: str, outcome: str, outcomes: Callable[[str], str]) -> None:
    """What the mend mends recovers, what is at fault in its input fails again, what is at its limit is refused."""
    assert outcomes(key) == outcome


def test_expired_inputs_cannot_be_retried_as_a_whole(seeded: Seeded, served: httpx.Client) -> None:
    """The oldest tasks have lost their input files to retention: gone is the answer."""
    task = seeded.task("exit_code-8")
    assert task.retention_until is not None
    assert task.retention_until < seeded.began
    assert not any(file.exists for file in seeded.store.files(task.id))
    assert served.post(f"/api/tasks/{task.id}/retry", json={}).status_code == 410

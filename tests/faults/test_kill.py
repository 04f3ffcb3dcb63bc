"""kill -9 of a platform at work: nothing acknowledged is lost, nothing completed is undone, nobody writes on."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from retry_toolkit.server.logs import TaskLogs
from retry_toolkit.server.records import Stage, Task
from retry_toolkit.server.store import Store
from retry_toolkit.settings import Settings, load_settings
from tests.live import ServerProcess, free_port, wait_until

pytestmark = pytest.mark.faults

STAGES = Path(__file__).with_name("crash_stages.py")
RUNNING = 20
WAITING = 4
QUICK = 16
ACKNOWLEDGED = 10
KILLS = 3


def settings_of(home: Path, **overrides: Any) -> Settings:
    """Settings of a platform with the crash pipelines."""
    return load_settings(home=home, api_port=free_port(), pipelines=(STAGES,), **overrides)


@contextmanager
def client_of(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a platform."""
    with httpx.Client(base_url=settings.api_url, timeout=30, trust_env=False) as client:
        yield client


def submit(client: httpx.Client, pipeline: str, **params: str) -> str:
    """Submit a task and have it acknowledged; its id."""
    answer = client.post("/api/v1/tasks", json={"pipeline": pipeline, "params": params})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def tasks_of(store: Store, *status: str) -> list[Task]:
    """Every task, or those with some status."""
    items = store.tasks(page=1, page_size=1000).items
    return [task for task in items if not status or task.status in status]


def stages_named(store: Store, name: str, status: str) -> list[Stage]:
    """Stages of every task with that name and status."""
    return [stage for task in tasks_of(store) for stage in task.stages if (stage.name, stage.status) == (name, status)]


def completed_stages(store: Store) -> dict[str, Stage]:
    """Every completed stage by id."""
    return {stage.id: stage for task in tasks_of(store) for stage in task.stages if stage.status == "completed"}


def pid_files(home: Path) -> list[Path]:
    """What every execution of `beat` that has begun its work has left, finished ones included."""
    return [path for path in (home / "tasks").glob("*/stages/beat/*/work/pids") if path.read_text().endswith("\n")]


def await_progress(store: Store, count: int) -> None:
    """Wait until so many stages have completed."""
    wait_until(lambda: len(completed_stages(store)) >= count, f"{count} stages to complete", 60)


def is_alive(pid: str) -> bool:
    """Whether a process lives; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_twenty_running_tasks_survive_a_kill(
    home: Path, tmp_path: Path, server_process: Callable[..., ServerProcess]
) -> None:
    """Tasks that ran or waited go on after a restart as the same attempts; no process of the old platform writes on."""
    settings = settings_of(home, concurrency=RUNNING)
    release = tmp_path / "release"
    server = server_process(settings)
    server.wait_ready()
    with client_of(settings) as client:
        ids = [submit(client, "beating", release=str(release)) for _ in range(RUNNING + WAITING)]
    store = Store.open(settings)
    wait_until(lambda: len(pid_files(home)) == RUNNING, "20 tasks to run", 60)
    before = completed_stages(store)
    assert len(before) == RUNNING

    server.stop(signal.SIGKILL)

    pids = [pid for path in pid_files(home) for pid in path.read_text().split()]
    assert len(pids) == 2 * RUNNING
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "every process of the old platform to die", 10)
    written = {path: path.stat().st_size for path in (home / "tasks").glob("*/stages/beat/1-1/work/*")}
    assert all(size > 0 for size in written.values())
    assert {task.id for task in tasks_of(store)} == set(ids)
    assert completed_stages(store) == before

    again = server_process(settings)
    again.wait_ready()
    wait_until(lambda: len(pid_files(home)) == 2 * RUNNING, "20 tasks to run again", 60)
    release.touch()
    wait_until(lambda: len(tasks_of(store, "completed")) == len(ids), "every task to complete", 60)

    assert {task.id for task in tasks_of(store)} == set(ids)
    assert {stage_id: completed_stages(store)[stage_id] for stage_id in before} == before
    assert {path: path.stat().st_size for path in written} == written
    logs = TaskLogs(store)
    interrupted = {stage.task_id for stage in before.values()}
    for task in tasks_of(store):
        assert [(a.attempt, a.status) for a in store.attempts(task.id)] == [(1, "completed")] * 3
        assert task.stages[1].output_summary == task.id
        lines = [row["result"] for row in logs.rows(task.id, stage_name="beat", page=1, page_size=100)[0]]
        # A machine that is slow enough lets an execution be taken for dead, and so be run once more.
        assert (lines.count("beating") >= 2) == (task.id in interrupted)
        assert any("again: the platform stopped" in line for line in lines) == (task.id in interrupted)
    again.stop()
    store.close()


def test_kills_at_any_moment_lose_nothing(
    home: Path, tmp_path: Path, server_process: Callable[..., ServerProcess]
) -> None:
    """Killed again and again in the middle of its work, a platform ends every task, and undoes no completed stage."""
    settings = settings_of(home, concurrency=4)
    server = server_process(settings)
    server.wait_ready()
    with client_of(settings) as client:
        ids = [submit(client, "quick", diary=str(tmp_path / f"diary-{number}")) for number in range(QUICK)]
    store = Store.open(settings)
    seen: dict[str, Stage] = {}
    for kill in range(1, KILLS + 1):
        await_progress(store, len(ids) * 4 * kill // (KILLS + 1))
        seen = completed_stages(store)
        server.stop(signal.SIGKILL)
        assert {stage_id: completed_stages(store).get(stage_id) for stage_id in seen} == seen
        seen = completed_stages(store)
        server = server_process(settings)
        server.wait_ready()
    wait_until(lambda: len(tasks_of(store, "completed")) == len(ids), "every task to complete", 60)
    assert {task.id for task in tasks_of(store)} == set(ids)
    assert {stage_id: completed_stages(store)[stage_id] for stage_id in seen} == seen
    for number, task_id in enumerate(ids):
        ran = Counter((tmp_path / f"diary-{number}").read_text().splitlines())
        assert set(ran) == {f"{name} 1" for name in "abcd"}
        executions = [row["id"].rsplit(".", 2)[0] for row in _starts(store, task_id)]
        assert sum(ran.values()) <= len(executions)
        assert [a.attempt for a in store.attempts(task_id)] == [1, 1, 1, 1]
    server.stop()
    store.close()


def test_a_kill_among_submissions_keeps_what_was_acknowledged(
    home: Path, server_process: Callable[..., ServerProcess]
) -> None:
    """Every task that was answered for is there with its file; of the one that was not, nothing half made stays."""
    settings = settings_of(home, concurrency=1)
    server = server_process(settings)
    server.wait_ready()
    acknowledged: list[str] = []

    def submit_until_it_dies() -> None:
        form, part = {"pipeline": "quick", "params": "{}"}, {"files": ("a.csv", b"x" * 100_000)}
        with client_of(settings) as client, suppress(httpx.TransportError):
            while True:
                acknowledged.append(client.post("/api/v1/tasks", data=form, files=part).json()["id"])

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(submit_until_it_dies)
        wait_until(lambda: len(acknowledged) >= ACKNOWLEDGED, "some submissions", 60)
        server.stop(signal.SIGKILL)
    again = server_process(settings)
    again.wait_ready()
    store = Store.open(settings)
    found = {task.id for task in tasks_of(store)}
    assert found >= set(acknowledged)
    assert all(file.exists and file.size_bytes == 100_000 for task_id in found for file in store.files(task_id))
    assert {path.name for path in (home / "tasks").iterdir()} == found
    assert list((home / "tasks").glob("*/.unsettled")) == []
    again.stop()
    store.close()


def _starts(store: Store, task_id: str) -> list[dict[str, Any]]:
    """The log rows that tell of an execution's start."""
    rows, _ = TaskLogs(store).rows(task_id, event_source="platform", page=1, page_size=1000)
    return [row for row in rows if "started" in row["result"]]


def test_a_worker_takes_over_what_a_dead_one_left(
    home: Path, tmp_path: Path, server_process: Callable[..., ServerProcess]
) -> None:
    """With two processes on one home, the survivor runs on what the killed one had begun."""
    settings = settings_of(home, concurrency=3)
    other = settings.model_copy(update={"api_port": free_port()})
    release = tmp_path / "release"
    server, survivor = server_process(settings), server_process(other)
    server.wait_ready()
    survivor.wait_ready()
    with client_of(settings) as client:
        ids = [submit(client, "beating", release=str(release)) for _ in range(6)]
    store = Store.open(settings)
    wait_until(lambda: len(pid_files(home)) == len(ids), "both to be busy", 60)
    server.stop(signal.SIGKILL)
    release.touch()
    wait_until(lambda: len(tasks_of(store, "completed")) == len(ids), "the survivor to complete every task", 60)
    attempts = [a for task_id in ids for a in store.attempts(task_id)]
    assert {(a.attempt, a.status) for a in attempts} == {(1, "completed")}
    survivor.stop()
    store.close()

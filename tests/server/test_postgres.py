"""The same platform on PostgreSQL, by one setting: a server of its own is started where its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp

import pytest

from retry_toolkit.server.actions import ActionRefused, Intent
from retry_toolkit.server.records import Answer
from tests.live import SAMPLE_PIPELINES, free_port
from tests.server.workbench import ALICE, Workbench, render, workbench

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path("initdb")).parent
RACERS = 8

pytestmark = pytest.mark.skipif(not (PROGRAMS / "postgres").exists(), reason="PostgreSQL is not installed")

RUN_ONE = """
import sys, time
from pathlib import Path
from retry_toolkit.server.actions import Actions, Intent
from retry_toolkit.server.engine import Engine
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.pipelines import load_pipelines
from retry_toolkit.server.store import Store
from retry_toolkit.settings import load_settings

settings = load_settings(home=Path(sys.argv[1]), database_url=sys.argv[2])
pipelines = load_pipelines([Path(sys.argv[3])])
store = Store.open(settings)
engine = Engine(store, pipelines, settings)
actions = Actions(store, engine, TaskFiles(settings), pipelines, settings)
engine.start()
gate = settings.home / "gate"
params = {"gate": str(gate)}
task_id = actions.submit("gated", params=params, intent=Intent("a"), render=lambda task: {"id": task.id}).body["id"]

def wait(status):
    deadline = time.monotonic() + 60
    while store.task(task_id).status != status and time.monotonic() < deadline:
        time.sleep(0.02)
    return store.task(task_id)

failed = wait("failed")
gate.touch()
actions.retry_stage(task_id, failed.stages[1].id, intent=Intent("b"), render=lambda task: {})
done = wait("completed")
print(failed.status, done.status, [(a.stage, a.attempt, a.status) for a in store.attempts(task_id)])
engine.stop()
store.close()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of a PostgreSQL server without databases of its own; it refuses to be run by root."""
    home = Path(mkdtemp(prefix="retry-toolkit-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
    port = free_port()

    def run(*words: str) -> None:
        subprocess.run([str(PROGRAMS / words[0]), *words[1:]], check=True, user=user, cwd=home, capture_output=True)

    run("initdb", "-D", "data", "-A", "trust", "-U", "tests", "--no-sync")
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-D", "data", "-o", options, "-l", "log", "-w", "start")
    try:
        yield f"postgresql://tests@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def bench(home: Path, server: str) -> Iterator[Workbench]:
    """A store with its actions on PostgreSQL."""
    with workbench(home, database_url=f"{server}/postgres") as made:
        yield made


def race(act: Callable[[], Answer]) -> list[Answer | int]:
    """Do the same thing eight times at once; the answers, or the status of the refusals."""

    def run(_: int) -> Answer | int:
        try:
            return act()
        except ActionRefused as refusal:
            return refusal.status

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))


def test_of_eight_retries_at_once_exactly_one_wins(bench: Workbench) -> None:
    """Row locks do on PostgreSQL what the one writer does on SQLite."""
    task_id = bench.failed()
    answers = race(lambda: bench.retry(task_id))
    assert sum(isinstance(answer, Answer) for answer in answers) == 1
    assert {answer for answer in answers if isinstance(answer, int)} == {400}
    assert bench.stage(task_id, "check").retry_count == 1


def test_eight_at_once_under_one_key_do_one_thing(bench: Workbench) -> None:
    """Concurrent repeats all get the one answer."""
    task_id = bench.failed()
    intent = Intent("alice", key="one-key", fingerprint="f")
    answers = race(lambda: bench.actions.retry_task(task_id, intent=intent))
    assert all(answer == answers[0] for answer in answers)
    assert len(bench.task(task_id).retried_task_ids) == 1


def test_what_is_stored_comes_back(bench: Workbench) -> None:
    """Text of every script, what no database takes, times and numbers are the same as on SQLite."""
    task_id = bench.failed(title="销售 \0 Ä", params={"n": 2**60, "x": [None, 1.5]})
    task = bench.task(task_id)
    assert (task.title, task.params) == ("销售 \\x00 Ä", {"n": 2**60, "x": [None, 1.5]})
    assert [found.id for found in bench.store.tasks(page=1, page_size=9, title="ä").items] == [task_id]
    bench.actions.delete(task_id, intent=ALICE)
    assert bench.store.task(task_id) is None
    assert bench.actions.submit("three", intent=ALICE, render=render).status == 201


def test_the_engine_runs_and_retries_there(home: Path, server: str) -> None:
    """A task fails and recovers with both databases on PostgreSQL; nothing is kept in SQLite files."""
    address = f"{server}/postgres"
    program = [sys.executable, "-c", RUN_ONE, str(home), address, str(SAMPLE_PIPELINES)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)
    attempts = [("load", 1, "completed"), ("check", 1, "failed"), ("check", 2, "completed"), ("finish", 1, "completed")]
    assert (done.stdout.strip(), done.stderr) == (f"failed completed {attempts}", "")
    assert list(home.glob("*.db")) == []

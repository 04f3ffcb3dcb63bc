"""The engine at work: retries, cancellation, missing pipelines, and processes that only put into the queue."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from retry_toolkit.server.actions import Actions, Intent
from retry_toolkit.server.engine import Engine
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.store import Store
from tests.live import LivePlatform, ServerProcess, sample_settings, wait_until
from tests.server.workbench import ALICE, render, three_stages


def test_a_retry_runs_the_reset_stage_and_those_after_it(platform: LivePlatform) -> None:
    """A retried task goes on where it failed: earlier stages do not run again, later ones do."""
    task = platform.failed()
    before = task.stages[0]
    platform.mend(task.id)
    platform.actions.retry_stage(task.id, task.stages[1].id, intent=Intent("bob"), render=render)
    done = platform.wait(task.id, "completed")
    assert done.run == 2
    assert done.stages[0] == before
    assert [(a.stage, a.attempt, a.status, a.requested_by) for a in platform.store.attempts(task.id)] == [
        ("load", 1, "completed", "local"),
        ("check", 1, "failed", "local"),
        ("check", 2, "completed", "bob"),
        ("finish", 1, "completed", "local"),
    ]


def test_a_retry_that_fails_again_is_another_attempt(platform: LivePlatform) -> None:
    """Without a remedy the stage fails again, as attempt two, and later stages still wait."""
    task = platform.failed()
    platform.actions.retry_stage(task.id, task.stages[1].id, intent=ALICE, render=render)
    wait_until(lambda: len(platform.store.attempts(task.id)) == 3, "the second attempt")
    again = platform.wait(task.id, "failed")
    assert [(stage.status, stage.retry_count) for stage in again.stages] == [
        ("completed", 0),
        ("failed", 1),
        ("pending", 0),
    ]


def test_a_running_task_is_killed_soon_after_it_was_cancelled(platform: LivePlatform) -> None:
    """The task is cancelled at once, and its stage's processes are gone within a second or so."""
    task_id = platform.submit("slow")
    platform.wait_for_line(task_id, "waiting")
    running = _processes_in(platform.home / "tasks" / task_id)
    assert running
    platform.actions.cancel(task_id, intent=ALICE, render=render)
    assert platform.task(task_id).status == "cancelled"
    cancelled_at = time.monotonic()
    wait_until(lambda: not _processes_in(platform.home / "tasks" / task_id), "the stage to die", 5)
    assert time.monotonic() - cancelled_at < 3
    assert [stage.status for stage in platform.task(task_id).stages] == ["skipped", "skipped"]


def test_a_task_whose_pipeline_is_not_loaded_says_so(platform: LivePlatform) -> None:
    """A run of a pipeline that this process does not know fails with the pipeline's name."""
    unknown = {"three": three_stages()}
    files = TaskFiles(platform.settings)
    actions = Actions(platform.store, platform.engine, files, unknown, platform.settings)
    task_id = actions.submit("three", intent=ALICE, render=render).body["id"]
    task = platform.wait(task_id, "failed")
    assert task.stages[0].error_message == "stage 'load' of pipeline 'three' is not loaded any more"
    assert task.stages[0].failure_category == "tool_error"


def test_a_second_engine_in_a_process_is_refused(platform: LivePlatform) -> None:
    """Two engines would be one and the same; the second is told so, and the first goes on."""
    second = Engine(platform.store, platform.pipelines, platform.settings)
    with pytest.raises(RuntimeError, match="another engine runs in this process"):
        second.start()
    second.stop()
    assert platform.run("ok", "completed", files={"a": b"a"}).status == "completed"


QUEUE_ONLY = """
import sys, time
from pathlib import Path
from retry_toolkit.server.actions import Actions, Intent
from retry_toolkit.server.engine import Engine
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.pipelines import load_pipelines
from retry_toolkit.server.runs import Runs
from retry_toolkit.server.store import Store
from retry_toolkit.settings import load_settings

settings = load_settings(home=Path(sys.argv[1]))
pipelines = load_pipelines([Path(sys.argv[2])])
store = Store.open(settings)
engine = Engine(store, pipelines, settings, execute=False)
actions = Actions(store, engine, TaskFiles(settings), pipelines, settings)
engine.start()
actions.submit("ok", intent=Intent("queue"), render=lambda task: {})
deadline = time.monotonic() + 20
while Runs(store).unstarted(limit=1) and time.monotonic() < deadline:
    time.sleep(0.02)
engine.stop()
store.close()
"""


def test_a_process_without_workers_only_puts_into_the_queue(
    home: Path, server_process: Callable[..., ServerProcess]
) -> None:
    """What one process has put into the queue and not run, another one runs."""
    settings = sample_settings(home)
    program = [sys.executable, "-c", QUEUE_ONLY, str(home), str(settings.pipelines[0])]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    store = Store.open(settings)
    assert [task.status for task in store.tasks(page=1, page_size=9).items] == ["pending"]
    server = server_process(settings)
    server.wait_ready()
    wait_until(lambda: store.tasks(page=1, page_size=9, status="completed").total == 1, "the other to run it")
    store.close()


def _processes_in(directory: Path) -> list[int]:
    """Ids of processes whose current directory is below a directory."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink().is_relative_to(directory):
                found.append(int(link.parent.name))
        except OSError:
            continue
    return found

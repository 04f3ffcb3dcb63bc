"""Setting back the clock of a task: everything moves together, nothing moves twice, durations stay."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from retry_toolkit.server import ledger
from retry_toolkit.server.demo import backdate
from retry_toolkit.server.demo.clock import began
from retry_toolkit.server.logs import LOG_FILE, LogWriter, TaskLogs
from retry_toolkit.server.records import Stage, Task
from retry_toolkit.server.runs import Execution, Outcome, Run, Runs
from retry_toolkit.server.store import Store
from retry_toolkit.settings import load_settings

WEEK = timedelta(days=7)


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    """An empty store."""
    opened = Store.open(load_settings(home=home))
    yield opened
    opened.close()


def failed_task(store: Store) -> Task:
    """A task that was submitted and ran now, and whose only stage failed after it had logged a line."""
    at = ledger.now()
    task_id = ledger.new_task_id(at)
    stage = Stage(id=f"{task_id}-s1", task_id=task_id, name="only", role="worker", position=0)
    task = Task(
        id=task_id,
        title="t",
        pipeline="p",
        project_id=None,
        submitter="s",
        params={},
        status="pending",
        created_at=at,
        retention_until=at + timedelta(days=30),
        stages=(stage,),
    )
    with store.database.writing() as connection:
        ledger.insert_task(connection, task, [])
        ledger.record(connection, actor="a", action="submit", task_id=task_id, stage_id=None, outcome="accepted", at=at)
    run(store, task_id, 1)
    return read(store, task_id)


def run(store: Store, task_id: str, number: int) -> None:
    """Let the stage fail once more."""
    runs = Runs(store)
    assert runs.open(Run(task_id, number)) == ["only"]
    execution = runs.begin(Run(task_id, number), "only", "here")
    assert isinstance(execution, Execution)
    execution.directory.mkdir(parents=True)
    log = LogWriter(execution.directory / LOG_FILE)
    log.feed("stdout", "日志\n".encode())
    log.close()
    assert runs.finish(execution, Outcome(status="failed", error_message="no"))


def read(store: Store, task_id: str) -> Task:
    """The task as it stands."""
    task = store.task(task_id)
    assert task is not None
    return task


def log_times(store: Store, task_id: str) -> list[datetime]:
    """Times of all log lines of a task, in order."""
    rows, _ = TaskLogs(store).rows(task_id, page=1, page_size=9)
    return [datetime.fromisoformat(row["created_at"]) for row in rows]


def test_everything_of_a_task_moves_by_the_same_step(store: Store) -> None:
    """Task, stage, attempt, history, retention and log go back together; durations and the audit trail stay."""
    before = failed_task(store)
    attempts, logs, audit = store.attempts(before.id), log_times(store, before.id), store.audit(page=1, page_size=9)
    backdate(store, before.id, WEEK)
    after = read(store, before.id)
    assert before.completed_at is not None
    assert before.retention_until is not None
    assert (after.created_at, after.completed_at) == (before.created_at - WEEK, before.completed_at - WEEK)
    assert after.retention_until == before.retention_until - WEEK
    assert after.stages[0].duration_seconds == before.stages[0].duration_seconds
    (attempt,), (moved,) = attempts, store.attempts(before.id)
    assert attempt.started_at is not None
    assert attempt.completed_at is not None
    assert (moved.started_at, moved.completed_at) == (attempt.started_at - WEEK, attempt.completed_at - WEEK)
    assert log_times(store, before.id) == [at - WEEK for at in logs]
    assert [entry["timestamp"] for entry in after.status_history] == pytest.approx(
        [entry["timestamp"] - WEEK.total_seconds() for entry in before.status_history]
    )
    assert store.audit(page=1, page_size=9) == audit


def test_only_what_happened_since_moves(store: Store) -> None:
    """A later attempt is moved alone, and a repetition finds nothing left to move."""
    first = failed_task(store)
    backdate(store, first.id, WEEK)
    since = ledger.now()
    with store.database.writing() as connection:
        ledger.reset_stages(connection, first.id, [first.stages[0].id], "me", ledger.now())
    run(store, first.id, 2)
    moved = read(store, first.id)
    assert began(store, first.id, since=since) is not None
    backdate(store, first.id, timedelta(days=3), since=since)
    once = store.attempts(first.id)
    assert began(store, first.id, since=since) is None
    backdate(store, first.id, timedelta(days=3), since=since)
    assert store.attempts(first.id) == once
    assert read(store, first.id).created_at == moved.created_at
    assert read(store, first.id).retention_until == moved.retention_until
    gap = once[1].started_at - once[0].started_at if once[0].started_at and once[1].started_at else None
    assert gap is not None
    assert timedelta(days=3.9) < gap < timedelta(days=4.1)
    assert len(set(log_times(store, first.id))) == 2


def test_other_tasks_stay(store: Store) -> None:
    """One task is moved, its neighbour is not."""
    task, neighbour = failed_task(store), failed_task(store)
    backdate(store, task.id, WEEK)
    assert read(store, neighbour.id) == neighbour

"""The embedded platform without its engine: thousands of tasks that have failed, and whatever is retried ends by rule.

`StillPlatform` runs it in a process of its own: `python -m tests.faults.still HOME PORT COUNT`. The real application,
actions and store over real SQLite; only the stages are not run: `oracle.fails` says how they end.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from retry_toolkit.platforms.budget import RetryBudget
from retry_toolkit.platforms.embedded import CAPABILITIES_PATH, EmbeddedPlatform
from retry_toolkit.platforms.transport import Bounds, Transport, Wire
from retry_toolkit.server import ledger, tables
from retry_toolkit.server.actions import Actions
from retry_toolkit.server.app import create_app
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.pipelines import Pipeline
from retry_toolkit.server.records import Stage, Task
from retry_toolkit.server.serve import ApiServer, bound_socket
from retry_toolkit.server.store import Store
from retry_toolkit.settings import Settings, load_settings
from tests.faults.oracle import Act, fails
from tests.live import free_port, wait_until

STAGES = ("load", "check", "finish")
FAILED_STAGE = "check"
TICK_S = 0.05
RIVAL = "rival-"
"""What the idempotency keys of somebody else begin with."""


def task_ids(count: int) -> list[str]:
    """Ids of the tasks of a still platform."""
    return [f"still-{number:06d}" for number in range(count)]


def stage_id(task_id: str) -> str:
    """Id of the stage at which a task failed."""
    return f"{task_id}-{FAILED_STAGE}"


class StillPlatform:
    """A still platform at `url`, in a process of its own, and its ledger.

    Args:
        home: Its home directory.
        count: Tasks that have failed.
    """

    def __init__(self, home: Path, count: int) -> None:
        self.settings = load_settings(home=home, api_port=free_port())
        self.url = self.settings.api_url
        arguments = (str(home), str(self.settings.api_port), str(count))
        self._process = subprocess.Popen([sys.executable, "-m", "tests.faults.still", *arguments])
        try:
            wait_until(self._answers, "the still platform to answer")
        except BaseException:
            self.stop()
            raise
        self._store = Store.open(self.settings)

    def acts(self) -> list[Act]:
        """Every retry that it did, oldest first, from its audit trail; keys from its stored answers."""
        with self._store.database.reading() as connection:
            keys = _keys(connection)
            rows = connection.execute(sa.select(tables.audit).order_by(tables.audit.c.id)).all()
        children: dict[str, int] = {}
        acts = []
        for row in rows:
            if row.outcome != "accepted" or row.action not in {"retry_stage", "retry_batch", "retry_task"}:
                continue
            new_task_id = row.after.get("new_task_id")
            if new_task_id is None:
                attempt = row.before["stages"][FAILED_STAGE]["retry_count"]
            else:
                attempt = children.setdefault(row.task_id, 0)
                children[row.task_id] += 1
            key = keys.get((row.task_id, new_task_id or attempt), "")
            rival = key.startswith(RIVAL)
            acts.append(Act(task_id=row.task_id, attempt=attempt, new_task_id=new_task_id, key=key, rival=rival))
        return acts

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "the still platform ended by itself"
        try:
            return httpx.get(f"{self.url}/health", trust_env=False, verify=False).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def still_platform(home: Path, count: int) -> Iterator[StillPlatform]:
    """A still platform with that many failed tasks."""
    home.mkdir(exist_ok=True)
    platform = StillPlatform(home, count)
    try:
        yield platform
    finally:
        platform.stop()
        platform._store.close()


def _keys(connection: sa.Connection) -> dict[tuple[str, int | str], str]:
    """Idempotency keys by task, and by attempt number or new task."""
    found: dict[tuple[str, int | str], str] = {}
    for row in connection.execute(sa.select(tables.answers.c.key, tables.answers.c.body)):
        match row.body:
            case {"original_task_id": str(old), "new_task_id": str(new)}:
                found[old, new] = row.key
            case {"task_id": str(task_id), "task": {"stages": stages}} | {"id": str(task_id), "stages": stages}:
                found[task_id, _attempt(stages) - 1] = row.key
    return found


def _attempt(stages: list[dict[str, Any]]) -> int:
    return next(int(stage["retry_count"]) for stage in stages if stage["stage_name"] == FAILED_STAGE)


def connected(url: str, bounds: Bounds, *, wire: Wire | None = None, **told: object) -> EmbeddedPlatform:
    """A client of the platform at that address; `told` replaces some of the capabilities that the platform tells.

    Its budget of reads is one that no storm uses up: what storms test is not how little is asked.
    """
    with httpx.Client(trust_env=False, verify=False) as client:
        capabilities = client.get(f"{url}{CAPABILITIES_PATH}").json()
    return EmbeddedPlatform(
        Transport(url, bounds=bounds, wire=wire, budget=RetryBudget(reserve=1_000_000)), capabilities | told
    )


class _World:
    """Ends what was retried, a moment later; stands where the engine would."""

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def wake(self, task_id: str) -> None:
        """Nothing: the next turn finds it."""

    def cancel(self, task_id: str) -> None:
        """Nothing runs."""

    def go_on(self) -> None:
        """Turn for ever."""
        pause = threading.Event()
        while not pause.wait(TICK_S):
            self._turn()

    def _turn(self) -> None:
        with self._database.reading() as connection:
            due = connection.execute(sa.select(tables.tasks.c.id).where(tables.tasks.c.status == "pending")).scalars()
            waiting = list(due)
        if not waiting:
            return
        with self._database.writing() as connection:
            for task_id in waiting:
                _end(connection, task_id)


def _end(connection: sa.Connection, task_id: str) -> None:
    """End the pending attempt of a task: every stage that waits completes, or `check` fails and the rest waits on."""
    stage, at = tables.stages, ledger.now()
    waiting = sa.and_(stage.c.task_id == task_id, stage.c.status == "pending")
    attempts = {row.name: row.retry_count for row in connection.execute(sa.select(stage).where(waiting))}
    failed = fails(task_id, 1 if STAGES[0] in attempts else attempts[FAILED_STAGE])
    ended = {"started_at": at, "completed_at": at, "duration_seconds": 0.0}
    if failed:
        broken = sa.and_(waiting, stage.c.name == FAILED_STAGE)
        error = {"error_message": _error(task_id), "failure_category": "tool_error"}
        connection.execute(stage.update().where(broken).values(status="failed", **error, **ended))
    completed = sa.and_(waiting, stage.c.name.in_(STAGES[:1] if failed else STAGES))
    connection.execute(stage.update().where(completed).values(status="completed", **ended))
    ledger.set_status(connection, task_id, "failed" if failed else "completed", at)


def _error(task_id: str) -> str:
    return f"ValueError: row {int(task_id[-1], 36)} is empty"


def _seed(store: Store, count: int) -> None:
    """Write tasks that have failed at their second stage, all in one transaction."""
    at = ledger.now()
    with store.database.writing() as connection:
        for task_id in task_ids(count):
            statuses = zip(STAGES, ("completed", "failed", "pending"), strict=True)
            stages = tuple(
                Stage(id=f"{task_id}-{name}", task_id=task_id, name=name, role="tester", position=place, status=status)  # type: ignore[arg-type]  # mypy widens the literals of a zip
                for place, (name, status) in enumerate(statuses)
            )
            task = Task(
                id=task_id,
                title=f"{task_id} · 日报",
                pipeline="still",
                project_id="storm",
                submitter="storm",
                params={},
                status="failed",
                created_at=at,
                stages=stages,
            )
            ledger.insert_task(connection, task, ())
        failed = tables.stages.c.status == "failed"
        error = {"error_message": _error("7"), "failure_category": "tool_error"}
        connection.execute(tables.stages.update().where(failed).values(**error, started_at=at, completed_at=at))


def _pipeline() -> Pipeline:
    pipeline = Pipeline("still", title="Nobody runs it", project="storm")
    for name in STAGES:
        pipeline.command(name, ["true"], role="tester")
    return pipeline


def main(home: str, port: str, count: str) -> None:
    """Serve for ever."""
    settings: Settings = load_settings(home=Path(home), api_port=int(port))
    store = Store.open(settings)
    _seed(store, int(count))
    world = _World(store)
    pipelines = {"still": _pipeline()}
    actions = Actions(store, world, TaskFiles(settings), pipelines, settings)
    app = create_app(store, actions, pipelines, settings)
    threading.Thread(target=world.go_on, name="world", daemon=True).start()
    with bound_socket(settings) as listener:
        ApiServer(app).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])

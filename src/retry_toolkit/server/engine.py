"""Runs tasks as durable workflows; the only importer of dbos.

Every run of a task is one workflow, named `<task>:<run>`. A retry does not rewind the workflow that failed: rewinding
deletes the old steps, and with them the attempts that are to be kept for ever. Instead the transaction that accepts a
retry counts `run` up, and a new workflow goes through the stages that have not completed. Its name exists at most once,
so it can be asked for again and again: by the action that made it due, by the keeper every second, and after a crash.

The workflow engine remembers which steps of a run are done; the store says what became of every stage, and has the last
word: a step that runs again after a crash finds its stage completed and leaves it alone.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy.exc import DBAPIError

from retry_toolkit.errors import SettingsError
from retry_toolkit.server.database import open_sqlite, plain, postgres_url
from retry_toolkit.server.execution import Stopped, run_execution
from retry_toolkit.server.executors import ExecutorName
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.guards import Guards
from retry_toolkit.server.keeper import Executing, Keeper
from retry_toolkit.server.retention import sweep
from retry_toolkit.server.runs import OVER, Outcome, Run, Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from dbos import DBOSConfig

    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.server.runs import Execution
    from retry_toolkit.server.store import Store
    from retry_toolkit.settings import Settings

log = logging.getLogger(__name__)
Result = TypeVar("Result")

QUEUE = "retry_toolkit"
SCHEMA = "retry_toolkit_engine"
# One version for ever: tasks of an older program are run on by a newer one.
APPLICATION_VERSION = "1"
POLL_S = 0.2
CHECK_S = 0.5
STOP_S = 10.0
STORE_PATIENCE_S = (0.1, 0.5, 2.0, 5.0)
_STATES = {"ENQUEUED": "waiting", "DELAYED": "waiting", "PENDING": "executing"}

_one_engine = threading.Lock()


class EngineStopped(BaseException):
    """Unwinds a workflow while the platform stops.

    Not an `Exception`: those would be recorded as the workflow's failure, and this one is to go on at the next start.
    """


class Engine:
    """Runs the stages of tasks; at most one live engine a process, because DBOS is one.

    Args:
        store: Where tasks are.
        pipelines: The pipelines that can run, by name.
        settings: Name the databases, the home directory and the number of tasks that run at a time.
        execute: Run tasks here; otherwise they are only put into the queue, for other processes.
    """

    def __init__(
        self, store: Store, pipelines: Mapping[str, Pipeline], settings: Settings, *, execute: bool = True
    ) -> None:
        self._store = store
        self._runs = Runs(store)
        self._pipelines = pipelines
        self._settings = settings
        self._execute = execute
        self._files = TaskFiles(settings)
        self._stopping = threading.Event()
        self._running = _Running()
        self._guards = Guards()
        self._executor: ExecutorName | None = None
        self._database: sa.Engine | None = None
        self._keeper: Keeper | None = None

    def start(self) -> None:
        """Recover what a stopped process left, and begin to run tasks.

        Raises:
            RuntimeError: Another engine lives in this process.
            SettingsError: The engine's database cannot be used.
        """
        if not _one_engine.acquire(blocking=False):
            raise RuntimeError("another engine runs in this process")
        try:
            self._start()
        except BaseException:
            self._release()
            raise

    def stop(self) -> None:
        """Stop running tasks; what is interrupted goes on at the next start."""
        if self._database is None:
            return
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.stop()
        self._running.wait_until_none(STOP_S)
        self._release()

    def wake(self, task_id: str) -> None:
        """Start the current run of a pending task soon; repeating it does nothing."""
        del task_id  # the keeper asks the store, which knows every due run
        if self._keeper is not None:
            self._keeper.ring()

    def cancel(self, task_id: str) -> None:
        """Stop what still runs of a task that was cancelled, now instead of at the next check."""
        self._running.poke(task_id)

    def _start(self) -> None:
        self._files.clean_up(lambda task_id: self._store.task(task_id) is not None)
        self._executor = ExecutorName(self._store.layout) if self._execute else None
        self._database = _open_database(self._settings)
        _keep_quiet()
        DBOS(config=self._config(self._database))
        if not self._execute:
            DBOS.listen_queues([])

        @DBOS.workflow(name="run_task")
        def run_task(task_id: str, number: int) -> None:
            self._run(Run(task_id, number))

        _launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._settings.concurrency,
            polling_interval_sec=POLL_S,
            on_conflict="always_update" if self._execute else "never_update",
        )
        self._keeper = Keeper(
            self._store,
            self._runs,
            _Workflows(run_task, self._running),
            self._executor,
            sweep=lambda: sweep(self._store, self._files),
        )
        self._keeper.start()

    def _config(self, database: sa.Engine) -> DBOSConfig:
        return {
            "name": "retry-toolkit",
            "application_version": APPLICATION_VERSION,
            "executor_id": self._executor.name if self._executor else "none",
            "system_database_engine": database,
            "dbos_system_schema": SCHEMA,
            "serializer": DBOSPortableJSONSerializer(),
            "use_listen_notify": False,
            "log_level": "ERROR",
            "enable_otlp": False,
        }

    def _release(self) -> None:
        self._guards.close()
        DBOS.destroy(destroy_registry=True)
        if self._database is not None:
            self._database.dispose()
            self._database = None
        if self._executor is not None:
            self._executor.release()
            self._executor = None
        _one_engine.release()

    def _run(self, run: Run) -> None:
        """The workflow: every stage that is still to run, in order, until one fails."""
        with self._running.entry(run):
            self._check_stopping()
            stages = DBOS.run_step({"name": "retry_toolkit.open"}, self._open, run)
            for stage in stages:
                if DBOS.run_step({"name": stage}, self._run_stage, run, stage) != "completed":
                    return

    def _open(self, run: Run) -> list[str]:
        return self._persist(lambda: self._runs.open(run))

    def _run_stage(self, run: Run, stage: str) -> str:
        """Run one stage; the status that it has then."""
        self._check_stopping()
        executor = self._executor.name if self._executor else "none"
        begun = self._persist(lambda: self._runs.begin(run, stage, executor))
        if isinstance(begun, str):
            return begun
        outcome = self._execute_stage(begun)
        if isinstance(outcome, Stopped):
            self._check_stopping()
            return OVER
        return outcome.status if self._persist(lambda: self._runs.finish(begun, outcome)) else OVER

    def _execute_stage(self, execution: Execution) -> Outcome | Stopped:
        pipeline = self._pipelines.get(execution.task.pipeline)
        spec = pipeline.find(execution.stage.name) if pipeline else None
        if pipeline is None or spec is None:
            missing = f"stage {execution.stage.name!r} of pipeline {execution.task.pipeline!r} is not loaded any more"
            return Outcome(status="failed", error_message=missing, failure_category="tool_error")
        return run_execution(execution, pipeline, spec, guards=self._guards, should_stop=self._watch(execution))

    def _watch(self, execution: Execution) -> Callable[[], str | None]:
        """Says when an execution has to stop; asks the store now and then, and when poked."""
        checked = time.monotonic()

        def should_stop() -> str | None:
            nonlocal checked
            if self._stopping.is_set():
                return "the platform stops; the attempt runs again at its next start"
            now = time.monotonic()
            if now < checked + CHECK_S and not self._running.was_poked(execution.task.id):
                return None
            checked = now
            return None if self._is_current(execution) else "cancelled, or taken over by another process"

        return should_stop

    def _is_current(self, execution: Execution) -> bool:
        try:
            return self._runs.is_current(execution)
        except DBAPIError:
            return True  # ask again: a database that is busy or away is no reason to kill a stage

    def _persist(self, write: Callable[[], Result]) -> Result:
        """Write to the store; a database that is busy, full or away gets a few seconds to come back."""
        for patience in STORE_PATIENCE_S:
            try:
                return write()
            except DBAPIError:
                log.warning("The database refused a write; it is tried again.", exc_info=True)
                if self._stopping.wait(patience):
                    raise EngineStopped from None
        return write()

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise EngineStopped


class _Running:
    """The runs that this process executes, and who wants to know about their end."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ids: set[str] = set()
        self._poked: set[str] = set()

    @contextmanager
    def entry(self, run: Run) -> Iterator[None]:
        """Count a run as executed here."""
        with self._changed:
            self._ids.add(run.workflow_id)
        try:
            yield
        finally:
            with self._changed:
                self._ids.discard(run.workflow_id)
                self._poked.discard(run.task_id)
                self._changed.notify_all()

    def ids(self) -> set[str]:
        """Ids of the workflows that are executed here."""
        with self._changed:
            return set(self._ids)

    def wait_until_none(self, timeout: float) -> None:
        """Wait until nothing is executed here any more."""
        with self._changed:
            self._changed.wait_for(lambda: not self._ids, timeout)

    def poke(self, task_id: str) -> None:
        """Let a task's execution look whether it should go on."""
        with self._changed:
            self._poked.add(task_id)

    def was_poked(self, task_id: str) -> bool:
        """Whether it was poked since it last asked."""
        with self._changed:
            poked = task_id in self._poked
            self._poked.discard(task_id)
            return poked


class _Workflows:
    """DBOS, as the keeper needs it."""

    def __init__(self, run_task: Callable[[str, int], None], running: _Running) -> None:
        self._run_task = run_task
        self._running = running

    def enqueue(self, run: Run) -> None:
        with SetWorkflowID(run.workflow_id):
            DBOS.enqueue_workflow(QUEUE, self._run_task, run.task_id, run.number)

    def states(self, workflow_ids: Sequence[str]) -> dict[str, str]:
        found = _list(workflow_ids=list(workflow_ids))
        return {one.workflow_id: _STATES.get(one.status, "ended") for one in found}

    def executing(self) -> list[Executing]:
        return [Executing(one.workflow_id, one.executor_id or "") for one in _list(status="PENDING")]

    def requeue(self, workflow_ids: Sequence[str]) -> None:
        DBOS.resume_workflows(list(workflow_ids), queue_name=QUEUE)

    def active(self) -> Collection[str]:
        return self._running.ids()


def _list(**which: Any) -> list[Any]:
    return list(DBOS.list_workflows(**which, load_input=False, load_output=False))


def _open_database(settings: Settings) -> sa.Engine:
    url = postgres_url(settings)
    if url is None:
        return open_sqlite(settings.home / "engine.db", begin="driver")
    return sa.create_engine(url, pool_size=20, max_overflow=0, pool_pre_ping=True)


def _launch() -> None:
    try:
        DBOS.launch()
    except DBAPIError as error:
        raise SettingsError(
            f"The engine's database cannot be used: {plain(error)}.", advice="Check that it is up."
        ) from error


def _keep_quiet() -> None:
    """Let DBOS's messages take the way of all others: it only adds a handler of its own where there is none."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())

"""What the engine writes: which stages of a task run, when they began, and how they ended.

A run is one time that a task goes through its stages; an execution is one subprocess of one attempt. Every execution
has a token: only the one whose token the stage carries may report an outcome, so whoever was overtaken (by a
cancellation, or by another process after a crash or a long pause) is too late and changes nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retry_toolkit.server import ledger
from retry_toolkit.server.records import Stage, Task
from retry_toolkit.server.store import find_task
from retry_toolkit.server.tables import attempts, executions, stages, tasks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import Literal

    from retry_toolkit.server.store import Store

OVER = "over"
_ERROR_IN_HISTORY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution that was begun: what it is for, and where its files go."""

    task: Task
    stage: Stage
    token: str
    attempt: int
    number: int
    directory: Path
    inputs: Path
    outputs: Mapping[str, Path]
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an execution ended."""

    status: Literal["completed", "failed"]
    error_message: str | None = None
    failure_category: str | None = None
    output_summary: str | None = None
    output_structured: dict[str, Any] | None = None
    tokens_used: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task: what one durable workflow is for."""

    task_id: str
    number: int

    @property
    def workflow_id(self) -> str:
        """Id of its workflow: starting a run twice is impossible, because the id exists."""
        return f"{self.task_id}:{self.number}"


class Runs:
    """The engine's transactions on the store."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._layout = store.layout

    def open(self, run: Run) -> list[str]:
        """Begin a run: names of the stages that are still to run, in order; none if the run is over or overtaken."""
        with self._database.writing() as connection:
            task = self._current(connection, run)
            if task is None:
                return []
            if task.status == "pending":
                ledger.set_status(connection, task.id, "running", ledger.now())
            return [stage.name for stage in task.stages if stage.status in ledger.UNFINISHED]

    def begin(self, run: Run, stage_name: str, executor: str) -> Execution | str:
        """Begin an execution of a stage, or say why not: the status that the stage has, or that the run is over.

        An execution that was interrupted runs again as the same attempt, in a directory of its own.
        """
        with self._database.writing() as connection:
            task = find_task(connection, run.task_id, lock=True)
            stage = next((stage for stage in task.stages if stage.name == stage_name), None) if task else None
            if task is None or stage is None or task.run != run.number:
                return OVER
            if task.status not in ledger.UNFINISHED or stage.status not in ledger.UNFINISHED:
                return stage.status
            return self._begin(connection, task, stage, executor)

    def finish(self, execution: Execution, outcome: Outcome) -> bool:
        """Report how an execution ended; False if it was overtaken, and then nothing has changed."""
        at = ledger.now()
        stage, task = execution.stage, execution.task
        ended: dict[str, Any] = {
            "status": outcome.status,
            "completed_at": at,
            "duration_seconds": max(0.0, (at - execution.started_at).total_seconds()),
            "error_message": outcome.error_message,
            "failure_category": outcome.failure_category,
            "output_summary": outcome.output_summary,
            "output_structured": outcome.output_structured,
            "tokens_used": outcome.tokens_used,
        }
        with self._database.writing() as connection:
            now = find_task(connection, task.id, lock=True)
            updated = connection.execute(
                stages.update()
                .where(stages.c.id == stage.id, stages.c.execution == execution.token)
                .values(**ended, execution=None)
            )
            if now is None or updated.rowcount == 0:
                return False
            connection.execute(
                attempts.update()
                .where(attempts.c.stage_id == stage.id, attempts.c.attempt == execution.attempt)
                .values(**ended)
            )
            others = [other for other in now.stages if other.id != stage.id]
            if outcome.status == "failed":
                error = (outcome.error_message or "").strip().splitlines()[-1:] or [""]
                ledger.set_status(connection, task.id, "failed", at, error=error[0][:_ERROR_IN_HISTORY])
            elif all(other.status == "completed" for other in others):
                ledger.set_status(connection, task.id, "completed", at)
            return True

    def is_current(self, execution: Execution) -> bool:
        """Whether an execution may still report an outcome; if not, it should be stopped."""
        with self._database.reading() as connection:
            token = connection.execute(sa.select(stages.c.execution).where(stages.c.id == execution.stage.id)).scalar()
        return token == execution.token

    def give_up(self, run: Run, reason: str) -> None:
        """Fail a run that cannot go on: its first unfinished stage gets the reason as its error."""
        with self._database.writing() as connection:
            task = self._current(connection, run)
            stage = next((stage for stage in task.stages if stage.status in ledger.UNFINISHED), None) if task else None
            if task is None or stage is None:
                return
            begun = self._begin(connection, task, stage, "none")
        self.finish(begun, Outcome(status="failed", error_message=reason, failure_category="unknown"))

    def unstarted(self, *, limit: int) -> list[Run]:
        """Some runs that are due and that no workflow is known for, oldest first."""
        query = (
            sa.select(tasks.c.id, tasks.c.run)
            .where(tasks.c.status == "pending", tasks.c.woken_run < tasks.c.run)
            .order_by(tasks.c.created_at, tasks.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [Run(row.id, row.run) for row in connection.execute(query)]

    def unfinished(self) -> list[Run]:
        """Runs of every task that waits or runs, oldest first."""
        query = (
            sa.select(tasks.c.id, tasks.c.run).where(tasks.c.status.in_(ledger.UNFINISHED)).order_by(tasks.c.created_at)
        )
        with self._database.reading() as connection:
            return [Run(row.id, row.run) for row in connection.execute(query)]

    def due(self, task_id: str) -> Run | None:
        """The run of a task that waits, or None."""
        query = sa.select(tasks.c.run).where(tasks.c.id == task_id, tasks.c.status == "pending")
        with self._database.reading() as connection:
            number = connection.execute(query).scalar()
        return None if number is None else Run(task_id, number)

    def started(self, run: Run) -> None:
        """Note that the run has its workflow."""
        with self._database.writing() as connection:
            connection.execute(
                tasks.update()
                .where(tasks.c.id == run.task_id, tasks.c.woken_run < run.number)
                .values(woken_run=run.number)
            )

    def _current(self, connection: sa.Connection, run: Run) -> Task | None:
        """The locked task of a run that is not over, else None."""
        task = find_task(connection, run.task_id, lock=True)
        return task if task and task.run == run.number and task.status in ledger.UNFINISHED else None

    def _begin(self, connection: sa.Connection, task: Task, stage: Stage, executor: str) -> Execution:
        at, attempt, token = ledger.now(), stage.retry_count + 1, secrets.token_hex(8)
        begun: dict[str, Any] = {"status": "running", "started_at": at}
        connection.execute(stages.update().where(stages.c.id == stage.id).values(**begun, execution=token))
        mine = sa.and_(executions.c.stage_id == stage.id, executions.c.attempt == attempt)
        number = connection.execute(sa.select(sa.func.count()).select_from(executions).where(mine)).scalar_one() + 1
        if number == 1:
            requested = {"requested_by": stage.requested_by or task.submitter}
            row = {"stage_id": stage.id, "attempt": attempt, "task_id": task.id, "tokens_used": 0}
            connection.execute(attempts.insert().values(**row, **begun, **requested))
        else:
            again = sa.and_(attempts.c.stage_id == stage.id, attempts.c.attempt == attempt)
            connection.execute(attempts.update().where(again).values(**begun))
        directory = f"stages/{stage.name}/{attempt}-{number}"
        connection.execute(
            executions.insert().values(
                stage_id=stage.id,
                attempt=attempt,
                number=number,
                task_id=task.id,
                token=token,
                directory=directory,
                executor=executor,
                started_at=at,
            )
        )
        return Execution(
            task=task,
            stage=stage,
            token=token,
            attempt=attempt,
            number=number,
            directory=self._layout.execution(task.id, directory),
            inputs=self._layout.inputs(task.id),
            outputs=self._outputs(connection, task, stage),
            started_at=at,
        )

    def _outputs(self, connection: sa.Connection, task: Task, stage: Stage) -> dict[str, Path]:
        """Work directories of the earlier stages that completed, by name: each of its latest execution."""
        latest = {
            row.stage_id: row.directory
            for row in connection.execute(
                sa.select(executions.c.stage_id, executions.c.directory)
                .where(executions.c.task_id == task.id)
                .order_by(executions.c.attempt, executions.c.number)
            )
        }
        return {
            earlier.name: self._layout.execution(task.id, latest[earlier.id]) / "work"
            for earlier in task.stages
            if earlier.position < stage.position and earlier.status == "completed" and earlier.id in latest
        }

"""Changes of tasks, one function each, inside the transaction of whoever decided them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retry_toolkit.server import tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from retry_toolkit.server.records import Answer, InputFile, Stage, Task, TaskStatus

UNFINISHED = ("pending", "running")
_CLEARED: dict[str, Any] = {
    "started_at": None,
    "completed_at": None,
    "duration_seconds": None,
    "tokens_used": 0,
    "error_message": None,
    "failure_category": None,
    "output_summary": None,
    "output_structured": None,
    "execution": None,
}


def now() -> datetime:
    """The time, aware, UTC."""
    return datetime.now(UTC)


def new_task_id(at: datetime) -> str:
    """An id that nobody can guess and that sorts by time."""
    return f"task_{int(at.timestamp() * 1000):012x}{secrets.token_hex(5)}"


def insert_task(connection: sa.Connection, task: Task, files: Iterable[InputFile]) -> None:
    """Write a new task with its stages and input files."""
    connection.execute(
        tables.tasks.insert().values(
            id=task.id,
            title=task.title,
            title_key=task.title.casefold(),
            pipeline=task.pipeline,
            project_id=task.project_id,
            submitter=task.submitter,
            params=task.params,
            status=task.status,
            created_at=task.created_at,
            run=task.run,
            woken_run=0,
            parent_task_id=task.parent_task_id,
            retry_count=task.retry_count,
            retention_until=task.retention_until,
        )
    )
    connection.execute(tables.stages.insert(), [_stage_row(stage) for stage in task.stages])
    rows = [
        {
            "task_id": task.id,
            "name": file.name,
            "size_bytes": file.size_bytes,
            "method": file.method,
            "source_task_id": file.source_task_id,
        }
        for file in files
    ]
    if rows:
        connection.execute(tables.input_files.insert(), rows)
    _note_status(connection, task.id, task.status, task.created_at)


def set_status(
    connection: sa.Connection, task_id: str, status: TaskStatus, at: datetime, *, error: str | None = None
) -> None:
    """Change the status of a task, with its history."""
    completed_at = None if status in UNFINISHED else at
    task = tables.tasks
    connection.execute(task.update().where(task.c.id == task_id).values(status=status, completed_at=completed_at))
    _note_status(connection, task_id, status, at, error)


def reset_stages(connection: sa.Connection, task_id: str, stage_ids: Collection[str], actor: str, at: datetime) -> None:
    """Put some failed stages back to pending as their next attempt, and the task back in the queue as its next run."""
    stage, task = tables.stages, tables.tasks
    connection.execute(
        stage.update()
        .where(stage.c.id.in_(stage_ids))
        .values(status="pending", retry_count=stage.c.retry_count + 1, requested_by=actor, **_CLEARED)
    )
    connection.execute(task.update().where(task.c.id == task_id).values(run=task.c.run + 1))
    set_status(connection, task_id, "pending", at)


def stop_task(connection: sa.Connection, task_id: str, at: datetime) -> None:
    """Cancel a task: what runs or waits becomes skipped, and no execution may report an outcome any more."""
    stage, attempt = tables.stages, tables.attempts
    ended: dict[str, Any] = {"status": "skipped", "completed_at": at}
    for table in (stage, attempt):
        interrupted = sa.and_(table.c.task_id == task_id, table.c.status == "running")
        for row in connection.execute(sa.select(table.primary_key.columns[0], table.c.started_at).where(interrupted)):
            seconds = max(0.0, (at - row.started_at).total_seconds())
            connection.execute(
                table.update()
                .where(interrupted, table.primary_key.columns[0] == row[0])
                .values(**ended, duration_seconds=seconds)
            )
    waiting = sa.and_(stage.c.task_id == task_id, stage.c.status == "pending")
    connection.execute(stage.update().where(waiting).values(status="skipped"))
    connection.execute(stage.update().where(stage.c.task_id == task_id).values(execution=None))
    set_status(connection, task_id, "cancelled", at)


def delete_task(connection: sa.Connection, task_id: str) -> None:
    """Remove every row of a task except its audit trail."""
    for table in (
        tables.status_history,
        tables.input_files,
        tables.executions,
        tables.attempts,
        tables.stages,
    ):
        connection.execute(table.delete().where(table.c.task_id == task_id))
    connection.execute(tables.tasks.delete().where(tables.tasks.c.id == task_id))


def record(
    connection: sa.Connection,
    *,
    actor: str,
    action: str,
    task_id: str | None,
    at: datetime,
    stage_id: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    outcome: str = "accepted",
) -> None:
    """Add an entry to the audit trail."""
    connection.execute(
        tables.audit.insert().values(
            at=at,
            actor=actor,
            action=action,
            task_id=task_id,
            stage_id=stage_id,
            before=before,
            after=after,
            outcome=outcome,
        )
    )


def remember(connection: sa.Connection, key: str, fingerprint: str, answer: Answer, at: datetime) -> None:
    """Keep an answer under its idempotency key."""
    connection.execute(
        tables.answers.insert().values(
            key=key, fingerprint=fingerprint, status=answer.status, body=answer.body, created_at=at
        )
    )


def _stage_row(stage: Stage) -> dict[str, Any]:
    return {
        "id": stage.id,
        "task_id": stage.task_id,
        "name": stage.name,
        "role": stage.role,
        "position": stage.position,
        "status": stage.status,
        "retry_count": stage.retry_count,
        "max_retries": stage.max_retries,
        "requested_by": stage.requested_by,
    }


def _note_status(connection: sa.Connection, task_id: str, status: str, at: datetime, error: str | None = None) -> None:
    connection.execute(tables.status_history.insert().values(task_id=task_id, status=status, at=at, error=error))

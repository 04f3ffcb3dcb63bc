"""Removes input files whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from retry_toolkit.server import ledger
from retry_toolkit.server.tables import input_files, tasks

if TYPE_CHECKING:
    from datetime import datetime

    from retry_toolkit.server.files import TaskFiles
    from retry_toolkit.server.store import Store

ACTOR = "retention"


def sweep(store: Store, files: TaskFiles, *, at: datetime | None = None) -> int:
    """Remove the input files of tasks past their retention that neither wait nor run; how many tasks.

    The tasks stay, and say of their files that they are gone.
    """
    at = at or ledger.now()
    expired = sa.select(tasks.c.id).where(
        tasks.c.retention_until < at,
        tasks.c.status.not_in(ledger.UNFINISHED),
        tasks.c.id.in_(sa.select(input_files.c.task_id)),
    )
    with store.database.reading() as connection:
        due = connection.execute(expired).scalars().all()
    return sum(_remove(store, files, task_id, at) for task_id in due)


def _remove(store: Store, files: TaskFiles, task_id: str, at: datetime) -> bool:
    inputs = files.inputs(task_id)
    if not inputs.is_dir():
        return False
    with store.database.writing() as connection:
        # In the transaction that nobody can retry the task in: a task that runs keeps its files.
        locked = sa.select(tasks.c.status).where(tasks.c.id == task_id).with_for_update()
        if connection.execute(locked).scalar() in {*ledger.UNFINISHED, None}:
            return False
        ledger.record(connection, actor=ACTOR, action="remove_files", task_id=task_id, at=at)
        trash = files.set_aside(inputs)
    files.erase(trash)
    return True

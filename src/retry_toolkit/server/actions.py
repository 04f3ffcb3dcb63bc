"""What users may do to tasks.

Every action is one transaction: what was decided, on the state that it was decided on, its audit entry, and the answer
under its idempotency key. Starting the task afterwards cannot fail it: the engine finds by itself what is due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from retry_toolkit.server import ledger, tables, verdicts
from retry_toolkit.server.deeds import Deeds, Intent, note, recalled
from retry_toolkit.server.files import FilesError
from retry_toolkit.server.records import Answer, Stage, Task
from retry_toolkit.server.store import find_files, find_task
from retry_toolkit.server.verdicts import ActionRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from retry_toolkit.server.files import TaskFiles
    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.server.records import InputFile
    from retry_toolkit.server.store import Store, StoredAnswer
    from retry_toolkit.settings import Settings

__all__ = ["ActionRefused", "Actions", "Intent", "Render", "Waker"]

Render = Callable[[Task], dict[str, Any]]
NO_FILES: Mapping[str, Path] = MappingProxyType({})


class Waker(Protocol):
    """What actions need of the engine."""

    def wake(self, task_id: str) -> None:
        """Start the current run of a pending task soon."""

    def cancel(self, task_id: str) -> None:
        """Stop what still runs of a task that was cancelled."""


class Actions:
    """Submit, retry, clone, cancel and delete.

    Every method raises `ActionRefused` where the platform says no, and then nothing has changed but the audit trail.
    With an idempotency key the first answer is given again for the same request, and nothing is done twice.
    """

    def __init__(
        self, store: Store, engine: Waker, files: TaskFiles, pipelines: Mapping[str, Pipeline], settings: Settings
    ) -> None:
        self._database = store.database
        self._deeds = Deeds(store.database)
        self._engine = engine
        self._files = files
        self._pipelines = pipelines
        self._settings = settings

    def submit(
        self,
        pipeline: str,
        *,
        title: str | None = None,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, Path] = NO_FILES,
        project_id: str | None = None,
        submitter: str | None = None,
        intent: Intent,
        render: Render,
    ) -> Answer:
        """Make a task; 201. `files` maps names in the input directory to files that are copied in."""

        def act() -> Answer:
            found = self._pipeline(pipeline)
            task = self._new_task(
                found,
                title=title or found.title,
                params=dict(params or {}),
                project_id=project_id or found.project,
                submitter=submitter or intent.actor,
                requested_by=intent.actor,
            )
            try:
                with self._files.take_in(task.id, files) as taken:
                    return self._create(task, taken, intent, "submit", render)
            except FilesError as error:
                verdicts.refuse_files(error, again=False)

        return self._deeds.attempt(intent, "submit", None, act)

    def retry_stage(
        self, task_id: str, stage_id: str, *, expected_retry_count: int | None = None, intent: Intent, render: Render
    ) -> Answer:
        """Reset one failed stage."""

        def deed(connection: sa.Connection) -> Answer:
            task = verdicts.known(find_task(connection, task_id, lock=True))
            stage = verdicts.stage_to_retry(task, stage_id, expected_retry_count)
            return Answer(status=200, body=render(_reset(connection, task, (stage,), intent, "retry_stage")))

        return self._restart("retry_stage", task_id, intent, deed)

    def retry_failed_stages(self, task_id: str, *, intent: Intent, render: Render) -> Answer:
        """Reset every failed stage."""

        def deed(connection: sa.Connection) -> Answer:
            task = verdicts.known(find_task(connection, task_id, lock=True))
            stages = verdicts.stages_to_retry(task)
            return Answer(status=200, body=render(_reset(connection, task, stages, intent, "retry_failed_stages")))

        return self._restart("retry_failed_stages", task_id, intent, deed)

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        keys: Mapping[str, str] | None = None,
        intent: Intent,
        render: Render,
    ) -> Answer:
        """Reset the earliest failed stage of each task that is under its limit; refusals are in the items.

        With an idempotency key in `keys` a task that was reset under it gets the same item again.
        """
        expected, named = expected_retry_counts or {}, keys or {}

        def deed(connection: sa.Connection) -> Answer:
            # All keys, then all rows, in one order: batches that name the same ones cannot block each other.
            for key in sorted(set(named.values())):
                self._database.hold(connection, key)
            rows = sa.select(tables.tasks.c.id).where(tables.tasks.c.id.in_(task_ids)).order_by(tables.tasks.c.id)
            connection.execute(rows.with_for_update()).all()
            items = [
                _batch_item(connection, one, expected.get(one), _intent_of_item(intent, named.get(one), one), render)
                for one in task_ids
            ]
            succeeded = sum(item["success"] for item in items)
            body = {"total": len(items), "succeeded": succeeded, "failed": len(items) - succeeded, "items": items}
            return Answer(status=200, body=body)

        answer = self._deeds.attempt(intent, "retry_batch", None, lambda: self._deeds.transact(intent, deed))
        for task_id in task_ids:
            self._engine.wake(task_id)
        return answer

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,
        submitter: str | None = None,
        display_name: str | None = None,
        expected_retry_count: int | None = None,
        intent: Intent,
    ) -> Answer:
        """Make a new task with the same parameters and copied or linked input files."""

        def act() -> Answer:
            old, files = self._read(task_id)
            verdicts.check_whole_retry(old, expected_retry_count)
            new = self._new_task(
                self._pipeline(old.pipeline),
                title=display_name or f"{old.title} (重试)",
                params=old.params,
                project_id=old.project_id,
                submitter=submitter or old.submitter,
                requested_by=intent.actor,
                parent=old,
            )

            def deed(connection: sa.Connection) -> Answer:
                locked = verdicts.known(find_task(connection, task_id, lock=True))
                verdicts.check_whole_retry(locked, expected_retry_count)
                ledger.insert_task(connection, new, taken)
                note(connection, intent, "retry_task", task_id, before=_state(locked), after={"new_task_id": new.id})
                return Answer(status=200, body=_resubmitted(old, new, taken))

            try:
                with self._files.repeat(new.id, task_id, files, copy=copy_files) as taken:
                    answer = self._deeds.transact(intent, deed)
            except FilesError as error:
                verdicts.refuse_files(error, again=True)
            self._engine.wake(new.id)
            return answer

        return self._deeds.attempt(intent, "retry_task", task_id, act)

    def clone(self, task_id: str, *, intent: Intent, render: Render) -> Answer:
        """Make a new task with the same parameters and copies of the input files, without lineage; 201."""

        def act() -> Answer:
            old, files = self._read(task_id)
            new = self._new_task(
                self._pipeline(old.pipeline),
                title=old.title,
                params=old.params,
                project_id=old.project_id,
                submitter=intent.actor,
                requested_by=intent.actor,
            )
            try:
                with self._files.repeat(new.id, task_id, files, copy=True) as taken:
                    return self._create(new, taken, intent, "clone", render)
            except FilesError as error:
                verdicts.refuse_files(error, again=True)

        return self._deeds.attempt(intent, "clone", task_id, act)

    def cancel(self, task_id: str, *, intent: Intent, render: Render) -> Answer:
        """Cancel a queued or running task: it is cancelled at once, and what still runs is killed within a second."""

        def deed(connection: sa.Connection) -> Answer:
            task = verdicts.known(find_task(connection, task_id, lock=True))
            verdicts.check_cancel(task)
            ledger.stop_task(connection, task_id, ledger.now())
            stopped = verdicts.known(find_task(connection, task_id))
            note(connection, intent, "cancel", task_id, before=_state(task), after=_state(stopped))
            return Answer(status=200, body=render(stopped))

        answer = self._deeds.attempt(intent, "cancel", task_id, lambda: self._deeds.transact(intent, deed))
        self._engine.cancel(task_id)
        return answer

    def call_off(self, key: str, *, intent: Intent) -> StoredAnswer:
        """Never act on an idempotency key that was not acted on so far; what is stored under it afterwards."""
        return self._deeds.call_off(intent, key)

    def delete(self, task_id: str, *, intent: Intent) -> Answer:
        """Remove a task that does not run, with its files; the audit trail stays."""

        def deed(connection: sa.Connection) -> Answer:
            task = verdicts.known(find_task(connection, task_id, lock=True))
            verdicts.check_delete(task)
            ledger.delete_task(connection, task_id)
            note(connection, intent, "delete", task_id, before=_state(task))
            return Answer(status=200, body={"task_id": task_id, "message": "Task deleted"})

        def act() -> Answer:
            self._read(task_id)  # an id that names no task must not name a directory either
            with self._files.removing(task_id):
                return self._deeds.transact(intent, deed)

        return self._deeds.attempt(intent, "delete", task_id, act)

    def _restart(self, action: str, task_id: str, intent: Intent, deed: Callable[[sa.Connection], Answer]) -> Answer:
        answer = self._deeds.attempt(intent, action, task_id, lambda: self._deeds.transact(intent, deed))
        self._engine.wake(task_id)
        return answer

    def _create(self, task: Task, files: Sequence[InputFile], intent: Intent, action: str, render: Render) -> Answer:
        def deed(connection: sa.Connection) -> Answer:
            ledger.insert_task(connection, task, files)
            note(connection, intent, action, task.id, after=_state(task))
            return Answer(status=201, body=render(task))

        answer = self._deeds.transact(intent, deed)
        self._engine.wake(task.id)
        return answer

    def _read(self, task_id: str) -> tuple[Task, tuple[InputFile, ...]]:
        with self._database.reading() as connection:
            return verdicts.known(find_task(connection, task_id)), find_files(connection, task_id)

    def _pipeline(self, name: str) -> Pipeline:
        try:
            return self._pipelines[name]
        except KeyError:
            known = ", ".join(self._pipelines) or "none"
            raise ActionRefused(400, f"Unknown pipeline {name!r} (loaded: {known})") from None

    def _new_task(
        self,
        pipeline: Pipeline,
        *,
        title: str,
        params: dict[str, Any],
        project_id: str | None,
        submitter: str | None,
        requested_by: str,
        parent: Task | None = None,
    ) -> Task:
        at = ledger.now()
        task_id = ledger.new_task_id(at)
        stages = tuple(
            Stage(
                id=f"{task_id}-s{position + 1}",
                task_id=task_id,
                name=spec.name,
                role=spec.role,
                position=position,
                max_retries=self._settings.retry_limit if spec.max_retries is None else spec.max_retries,
                requested_by=requested_by,
            )
            for position, spec in enumerate(pipeline.stages)
        )
        return Task(
            id=task_id,
            title=tables.storable_text(title),
            pipeline=pipeline.name,
            project_id=project_id,
            submitter=submitter,
            params=tables.storable(params),
            status="pending",
            created_at=at,
            parent_task_id=parent.id if parent else None,
            retry_count=parent.retry_count + 1 if parent else 0,
            retention_until=at + timedelta(days=self._settings.retention_days),
            stages=stages,
            status_history=({"status": "pending", "timestamp": at.timestamp(), "error": None},),
        )


def _reset(connection: sa.Connection, task: Task, stages: Sequence[Stage], intent: Intent, action: str) -> Task:
    """Put stages back into the queue; the task afterwards."""
    ledger.reset_stages(connection, task.id, [stage.id for stage in stages], intent.actor, ledger.now())
    after = verdicts.known(find_task(connection, task.id))
    for stage in stages:
        note(connection, intent, action, task.id, stage_id=stage.id, before=_state(task), after=_state(after))
    return after


def _batch_item(
    connection: sa.Connection, task_id: str, expected: int | None, intent: Intent, render: Render
) -> dict[str, Any]:
    try:
        if (before := recalled(connection, intent)) is not None:
            return before.body
        task = verdicts.known(find_task(connection, task_id))
        stage = verdicts.stage_of_batch(task, expected)
    except ActionRefused as refusal:
        outcome = f"refused ({refusal.status}): {refusal.reason}"
        note(connection, intent, "retry_batch", task_id, outcome=outcome)
        return {"task_id": task_id, "success": False, "reason": refusal.reason, "task": None}
    after = _reset(connection, task, (stage,), intent, "retry_batch")
    item = {"task_id": task_id, "success": True, "reason": None, "task": render(after)}
    if intent.key is not None:
        ledger.remember(connection, intent.key, intent.fingerprint, Answer(status=200, body=item), ledger.now())
    return item


def _intent_of_item(intent: Intent, key: str | None, task_id: str) -> Intent:
    """The intent of one item of a batch: the same task under the same key is the same request, in whatever batch."""
    return Intent(actor=intent.actor, key=key, fingerprint=f"retry_batch {task_id}")


def _resubmitted(old: Task, new: Task, files: Sequence[InputFile]) -> dict[str, Any]:
    """What the queue dialect answers to a whole retry."""
    return {
        "new_task_id": new.id,
        "original_task_id": old.id,
        "status": "PENDING",
        "message": "Task resubmitted",
        "files_copied": sum(file.method == "copied" for file in files),
        "files_linked": sum(file.method == "linked" for file in files),
    }


def _state(task: Task) -> dict[str, Any]:
    """What the audit trail keeps of a task."""
    stages = {stage.name: {"status": stage.status, "retry_count": stage.retry_count} for stage in task.stages}
    return {"status": task.status, "run": task.run, "stages": stages}

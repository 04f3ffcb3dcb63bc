"""A platform that speaks the queue dialect: a retry is a new task with copied or linked input files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

from retry_toolkit.errors import NotFound, PlatformError, Unsupported
from retry_toolkit.platforms.base import (
    EVERY_TASK,
    AttemptRecord,
    BatchRetry,
    Capabilities,
    LogRecord,
    Page,
    StageRetry,
    TaskFiles,
    TaskPage,
    TaskQuery,
    TaskRecord,
    TaskRetry,
)
from retry_toolkit.platforms.bulk import AS_USUAL, Layout, Reading
from retry_toolkit.platforms.connection import Connection
from retry_toolkit.platforms.guards import nothing_sent, refuse_if_moved
from retry_toolkit.platforms.plain import PlainRow
from retry_toolkit.platforms.queue_bulk import queue_layout
from retry_toolkit.platforms.queue_calls import QueueCalls
from retry_toolkit.platforms.transport import Transport

CAPABILITIES = Capabilities(
    stage_retry="none",
    whole_retry="new_task",
    batch="none",
    # Not every server tells of files; `files()` is None where one does not.
    files=True,
    cancel=True,
    parameters=True,
)


class QueuePlatform(Connection):
    """Whole tasks are retried, one at a time; stages, logs and attempts are not part of this dialect."""

    kind = "queue"

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, CAPABILITIES)
        self._calls = QueueCalls(transport)

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        """Pages of tasks, newest first."""
        for page in self._calls.pages(query):
            yield replace(page, tasks=tuple(map(self._judged, page.tasks)))

    @property
    def layout(self) -> Layout:
        """How plain rows become columns."""
        return queue_layout(lambda status: self._judge_of(status, ()))

    def bulk_pages(self, query: TaskQuery = EVERY_TASK, reading: Reading = AS_USUAL) -> Iterator[Page[PlainRow]]:
        """Pages of plain rows, newest first."""
        return self._calls.bulk_pages(query, reading, self.layout.outline)

    def task(self, task_id: str) -> TaskRecord:
        """One task, fresh and with all that its detail tells."""
        return self._judged(self._calls.task(task_id))

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """Refused: the dialect has no logs.

        Raises:
            Unsupported: Always.
        """
        del stage
        self._refuse(f"has no log of {task_id}", "Read the task's error instead.")

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:  # noqa: ARG002 - the protocol's signature
        """None are known: each retry is a task of its own, see the lineage."""
        return ()

    def files(self, task_id: str) -> TaskFiles | None:
        """Input files, or None where the platform does not tell."""
        try:
            return self._calls.files(task_id)
        except NotFound:
            return None

    def retry_stage(
        self,
        task_id: str,
        stage_id: str,
        *,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> StageRetry:
        """Refused: the dialect has no stages.

        Raises:
            Unsupported: Always.
        """
        del stage_id, expected_retry_count, idempotency_key
        self._refuse(f"has no stages to retry in {task_id}", "Retry the whole task instead.")

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        item_keys: Mapping[str, str] | None = None,
    ) -> BatchRetry:
        """Refused: the dialect has no batches.

        Raises:
            Unsupported: Always.
        """
        del task_ids, expected_retry_counts, idempotency_key, item_keys
        self._refuse("cannot retry tasks in a batch", "Retry each task as a whole instead.")

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,
        display_name: str | None = None,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskRetry:
        """Make a new task with the same parameters.

        `expected_retry_count` counts the direct retries that the task already has; it is compared before sending.
        """
        del idempotency_key
        self._transport.require_writable()
        if expected_retry_count is not None:
            with nothing_sent():
                now = len(self._calls.task(task_id).retried_by)
            refuse_if_moved(now, expected_retry_count, task_id)
        return self._calls.retry_task(task_id, copy_files=copy_files, display_name=display_name)

    def cancel(self, task_id: str) -> TaskRecord:
        """Stop a queued or running task."""
        self._calls.stop(task_id)
        try:
            return self.task(task_id)
        except PlatformError:
            # The stop was accepted; that the task cannot be read now does not undo it.
            return TaskRecord(task_id=task_id, name=None, status="cancelled", native_status="CANCELLED")

    def _refuse(self, what: str, advice: str) -> NoReturn:
        raise Unsupported(f"{self.name} {what}.", advice=advice)

"""A platform that speaks the pipeline dialect: one failed stage is reset in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from retry_toolkit.errors import Unsupported
from retry_toolkit.platforms.base import (
    EVERY_TASK,
    AttemptRecord,
    BatchRetry,
    Capabilities,
    LogRecord,
    Page,
    StageRetry,
    TaskPage,
    TaskQuery,
    TaskRecord,
    TaskRetry,
)
from retry_toolkit.platforms.bulk import AS_USUAL, Layout, Reading
from retry_toolkit.platforms.connection import Connection
from retry_toolkit.platforms.guards import refuse_if_moved
from retry_toolkit.platforms.pipeline_bulk import pipeline_layout
from retry_toolkit.platforms.pipeline_calls import PipelineCalls
from retry_toolkit.platforms.pipeline_wire import current_attempts
from retry_toolkit.platforms.plain import PlainRow
from retry_toolkit.platforms.transport import Transport

CAPABILITIES = Capabilities(
    stage_retry="in_place",
    whole_retry="none",
    batch="per_item",
    idempotency="attempt_number",
    logs=True,
    cancel=True,
)


class PipelinePlatform(Connection):
    """Stages are retried in place, alone or in a batch. The attempt number is read before each stage retry."""

    kind = "pipeline"

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, CAPABILITIES)
        self._calls = PipelineCalls(transport)

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        """Pages of tasks with their stages, newest first."""
        for page in self._calls.pages(query):
            yield replace(page, tasks=tuple(map(self._judged, page.tasks)))

    @property
    def layout(self) -> Layout:
        """How plain rows become columns."""
        return pipeline_layout(self._calls.template_limit, self._judge_of)

    def bulk_pages(self, query: TaskQuery = EVERY_TASK, reading: Reading = AS_USUAL) -> Iterator[Page[PlainRow]]:
        """Pages of plain rows, newest first."""
        return self._calls.bulk_pages(query, reading, self.layout.outline)

    def task(self, task_id: str) -> TaskRecord:
        """One task with its stages, fresh."""
        return self._judged(self._calls.task(task_id))

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """Log lines in order, of one stage or of all."""
        return self._calls.logs(task_id, stage)

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        """The latest attempt of each stage: the dialect keeps no others."""
        return current_attempts(self._calls.task(task_id))

    def files(self, task_id: str) -> None:
        """None: the dialect knows no input files."""

    def retry_stage(
        self,
        task_id: str,
        stage_id: str,
        *,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> StageRetry:
        """Reset one failed stage. The dialect knows no idempotency key: what counts is the attempt number."""
        del idempotency_key
        self._transport.require_writable()
        before = self._calls.retry_count(task_id, stage_id)
        refuse_if_moved(before, expected_retry_count, stage_id)
        retry = self._calls.retry_stage(task_id, stage_id, before=before)
        return replace(retry, task=self._judged(retry.task))

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        item_keys: Mapping[str, str] | None = None,
    ) -> BatchRetry:
        """Reset the earliest failed stage of each task, in one request; the dialect compares nothing."""
        del expected_retry_counts, idempotency_key, item_keys
        return self._calls.retry_batch(task_ids)

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,  # noqa: ARG002 - the protocol's signature
        display_name: str | None = None,  # noqa: ARG002 - the protocol's signature
        expected_retry_count: int | None = None,  # noqa: ARG002 - the protocol's signature
        idempotency_key: str | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> TaskRetry:
        """Refused: this dialect never retries a task as a whole.

        Raises:
            Unsupported: Always.
        """
        raise Unsupported(f"{self.name} cannot retry {task_id} as a whole.", advice="Retry its failed stage instead.")

    def cancel(self, task_id: str) -> TaskRecord:
        """Cancel a queued or running task."""
        return self._judged(self._calls.cancel(task_id))

"""The embedded platform: stages by the pipeline dialect, whole tasks and files by the queue dialect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from retry_toolkit.errors import BadAnswer, Unsupported
from retry_toolkit.platforms.base import (
    EVERY_TASK,
    AttemptRecord,
    BatchItem,
    BatchRetry,
    Capabilities,
    LogRecord,
    Page,
    Recalled,
    StageRetry,
    TaskFiles,
    TaskPage,
    TaskQuery,
    TaskRecord,
    TaskRetry,
)
from retry_toolkit.platforms.bulk import AS_USUAL, Layout, Reading
from retry_toolkit.platforms.connection import Connection
from retry_toolkit.platforms.pipeline_bulk import pipeline_layout
from retry_toolkit.platforms.pipeline_calls import PipelineCalls
from retry_toolkit.platforms.plain import PlainRow
from retry_toolkit.platforms.queue_calls import QueueCalls
from retry_toolkit.platforms.transport import Transport

CAPABILITIES_PATH = "/api/v1/capabilities"

_CAPABILITIES = TypeAdapter(Capabilities)


class EmbeddedPlatform(Connection):
    """Both ways of retrying on the same tasks; a key makes each write safe to repeat.

    Args:
        transport: Where it is.
        told: What it says of itself at `CAPABILITIES_PATH`.
    """

    kind = "embedded"

    def __init__(self, transport: Transport, told: Mapping[str, Any]) -> None:
        super().__init__(transport, read_capabilities(told))
        role = told.get("role")
        self._role = role if isinstance(role, str) else None
        self._stages = PipelineCalls(transport)
        self._jobs = QueueCalls(transport)

    @property
    def read_only(self) -> bool:
        """True when this connection refuses everything that writes, or its token may only read."""
        return self._transport.read_only or self._role == "viewer"

    @property
    def identity(self) -> str | None:
        """Who this platform takes the caller for: `local`, `operator` or `viewer`."""
        return self._role

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        """Pages of tasks with their stages, newest first."""
        for page in self._stages.pages(query):
            yield replace(page, tasks=tuple(map(self._judged, page.tasks)))

    @property
    def layout(self) -> Layout:
        """How plain rows become columns."""
        return pipeline_layout(self._stages.template_limit, self._judge_of)

    def bulk_pages(self, query: TaskQuery = EVERY_TASK, reading: Reading = AS_USUAL) -> Iterator[Page[PlainRow]]:
        """Pages of plain rows, newest first."""
        return self._stages.bulk_pages(query, reading, self.layout.outline)

    def task(self, task_id: str) -> TaskRecord:
        """One task with its stages, fresh."""
        return self._judged(self._stages.task(task_id))

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """Log lines in order, of one stage or of all."""
        return self._stages.logs(task_id, stage)

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt, by stage, then attempt."""
        return self._stages.attempts(task_id)

    def files(self, task_id: str) -> TaskFiles:
        """Input files with their sizes, and whether they are still there."""
        return self._jobs.files(task_id)

    def retry_stage(
        self,
        task_id: str,
        stage_id: str,
        *,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> StageRetry:
        """Reset one failed stage; the platform itself compares the attempt number and remembers the key."""
        retry = self._stages.retry_stage(
            task_id,
            stage_id,
            before=expected_retry_count,
            expected=expected_retry_count,
            idempotency_key=idempotency_key,
        )
        return replace(retry, task=self._judged(retry.task))

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        item_keys: Mapping[str, str] | None = None,
    ) -> BatchRetry:
        """Reset the earliest failed stage of each task, in one request.

        The platform itself compares each attempt number and remembers each item's key.
        """
        largest = self.capabilities.max_batch
        if largest is not None and len(set(task_ids)) > largest:
            raise Unsupported(f"{self.name} takes at most {largest} tasks at once.", advice="Retry fewer at a time.")
        retry = self._stages.retry_batch(
            task_ids, expected=expected_retry_counts, idempotency_key=idempotency_key, item_keys=item_keys
        )
        return BatchRetry(items=tuple(map(self._judged_item, retry.items)))

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,
        display_name: str | None = None,
        expected_retry_count: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskRetry:
        """Make a new task; `expected_retry_count` counts the direct retries that the task already has."""
        return self._jobs.retry_task(
            task_id,
            copy_files=copy_files,
            display_name=display_name,
            expected=expected_retry_count,
            idempotency_key=idempotency_key,
        )

    def submit(
        self,
        pipeline: str,
        *,
        title: str | None = None,
        project: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        files: Sequence[Path] = (),
        idempotency_key: str | None = None,
    ) -> TaskRecord:
        """Submit a task, with copies of these files as its input.

        Raises:
            OSError: A file cannot be read; nothing was sent.
        """
        body = {"pipeline": pipeline, "title": title, "project_id": project, "params": dict(parameters or {})}
        return self._judged(self._stages.submit(body, files=files, idempotency_key=idempotency_key))

    def cancel(self, task_id: str) -> TaskRecord:
        """Cancel a queued or running task."""
        return self._judged(self._stages.cancel(task_id))

    def recall(self, key: str) -> Recalled:
        """What became of an idempotency key."""
        return self._stages.recall(key)

    def call_off(self, key: str) -> Recalled:
        """Refuse an idempotency key from now on, unless it was acted on already."""
        return self._stages.call_off(key)

    def _judged_item(self, item: BatchItem) -> BatchItem:
        return item if item.task is None else replace(item, task=self._judged(item.task))


def is_embedded(told: object) -> bool:
    """Whether an answer at `CAPABILITIES_PATH` comes from an embedded platform."""
    return isinstance(told, dict) and told.get("stage_retry") == "in_place" and told.get("whole_retry") == "new_task"


def read_capabilities(told: Mapping[str, Any]) -> Capabilities:
    """Capabilities as the platform tells them; what it does not tell, it does not have.

    Raises:
        BadAnswer: They make no sense.
    """
    known = {field.name for field in fields(Capabilities)}
    least = {"stage_retry": "none", "whole_retry": "none", "batch": "none"}
    try:
        return _CAPABILITIES.validate_python(least | {name: told[name] for name in known & told.keys()})
    except ValidationError:
        raise BadAnswer("The platform's capabilities cannot be read.") from None

"""The pipeline dialect, call by call. Source: the pipeline contract.

A retry is one of two calls: `retry-from-stage` or `retry-batch`. `POST /tasks/{id}/retry` resets every failed stage;
nothing here sends it, whatever fails.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from retry_toolkit.errors import BadAnswer, PlatformError, UnclearOutcome
from retry_toolkit.platforms.base import (
    AttemptRecord,
    BatchItem,
    BatchRetry,
    LogRecord,
    Page,
    Recalled,
    StageRetry,
    TaskPage,
    TaskQuery,
    TaskRecord,
)
from retry_toolkit.platforms.bulk import Reading
from retry_toolkit.platforms.decode import ReadPage, Unreadable, read_envelope, read_model, read_page
from retry_toolkit.platforms.guards import check_about, nothing_sent
from retry_toolkit.platforms.paging import Outline, list_pages, select
from retry_toolkit.platforms.pipeline_bulk import page_reader
from retry_toolkit.platforms.pipeline_wire import (
    FILTER_WORDS,
    WireAttempt,
    WireBatch,
    WireBatchItem,
    WireKey,
    WireLogRow,
    read_task,
)
from retry_toolkit.platforms.plain import PlainRow
from retry_toolkit.platforms.transport import Transport, segment

BASE = "/api/v1"
_TASKS = f"{BASE}/tasks"
DEFAULT_RETRY_LIMIT = 3
"""Retries of a stage where its template names no limit; the contract's default."""

LOG_PAGE_SIZE = 100
MAX_LOG_PAGES = 5_000


class PipelineCalls:
    """The calls of the pipeline dialect over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._limits: dict[tuple[str, str], int] | None = None
        self._limits_lock = threading.Lock()
        self._reader = page_reader()

    def pages(self, query: TaskQuery) -> Iterator[TaskPage]:
        """Pages of the tasks that a query means, newest first."""
        filters, exact = self._filters(query)

        def fetch(number: int, size: int) -> ReadPage[TaskRecord]:
            envelope = read_envelope(self._transport.read(_TASKS, _paged(filters, number, size)))
            return read_page(envelope, number, size, lambda row: self._limited(read_task(row)))

        return select(lambda most: list_pages(fetch, most=most), query, exact=exact)

    def bulk_pages(self, query: TaskQuery, reading: Reading, outline: Outline[PlainRow]) -> Iterator[Page[PlainRow]]:
        """The same as plain rows."""
        filters, exact = self._filters(query)

        def fetch(number: int, size: int) -> ReadPage[PlainRow]:
            body = self._transport.read_body(_TASKS, _paged(filters, number, size))
            return self._reader.read(body, number, size)

        return select(lambda most: list_pages(fetch, most=most, reading=reading), query, exact=exact, outline=outline)

    def template_limit(self, template: str, stage: str) -> int:
        """Retries that a template allows of a stage."""
        return self._template_limits().get((template, stage), DEFAULT_RETRY_LIMIT)

    def task(self, task_id: str) -> TaskRecord:
        """One task with its stages, fresh."""
        task = self._read(self._transport.read(_path(task_id)))
        check_about(task_id, task.task_id)
        return task

    def logs(self, task_id: str, stage: str | None) -> Iterator[LogRecord]:
        """Log lines of one stage or of all, in order, each once."""
        rows: dict[object, LogRecord] = {}
        for number in range(1, MAX_LOG_PAGES + 1):
            params = {"task": task_id, "stage": stage, "page": number, "page_size": LOG_PAGE_SIZE}
            envelope = read_envelope(self._transport.read(f"{BASE}/task-logs", params))
            before = len(rows)
            for row in envelope.rows:
                key, record = _log_row(row, task_id, len(rows))
                rows.setdefault(key, record)
            if len(rows) == before or (envelope.total is not None and len(rows) >= envelope.total):
                break
        yield from sorted(rows.values(), key=lambda record: record.seq)

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt that the platform keeps."""
        envelope = read_envelope(self._transport.read(_path(task_id, "attempts")))
        try:
            attempts = tuple(read_model(WireAttempt, row)[0].record() for row in envelope.rows)
        except Unreadable as error:
            raise BadAnswer(f"An attempt of {task_id} cannot be read: {error}.") from error
        for attempt in attempts:
            check_about(task_id, attempt.task_id)
        return attempts

    def retry_stage(
        self,
        task_id: str,
        stage_id: str,
        *,
        before: int | None,
        expected: int | None = None,
        idempotency_key: str | None = None,
    ) -> StageRetry:
        """Reset one failed stage.

        Args:
            task_id: Task.
            stage_id: Failed stage.
            before: Its attempt count before the retry where known; the answer must be beyond it.
            expected: Sent to the platform, which refuses where it has moved; not part of the plain dialect.
            idempotency_key: Names the intent; not part of the plain dialect.
        """
        body: dict[str, Any] = {"stage_id": stage_id}
        if expected is not None:
            body["expected_retry_count"] = expected
        answer = self._transport.write("POST", _path(task_id, "retry-from-stage"), body, key=idempotency_key)
        task = self._answered_task(answer, task_id)
        stage = next((stage for stage in task.stages if stage.stage_id == stage_id), None)
        if stage is None:
            raise UnclearOutcome(f"The answer about {task_id} does not hold the stage {stage_id}.")
        if stage.retry_count <= (before or 0):
            raise UnclearOutcome(f"The answer says that the attempt number of {stage_id} has not moved.")
        return StageRetry(task=task, stage_id=stage_id, attempt=stage.retry_count + 1)

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected: Mapping[str, int] | None = None,
        idempotency_key: str | None = None,
        item_keys: Mapping[str, str] | None = None,
    ) -> BatchRetry:
        """Reset the earliest failed stage of each task, each asked for once.

        Args:
            task_ids: Tasks.
            expected: By task, sent to the platform, which refuses where it has moved; not part of the plain dialect.
            idempotency_key: Names the whole request; not part of the plain dialect.
            item_keys: By task, name its intent; not part of the plain dialect.
        """
        wanted = tuple(dict.fromkeys(task_ids))
        self._transport.require_writable()
        if not wanted:
            return BatchRetry(items=())
        path = f"{BASE}/tasks/retry-batch"
        extras = {"expected_retry_counts": expected, "idempotency_keys": item_keys}
        body = {"task_ids": list(wanted)} | {name: dict(value) for name, value in extras.items() if value}
        answer = self._transport.write("POST", path, body, key=idempotency_key)
        try:
            items, _ = read_model(WireBatch, answer)
        except Unreadable as error:
            raise UnclearOutcome(f"The answer to the batch cannot be read: {error}.") from error
        told = {item.task_id: item for item in items.items}
        if told.keys() != set(wanted) or len(told) != len(items.items):
            raise UnclearOutcome("The answer to the batch does not tell of exactly the tasks that were asked for.")
        return BatchRetry(items=tuple(self._batch_item(told[task_id]) for task_id in wanted))

    def submit(
        self, body: Mapping[str, Any], *, files: Sequence[Path] = (), idempotency_key: str | None = None
    ) -> TaskRecord:
        """Make a task; a call of the embedded platform only."""
        answer = self._transport.write("POST", f"{BASE}/tasks", body, files=files, key=idempotency_key)
        return self._answered_task(answer, None)

    def cancel(self, task_id: str) -> TaskRecord:
        """Cancel a queued or running task."""
        return self._answered_task(self._transport.write("POST", _path(task_id, "cancel")), task_id)

    def recall(self, key: str) -> Recalled:
        """What became of an idempotency key; a call of the embedded platform only."""
        try:
            return _recalled(self._transport.read(_key_path(key)), key)
        except Unreadable as error:
            raise BadAnswer(f"The answer about an idempotency key cannot be read: {error}.") from error

    def call_off(self, key: str) -> Recalled:
        """Refuse an idempotency key from now on; a call of the embedded platform only."""
        try:
            return _recalled(self._transport.write("POST", _key_path(key, "call-off")), key)
        except Unreadable as error:
            raise UnclearOutcome(f"The answer about an idempotency key cannot be read: {error}.") from error

    def retry_count(self, task_id: str, stage_id: str) -> int | None:
        """The attempt count of a stage now, read before a write; None where the task has no such stage.

        Raises:
            NotSent: It could not be read, so the write is not sent.
        """
        with nothing_sent():
            task = self.task(task_id)
        return next((stage.retry_count for stage in task.stages if stage.stage_id == stage_id), None)

    def _filters(self, query: TaskQuery) -> tuple[dict[str, str | None], bool]:
        """What the platform itself filters by, and whether that is all that the query means."""
        project = None if query.project is None else self._project_id(query.project)
        filters = {
            "status": FILTER_WORDS.get(query.status) if query.status else None,
            "project_id": project,
            "title": query.title or None,
        }
        unfiltered = (query.status and not filters["status"]) or (query.project and not project) or query.since
        return filters, not unfiltered

    def _read(self, answer: object) -> TaskRecord:
        try:
            return self._limited(read_task(answer))
        except Unreadable as error:
            raise BadAnswer(f"The task cannot be read: {error}.") from error

    def _answered_task(self, answer: object, task_id: str | None) -> TaskRecord:
        """The task in the answer to a write, if it is the right one; None means a new one."""
        try:
            task = read_task(answer)
        except Unreadable as error:
            raise UnclearOutcome(f"The answer about {task_id or 'the new task'} cannot be read: {error}.") from error
        if task_id not in {None, task.task_id}:
            raise UnclearOutcome(f"The answer is about another task than {task_id}.")
        return self._limited(task)

    def _batch_item(self, item: WireBatchItem) -> BatchItem:
        task = None if item.task is None else self._answered_task(item.task, item.task_id)
        return BatchItem(task_id=item.task_id, accepted=item.success, reason=item.reason or "", task=task)

    def _limited(self, task: TaskRecord) -> TaskRecord:
        """The task with the retry limits of its template where its stages name none."""
        if all(stage.retry_limit is not None for stage in task.stages):
            return task
        template = str(task.extra.get("template_id"))
        stages = tuple(
            stage
            if stage.retry_limit is not None
            else replace(stage, retry_limit=self.template_limit(template, stage.stage))
            for stage in task.stages
        )
        return replace(task, stages=stages)

    def _template_limits(self) -> dict[tuple[str, str], int]:
        """Retry limits by template and stage, read once; empty where the platform does not tell."""
        with self._limits_lock:
            if self._limits is None:
                self._limits = self._read_limits()
            return self._limits

    def _read_limits(self) -> dict[tuple[str, str], int]:
        return {
            (str(template.get("id")), str(stage.get("name"))): limit
            for template in self._listed("templates")
            for stage in template.get("stages") or ()
            if isinstance(stage, dict) and isinstance(limit := stage.get("max_retries"), int)
        }

    def _project_id(self, project: str) -> str | None:
        """The id to filter by for a project's id or name; None where the platform does not tell."""
        for known in self._listed("projects"):
            if project in {known.get("id"), known.get("name"), known.get("display_name")}:
                return str(known.get("id"))
        return None

    def _listed(self, what: str) -> list[dict[str, Any]]:
        """Rows of a list that a platform need not have."""
        try:
            envelope = read_envelope(self._transport.read(f"{BASE}/{what}"))
        except PlatformError:
            return []
        return [row for row in envelope.rows if isinstance(row, dict)]


def _paged(filters: Mapping[str, str | None], number: int, size: int) -> dict[str, str | int | None]:
    return {"page": number, "page_size": size, **filters}


def _path(task_id: str, action: str | None = None) -> str:
    path = f"{BASE}/tasks/{segment(task_id)}"
    return path if action is None else f"{path}/{action}"


def _key_path(key: str, action: str | None = None) -> str:
    path = f"{BASE}/idempotency-keys/{segment(key, what='key')}"
    return path if action is None else f"{path}/{action}"


def _recalled(answer: object, key: str) -> Recalled:
    told, _ = read_model(WireKey, answer)
    if told.key != key:
        raise Unreadable("key", "it is about another one")
    return told.record()


def _log_row(row: object, task_id: str, position: int) -> tuple[object, LogRecord]:
    """A log row and what tells it from others; an unreadable one stays in its place and says so."""
    try:
        read, _ = read_model(WireLogRow, row)
    except Unreadable as error:
        text = f"(unreadable row: {error})"
        return object(), LogRecord(task_id=task_id, stage=None, seq=position, time=None, kind="event", text=text)
    record = read.record(task_id, position)
    key = (record.stage, record.seq, record.kind, record.text) if read.id is None else read.id
    return key, record

"""The queue dialect, call by call. Source: the queue contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from retry_toolkit.errors import BadAnswer, NotFound, UnclearOutcome
from retry_toolkit.platforms.base import Page, TaskFiles, TaskPage, TaskQuery, TaskRecord, TaskRetry
from retry_toolkit.platforms.bulk import Reading
from retry_toolkit.platforms.decode import ReadPage, Unreadable, read_envelope, read_model, read_page
from retry_toolkit.platforms.guards import check_about
from retry_toolkit.platforms.paging import Outline, list_pages, select
from retry_toolkit.platforms.plain import PlainRow
from retry_toolkit.platforms.queue_bulk import page_reader
from retry_toolkit.platforms.queue_wire import WireFiles, WireRetry, read_job
from retry_toolkit.platforms.transport import Transport, segment

BASE = "/api"


class QueueCalls:
    """The calls of the queue dialect over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._reader = page_reader()

    def pages(self, query: TaskQuery) -> Iterator[TaskPage]:
        """Pages of the tasks that a query means, newest first; the dialect has no filters of its own."""

        def fetch(number: int, size: int) -> ReadPage[TaskRecord]:
            envelope = read_envelope(self._transport.read(f"{BASE}/tasks", {"page": number, "page_size": size}))
            return read_page(envelope, number, size, read_job)

        return select(lambda most: list_pages(fetch, most=most), query, exact=_is_exact(query))

    def bulk_pages(self, query: TaskQuery, reading: Reading, outline: Outline[PlainRow]) -> Iterator[Page[PlainRow]]:
        """The same as plain rows."""

        def fetch(number: int, size: int) -> ReadPage[PlainRow]:
            body = self._transport.read_body(f"{BASE}/tasks", {"page": number, "page_size": size})
            return self._reader.read(body, number, size)

        return select(
            lambda most: list_pages(fetch, most=most, reading=reading), query, exact=_is_exact(query), outline=outline
        )

    def task(self, task_id: str) -> TaskRecord:
        """One task, fresh and with all that its detail tells."""
        try:
            answer = self._transport.read(_path(task_id, "detail"))
        except NotFound:
            # Not every server has the detail; the shorter answer says whether the task itself is unknown.
            answer = self._transport.read(_path(task_id))
        try:
            task = read_job(answer)
        except Unreadable as error:
            raise BadAnswer(f"The task cannot be read: {error}.") from error
        check_about(task_id, task.task_id)
        return task

    def files(self, task_id: str) -> TaskFiles:
        """Input files of a task.

        Raises:
            NotFound: No such task, or the platform does not tell of files.
        """
        try:
            files, _ = read_model(WireFiles, self._transport.read(_path(task_id, "files")))
        except Unreadable as error:
            raise BadAnswer(f"The files of {task_id} cannot be read: {error}.") from error
        check_about(task_id, files.task_id)
        return files.record()

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool,
        display_name: str | None,
        expected: int | None = None,
        idempotency_key: str | None = None,
    ) -> TaskRetry:
        """Make a new task with the same parameters.

        Args:
            task_id: Task to retry.
            copy_files: Copy the input files, or link them.
            display_name: Name of the new task; the platform's choice if None.
            expected: Direct retries so far; the platform refuses where it has moved. Not in the plain dialect.
            idempotency_key: Names the intent; not in the plain dialect.
        """
        body: dict[str, Any] = {"copy_files": copy_files}
        if display_name is not None:
            body["display_name"] = display_name
        if expected is not None:
            body["expected_retry_count"] = expected
        answer = self._transport.write("POST", _path(task_id, "retry"), body, key=idempotency_key)
        try:
            retry, _ = read_model(WireRetry, answer)
        except Unreadable as error:
            raise UnclearOutcome(f"The answer about {task_id} cannot be read: {error}.") from error
        if retry.original_task_id not in {None, task_id} or retry.new_task_id == task_id:
            raise UnclearOutcome(f"The answer is not about a retry of {task_id}.")
        return TaskRetry(
            task_id=task_id,
            new_task_id=retry.new_task_id,
            files_copied=retry.files_copied,
            files_linked=retry.files_linked,
            message=retry.message or "",
        )

    def stop(self, task_id: str) -> None:
        """Stop a queued or running task."""
        answer = self._transport.write("POST", _path(task_id, "stop"))
        match answer:
            case {"task_id": told} if str(told) == task_id:
                return
            case _:
                raise UnclearOutcome(f"The answer is not about stopping {task_id}.")


def _is_exact(query: TaskQuery) -> bool:
    """Whether the platform applies the whole query itself."""
    return query == TaskQuery(limit=query.limit)


def _path(task_id: str, action: str | None = None) -> str:
    path = f"{BASE}/tasks/{segment(task_id)}"
    return path if action is None else f"{path}/{action}"

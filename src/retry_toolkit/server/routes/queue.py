"""The queue dialect under `/api`: tasks as jobs of a queue, whole retries, files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

from fastapi import APIRouter, Body, HTTPException, Path, Query
from fastapi.exceptions import RequestValidationError
from starlette.responses import StreamingResponse

from retry_toolkit.server.files import free_bytes_of_disk
from retry_toolkit.server.records import Task, TaskStatus
from retry_toolkit.server.routes.context import (
    CallOf,
    Page,
    PageSize,
    PartsOf,
    PathTask,
    TaskId,
    TitleFilter,
    refusals,
    send,
    write_refusals,
)
from retry_toolkit.server.wire.answers import JsonAnswer
from retry_toolkit.server.wire.queue import (
    DEFAULT_PAGE_SIZE,
    STORED_STATUS,
    Deleted,
    InputFiles,
    Outputs,
    QueueList,
    QueueTask,
    RetryResult,
    Stopped,
    input_files,
    outputs,
    queue_detail,
    queue_status,
    queue_task,
    stopped,
)
from retry_toolkit.server.wire.requests import TaskRetryRequest

router = APIRouter(prefix="/api", tags=["Queue dialect"])

CHUNK = 2**18


@router.get("/tasks", response_model=QueueList, responses=refusals(), summary="Tasks, newest first")
def list_tasks(
    *,
    parts: PartsOf,
    page: Page = 1,
    page_size: PageSize = DEFAULT_PAGE_SIZE,
    status: Annotated[
        str, Query(max_length=20, description="Only tasks of this status, any word of the dialect; empty for all.")
    ] = "",
    title: TitleFilter = "",
) -> JsonAnswer:
    """One page of tasks, without their `error_detail`."""
    found = parts.store.tasks(page=page, page_size=page_size, status=_stored_status(status), title=title or None)
    items = [queue_task(task) for task in found.items]
    return JsonAnswer({"items": items, "total": found.total, "page": page, "page_size": page_size})


@router.get("/tasks/{task_id}", response_model=QueueTask, responses=refusals(404), summary="Status of a task")
def get_task(task: PathTask) -> JsonAnswer:
    """How a task stands."""
    return JsonAnswer(queue_status(task))


@router.get(
    "/tasks/{task_id}/detail", response_model=QueueTask, responses=refusals(404), summary="Everything about a task"
)
def get_detail(task: PathTask, parts: PartsOf) -> JsonAnswer:
    """How a task stands, its parameters, directories and history."""
    base_dir = str(parts.outputs.base_dir(task))
    input_dir = str(parts.store.layout.inputs(task.id))
    return JsonAnswer(queue_detail(task, input_dir=input_dir, output_dir=base_dir, log_dir=base_dir))


@router.get(
    "/tasks/{task_id}/outputs", response_model=Outputs, responses=refusals(404), summary="Output files of a task"
)
def list_outputs(task: PathTask, parts: PartsOf) -> JsonAnswer:
    """What the completed stages left in their work directories."""
    return JsonAnswer(outputs(task, str(parts.outputs.base_dir(task)), parts.outputs.find(task)))


@router.get(
    "/tasks/{task_id}/outputs/{name:path}",
    response_class=StreamingResponse,
    responses=refusals(404) | {200: {"content": {"application/octet-stream": {}}, "description": "Its bytes."}},
    summary="Download an output file",
)
def download_output(
    task: PathTask, name: Annotated[str, Path(description="Name of the file, as listed.")], parts: PartsOf
) -> StreamingResponse:
    """The bytes of an output file, always as a download."""
    try:
        with parts.outputs.open(task, name) as descriptor:
            file = os.fdopen(os.dup(descriptor), "rb")
    except FileNotFoundError:
        raise HTTPException(404, "File not found") from None
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2], safe='')}",
        "Content-Length": str(os.fstat(file.fileno()).st_size),
    }
    return StreamingResponse(_chunks(file), media_type="application/octet-stream", headers=headers)


@router.delete("/tasks/{task_id}", response_model=Deleted, responses=write_refusals(404, 409), summary="Delete a task")
def delete_task(task_id: TaskId, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Remove a task that is not running, with its files; the audit trail stays."""
    return send(parts.actions.delete(task_id, intent=call.intent()))


@router.get(
    "/tasks/{task_id}/files", response_model=InputFiles, responses=refusals(404), summary="Input files of a task"
)
def list_files(task: PathTask, parts: PartsOf) -> JsonAnswer:
    """The input files, whether they still exist, and where they come from."""
    free_bytes = free_bytes_of_disk(parts.settings.home)
    return JsonAnswer(input_files(task, parts.store.files(task.id), free_bytes=free_bytes))


@router.post(
    "/tasks/{task_id}/retry",
    response_model=RetryResult,
    responses=write_refusals(404, 409, 410, 507),
    summary="Retry a task as a whole",
)
def retry_task(
    task_id: TaskId, parts: PartsOf, call: CallOf, body: Annotated[TaskRetryRequest | None, Body()] = None
) -> JsonAnswer:
    """Make a new task with the same parameters and copied or linked input files."""
    asked = body or TaskRetryRequest()
    answer = parts.actions.retry_task(
        task_id,
        copy_files=asked.copy_files,
        submitter=asked.submitter or None,
        display_name=asked.display_name or None,
        expected_retry_count=asked.expected_retry_count,
        intent=call.intent(asked.model_dump()),
    )
    return send(answer)


@router.post("/tasks/{task_id}/stop", response_model=Stopped, responses=write_refusals(404), summary="Stop a task")
def stop_task(task_id: TaskId, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Cancel a queued or running task."""
    return send(parts.actions.cancel(task_id, intent=call.intent(), render=_render_stopped))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _render_stopped(task: Task) -> dict[str, Any]:
    return dict(stopped(task))


def _stored_status(word: str) -> TaskStatus | None:
    if not word:
        return None
    try:
        return STORED_STATUS[word.upper()]
    except KeyError:
        known = ", ".join(STORED_STATUS)
        problem = {"loc": ("query", "status"), "msg": f"Must be one of {known}", "type": "enum"}
        raise RequestValidationError([problem]) from None

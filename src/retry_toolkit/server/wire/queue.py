"""The queue dialect on the wire: its answers, and how records become them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NotRequired
from urllib.parse import quote

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

from retry_toolkit.server.wire.answers import described, epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from retry_toolkit.server.outputs import OutputFile as OutputRecord
    from retry_toolkit.server.records import InputFile, Stage, Task, TaskStatus

DEFAULT_PAGE_SIZE = 10

QUEUE_STATUS: dict[TaskStatus, str] = {
    "pending": "PENDING",
    "running": "RUNNING",
    "completed": "SUCCESS",
    "failed": "FAILURE",
    "cancelled": "CANCELLED",
}
STORED_STATUS: dict[str, TaskStatus] = {word: status for status, word in QUEUE_STATUS.items()} | {
    "STARTED": "running",
    "DOWNLOADING": "running",
    "PROGRESS": "running",
    "RETRY": "pending",
    "FAILED": "failed",
    "REVOKED": "cancelled",
    "CANCELED": "cancelled",
    "ABORTED": "cancelled",
}
"""Every word of the dialect that a filter may use."""


@described
class Progress(TypedDict):
    """How far a task is."""

    progress_percent: float
    """Share of its stages that have completed, 0 to 100."""
    current_pass: int
    """Stage that runs or comes next, from 1."""
    total_passes: int
    """How many stages it has."""
    message: str
    """Name of that stage."""


@described
class StatusChange(TypedDict):
    """One change of a task's status."""

    status: str
    """What it became."""
    timestamp: float | None
    """When, in seconds since 1970."""
    error: str | None
    """Error that caused it."""


@described
class QueueTask(TypedDict):
    """One task as a job of a queue; a list leaves out what may be long."""

    task_id: str
    """Id; opaque text, never a number."""
    status: str
    """`PENDING`, `RUNNING`, `SUCCESS`, `FAILURE` or `CANCELLED`."""
    display_name: str | None
    """What its submitter called it."""
    job_name: str | None
    """Name of its pipeline."""
    created_at: float | None
    """Submitted, in seconds since 1970."""
    duration: float | None
    """Running time of its stages in seconds, once it has ended."""
    elapsed_seconds: float | None
    """Running time of its stages so far, in seconds."""
    message: str | None
    """Last line of its error, or null."""
    error_detail: NotRequired[str | None]
    """Full error of its earliest failed stage; not in lists."""
    submitter: str | None
    """Who submitted it."""
    solver_type: str | None
    """Always null here."""
    ansys_release: str | None
    """Always null here."""
    progress_info: Progress | None
    """How far it is; null without stages."""
    parent_task_id: str | None
    """Task that this one retries."""
    retry_count: int | None
    """0 for an original, k for the k-th retry along the chain."""
    retried_task_ids: list[str] | None
    """Direct retries of this task. Their number is the `expected_retry_count` of a retry."""
    params: NotRequired[dict[str, Any]]
    """Its parameters; in the detail only."""
    input_dir: NotRequired[str | None]
    """Directory of its input files on the platform's machine; in the detail only."""
    output_dir: NotRequired[str | None]
    """Directory of its output files on the platform's machine; in the detail only."""
    log_dir: NotRequired[str | None]
    """Directory of its logs on the platform's machine; in the detail only."""
    status_history: NotRequired[list[StatusChange]]
    """Every change of its status, oldest first; in the detail only."""


@described
class QueueList(TypedDict):
    """One page of tasks, newest first."""

    items: list[QueueTask]
    """The tasks."""
    total: int
    """How many there are in all."""
    page: int
    """This page, from 1."""
    page_size: int
    """Rows asked for."""


@described
class OutputEntry(TypedDict):
    """One output file."""

    name: str
    """Path under the output directory, with `/`."""
    url: str
    """Where to download it."""


@described
class OutputFile(TypedDict):
    """One output file with its size."""

    name: str
    """Path under the output directory, with `/`."""
    url: str
    """Where to download it."""
    size_bytes: int
    """Size in bytes."""
    stage: str
    """Stage that made it."""


@described
class Outputs(TypedDict):
    """The output files of a task: what the latest completed attempt of each stage left."""

    task_id: str
    """Task."""
    base_dir: str
    """Their directory on the platform's machine."""
    files: list[OutputEntry]
    """The files."""
    file_entries: list[OutputFile]
    """The files with more about each."""
    download_url: str | None
    """Always null here: there is no archive of all."""
    download_name: str | None
    """Always null here."""


@described
class FileEntry(TypedDict):
    """One input file."""

    name: str
    """Name in the input directory."""
    size_bytes: int
    """Size in bytes."""
    exists: bool
    """Whether it is still there."""
    method: str
    """`original`, `copied` or `linked`."""
    source_task_id: str | None
    """Task that it was copied or linked from."""


@described
class InputFiles(TypedDict):
    """The input files of a task."""

    task_id: str
    """Task."""
    retention_until: float | None
    """Until when they are kept, in seconds since 1970."""
    free_bytes: int
    """Bytes that may still be written to the disk where copies go."""
    files: list[FileEntry]
    """The files by name."""


@described
class RetryResult(TypedDict):
    """A whole retry that was accepted."""

    new_task_id: str
    """The new task."""
    original_task_id: str
    """The task that it retries."""
    status: str
    """Always `PENDING`."""
    message: str
    """What happened, in words."""
    files_copied: int
    """Input files copied."""
    files_linked: int
    """Input files linked."""


@described
class Stopped(TypedDict):
    """A task that was stopped."""

    task_id: str
    """Task."""
    status: str
    """Its status after the request; `CANCELLED`."""
    message: str
    """What happened, in words."""


@described
class Deleted(TypedDict):
    """A task that was deleted."""

    task_id: str
    """Task."""
    message: str
    """What happened, in words."""


def queue_task(task: Task, *, now: datetime | None = None) -> QueueTask:
    """A task as the dialect lists it, without `error_detail`."""
    error = _error(task)
    elapsed = _elapsed(task, now or datetime.now(UTC))
    return {
        "task_id": task.id,
        "status": QUEUE_STATUS[task.status],
        "display_name": task.title,
        "job_name": task.pipeline,
        "created_at": epoch(task.created_at),
        "duration": elapsed if task.completed_at else None,
        "elapsed_seconds": elapsed,
        "message": error.strip().rpartition("\n")[2] if error else None,
        "submitter": task.submitter,
        "solver_type": None,
        "ansys_release": None,
        "progress_info": _progress(task),
        "parent_task_id": task.parent_task_id,
        "retry_count": task.retry_count,
        "retried_task_ids": list(task.retried_task_ids),
    }


def queue_status(task: Task) -> QueueTask:
    """A task as the dialect answers for it alone."""
    return {**queue_task(task), "error_detail": _error(task)}


def queue_detail(task: Task, *, input_dir: str | None, output_dir: str | None, log_dir: str | None) -> QueueTask:
    """A task with everything that is known."""
    return {
        **queue_status(task),
        "params": task.params,
        "input_dir": input_dir,
        "output_dir": output_dir,
        "log_dir": log_dir,
        "status_history": [_status_change(entry) for entry in task.status_history],
    }


def stopped(task: Task) -> Stopped:
    """What a stop answers."""
    return {"task_id": task.id, "status": "CANCELLED", "message": "Task cancelled"}


def input_files(task: Task, files: Iterable[InputFile], *, free_bytes: int) -> InputFiles:
    """The input files of a task, and the room for copies of them."""
    return {
        "task_id": task.id,
        "retention_until": epoch(task.retention_until),
        "free_bytes": free_bytes,
        "files": [
            {
                "name": file.name,
                "size_bytes": file.size_bytes,
                "exists": file.exists,
                "method": file.method,
                "source_task_id": file.source_task_id,
            }
            for file in files
        ],
    }


def outputs(task: Task, base_dir: str, found: Iterable[OutputRecord]) -> Outputs:
    """The output files of a task."""
    entries: list[OutputFile] = [
        {
            "name": file.name,
            "url": f"/api/tasks/{quote(task.id, safe='')}/outputs/{quote(file.name)}",
            "size_bytes": file.size_bytes,
            "stage": file.stage,
        }
        for file in found
    ]
    return {
        "task_id": task.id,
        "base_dir": base_dir,
        "files": [{"name": entry["name"], "url": entry["url"]} for entry in entries],
        "file_entries": entries,
        "download_url": None,
        "download_name": None,
    }


def _status_change(entry: Mapping[str, Any]) -> StatusChange:
    return {
        "status": QUEUE_STATUS[entry["status"]],
        "timestamp": entry["timestamp"],
        "error": entry["error"],
    }


def _error(task: Task) -> str | None:
    return next((stage.error_message for stage in task.stages if stage.status == "failed"), None)


def _elapsed(task: Task, now: datetime) -> float | None:
    """Seconds for which its stages have run, or None before the first began."""
    spent = [seconds for stage in task.stages if (seconds := _stage_seconds(stage, now)) is not None]
    return sum(spent) if spent else None


def _stage_seconds(stage: Stage, now: datetime) -> float | None:
    if stage.status == "running" and stage.started_at:
        return max(0.0, (now - stage.started_at).total_seconds())
    return stage.duration_seconds


def _progress(task: Task) -> Progress | None:
    if not task.stages:
        return None
    completed = sum(stage.status == "completed" for stage in task.stages)
    current = next((stage for stage in task.stages if stage.status != "completed"), task.stages[-1])
    return {
        "progress_percent": round(100 * completed / len(task.stages), 1),
        "current_pass": current.position + 1,
        "total_passes": len(task.stages),
        "message": current.name,
    }

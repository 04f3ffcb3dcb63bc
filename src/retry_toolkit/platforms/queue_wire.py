"""The queue dialect on the wire: its objects, and how they become records. Source: the queue contract."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, get_args

from retry_toolkit.platforms.base import FileRecord, Method, Status, TaskFiles, TaskRecord
from retry_toolkit.platforms.decode import (
    NOTES,
    Anything,
    Count,
    Id,
    Moment,
    Number,
    Object,
    OptionalId,
    Text,
    WireModel,
    parse_moment,
    read_model,
)

STATUS_WORDS: dict[str, Status] = {
    "PENDING": "pending",
    "STARTED": "running",
    "DOWNLOADING": "running",
    "RUNNING": "running",
    "PROGRESS": "running",
    "RETRY": "running",
    "SUCCESS": "succeeded",
    "FAILURE": "failed",
    "FAILED": "failed",
    "REVOKED": "cancelled",
    "CANCELLED": "cancelled",
    "CANCELED": "cancelled",
    "ABORTED": "cancelled",
}

ENDED: frozenset[Status] = frozenset({"succeeded", "failed", "cancelled"})


class WireJob(WireModel):
    """A task of the queue; `params` and `status_history` come with the detail only."""

    task_id: Id
    status: Text = None
    display_name: Text = None
    job_name: Text = None
    created_at: Moment = None
    duration: Number = None
    elapsed_seconds: Number = None
    message: Text = None
    error_detail: Text = None
    submitter: Text = None
    solver_type: Text = None
    progress_info: Object = None
    parent_task_id: OptionalId = None
    retry_count: Count = None
    retried_task_ids: list[Id] | None = None
    params: Object = None
    status_history: Anything = None

    def record(self, notes: list[str]) -> TaskRecord:
        """This task as a record."""
        status = status_of(self.status)
        extra = self.surplus | {"message": self.message, "progress_info": self.progress_info, "job_name": self.job_name}
        return TaskRecord(
            task_id=self.task_id,
            name=self.display_name or self.job_name or None,
            status=status,
            native_status=self.status or "unknown",
            created_at=self.created_at,
            finished_at=ended_at(status, self.status_history),
            duration_s=self.elapsed_seconds if self.duration is None else self.duration,
            template=self.solver_type or self.job_name or None,
            owner=self.submitter,
            error=error_text(status, self.error_detail, self.message),
            retry_count=self.retry_count,
            parent_id=self.parent_task_id,
            retried_by=tuple(self.retried_task_ids or ()),
            progress=_progress(self.progress_info),
            parameters=self.params,
            extra={name: value for name, value in extra.items() if value is not None}
            | ({NOTES: notes} if notes else {}),
        )


class WireFile(WireModel):
    """An input file."""

    name: Text = None
    size_bytes: Count = None
    exists: bool | None = None
    method: Text = None
    source_task_id: OptionalId = None

    def record(self) -> FileRecord:
        """This file as a record."""
        known: dict[str | None, Method] = {method: method for method in get_args(Method)}
        return FileRecord(
            name=self.name or "",
            size_bytes=self.size_bytes,
            exists=self.exists,
            method=known.get(self.method, "unknown"),
            source_task_id=self.source_task_id,
        )


class WireFiles(WireModel):
    """The input files of a task."""

    task_id: Id
    retention_until: Moment = None
    free_bytes: Count = None
    files: list[WireFile]

    def record(self) -> TaskFiles:
        """These files as a record."""
        files = tuple(file.record() for file in self.files)
        return TaskFiles(
            task_id=self.task_id, files=files, retention_until=self.retention_until, free_bytes=self.free_bytes
        )


class WireRetry(WireModel):
    """A whole retry that was accepted."""

    new_task_id: Id
    original_task_id: OptionalId = None
    message: Text = None
    files_copied: Count = None
    files_linked: Count = None


def read_job(value: object) -> TaskRecord:
    """A task of this dialect as a record.

    Raises:
        Unreadable: Its meaning is lost.
    """
    job, notes = read_model(WireJob, value)
    return job.record(notes)


@lru_cache(maxsize=1024)
def status_of(word: str | None) -> Status:
    """The toolkit's status for a word of this dialect."""
    return STATUS_WORDS.get((word or "").strip().upper(), "unknown")


def error_text(status: Status, detail: str | None, hint: str | None) -> str | None:
    """The full error, else the hint, which is an error only where the task did not succeed."""
    return detail or (hint if status in {"failed", "cancelled"} else None) or None


def ended_at(status: Status, history: object) -> datetime | None:
    """When the last status that ends a task was reached; None for a task that has not ended."""
    if status not in ENDED:
        return None
    for entry in reversed(history if isinstance(history, list) else []):
        match entry:
            case {"status": str() as word, "timestamp": moment} if status_of(word) in ENDED:
                return parse_moment(moment)
    return None


def _progress(info: dict[str, Any] | None) -> float | None:
    match info:
        case {"progress_percent": int() | float() as percent}:
            return min(1.0, max(0.0, percent / 100))
        case _:
            return None

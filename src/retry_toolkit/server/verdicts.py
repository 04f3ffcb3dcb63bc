"""Whether an action is allowed: pure decisions on a task as it stands, with the contract's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from retry_toolkit.server import files
from retry_toolkit.server.ledger import UNFINISHED

if TYPE_CHECKING:
    from retry_toolkit.server.records import Stage, Task

FILES_GONE = "原任务文件已被清理，无法重试"


class ActionRefused(Exception):
    """The platform says no; nothing was done.

    Attributes:
        status: HTTP status.
        detail: What the caller is told.
    """

    def __init__(self, status: int, detail: str | dict[str, Any]) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    @property
    def reason(self) -> str:
        """The detail in words."""
        return self.detail if isinstance(self.detail, str) else str(self.detail["message"])


def known(task: Task | None) -> Task:
    """The task.

    Raises:
        ActionRefused: There is none.
    """
    if task is None:
        raise ActionRefused(404, "Task not found")
    return task


def stage_to_retry(task: Task, stage_id: str, expected_retry_count: int | None) -> Stage:
    """The one stage that a stage retry resets.

    Raises:
        ActionRefused: It may not be reset.
    """
    stage = next((stage for stage in task.stages if stage.id == stage_id), None)
    if stage is None:
        raise ActionRefused(404, "Stage not found")
    # Before the status: a repeat that comes too late is told so, whatever has become of the task since.
    _check_attempt(stage.retry_count, expected_retry_count)
    _check_failed(task)
    if stage.status != "failed":
        raise ActionRefused(400, "Target stage status is not failed")
    _check_limit(stage)
    return stage


def stages_to_retry(task: Task) -> tuple[Stage, ...]:
    """Every failed stage, for the retry of all of them.

    Raises:
        ActionRefused: One of them may not be reset, or there is none.
    """
    _check_failed(task)
    failed = _failed_stages(task)
    for stage in failed:
        _check_limit(stage)
    return failed


def stage_of_batch(task: Task, expected_retry_count: int | None) -> Stage:
    """The earliest failed stage that is under its limit.

    Raises:
        ActionRefused: There is none, or its attempt number has moved.
    """
    _check_failed(task)
    failed = _failed_stages(task)
    open_to_retry = [stage for stage in failed if stage.retry_count < stage.max_retries]
    if not open_to_retry:
        _refuse_limit(failed[0])
    _check_attempt(open_to_retry[0].retry_count, expected_retry_count)
    return open_to_retry[0]


def check_whole_retry(task: Task, expected_retry_count: int | None) -> None:
    """Refuse the whole retry of a task that has not ended, or that was retried meanwhile.

    Raises:
        ActionRefused: It may not be retried.
    """
    _check_attempt(len(task.retried_task_ids), expected_retry_count)
    if task.status in UNFINISHED:
        raise ActionRefused(400, f"task status is {task.status}")


def check_cancel(task: Task) -> None:
    """Refuse to cancel a task that has ended.

    Raises:
        ActionRefused: It has ended.
    """
    if task.status not in UNFINISHED:
        raise ActionRefused(400, f"task status is {task.status}")


def check_delete(task: Task) -> None:
    """Refuse to delete a running task.

    Raises:
        ActionRefused: It runs.
    """
    if task.status == "running":
        raise ActionRefused(409, "task status is running: stop it first")


def refuse_files(error: files.FilesError, *, again: bool) -> NoReturn:
    """Say why input files cannot be taken; `again` when they are another task's.

    Raises:
        ActionRefused: Always.
    """
    match error:
        case files.DiskFull(needed_bytes=needed, free_bytes=free):
            detail = {"message": "Not enough disk space", "needed_bytes": needed, "free_bytes": free}
            raise ActionRefused(507, detail) from error
        case files.FilesMissing() if again:
            raise ActionRefused(410, FILES_GONE) from error
        case files.FilesMissing():
            raise ActionRefused(400, f"No such file: {error}") from error
        case files.CannotLink():
            raise ActionRefused(400, f"Cannot link {error}: the file system refuses; copy the files instead") from error
        case _:
            raise ActionRefused(400, f"Not a regular file, or not a usable name: {error}") from error


def _failed_stages(task: Task) -> tuple[Stage, ...]:
    failed = tuple(stage for stage in task.stages if stage.status == "failed")
    if not failed:
        raise ActionRefused(400, "task has no failed stage")
    return failed


def _check_failed(task: Task) -> None:
    if task.status != "failed":
        raise ActionRefused(400, f"task status is {task.status}")


def _check_attempt(found: int, expected: int | None) -> None:
    if expected is not None and found != expected:
        raise ActionRefused(409, f"retry_count is {found}, expected {expected}")


def _check_limit(stage: Stage) -> None:
    if stage.retry_count >= stage.max_retries:
        _refuse_limit(stage)


def _refuse_limit(stage: Stage) -> NoReturn:
    raise ActionRefused(400, f"Retry limit reached ({stage.retry_count}/{stage.max_retries})")

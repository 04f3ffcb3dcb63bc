"""Why a platform would refuse to retry a task, as far as that can be known before asking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from retry_toolkit.platforms.base import Capabilities, Refusal, Status, TaskRecord

RERUN = frozenset({"failed", "cancelled"})
"""Statuses of tasks that a queue retries as a whole."""


def judge(task: TaskRecord, capabilities: Capabilities, *, read_only: bool) -> TaskRecord:
    """The task with its `refusal`: None where the platform would take a retry."""
    return replace(task, refusal=refusal_of(task, capabilities, read_only=read_only))


def refusal_of(task: TaskRecord, capabilities: Capabilities, *, read_only: bool) -> Refusal | None:
    """Why not: what is wrong with the task first, then what the platform or this connection lacks."""
    failed = ((stage.retry_count, stage.retry_limit) for stage in task.stages if stage.status == "failed")
    return refusal(task.status, failed, capabilities, read_only=read_only)


def refusal(
    status: Status, failed: Iterable[tuple[int, int | None]], capabilities: Capabilities, *, read_only: bool
) -> Refusal | None:
    """`refusal_of` from what it looks at: the status of a task, and retries and limit of each failed stage."""
    if capabilities.stage_retry != "none":
        reason = _stage_refusal(status, failed)
    elif status not in RERUN:
        reason = "not_failed"
    else:
        reason = "unsupported" if capabilities.whole_retry == "none" else None
    return reason or ("read_only" if read_only else None)


def _stage_refusal(status: Status, failed: Iterable[tuple[int, int | None]]) -> Refusal | None:
    if status != "failed":
        return "not_failed"
    room = [limit is None or count < limit for count, limit in failed]
    if not room:
        return "no_failed_stage"
    return None if any(room) else "limit_reached"

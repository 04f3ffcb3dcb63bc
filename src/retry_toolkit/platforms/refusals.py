"""Why a platform would refuse to retry a task, as far as that can be known before asking."""

from __future__ import annotations

from dataclasses import replace

from retry_toolkit.platforms.base import Capabilities, Refusal, TaskRecord

RERUN = frozenset({"failed", "cancelled"})
"""Statuses of tasks that a queue retries as a whole."""


def judge(task: TaskRecord, capabilities: Capabilities, *, read_only: bool) -> TaskRecord:
    """The task with its `refusal`: None where the platform would take a retry."""
    return replace(task, refusal=refusal_of(task, capabilities, read_only=read_only))


def refusal_of(task: TaskRecord, capabilities: Capabilities, *, read_only: bool) -> Refusal | None:
    """Why not: what is wrong with the task first, then what the platform or this connection lacks."""
    if capabilities.stage_retry != "none":
        reason = _stage_refusal(task)
    elif task.status not in RERUN:
        reason = "not_failed"
    else:
        reason = "unsupported" if capabilities.whole_retry == "none" else None
    return reason or ("read_only" if read_only else None)


def _stage_refusal(task: TaskRecord) -> Refusal | None:
    if task.status != "failed":
        return "not_failed"
    failed = [stage for stage in task.stages if stage.status == "failed"]
    if not failed:
        return "no_failed_stage"
    under = (stage.retry_limit is None or stage.retry_count < stage.retry_limit for stage in failed)
    return None if any(under) else "limit_reached"

"""Whether a task can be retried as it stands now. Pure decisions on fresh records, with reasons in words."""

from __future__ import annotations

from retry_toolkit.platforms.base import StageRecord, TaskRecord
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Intent

RERUN = frozenset({"failed", "cancelled"})
"""Statuses of tasks that are retried as a whole."""


def stage_to_retry(task: TaskRecord, name: str | None = None) -> StageRecord | str:
    """The stage that a retry resets, or why there is none: the one of that name, else the earliest under its limit."""
    if task.status != "failed":
        return _standing(task)
    if name is not None:
        named = next((stage for stage in task.stages if stage.stage == name), None)
        if named is None:
            return say("no_stage", stage=name)
        return _stage_refusal(named) or named
    failed = [stage for stage in task.stages if stage.status == "failed"]
    if not failed:
        return say("no_failed_stage")
    return next((stage for stage in failed if _under_limit(stage)), None) or _limit(failed[0])


def whole_refusal(task: TaskRecord, *, alone: bool) -> str | None:
    """Why a task cannot be retried as a whole; one that succeeded is run again only when it was chosen `alone`."""
    if task.status in RERUN or (task.status == "succeeded" and alone):
        return None
    return _standing(task)


def changed_since(intent: Intent, task: TaskRecord) -> str | None:
    """Why an intent must not be sent any more: something has changed since it was planned. None where nothing has."""
    if intent.action == "task":
        if len(task.retried_by) != intent.attempt:
            return say("retries_moved", before=intent.attempt, now=len(task.retried_by))
        # Whether a task that succeeded may run again was decided with the plan.
        return whole_refusal(task, alone=True)
    stage = _stage_of(intent, task)
    if stage is None:
        return say("stage_gone", stage=intent.stage)
    # The number before the status: a task that failed, was retried and failed again looks like the one of the plan.
    if stage.retry_count != intent.attempt:
        return say("attempt_moved", before=intent.attempt, now=stage.retry_count)
    return _standing(task) if task.status != "failed" else _stage_refusal(stage)


def fits_batch(intent: Intent, task: TaskRecord) -> bool:
    """Whether a batch call resets just the stage of this intent: the earliest failed one that is under its limit."""
    chosen = stage_to_retry(task)
    return intent.action == "stage" and isinstance(chosen, StageRecord) and chosen.stage_id == intent.stage_id


def _stage_of(intent: Intent, task: TaskRecord) -> StageRecord | None:
    return next((stage for stage in task.stages if stage.stage_id == intent.stage_id), None)


def _stage_refusal(stage: StageRecord) -> str | None:
    if stage.status != "failed":
        return say("stage_not_failed", stage=stage.stage, status=stage.status)
    return None if _under_limit(stage) else _limit(stage)


def _under_limit(stage: StageRecord) -> bool:
    return stage.retry_limit is None or stage.retry_count < stage.retry_limit


def _limit(stage: StageRecord) -> str:
    return say("limit_reached", stage=stage.stage, count=stage.retry_count, limit=stage.retry_limit)


def _standing(task: TaskRecord) -> str:
    return say("not_failed", status=task.native_status if task.status == "unknown" else task.status)

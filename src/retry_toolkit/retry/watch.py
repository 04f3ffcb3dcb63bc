"""How an accepted retry ended. Pure: accepted is not succeeded, what the task does afterwards is."""

from __future__ import annotations

from retry_toolkit.frames.fingerprints import fingerprint
from retry_toolkit.platforms.base import StageRecord, TaskRecord
from retry_toolkit.retry.classify import Verdict
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Item

MAX_ERROR = 2_000
"""Most characters of an error that an item keeps."""


def watched_id(item: Item) -> str:
    """The task to watch: the new one of a whole retry, else the same."""
    return item.new_task_id or item.task_id


def end_of(item: Item, task: TaskRecord) -> Verdict | None:
    """What the retry came to, or None while it has not ended; `task` is the one of `watched_id`."""
    stage = _own_stage(item, task)
    if item.intent.action == "stage":
        after = item.intent.attempt + 1 if item.attempt_after is None else item.attempt_after
        if stage is None or stage.retry_count < after:
            # A look that is older than the answer: what it shows is the failure from before.
            return None
        if stage.retry_count > after:
            return Verdict(state="FAILED_AGAIN", reason=say("retried_since", stage=stage.stage))
    match task.status:
        case "succeeded":
            return Verdict(state="SUCCEEDED", reason=say("succeeded"))
        case "cancelled":
            return Verdict(state="CANCELLED", reason=say("cancelled"))
        case "failed":
            return _failed(task, stage)
        case _:
            return None


def gone() -> Verdict:
    """The task was deleted before it was seen to end."""
    return Verdict(state="CANCELLED", reason=say("deleted"))


def _own_stage(item: Item, task: TaskRecord) -> StageRecord | None:
    return next((stage for stage in task.stages if stage.stage_id == item.intent.stage_id), None)


def _failed(task: TaskRecord, own: StageRecord | None) -> Verdict:
    broken = own if own is not None and own.status == "failed" else task.failed_stage
    error = (broken and broken.error) or task.error or ""
    key = "failed" if broken is None else "failed_at" if own is None or own is broken else "failed_later"
    return Verdict(
        state="FAILED_AGAIN",
        reason=say(key, stage=broken and broken.stage),
        detail=error[-MAX_ERROR:],
        fingerprint=fingerprint(error),
    )

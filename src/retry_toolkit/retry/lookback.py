"""Reading back what an unclear request did: reads, and calling a request off, which can never cause a retry."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from retry_toolkit.errors import NotFound
from retry_toolkit.platforms.base import Platform, Recalled, Remembering, TaskRecord
from retry_toolkit.retry.classify import Verdict, unknown
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Intent, Item


def read_back(
    platform: Platform, item: Item, *, known: AbstractSet[str] | None = None, call_off: bool = False
) -> Verdict:
    """What the platform shows of a request that was sent without a clear answer.

    A platform that remembers keys tells what became of this very request. Elsewhere the attempt number, or a new retry,
    shows that one was acted on; whose it was cannot be seen there, and the reason says so. That nothing is seen is no
    proof that nothing will be: the item stays UNKNOWN.

    Args:
        platform: Where it was sent.
        item: What was sent.
        known: Of a whole retry: the retries that the task had just before, where they are known.
        call_off: Ask a platform that remembers keys never to act on it, unless it has already.

    Raises:
        RetryToolkitError: The platform could not be read.
    """
    told = _told(platform, item, call_off=call_off)
    if told is not None:
        return _of_key(told, item.intent)
    task = platform.task(item.task_id)
    return reset_seen(item.intent, task) if item.intent.action == "stage" else retry_seen(item.intent, task, known)


def confirm_new_task(platform: Platform, item: Item, new_task_id: str, known: AbstractSet[str]) -> Verdict:
    """Whether the new task that an answer names is a retry of this one: a wrong id looks like any other.

    Raises:
        RetryToolkitError: The platform could not be read.
    """
    told = _told(platform, item, call_off=False)
    if told is not None:
        return _of_key(told, item.intent)
    before = platform.task(item.task_id)
    if new_task_id in before.retried_by and new_task_id not in known:
        return _accepted(item.intent, new_task_id)
    try:
        new = platform.task(new_task_id)
    except NotFound:
        return unknown(say("no_new_task", task=new_task_id))
    # Some platforms tell nothing of lineage; a task that is told to be an original is nobody's retry.
    mine = new.parent_id == item.task_id or (new.parent_id is None and new.retry_count is None)
    if mine and new_task_id not in known:
        return _accepted(item.intent, new_task_id)
    return unknown(say("foreign_task", task=new_task_id))


def reset_seen(intent: Intent, task: TaskRecord) -> Verdict:
    """Whether the attempt number has moved."""
    stage = next((stage for stage in task.stages if stage.stage_id == intent.stage_id), None)
    if stage is None:
        return unknown(say("stage_not_shown", stage=intent.stage))
    if stage.retry_count <= intent.attempt:
        return unknown(say("not_moved", time=_now(), stage=intent.stage, count=stage.retry_count))
    return Verdict(
        state="ACCEPTED",
        reason=say("moved", count=stage.retry_count),
        attempt_after=stage.retry_count,
    )


def retry_seen(intent: Intent, task: TaskRecord, known: AbstractSet[str] | None) -> Verdict:
    """Whether there is a new retry of the task; `known` are those from before, by default the first that it had."""
    before = frozenset(task.retried_by[: intent.attempt]) if known is None else known
    new = [task_id for task_id in task.retried_by if task_id not in before]
    if not new:
        return unknown(say("no_retry", time=_now()))
    if len(new) > 1:
        return unknown(say("many_retries", count=len(new)))
    return Verdict(
        state="ACCEPTED",
        reason=say("new_retry"),
        attempt_after=intent.attempt + 1,
        new_task_id=new[0],
    )


def _told(platform: Platform, item: Item, *, call_off: bool) -> Recalled | None:
    """What the platform knows of the item's keys, or None where it remembers none.

    An item that was sent again has a key for every round, and any of those requests may be the one that was acted on.
    """
    if not isinstance(platform, Remembering):
        return None
    try:
        told = [platform.recall(key) for key in item.keys]
        done = next((one for one in told if one.state == "done"), None)
        if done is None and call_off:
            told = [platform.call_off(key) for key in item.keys]
            done = next((one for one in told if one.state == "done"), None)
    except NotFound:
        # An older one that does not tell.
        return None
    return done or next((one for one in told if one.state == "open"), told[-1])


def _of_key(told: Recalled, intent: Intent) -> Verdict:
    match told.state:
        case "done":
            return _accepted(intent, told.new_task_id)
        case "called_off":
            return Verdict(state="REJECTED", reason=say("called_off"))
        case _:
            return unknown(say("not_acted", time=_now()))


def _accepted(intent: Intent, new_task_id: str | None) -> Verdict:
    return Verdict(
        state="ACCEPTED",
        reason=say("acted"),
        attempt_after=intent.attempt + 1,
        new_task_id=new_task_id,
    )


def _now() -> str:
    return f"{datetime.now(UTC):%H:%M:%S} UTC"

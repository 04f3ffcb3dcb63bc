"""What an answer to a retry means for its item. Pure: an answer or an error goes in, a verdict comes out."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from retry_toolkit.errors import (
    NotFound,
    NotSent,
    PermissionDenied,
    PlatformError,
    ReadOnly,
    Refused,
    RetryToolkitError,
    Unauthorized,
    Unavailable,
    UnclearOutcome,
    Unsupported,
)
from retry_toolkit.platforms.base import BatchItem, StageRetry, TaskRecord, TaskRetry
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Intent
from retry_toolkit.retry.states import State

Outcome = StageRetry | TaskRetry | BatchItem | BaseException
"""What a write comes to: an answer, what it says of one item of a batch, or what was raised instead."""

BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses by which a platform asks for fewer requests."""

# A refusal with one of these is also what a second copy of our own request gets after the first one was acted on.
_OF_THE_STATE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of an item: its state with a reason in words and, in `detail`, the platform's own.

    Attributes:
        attempt_after: The attempt number behind the retry, where it is known.
        new_task_id: The task that a whole retry made.
        doubtful: Look at the platform before this is believed.
        again: Nothing was done, and the same may be sent again.
        busy: The platform asks for fewer requests; `wait_s` says how long where it does.
        fingerprint: Of the error that the task failed with again.
    """

    state: State
    reason: str = ""
    detail: str = ""
    attempt_after: int | None = None
    new_task_id: str | None = None
    doubtful: bool = False
    again: bool = False
    busy: bool = False
    wait_s: float | None = None
    fingerprint: str | None = None


def classify(outcome: Outcome, intent: Intent) -> Verdict:
    """What the outcome of one write means for the intent that it was sent for.

    ACCEPTED only for a valid answer about the right task and attempt, REJECTED only for a refusal in the contract's
    form, NOT_SENT only for what provably did not leave this machine; everything else is UNKNOWN.
    """
    match outcome:
        case StageRetry():
            return _reset_of(intent, outcome.task)
        case TaskRetry():
            return _made_of(intent, outcome)
        case BatchItem():
            return _item_of(intent, outcome)
        case RetryToolkitError():
            return _error_of(outcome)
        case _:
            return unknown(say("interrupted", error=type(outcome).__name__), str(outcome))


def unknown(reason: str, detail: str = "", *, busy: bool = False, wait_s: float | None = None) -> Verdict:
    """Sent, and what became of it is not known."""
    return Verdict(state="UNKNOWN", reason=reason, detail=detail, busy=busy, wait_s=wait_s)


def _reset_of(intent: Intent, task: TaskRecord) -> Verdict:
    """The answer to a stage retry holds the task as it is after the reset."""
    stage = next((stage for stage in task.stages if stage.stage_id == intent.stage_id), None)
    if task.task_id != intent.task_id or stage is None:
        return unknown(say("other_task"))
    if stage.retry_count != intent.attempt + 1:
        wanted = intent.attempt + 1
        return unknown(say("other_attempt", found=stage.retry_count, stage=stage.stage, wanted=wanted))
    return Verdict(state="ACCEPTED", attempt_after=stage.retry_count)


def _made_of(intent: Intent, answer: TaskRetry) -> Verdict:
    """A wrong id looks like any other, so the task that it names is looked at before it is believed."""
    if answer.task_id != intent.task_id or answer.new_task_id in {"", intent.task_id}:
        return unknown(say("other_task"))
    return Verdict(
        state="ACCEPTED",
        detail=answer.message,
        attempt_after=intent.attempt + 1,
        new_task_id=answer.new_task_id,
        doubtful=True,
    )


def _item_of(intent: Intent, item: BatchItem) -> Verdict:
    if item.task_id != intent.task_id:
        return unknown(say("other_task"))
    if not item.accepted:
        return _rejected(item.reason, doubtful=True)
    if item.task is None:
        return unknown(say("not_shown"))
    return _reset_of(intent, item.task)


def _error_of(error: RetryToolkitError) -> Verdict:
    match error:
        case NotSent() | ReadOnly() | Unsupported():
            again = isinstance(error, NotSent)
            return Verdict(state="NOT_SENT", reason=say("nothing_left"), detail=error.message, again=again)
        case Refused():
            return _rejected(error.detail or error.message, doubtful=error.status in _OF_THE_STATE)
        case NotFound():
            return _rejected(_words(error))
        case PermissionDenied() | Unauthorized():
            return Verdict(state="REJECTED", reason=say("forbidden"), detail=_words(error))
        case UnclearOutcome() | Unavailable():
            words = _words(error)
            return unknown(say("no_answer"), words, busy=error.status in BUSY, wait_s=error.retry_after_s)
        case _:
            return unknown(say("bad_answer"), _words(error))


def _words(error: RetryToolkitError) -> str:
    return (error.detail if isinstance(error, PlatformError) else "") or error.message


def _rejected(detail: str, *, doubtful: bool = False) -> Verdict:
    return Verdict(state="REJECTED", reason=say("refused"), detail=detail, doubtful=doubtful)

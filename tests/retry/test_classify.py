"""What an answer to a retry means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.base import BatchItem, StageRetry, TaskRecord, TaskRetry
from retry_toolkit.retry.classify import Outcome, classify
from retry_toolkit.retry.records import Intent
from retry_toolkit.retry.states import State
from tests.retry.ledger import ORIGIN, failed_task

STAGE = Intent(origin=ORIGIN, task_id="t1", action="stage", attempt=1, stage_id="t1-check", stage="check")
WHOLE = Intent(origin=ORIGIN, task_id="t1", action="task", attempt=0)


def reset(task_id: str = "t1", *, retry_count: int = 2) -> TaskRecord:
    """The task as it is after the retry of its stage."""
    return replace(failed_task(task_id, retry_count=retry_count), status="pending")


def stage_retry(task: TaskRecord) -> StageRetry:
    """The answer that holds this task."""
    return StageRetry(task=task, stage_id="t1-check", attempt=0)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (stage_retry(reset()), "ACCEPTED"),
        (BatchItem(task_id="t1", accepted=True, task=reset()), "ACCEPTED"),
        (stage_retry(reset("another")), "UNKNOWN"),
        (stage_retry(replace(reset(), task_id="another")), "UNKNOWN"),
        (stage_retry(reset(retry_count=1)), "UNKNOWN"),
        (stage_retry(reset(retry_count=3)), "UNKNOWN"),
        (stage_retry(replace(reset(), stages=())), "UNKNOWN"),
        (BatchItem(task_id="t1", accepted=True), "UNKNOWN"),
        (BatchItem(task_id="t1", accepted=True, task=reset(retry_count=1)), "UNKNOWN"),
        (BatchItem(task_id="another", accepted=True, task=reset()), "UNKNOWN"),
        (BatchItem(task_id="another", accepted=False, reason="no"), "UNKNOWN"),
        (BatchItem(task_id="t1", accepted=False, reason="no"), "REJECTED"),
        (errors.NotSent("nobody listens"), "NOT_SENT"),
        (errors.ReadOnly("read-only"), "NOT_SENT"),
        (errors.Unsupported("cannot"), "NOT_SENT"),
        (errors.Refused("no", status=400, detail="limit 3/3"), "REJECTED"),
        (errors.FilesGone("gone", status=410), "REJECTED"),
        (errors.NotFound("no such task", status=404), "REJECTED"),
        (errors.PermissionDenied("no", status=403), "REJECTED"),
        (errors.Unauthorized("no", url="http://x"), "REJECTED"),
        (errors.UnclearOutcome("time-out"), "UNKNOWN"),
        (errors.Unavailable("busy", status=429), "UNKNOWN"),
        (errors.BadAnswer("nonsense"), "UNKNOWN"),
        (errors.NotJson("a page", url="http://x"), "UNKNOWN"),
        (errors.PlatformError("something", status=500), "UNKNOWN"),
        (errors.RetryToolkitError("something"), "UNKNOWN"),
        (KeyError("broken"), "UNKNOWN"),
        (KeyboardInterrupt(), "UNKNOWN"),
    ],
)
def test_every_outcome_of_a_stage_retry_has_its_state(outcome: Outcome, state: State) -> None:
    """Only the right answer is a yes, only a refusal a no, and only what never left may go again."""
    verdict = classify(outcome, STAGE)
    assert (verdict.state, verdict.reason != "" or state == "ACCEPTED") == (state, True)
    assert verdict.again is isinstance(outcome, errors.NotSent)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (TaskRetry(task_id="t1", new_task_id="t2"), "ACCEPTED"),
        (TaskRetry(task_id="another", new_task_id="t2"), "UNKNOWN"),
        (TaskRetry(task_id="t1", new_task_id="t1"), "UNKNOWN"),
        (TaskRetry(task_id="t1", new_task_id=""), "UNKNOWN"),
    ],
)
def test_a_new_task_is_looked_at_before_it_is_believed(answer: TaskRetry, state: State) -> None:
    """A wrong id looks like any other."""
    verdict = classify(answer, WHOLE)
    assert (verdict.state, verdict.doubtful) == (state, state == "ACCEPTED")


@pytest.mark.parametrize(
    ("refusal", "doubtful"),
    [
        (errors.Refused("no", status=400), True),
        (errors.Refused("no", status=409), True),
        (errors.Refused("no", status=422), False),
        (errors.Refused("the number has moved; nothing was sent"), False),
        (errors.FilesGone("gone", status=410), False),
        (errors.NotFound("gone", status=404), False),
    ],
)
def test_a_refusal_that_our_own_success_could_cause_is_doubted(refusal: Exception, doubtful: bool) -> None:
    """A second copy of a request is refused because the first one was acted on."""
    assert classify(refusal, STAGE).doubtful is doubtful


def test_the_platforms_words_are_kept() -> None:
    """Its detail where there is one, else what is known."""
    assert (
        classify(errors.Refused("no", status=400, detail="重试次数已达上限 (2/3)"), STAGE).detail
        == "重试次数已达上限 (2/3)"
    )
    assert classify(errors.NotFound("no such task", status=404), STAGE).detail == "no such task"
    assert classify(BatchItem(task_id="t1", accepted=False, reason="limit"), STAGE).detail == "limit"


def test_a_busy_platform_is_recognised() -> None:
    """429 and 503 slow the batch down for as long as the platform asks."""
    for status, busy in ((429, True), (503, True), (500, False), (None, False)):
        verdict = classify(errors.UnclearOutcome("x", status=status, retry_after_s=7.0), STAGE)
        assert (verdict.busy, verdict.wait_s) == (busy, 7.0)

"""Stage retries: one failed stage is reset in place, exactly once, and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.base import Platform, StageRetry
from retry_toolkit.server.records import Task
from tests.conformance.conftest import Connect, WatchedWire
from tests.live import LivePlatform, wait_until


@pytest.fixture
def failed(platform: LivePlatform) -> Task:
    """A task of its own that failed at `check`."""
    return platform.failed()


def stage_id(task: Task, name: str = "check") -> str:
    """Id of a stage by name."""
    return next(stage.id for stage in task.stages if stage.name == name)


def test_a_retry_resets_that_stage_and_no_other(platform: LivePlatform, stagewise: Platform, failed: Task) -> None:
    """Same task, same stage, one attempt more; the task and the stage wait, the rest is as it was; then it recovers."""
    before = stagewise.task(failed.id)
    platform.mend(failed.id)
    retry = stagewise.retry_stage(failed.id, stage_id(failed), expected_retry_count=0)
    after = retry.task
    assert (after.task_id, after.status, after.finished_at) == (failed.id, "pending", None)
    assert retry.attempt == 2
    loaded, checked, finished = after.stages
    assert loaded == before.stages[0]
    assert finished == before.stages[2]
    assert (checked.stage_id, checked.status, checked.retry_count) == (stage_id(failed), "pending", 1)
    cleared = (checked.error, checked.failure_category, checked.started_at, checked.finished_at, checked.duration_s)
    assert cleared == (None,) * 5
    assert (checked.tokens, checked.output_summary, checked.output) == (0, None, None)
    assert after.tokens == 10
    platform.wait(failed.id, "completed")
    done = stagewise.task(failed.id)
    assert [stage.status for stage in done.stages] == ["succeeded"] * 3
    assert done.stages[0] == before.stages[0]
    assert done.stages[1].retry_count == 1


def test_accepted_is_not_succeeded(platform: LivePlatform, stagewise: Platform, failed: Task) -> None:
    """A cause that was not mended fails again, with the next attempt number."""
    assert stagewise.retry_stage(failed.id, stage_id(failed)).attempt == 2
    platform.wait(failed.id, "failed")
    assert stagewise.retry_stage(failed.id, stage_id(failed)).attempt == 3


def test_unknown_tasks_and_stages_are_not_found(stagewise: Platform, seen_failed: Task, seen_spent: Task) -> None:
    """So is the stage of another task."""
    for task_id, stage, words in [
        ("nope", "nope", "Task not found"),
        (seen_failed.id, "nope", "Stage not found"),
        (seen_failed.id, stage_id(seen_spent, "divide"), "Stage not found"),
    ]:
        with pytest.raises(errors.NotFound, match=words):
            stagewise.retry_stage(task_id, stage)


def test_a_stage_that_has_not_failed_is_refused(stagewise: Platform, seen_failed: Task) -> None:
    """With the platform's words."""
    with pytest.raises(errors.Refused, match="Target stage status is not failed") as caught:
        stagewise.retry_stage(seen_failed.id, stage_id(seen_failed, "load"))
    assert caught.value.status == 400


def test_a_task_that_has_not_failed_is_refused(stagewise: Platform, running: Task, seen_done: Task) -> None:
    """Neither a running nor a completed one."""
    with pytest.raises(errors.Refused, match="running"):
        stagewise.retry_stage(running.id, running.stages[0].id)
    with pytest.raises(errors.Refused, match="completed"):
        stagewise.retry_stage(seen_done.id, seen_done.stages[0].id)


def test_the_limit_is_refused_with_its_numbers(stagewise: Platform, seen_spent: Task) -> None:
    """Two of two."""
    with pytest.raises(errors.Refused, match="2/2") as caught:
        stagewise.retry_stage(seen_spent.id, stage_id(seen_spent, "divide"))
    assert caught.value.status == 400


def test_an_attempt_number_that_has_moved_is_refused(
    stagewise: Platform, wire: WatchedWire, platform: LivePlatform, failed: Task
) -> None:
    """What the caller saw is no longer so; nothing happens."""
    with pytest.raises(errors.Refused):
        stagewise.retry_stage(failed.id, stage_id(failed), expected_retry_count=7)
    assert platform.stage(failed.id, "check").retry_count == 0
    assert stagewise.retry_stage(failed.id, stage_id(failed), expected_retry_count=0).attempt == 2


def test_of_two_at_once_one_wins(platform: LivePlatform, stagewise: Platform, failed: Task) -> None:
    """A double click never retries twice."""
    start = Barrier(4, timeout=30)

    def click(_: int) -> StageRetry | errors.RetryToolkitError:
        start.wait()
        try:
            return stagewise.retry_stage(failed.id, stage_id(failed), expected_retry_count=0)
        except errors.RetryToolkitError as error:
            return error

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(click, range(4)))
    assert sum(isinstance(result, StageRetry) for result in results) == 1
    assert sum(isinstance(result, errors.Refused) for result in results) == 3
    platform.wait(failed.id, "failed")
    assert platform.stage(failed.id, "check").retry_count == 1


def test_a_batch_tells_of_each_task(
    platform: LivePlatform, stagewise: Platform, failed: Task, running: Task, seen_spent: Task
) -> None:
    """Submitted, not failed, at the limit, unknown: one answer each, in the order asked for."""
    batch = stagewise.retry_batch([failed.id, running.id, seen_spent.id, "nope"])
    first, second, third, fourth = batch.items
    assert [item.task_id for item in batch.items] == [failed.id, running.id, seen_spent.id, "nope"]
    assert (first.accepted, first.reason) == (True, "")
    assert (second.accepted, third.accepted, fourth.accepted) == (False, False, False)
    assert "running" in second.reason
    assert "2/2" in third.reason
    assert "Task not found" in fourth.reason
    assert batch.accepted == 1
    platform.wait(failed.id, "failed")
    task = platform.task(failed.id)
    assert [stage.retry_count for stage in task.stages] == [0, 1, 0]


def test_the_wire_never_sees_a_whole_retry(
    platform: LivePlatform, stagewise: Platform, wire: WatchedWire, failed: Task, seen_spent: Task
) -> None:
    """Success and refusal alike: one request a write, and never `POST /api/v1/tasks/{id}/retry`."""
    stage = stage_id(failed)
    stagewise.retry_stage(failed.id, stage)
    platform.wait(failed.id, "failed")
    stagewise.retry_batch([failed.id, seen_spent.id])
    with pytest.raises(errors.Refused):
        stagewise.retry_stage(seen_spent.id, stage_id(seen_spent, "divide"))
    assert wire.writes == [
        f"POST /api/v1/tasks/{failed.id}/retry-from-stage",
        "POST /api/v1/tasks/retry-batch",
        f"POST /api/v1/tasks/{seen_spent.id}/retry-from-stage",
    ]
    platform.wait(failed.id, "failed")


def test_one_intent_is_carried_out_once(platform: LivePlatform, connected: Connect, failed: Task) -> None:
    """The same key gives the same answer again; with another body it is refused."""
    made, key = connected("embedded"), uuid4().hex
    first = made.retry_stage(failed.id, stage_id(failed), expected_retry_count=0, idempotency_key=key)
    platform.wait(failed.id, "failed")
    again = made.retry_stage(failed.id, stage_id(failed), expected_retry_count=0, idempotency_key=key)
    assert again == first
    assert platform.stage(failed.id, "check").retry_count == 1
    with pytest.raises(errors.Refused) as caught:
        made.retry_stage(failed.id, stage_id(failed), expected_retry_count=1, idempotency_key=key)
    assert caught.value.status == 422


def test_a_batch_with_a_key_is_carried_out_once(platform: LivePlatform, connected: Connect, failed: Task) -> None:
    """Also after it has ended."""
    made, key = connected("embedded"), uuid4().hex
    first = made.retry_batch([failed.id], idempotency_key=key)
    platform.wait(failed.id, "failed")
    assert made.retry_batch([failed.id], idempotency_key=key) == first
    assert platform.stage(failed.id, "check").retry_count == 1


def test_the_plain_pipeline_dialect_has_no_whole_retry(connected: Connect, wire: WatchedWire, failed: Task) -> None:
    """It is refused here."""
    with pytest.raises(errors.Unsupported):
        connected("pipeline").retry_task(failed.id)
    assert wire.writes == []


def test_a_running_task_can_be_cancelled(platform: LivePlatform, client: Platform, running: Task) -> None:
    """By every dialect; what had not ended is skipped."""
    assert client.cancel(running.id).task_id == running.id
    wait_until(lambda: platform.task(running.id).status == "cancelled", "the task to be cancelled")
    assert client.task(running.id).status == "cancelled"
    assert [stage.status for stage in platform.task(running.id).stages] == ["skipped", "skipped"]


def test_cancelling_what_has_ended_is_refused(client: Platform, seen_failed: Task) -> None:
    """With the platform's words; an unknown task is not found."""
    with pytest.raises(errors.Refused, match="failed"):
        client.cancel(seen_failed.id)
    with pytest.raises(errors.NotFound):
        client.cancel("nope")

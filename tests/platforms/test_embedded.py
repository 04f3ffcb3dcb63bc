"""The embedded platform: which dialect serves what, keys on writes, and what it tells of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.base import Platform
from retry_toolkit.platforms.embedded import EmbeddedPlatform, is_embedded, read_capabilities
from tests.platforms.wires import Recorder, listing, routes, transport, wire_stage, wire_task

TOLD: dict[str, Any] = {
    "platform": "retry-toolkit",
    "version": "0.1.0",
    "stage_retry": "in_place",
    "whole_retry": "new_task",
    "batch": "per_item",
    "max_batch": 3,
    "start_anywhere": False,
    "idempotency": "key",
    "keeps_attempts": True,
    "files": True,
    "logs": True,
    "cancel": True,
    "parameters": True,
    "auth": "none",
    "role": "local",
}
TASK = "GET /api/v1/tasks/t1"
RETRY_STAGE = "POST /api/v1/tasks/t1/retry-from-stage"
RETRY_BATCH = "POST /api/v1/tasks/retry-batch"
RETRY_TASK = "POST /api/tasks/t1/retry"
RESET = wire_task(status="pending", stages=[wire_stage("t1-s1", status="pending", retry_count=2)])


def platform(
    table: dict[str, Any], *, told: dict[str, Any] | None = None, **options: Any
) -> tuple[EmbeddedPlatform, Recorder]:
    """A platform with these answers."""
    recorder = Recorder(routes(table))
    return EmbeddedPlatform(transport(recorder, **options), TOLD | (told or {})), recorder


def test_it_is_a_platform_and_tells_what_it_can() -> None:
    """Capabilities are those of the server."""
    made, _ = platform({})
    assert isinstance(made, Platform)
    assert made.name == "embedded · platform.test:8642"
    can = made.capabilities
    assert (can.idempotency, can.max_batch, can.keeps_attempts, can.files) == ("key", 3, True, True)


def test_capabilities_that_make_no_sense_are_a_bad_answer() -> None:
    """What is not told is not there; what is told must be usable."""
    assert read_capabilities({}).stage_retry == "none"
    assert read_capabilities(TOLD | {"new": 1}).whole_retry == "new_task"
    with pytest.raises(errors.BadAnswer):
        read_capabilities(TOLD | {"stage_retry": "sideways"})


@pytest.mark.parametrize("told", [None, [], "ok", {}, {"stage_retry": "in_place"}])
def test_others_are_not_taken_for_it(told: object) -> None:
    """Something that merely answers is no embedded platform."""
    assert not is_embedded(told)


def test_a_stage_retry_sends_key_and_expectation() -> None:
    """The platform compares the number itself, in one request."""
    made, recorder = platform({RETRY_STAGE: RESET})
    retry = made.retry_stage("t1", "t1-s1", expected_retry_count=1, idempotency_key="k-1")
    assert retry.attempt == 3
    assert recorder.lines == [RETRY_STAGE]
    assert recorder.body() == {"stage_id": "t1-s1", "expected_retry_count": 1}
    assert recorder.requests[0].headers["Idempotency-Key"] == "k-1"


def test_a_number_that_has_moved_is_the_platforms_refusal() -> None:
    """409 keeps its words."""
    refusal = httpx.Response(409, json={"detail": "retry_count is 2, not 1"})
    made, _ = platform({RETRY_STAGE: refusal})
    with pytest.raises(errors.Refused, match="retry_count is 2") as caught:
        made.retry_stage("t1", "t1-s1", expected_retry_count=1)
    assert caught.value.status == 409


def test_answers_are_checked_here_too() -> None:
    """A number that has not moved leaves the outcome unclear."""
    made, _ = platform({RETRY_STAGE: RESET})
    with pytest.raises(errors.UnclearOutcome):
        made.retry_stage("t1", "t1-s1", expected_retry_count=2)


def test_a_batch_sends_the_key_and_respects_the_bound() -> None:
    """More tasks than the platform takes are refused here; an id given twice counts once."""
    items = [
        {"task_id": "t1", "success": True, "task": RESET},
        {"task_id": "t2", "success": False, "reason": "Task not found"},
    ]
    made, recorder = platform({RETRY_BATCH: {"items": items}})
    batch = made.retry_batch(["t1", "t2", "t1", "t1"], idempotency_key="k-2")
    assert [item.reason for item in batch.items] == ["", "Task not found"]
    assert batch.items[0].task is not None
    assert batch.items[0].task.refusal == "not_failed"
    assert recorder.requests[0].headers["Idempotency-Key"] == "k-2"
    with pytest.raises(errors.Unsupported, match="at most 3 tasks"):
        made.retry_batch(["a", "b", "c", "d"])
    assert len(recorder.requests) == 1


def test_a_whole_retry_goes_by_the_queue_dialect() -> None:
    """`/api/tasks/{id}/retry` makes a new task; `/api/v1/tasks/{id}/retry`, which resets stages, is never sent."""
    accepted = {"new_task_id": "t2", "original_task_id": "t1", "files_copied": 0, "files_linked": 2}
    made, recorder = platform({RETRY_TASK: accepted})
    retry = made.retry_task("t1", copy_files=False, display_name="x", expected_retry_count=0, idempotency_key="k-3")
    assert (retry.new_task_id, retry.files_linked) == ("t2", 2)
    assert recorder.lines == [RETRY_TASK]
    assert recorder.body() == {"copy_files": False, "display_name": "x", "expected_retry_count": 0}
    assert recorder.requests[0].headers["Idempotency-Key"] == "k-3"


def test_submitting_sends_a_form_or_json(tmp_path: Path) -> None:
    """With files a form, else JSON; the answer is the new task."""
    file = tmp_path / "数据.csv"
    file.write_text("1,2")
    made, recorder = platform({"POST /api/v1/tasks": lambda request: httpx.Response(201, json=wire_task("new"))})
    assert made.submit("daily", title="t", parameters={"rows": 3}).task_id == "new"
    assert recorder.body() == {"pipeline": "daily", "title": "t", "project_id": None, "params": {"rows": 3}}
    assert made.submit("daily", files=[file], idempotency_key="k").task_id == "new"
    sent = recorder.requests[1]
    assert sent.headers["Content-Type"].startswith("multipart/form-data")
    assert sent.headers["Idempotency-Key"] == "k"
    assert b"1,2" in sent.content
    with pytest.raises(OSError, match="missing"):
        made.submit("daily", files=[tmp_path / "missing"])
    assert len(recorder.requests) == 2


def test_attempts_come_from_the_server() -> None:
    """Every attempt with who asked for it; a broken one is a bad answer."""
    row = {
        "task_id": "t1",
        "stage_id": "s1",
        "stage_name": "check",
        "attempt": 1,
        "status": "failed",
        "requested_by": "li",
    }
    made, _ = platform({"GET /api/v1/tasks/t1/attempts": listing([row, row | {"attempt": 2, "status": "completed"}])})
    attempts = made.attempts("t1")
    assert [(item.attempt, item.status, item.requested_by, item.source) for item in attempts] == [
        (1, "failed", "li", "platform"),
        (2, "succeeded", "li", "platform"),
    ]
    made, _ = platform({"GET /api/v1/tasks/t1/attempts": listing([row | {"attempt": 0}])})
    with pytest.raises(errors.BadAnswer, match="attempt"):
        made.attempts("t1")


def test_files_of_an_unknown_task_are_not_found() -> None:
    """This platform tells of files, so 404 means the task."""
    made, _ = platform({})
    with pytest.raises(errors.NotFound):
        made.files("t1")


def test_lineage_fields_are_read() -> None:
    """Parent, direct retries, number in the chain, owner and parameters."""
    lineage = {
        "parent_task_id": "t0",
        "retried_task_ids": ["t2"],
        "lineage_retry_count": 1,
        "submitter": "li",
        "params": {"a": 1},
    }
    made, _ = platform({TASK: wire_task() | lineage})
    task = made.task("t1")
    assert (task.parent_id, task.retried_by, task.retry_count, task.owner, task.parameters) == (
        "t0",
        ("t2",),
        1,
        "li",
        {"a": 1},
    )


def test_a_viewer_is_told_before_asking() -> None:
    """The token may only read: panels know, and the platform would refuse."""
    made, _ = platform({TASK: wire_task()}, told={"role": "viewer"})
    assert made.read_only
    assert made.task("t1").refusal == "read_only"
    refusal = httpx.Response(403, json={"detail": "权限不足"})
    made, _ = platform({RETRY_STAGE: refusal}, told={"role": "viewer"})
    with pytest.raises(errors.PermissionDenied):
        made.retry_stage("t1", "t1-s1")


def test_read_only_refuses_every_action() -> None:
    """Nothing leaves."""
    made, recorder = platform({}, read_only=True)
    actions = (
        lambda: made.retry_stage("t1", "s1"),
        lambda: made.retry_batch(["t1"]),
        lambda: made.retry_task("t1"),
        lambda: made.cancel("t1"),
        lambda: made.submit("daily"),
    )
    for action in actions:
        with pytest.raises(errors.ReadOnly):
            action()
    assert recorder.requests == []

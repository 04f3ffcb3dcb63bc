"""The queue dialect: what goes over the wire, and which answers count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.base import Platform, TaskQuery
from retry_toolkit.platforms.queue import QueuePlatform
from tests.platforms.wires import Recorder, listing, routes, transport, wire_job

DETAIL = "GET /api/tasks/j1/detail"
STATUS = "GET /api/tasks/j1"
RETRY = "POST /api/tasks/j1/retry"
STOP = "POST /api/tasks/j1/stop"
ACCEPTED = {
    "new_task_id": "j2",
    "original_task_id": "j1",
    "status": "PENDING",
    "message": "已提交",
    "files_copied": 5,
    "files_linked": 0,
}


def platform(table: dict[str, Any], **options: Any) -> tuple[QueuePlatform, Recorder]:
    """A platform with these answers."""
    recorder = Recorder(routes(table))
    return QueuePlatform(transport(recorder, **options)), recorder


def test_it_is_a_platform() -> None:
    """The protocol holds, and the capabilities are those of the dialect."""
    made, _ = platform({})
    assert isinstance(made, Platform)
    can = made.capabilities
    assert (can.stage_retry, can.whole_retry, can.batch, can.idempotency) == ("none", "new_task", "none", "none")


def test_a_whole_retry_is_one_request() -> None:
    """Copying is the default; the name is sent where one is given."""
    made, recorder = platform({RETRY: ACCEPTED})
    retry = made.retry_task("j1")
    assert (retry.new_task_id, retry.files_copied, retry.files_linked, retry.message) == ("j2", 5, 0, "已提交")
    assert recorder.body() == {"copy_files": True}
    made.retry_task("j1", copy_files=False, display_name="again", idempotency_key="k")
    assert recorder.body() == {"copy_files": False, "display_name": "again"}
    assert recorder.lines == [RETRY, RETRY]


def test_a_retry_that_someone_else_made_sends_nothing() -> None:
    """The number of direct retries is the attempt number of a whole task."""
    made, recorder = platform({RETRY: ACCEPTED, DETAIL: wire_job(retried_task_ids=["j7"])})
    with pytest.raises(errors.Refused, match="moved from 0 to 1"):
        made.retry_task("j1", expected_retry_count=0)
    assert recorder.writes == []
    assert made.retry_task("j1", expected_retry_count=1).new_task_id == "j2"


def test_a_task_that_cannot_be_read_first_sends_nothing() -> None:
    """The read failed, so the write provably never left."""
    made, recorder = platform({DETAIL: httpx.Response(500)})
    with pytest.raises(errors.NotSent):
        made.retry_task("j1", expected_retry_count=0)
    assert recorder.writes == []


@pytest.mark.parametrize(
    "answer",
    [
        ACCEPTED | {"original_task_id": "j9"},
        ACCEPTED | {"new_task_id": "j1"},
        ACCEPTED | {"new_task_id": None},
        ACCEPTED | {"new_task_id": ""},
        {"status": "PENDING"},
        [],
        None,
    ],
)
def test_answers_to_a_retry_are_checked(answer: Any) -> None:
    """Another task, no new task, or nonsense: the outcome is unclear."""
    made, recorder = platform({RETRY: httpx.Response(200, json=answer)})
    with pytest.raises(errors.UnclearOutcome):
        made.retry_task("j1")
    assert recorder.writes == [RETRY]


def test_a_short_answer_is_enough() -> None:
    """Servers that do not count files leave the counts unknown."""
    made, _ = platform({RETRY: {"new_task_id": "j2"}})
    retry = made.retry_task("j1")
    assert (retry.files_copied, retry.files_linked, retry.message) == (None, None, "")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (
            httpx.Response(410, json={"detail": "原任务文件已被清理，无法重试"}),
            errors.FilesGone,
            "原任务文件已被清理，无法重试",
        ),
        (
            httpx.Response(400, json={"message": "原任务文件已被清理，无法重试"}),
            errors.FilesGone,
            "原任务文件已被清理，无法重试",
        ),
        (httpx.Response(403, json={"detail": "权限不足"}), errors.PermissionDenied, "权限不足"),
        (httpx.Response(404, json={"detail": "任务不存在或已被删除"}), errors.NotFound, "任务不存在或已被删除"),
        (
            httpx.Response(507, json={"detail": {"message": "磁盘空间不足", "bytes_needed": 9}}),
            errors.Refused,
            "磁盘空间不足 (bytes_needed: 9)",
        ),
    ],
)
def test_what_the_user_must_be_told(answer: httpx.Response, error: type[errors.PlatformError], words: str) -> None:
    """Refusals keep the platform's words; each kind has its advice."""
    made, _ = platform({RETRY: answer})
    with pytest.raises(error) as caught:
        made.retry_task("j1")
    assert caught.value.detail == words
    assert caught.value.advice or error is errors.Refused


def test_stopping_reads_the_task_afterwards() -> None:
    """The stop answers little; the task tells the rest."""
    stopped = {"task_id": "j1", "status": "CANCELLED", "message": "ok"}
    made, recorder = platform({STOP: stopped, DETAIL: wire_job(status="CANCELLED")})
    assert made.cancel("j1").name == "求解 solve"
    assert recorder.lines == [STOP, DETAIL]


def test_a_stop_that_was_accepted_stays_accepted() -> None:
    """That the task cannot be read afterwards does not undo it."""
    made, _ = platform({STOP: {"task_id": "j1", "status": "CANCELLED"}})
    task = made.cancel("j1")
    assert (task.task_id, task.status, task.name) == ("j1", "cancelled", None)


@pytest.mark.parametrize("answer", [{"task_id": "j2"}, {}, [], None])
def test_answers_to_a_stop_are_checked(answer: Any) -> None:
    """Another task or nonsense leaves the outcome unclear."""
    made, _ = platform({STOP: httpx.Response(200, json=answer)})
    with pytest.raises(errors.UnclearOutcome):
        made.cancel("j1")


def test_the_detail_is_asked_for_first() -> None:
    """Servers without it answer with less; an unknown task is unknown to both."""
    made, _ = platform({DETAIL: wire_job(error_detail="Traceback", params={"mesh": 3})})
    task = made.task("j1")
    assert (task.error, task.parameters) == ("Traceback", {"mesh": 3})
    made, recorder = platform({STATUS: wire_job()})
    assert made.task("j1").error == "solver error 1045"
    assert recorder.lines == [DETAIL, STATUS]
    made, _ = platform({})
    with pytest.raises(errors.NotFound):
        made.task("j1")


def test_files_are_unknown_where_the_platform_does_not_tell() -> None:
    """None, not an empty list and not 0."""
    made, _ = platform({})
    assert made.files("j1") is None
    told = {
        "task_id": "j1",
        "retention_until": 1e9,
        "files": [{"name": "a", "size_bytes": 7, "exists": True, "method": "linked"}],
    }
    made, _ = platform({"GET /api/tasks/j1/files": told})
    files = made.files("j1")
    assert files is not None
    assert [(file.name, file.size_bytes, file.method) for file in files.files] == [("a", 7, "linked")]


@pytest.mark.parametrize(
    "rows",
    [
        listing([wire_job("a"), wire_job("b")]),
        {"items": [wire_job("a"), wire_job("b")], "count": 2},
        [wire_job("a"), wire_job("b")],
    ],
)
def test_lists_of_every_known_shape(rows: Any) -> None:
    """`total`, `count` or a bare list."""
    made, _ = platform({"GET /api/tasks": rows})
    assert [task.task_id for page in made.tasks() for task in page.tasks] == ["a", "b"]


def test_filters_are_applied_here() -> None:
    """The dialect has none."""
    rows = [wire_job("a"), wire_job("b", status="SUCCESS"), wire_job("c", display_name="other")]
    made, recorder = platform({"GET /api/tasks": listing(rows)})
    found = made.tasks(TaskQuery(status="failed", title="求解", limit=5))
    assert [task.task_id for page in found for task in page.tasks] == ["a"]
    assert dict(recorder.requests[0].url.params) == {"page": "1", "page_size": "100"}


def test_failed_and_cancelled_tasks_can_be_retried() -> None:
    """Every word of the dialect that shows the retry action does; success does not."""
    words = ["FAILURE", "FAILED", "REVOKED", "CANCELLED", "CANCELED", "ABORTED", "SUCCESS", "RUNNING", "PAUSED"]
    made, _ = platform({"GET /api/tasks": listing([wire_job(word, status=word) for word in words])})
    found = {task.task_id: task.refusal for page in made.tasks() for task in page.tasks}
    assert [found[word] for word in words] == [None] * 6 + ["not_failed"] * 3


UNSUPPORTED: dict[str, Callable[[Platform], Any]] = {
    "stage": lambda made: made.retry_stage("j1", "s1"),
    "batch": lambda made: made.retry_batch(["j1"]),
    "logs": lambda made: list(made.logs("j1")),
}


@pytest.mark.parametrize("action", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_what_the_dialect_lacks_is_refused_with_advice(action: Callable[[Platform], Any]) -> None:
    """Nothing is sent in its place."""
    made, recorder = platform({})
    with pytest.raises(errors.Unsupported) as caught:
        action(made)
    assert caught.value.advice
    assert recorder.requests == []
    assert made.attempts("j1") == ()


def test_read_only_refuses_every_action() -> None:
    """Nothing leaves, not even the read before a write."""
    made, recorder = platform({}, read_only=True)
    for action in (lambda: made.retry_task("j1", expected_retry_count=0), lambda: made.cancel("j1")):
        with pytest.raises(errors.ReadOnly):
            action()
    assert recorder.requests == []

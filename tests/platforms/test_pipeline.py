"""The pipeline dialect: what goes over the wire, and which answers count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.base import Platform, TaskQuery
from retry_toolkit.platforms.pipeline import PipelinePlatform
from tests.platforms.wires import Recorder, listing, routes, transport, wire_stage, wire_task

TASK = "GET /api/v1/tasks/t1"
RETRY_STAGE = "POST /api/v1/tasks/t1/retry-from-stage"
RETRY_BATCH = "POST /api/v1/tasks/retry-batch"
CANCEL = "POST /api/v1/tasks/t1/cancel"


def reset_task(retry_count: int = 2, **fields: Any) -> dict[str, Any]:
    """The task of `wire_task` as it is after a reset."""
    stage = wire_stage("t1-s1", status="pending", retry_count=retry_count, error_message=None)
    return wire_task(status="pending", completed_at=None, stages=[stage], **fields)


def platform(table: dict[str, Any], **options: Any) -> tuple[PipelinePlatform, Recorder]:
    """A platform with these answers."""
    recorder = Recorder(routes(table))
    return PipelinePlatform(transport(recorder, **options)), recorder


def test_it_is_a_platform() -> None:
    """The protocol holds, and the capabilities are those of the dialect."""
    made, _ = platform({})
    assert isinstance(made, Platform)
    assert made.name == "pipeline · platform.test:8642"
    assert made.origin == "http://platform.test:8642"
    can = made.capabilities
    assert (can.stage_retry, can.whole_retry, can.batch, can.idempotency) == (
        "in_place",
        "none",
        "per_item",
        "attempt_number",
    )
    with made as same:
        assert same is made


def test_a_stage_retry_reads_the_attempt_number_and_sends_one_request() -> None:
    """The number in the answer must be beyond the one that was read."""
    made, recorder = platform({TASK: wire_task(), RETRY_STAGE: reset_task()})
    retry = made.retry_stage("t1", "t1-s1", idempotency_key="k")
    assert (retry.stage_id, retry.attempt, retry.task.status) == ("t1-s1", 3, "pending")
    assert recorder.lines == [TASK, RETRY_STAGE]
    assert recorder.body() == {"stage_id": "t1-s1"}
    assert "Idempotency-Key" not in recorder.requests[-1].headers


def test_an_attempt_number_that_has_moved_sends_nothing() -> None:
    """Someone else has retried the stage since the caller looked."""
    made, recorder = platform({TASK: wire_task(), RETRY_STAGE: reset_task()})
    with pytest.raises(errors.Refused, match="moved from 0 to 1"):
        made.retry_stage("t1", "t1-s1", expected_retry_count=0)
    assert recorder.writes == []
    assert made.retry_stage("t1", "t1-s1", expected_retry_count=1).attempt == 3


@pytest.mark.parametrize(
    "failure", [httpx.Response(503), httpx.Response(200, text="<html>"), httpx.Response(200, text="x")]
)
def test_a_task_that_cannot_be_read_first_sends_nothing(failure: httpx.Response) -> None:
    """The read failed, so the write provably never left."""
    made, recorder = platform({TASK: failure})
    with pytest.raises(errors.NotSent, match="could not be read first"):
        made.retry_stage("t1", "t1-s1")
    assert recorder.writes == []


@pytest.mark.parametrize(
    "answer",
    [
        reset_task(retry_count=1),
        reset_task(retry_count=0),
        reset_task() | {"id": "t2"},
        reset_task() | {"stages": []},
        reset_task() | {"stages": [wire_stage("other", retry_count=2)]},
        {"ok": True},
        [],
        None,
        "done",
    ],
)
def test_answers_to_a_stage_retry_are_checked(answer: Any) -> None:
    """Another task, another stage, a number that has not moved, or nonsense: the outcome is unclear."""
    made, recorder = platform({TASK: wire_task(), RETRY_STAGE: httpx.Response(200, json=answer)})
    with pytest.raises(errors.UnclearOutcome):
        made.retry_stage("t1", "t1-s1")
    assert len(recorder.writes) == 1


def test_a_short_answer_is_enough() -> None:
    """The documented example holds little more than ids, statuses and the number."""
    short = {"id": "t1", "status": "pending", "stages": [{"id": "t1-s1", "status": "pending", "retry_count": 2}]}
    made, _ = platform({TASK: wire_task(), RETRY_STAGE: short})
    assert made.retry_stage("t1", "t1-s1").attempt == 3


def test_a_batch_is_one_request_and_keeps_the_order() -> None:
    """One item a task that was asked for, with the platform's own words; an id given twice is asked for once."""
    items = [
        {"task_id": "t3", "success": True},
        {"task_id": "t2", "success": False, "reason": "task status is running"},
        {"task_id": "t1", "success": True, "reason": None, "task": reset_task()},
    ]
    made, recorder = platform({RETRY_BATCH: {"total": 3, "succeeded": 2, "failed": 1, "items": items}})
    batch = made.retry_batch(["t1", "t2", "t3", "t1"])
    assert recorder.body() == {"task_ids": ["t1", "t2", "t3"]}
    assert recorder.lines == [RETRY_BATCH]
    assert [(item.task_id, item.accepted, item.reason) for item in batch.items] == [
        ("t1", True, ""),
        ("t2", False, "task status is running"),
        ("t3", True, ""),
    ]
    assert batch.accepted == 2
    assert batch.items[0].task is not None
    assert batch.items[0].task.status == "pending"


def test_an_empty_batch_sends_nothing() -> None:
    """Nothing was asked for."""
    made, recorder = platform({})
    assert made.retry_batch([]).items == ()
    assert recorder.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        {"items": [{"task_id": "t1", "success": True}]},
        {"items": [{"task_id": "t1", "success": True}, {"task_id": "t9", "success": True}]},
        {
            "items": [
                {"task_id": "t1", "success": True},
                {"task_id": "t2", "success": True},
                {"task_id": "t2", "success": False},
            ]
        },
        {"items": [{"task_id": "t1", "success": "yes"}, {"task_id": "t2", "success": True}]},
        {
            "items": [
                {"task_id": "t1", "success": True, "task": reset_task() | {"id": "t2"}},
                {"task_id": "t2", "success": True},
            ]
        },
        {"succeeded": 2},
        [],
        None,
    ],
)
def test_answers_to_a_batch_are_checked(answer: Any) -> None:
    """A missing, foreign, doubled or vague item leaves the outcome unclear."""
    made, recorder = platform({RETRY_BATCH: httpx.Response(200, json=answer)})
    with pytest.raises(errors.UnclearOutcome):
        made.retry_batch(["t1", "t2"])
    assert len(recorder.writes) == 1


def test_cancelling_answers_with_the_task() -> None:
    """The right one."""
    made, recorder = platform({CANCEL: wire_task(status="cancelled")})
    assert made.cancel("t1").status == "cancelled"
    assert recorder.lines == [CANCEL]
    made, _ = platform({CANCEL: wire_task("t2")})
    with pytest.raises(errors.UnclearOutcome):
        made.cancel("t1")


def test_whole_retries_are_unsupported() -> None:
    """They are refused here; nothing is sent."""
    made, recorder = platform({})
    with pytest.raises(errors.Unsupported, match="failed stage"):
        made.retry_task("t1")
    assert recorder.requests == []


ACTIONS: dict[str, Callable[[Platform], Any]] = {
    "stage": lambda made: made.retry_stage("t1", "t1-s1"),
    "stage expected": lambda made: made.retry_stage("t1", "t1-s1", expected_retry_count=1, idempotency_key="k"),
    "batch": lambda made: made.retry_batch(["t1", "t2"]),
    "batch of one": lambda made: made.retry_batch(["t1"], idempotency_key="k"),
    "task": lambda made: made.retry_task("t1"),
    "task link": lambda made: made.retry_task("t1", copy_files=False, display_name="x", expected_retry_count=0),
    "cancel": lambda made: made.cancel("t1"),
}
FAILURES: dict[str, Any] = {
    **{str(status): httpx.Response(status, json={"detail": "no"}) for status in (301, 307, 400, 401, 403, 404, 405)},
    **{
        str(status): httpx.Response(status, json={"detail": "no"})
        for status in (408, 409, 410, 422, 429, 500, 503, 507)
    },
    "404 html": httpx.Response(404, html="<html>"),
    "empty": httpx.Response(200),
    "html": httpx.Response(200, html="<html>"),
    "nonsense": {"ok": True},
    "refuses": httpx.ConnectError("refused"),
    "silent": httpx.ReadTimeout("silent"),
    "cuts": httpx.RemoteProtocolError("cut"),
    "works": None,
}
WORKING = {
    RETRY_STAGE: reset_task(),
    RETRY_BATCH: {"items": [{"task_id": "t1", "success": True}, {"task_id": "t2", "success": False, "reason": "no"}]},
    CANCEL: wire_task(status="cancelled"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_nothing_ever_falls_back_to_the_whole_task(action: Callable[[Platform], Any], failure: Any) -> None:
    """Whatever is done and however it fails, `POST /tasks/{id}/retry` never leaves, and no write leaves twice."""

    def script(request: httpx.Request) -> Any:
        line = f"{request.method} {request.url.path}"
        if request.method == "GET":
            return wire_task() if line == TASK else listing([])
        if isinstance(failure, Exception):
            raise failure
        return WORKING[line] if failure is None else failure

    recorder = Recorder(script)
    try:
        action(PipelinePlatform(transport(recorder)))
    except errors.RetryToolkitError as error:
        assert error.message  # noqa: PT017 - either outcome is right, the wire is what counts
    assert set(recorder.writes) <= {RETRY_STAGE, RETRY_BATCH, CANCEL}
    assert len(recorder.writes) <= 1
    assert not [line for line in recorder.lines if line.endswith("/retry")]


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_read_only_refuses_every_action(action: Callable[[Platform], Any]) -> None:
    """Nothing leaves, not even the read before a write."""
    made, recorder = platform({}, read_only=True)
    with pytest.raises((errors.ReadOnly, errors.Unsupported)):
        action(made)
    assert recorder.requests == []
    assert made.read_only


@pytest.mark.parametrize("task_id", ["a/b", "..", "a?b", "00123", "任务"])
def test_ids_stay_single_segments(task_id: str) -> None:
    """No id reaches another path."""
    made, recorder = platform({})
    for action in (made.task, made.cancel, lambda text: made.retry_stage(text, "s1")):
        with pytest.raises(errors.NotFound):
            action(task_id)
    assert all(request.url.raw_path.count(b"/") in {4, 5} for request in recorder.requests)
    assert all(b"?" not in request.url.raw_path for request in recorder.requests)


def test_filters_go_to_the_platform_and_are_checked_here() -> None:
    """A server that ignores them changes nothing; a project's name becomes its id."""
    rows = [wire_task("a"), wire_task("b", status="completed"), wire_task("c", project_id="p2", project_name="P2")]
    projects = {"items": [{"id": "p1", "name": "one", "display_name": "Project 1"}], "total": 1}
    made, recorder = platform({"GET /api/v1/tasks": listing(rows), "GET /api/v1/projects": projects})
    query = TaskQuery(status="failed", project="Project 1", title="DAILY")
    assert [task.task_id for page in made.tasks(query) for task in page.tasks] == ["a"]
    sent = dict(recorder.requests[-1].url.params)
    assert sent == {"page": "1", "page_size": "100", "status": "failed", "project_id": "p1", "title": "DAILY"}


@pytest.mark.parametrize(("status", "word"), [("failed", "failed"), ("succeeded", "completed"), ("pending", None)])
def test_a_status_that_has_two_words_is_filtered_here(status: Any, word: str | None) -> None:
    """`pending` also means `planning`, which the platform would leave out."""
    rows = [
        wire_task("a", status="planning"),
        wire_task("b", status="pending"),
        wire_task("c"),
        wire_task("d", status="completed"),
    ]
    made, recorder = platform({"GET /api/v1/tasks": listing(rows)})
    found = [task.task_id for page in made.tasks(TaskQuery(status=status)) for task in page.tasks]
    assert recorder.requests[0].url.params.get("status") == word
    assert found == {"failed": ["c"], "succeeded": ["d"], "pending": ["a", "b"]}[status]


def test_unknown_projects_are_filtered_here() -> None:
    """A platform without a list of projects serves too."""
    made, recorder = platform({"GET /api/v1/tasks": listing([wire_task("a"), wire_task("b", project_name="X")])})
    assert [task.task_id for page in made.tasks(TaskQuery(project="X")) for task in page.tasks] == ["b"]
    assert "project_id" not in recorder.requests[-1].url.params


def test_retry_limits_come_from_the_stage_its_template_or_the_default() -> None:
    """Templates are asked for once, and only where a stage does not tell its limit itself."""
    stages = [wire_stage(name, stage_name=name, max_retries=None) for name in ("one", "two")]
    templates = {"items": [{"id": "daily", "name": "d", "stages": [{"name": "one", "max_retries": 5}]}], "total": 1}
    made, recorder = platform(
        {
            "GET /api/v1/tasks/t1": wire_task(stages=stages),
            "GET /api/v1/tasks/t2": wire_task("t2"),
            "GET /api/v1/templates": templates,
        }
    )
    assert [stage.retry_limit for stage in made.task("t2").stages] == [3]
    assert "GET /api/v1/templates" not in recorder.lines
    assert [[stage.retry_limit for stage in made.task("t1").stages] for _ in range(2)] == [[5, 3], [5, 3]]
    assert recorder.lines.count("GET /api/v1/templates") == 1


@pytest.mark.parametrize("templates", [None, httpx.Response(403), {"items": ["x", {"stages": None}]}, {"nothing": 1}])
def test_a_platform_without_templates_serves_too(templates: Any) -> None:
    """The contract's default limit holds."""
    stages = [wire_stage(max_retries=None)]
    made, _ = platform({TASK: wire_task(stages=stages), "GET /api/v1/templates": templates})
    assert made.task("t1").stages[0].retry_limit == 3


def test_logs_come_in_order_and_once() -> None:
    """Pages overlap, rows come unordered, one has no sequence number, one is broken."""
    rows = [
        {"id": "b", "event_seq": 2, "event_type": "stdout", "result": "two", "stage_name": "check"},
        {
            "id": "a",
            "event_seq": 1,
            "event_type": "event",
            "output_summary": "one",
            "created_at": "2026-01-01T00:00:00",
        },
    ]
    more = [
        rows[1],
        {"id": "c", "event_seq": 3, "event_source": "stderr", "result": "three", "output_truncated": True},
        "broken",
    ]
    pages = {"1": rows, "2": more}

    def log(request: httpx.Request) -> Any:
        return {"items": pages.get(request.url.params["page"], []), "total": 4}

    made, recorder = platform({"GET /api/v1/task-logs": log})
    lines = list(made.logs("t/1", "check"))
    assert [(line.seq, line.kind, line.text, line.truncated) for line in lines[:3]] == [
        (1, "event", "one", False),
        (2, "stdout", "two", False),
        (3, "stderr", "three", True),
    ]
    assert "unreadable" in lines[3].text
    assert recorder.requests[0].url.params["task"] == "t/1"
    assert recorder.requests[0].url.params["stage"] == "check"


def test_logs_of_a_server_that_ignores_the_page_end() -> None:
    """A page without a new row is the last."""
    rows = [{"id": "a", "event_seq": 1, "result": "x"}]
    made, recorder = platform({"GET /api/v1/task-logs": {"items": rows, "total": 1000}})
    assert len(list(made.logs("t1"))) == 1
    assert len(recorder.requests) == 2


def test_attempts_and_files_are_what_the_dialect_knows() -> None:
    """The latest attempt of each stage, and no files."""
    made, _ = platform({TASK: wire_task()})
    assert [(attempt.stage_id, attempt.attempt) for attempt in made.attempts("t1")] == [("t1-s1", 2)]
    made.files("t1")
    assert made.capabilities.files is False


def test_tasks_say_why_they_cannot_be_retried() -> None:
    """The judgement is in every record that the platform gives."""
    limit = wire_task("b", stages=[wire_stage(retry_count=3)])
    made, _ = platform(
        {"GET /api/v1/tasks": listing([wire_task("a"), limit, wire_task("c", status="running")]), TASK: wire_task()}
    )
    found = {task.task_id: task.refusal for page in made.tasks() for task in page.tasks}
    assert found == {"a": None, "b": "limit_reached", "c": "not_failed"}
    watcher, _ = platform({TASK: wire_task()}, read_only=True)
    assert watcher.task("t1").refusal == "read_only"

"""The pipeline dialect, line by line, as raw HTTP: retries, batches, cancel, clone, keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from retry_toolkit.server.records import Task
from tests.live import LivePlatform
from tests.server.raw import TASK_FIELDS, get, retry, stage_named

CLEARED = (
    *("error_message", "failure_category", "started_at", "completed_at", "duration_seconds"),
    *("output_summary", "output_structured"),
)


def test_a_stage_retry_changes_that_stage_and_nothing_else(platform: LivePlatform, api: httpx.Client) -> None:
    """The stage is reset and counted, the task waits, every other stage and every other field stays."""
    task_id = platform.failed().id
    before = get(api, f"/api/v1/tasks/{task_id}")
    failed = stage_named(before, "check")
    answer = retry(api, task_id, failed["id"])
    after = answer.json()
    reset = stage_named(after, "check")
    assert answer.status_code == 200
    assert (after["id"], after["status"], after["completed_at"]) == (task_id, "pending", None)
    assert (reset["id"], reset["status"], reset["retry_count"]) == (failed["id"], "pending", 1)
    assert {reset[name] for name in CLEARED} == {None}
    assert reset["tokens_used"] == 0
    for name in ("load", "finish"):
        assert stage_named(after, name) == stage_named(before, name)
    unchanged = TASK_FIELDS - {"status", "completed_at", "stages"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_a_retry_of_a_mended_stage_recovers(platform: LivePlatform, api: httpx.Client) -> None:
    """Once the cause is mended the task completes, from that stage on; what had completed does not run again."""
    task = platform.failed()
    first_run = platform.stage(task.id, "load").started_at
    platform.mend(task.id)
    assert retry(api, task.id, platform.stage(task.id, "check").id).status_code == 200
    platform.wait(task.id, "completed")
    shown = get(api, f"/api/v1/tasks/{task.id}")
    assert shown["total_tokens"] == 15
    assert platform.stage(task.id, "load").started_at == first_run
    assert stage_named(shown, "check")["retry_count"] == 1


def test_attempts_survive_a_retry(platform: LivePlatform, api: httpx.Client) -> None:
    """What a retry erased from the stage stays among the attempts, with who asked for each."""
    task = platform.failed()
    platform.mend(task.id)
    retry(api, task.id, platform.stage(task.id, "check").id)
    platform.wait(task.id, "completed")
    answer = get(api, f"/api/v1/tasks/{task.id}/attempts")
    check = [attempt for attempt in answer["items"] if attempt["stage_name"] == "check"]
    assert [(attempt["attempt"], attempt["status"]) for attempt in check] == [(1, "failed"), (2, "completed")]
    assert "参考文件缺失" in check[0]["error_message"]
    assert check[1]["requested_by"] == "local"
    assert answer["total"] == len(answer["items"]) == 4


def test_stage_retries_of_unknown_things_are_404(
    platform: LivePlatform, api: httpx.Client, failed: Task, completed: Task
) -> None:
    """Unknown task, unknown stage, and a stage of another task."""
    foreign = platform.stage(completed.id, "read").id
    for task_id, stage_id, detail in (
        ("nope", foreign, "Task not found"),
        (failed.id, "nope", "Stage not found"),
        (failed.id, foreign, "Stage not found"),
        (failed.id, "check", "Stage not found"),
    ):
        answer = retry(api, task_id, stage_id)
        assert (answer.status_code, answer.json()["detail"]) == (404, detail)


def test_a_task_that_has_not_failed_is_not_retried(api: httpx.Client, completed: Task) -> None:
    """Completed, and waiting again after a retry: 400, saying the status."""
    answer = retry(api, completed.id, completed.stages[0].id)
    assert (answer.status_code, answer.json()["detail"]) == (400, "task status is completed")


def test_a_stage_that_has_not_failed_is_not_retried(platform: LivePlatform, api: httpx.Client, failed: Task) -> None:
    """A completed stage and one that never began, in a failed task: 400 in the contract's words."""
    for name in ("load", "finish"):
        answer = retry(api, failed.id, platform.stage(failed.id, name).id)
        assert (answer.status_code, answer.json()["detail"]) == (400, "Target stage status is not failed")


def test_the_retry_limit_holds(platform: LivePlatform, api: httpx.Client) -> None:
    """After two of two retries the third is a 400 that says `2/2`, also in a batch."""
    task = platform.run("broken", "failed")
    stage_id = platform.stage(task.id, "divide").id
    for _ in range(2):
        assert retry(api, task.id, stage_id).status_code == 200
        platform.wait(task.id, "failed")
    answer = retry(api, task.id, stage_id)
    assert answer.status_code == 400
    assert "2/2" in answer.json()["detail"]
    item = api.post("/api/v1/tasks/retry-batch", json={"task_ids": [task.id]}).json()["items"][0]
    assert not item["success"]
    assert "2/2" in item["reason"]


def test_an_attempt_number_that_moved_is_a_409(platform: LivePlatform, api: httpx.Client) -> None:
    """A retry that expects an earlier attempt is refused even when the stage has failed again."""
    task = platform.failed()
    stage_id = platform.stage(task.id, "check").id
    assert retry(api, task.id, stage_id, expected_retry_count=0).status_code == 200
    platform.wait(task.id, "failed")
    late = retry(api, task.id, stage_id, expected_retry_count=0)
    assert late.status_code == 409
    assert platform.stage(task.id, "check").retry_count == 1


def test_one_of_many_racing_retries_wins(platform: LivePlatform, api: httpx.Client) -> None:
    """Eight retries of one attempt at the same time: one is accepted, the stage moves by one."""
    task = platform.failed()
    stage_id = platform.stage(task.id, "check").id
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: retry(api, task.id, stage_id, expected_retry_count=0), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert platform.wait(task.id, "failed").stages[1].retry_count == 1


def test_a_batch_answers_for_each_task(platform: LivePlatform, api: httpx.Client, completed: Task) -> None:
    """Mixed batch: 200, items in the order asked, refusals with their reasons, and only the failed stage reset."""
    good = platform.failed()
    answer = api.post("/api/v1/tasks/retry-batch", json={"task_ids": [completed.id, good.id, "nope"]})
    body = answer.json()
    assert answer.status_code == 200
    assert (body["total"], body["succeeded"], body["failed"]) == (3, 1, 2)
    assert [item["task_id"] for item in body["items"]] == [completed.id, good.id, "nope"]
    assert [item["success"] for item in body["items"]] == [False, True, False]
    assert [item["reason"] for item in body["items"]] == ["task status is completed", None, "Task not found"]
    assert [item["task"] is None for item in body["items"]] == [True, False, True]
    reset = body["items"][1]["task"]
    assert reset["status"] == "pending"
    assert [stage["retry_count"] for stage in reset["stages"]] == [0, 1, 0]


def test_a_task_named_twice_in_a_batch_is_retried_once(platform: LivePlatform, api: httpx.Client) -> None:
    """The second mention is refused."""
    task = platform.failed()
    body = api.post("/api/v1/tasks/retry-batch", json={"task_ids": [task.id, task.id]}).json()
    assert [item["success"] for item in body["items"]] == [True, False]
    assert platform.wait(task.id, "failed").stages[1].retry_count == 1


def test_a_batch_minds_expected_attempts(platform: LivePlatform, api: httpx.Client, failed: Task) -> None:
    """A task whose attempt number moved is refused inside the batch; one without expectation is retried."""
    moved, plain = failed, platform.failed()
    body = {"task_ids": [moved.id, plain.id], "expected_retry_counts": {moved.id: 5}}
    items = api.post("/api/v1/tasks/retry-batch", json=body).json()["items"]
    assert [item["success"] for item in items] == [False, True]
    assert items[0]["reason"] == "retry_count is 0, expected 5"


def test_batches_are_bounded(api: httpx.Client) -> None:
    """500 tasks are answered, 501 are a 422, none is an empty answer."""
    ids = [f"none-{number}" for number in range(501)]
    url = "/api/v1/tasks/retry-batch"
    assert api.post(url, json={"task_ids": ids[:500]}).json()["failed"] == 500
    assert api.post(url, json={"task_ids": ids}).status_code == 422
    assert api.post(url, json={"task_ids": []}).json() == {"total": 0, "succeeded": 0, "failed": 0, "items": []}


def test_cancel_stops_a_running_task(platform: LivePlatform, api: httpx.Client) -> None:
    """The task is cancelled, what ran and what was to come is skipped, a second cancel is refused."""
    task_id = platform.submit("slow")
    platform.wait_for_line(task_id, "waiting")
    answer = api.post(f"/api/v1/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert {stage["status"] for stage in answer.json()["stages"]} == {"skipped"}
    again = api.post(f"/api/v1/tasks/{task_id}/cancel")
    assert (again.status_code, again.json()["detail"]) == (400, "task status is cancelled")
    assert api.post("/api/v1/tasks/nope/cancel").status_code == 404


def test_a_clone_has_no_lineage(platform: LivePlatform, api: httpx.Client) -> None:
    """A clone is 201, a new task with the same parameters and files, and no parent."""
    task_id = platform.submit("ok", params={"n": 3}, files={"a.csv": b"1,2\n"})
    answer = api.post(f"/api/v1/tasks/{task_id}/clone")
    clone = answer.json()
    assert answer.status_code == 201
    assert clone["id"] != task_id
    assert clone["parent_task_id"] is None
    assert clone["params"] == platform.task(task_id).params
    assert [file.name for file in platform.store.files(clone["id"])] == ["a.csv"]
    assert get(api, f"/api/v1/tasks/{task_id}")["retried_task_ids"] == []
    assert api.post("/api/v1/tasks/nope/clone").status_code == 404


def test_a_retry_of_all_failed_stages(platform: LivePlatform, api: httpx.Client, completed: Task) -> None:
    """`/retry` resets every failed stage and is refused for a task that has none."""
    task = platform.failed()
    answer = api.post(f"/api/v1/tasks/{task.id}/retry")
    assert answer.status_code == 200
    assert [stage["retry_count"] for stage in answer.json()["stages"]] == [0, 1, 0]
    assert api.post(f"/api/v1/tasks/{completed.id}/retry").status_code == 400
    assert api.post("/api/v1/tasks/nope/retry").status_code == 404


def test_a_422_says_where_and_what(api: httpx.Client) -> None:
    """Its detail is a list of loc, msg and type, and repeats no value."""
    answer = api.post("/api/v1/tasks/any/retry-from-stage", json={"stage_id": ["secret-value"]})
    assert answer.status_code == 422
    assert {frozenset(item) for item in answer.json()["detail"]} == {frozenset({"loc", "msg", "type"})}
    assert answer.json()["detail"][0]["loc"] == ["body", "stage_id"]
    assert "secret-value" not in answer.text


def test_unknown_fields_are_ignored(platform: LivePlatform, api: httpx.Client) -> None:
    """A body of a newer client is taken."""
    task = platform.failed()
    assert retry(api, task.id, platform.stage(task.id, "check").id, note="from the future").status_code == 200


def test_a_key_is_answered_once(platform: LivePlatform, api: httpx.Client) -> None:
    """The same key and body get the same answer though the task has moved on; another body is a 422."""
    task = platform.failed()
    stage_id = platform.stage(task.id, "check").id
    url, key = f"/api/v1/tasks/{task.id}/retry-from-stage", {"Idempotency-Key": uuid4().hex}
    first = api.post(url, json={"stage_id": stage_id}, headers=key)
    platform.wait(task.id, "failed")
    second = api.post(url, json={"expected_retry_count": None, "stage_id": stage_id}, headers=key)
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert platform.stage(task.id, "check").retry_count == 1
    other = api.post(url, json={"stage_id": stage_id, "expected_retry_count": 1}, headers=key)
    assert other.status_code == 422
    assert api.post(f"/api/v1/tasks/{task.id}/clone", headers=key).status_code == 422


def test_a_refusal_does_not_use_up_its_key(platform: LivePlatform, api: httpx.Client) -> None:
    """What was refused may be asked again under the same key."""
    task_id, key = platform.submit("slow"), {"Idempotency-Key": uuid4().hex}
    url = f"/api/v1/tasks/{task_id}/retry"
    assert api.post(url, headers=key).status_code == 400
    api.post(f"/api/v1/tasks/{task_id}/cancel")
    refused_again = api.post(url, headers=key)
    assert (refused_again.status_code, refused_again.json()["detail"]) == (400, "task status is cancelled")


@pytest.mark.parametrize("key", ["", "with space", "x" * 201])
def test_unusable_keys_are_refused(api: httpx.Client, key: str) -> None:
    """A key that is empty, has spaces or is too long is a 422."""
    assert api.post("/api/v1/tasks/any/retry", headers={"Idempotency-Key": key}).status_code == 422

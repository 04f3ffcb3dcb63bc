"""The queue dialect, line by line, as raw HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from retry_toolkit.server.records import Task
from tests.live import LivePlatform
from tests.server.raw import get

ROW_FIELDS = {
    *("task_id", "status", "display_name", "job_name", "created_at", "duration", "elapsed_seconds", "message"),
    *("submitter", "solver_type", "ansys_release", "progress_info"),
    *("parent_task_id", "retry_count", "retried_task_ids"),
}
DETAIL_FIELDS = {"error_detail", "params", "input_dir", "output_dir", "log_dir", "status_history"}
INPUTS = {"a.csv": b"id,value\n1,2\n", "数据.bin": bytes(range(256))}  # as of the fixture `completed`


def retry(api: httpx.Client, task_id: str, **body: object) -> Any:
    """The answer to a whole retry that is accepted."""
    answer = api.post(f"/api/tasks/{task_id}/retry", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_list_is_paged_newest_first(platform: LivePlatform, api: httpx.Client) -> None:
    """Ten rows a page unless asked otherwise, newest first, each with every field of a row and no long error."""
    mark = uuid4().hex
    made = [platform.submit("ok", title=f"queue {mark} {number}") for number in range(3)]
    page = get(api, "/api/tasks", title=mark.upper())
    assert (page["total"], page["page"], page["page_size"]) == (3, 1, 10)
    assert [item["task_id"] for item in page["items"]] == made[::-1]
    assert all(item.keys() >= ROW_FIELDS for item in page["items"])
    assert all("error_detail" not in item for item in page["items"])
    second = get(api, "/api/tasks", title=mark, page=2, page_size=2)
    assert [item["task_id"] for item in second["items"]] == made[:1]


def test_statuses_are_the_queue_s_words(
    platform: LivePlatform, api: httpx.Client, completed: Task, failed: Task
) -> None:
    """Completed is SUCCESS, failed FAILURE, running RUNNING, cancelled CANCELLED."""
    running = platform.submit("slow")
    platform.wait(running, "running")
    ids = {"SUCCESS": completed.id, "FAILURE": failed.id, "RUNNING": running}
    for status, task_id in ids.items():
        assert get(api, f"/api/tasks/{task_id}")["status"] == status
    api.post(f"/api/tasks/{running}/stop")
    assert get(api, f"/api/tasks/{running}")["status"] == "CANCELLED"


@pytest.mark.parametrize("word", ["FAILURE", "failure", "FAILED"])
def test_the_list_filters_by_any_word_of_a_status(api: httpx.Client, failed: Task, word: str) -> None:
    """Synonyms of the dialect find the same tasks."""
    items = get(api, "/api/tasks", status=word, title=failed.title)["items"]
    assert failed.id in [item["task_id"] for item in items]
    assert {item["status"] for item in items} == {"FAILURE"}


def test_times_are_epoch_seconds(api: httpx.Client, completed: Task) -> None:
    """`created_at` and the history are seconds since 1970, durations are seconds."""
    shown = get(api, f"/api/tasks/{completed.id}/detail")
    assert shown["created_at"] == pytest.approx(completed.created_at.timestamp(), abs=1e-5)
    assert shown["duration"] == shown["elapsed_seconds"]
    assert shown["duration"] == pytest.approx(sum(stage.duration_seconds or 0 for stage in completed.stages))
    times = [change["timestamp"] for change in shown["status_history"]]
    assert times == sorted(times)
    assert times[0] == pytest.approx(completed.created_at.timestamp(), abs=1e-5)


def test_the_detail_has_everything(api: httpx.Client, failed: Task) -> None:
    """Parameters, directories, the history with its error, and the full error."""
    shown = get(api, f"/api/tasks/{failed.id}/detail")
    assert shown.keys() >= ROW_FIELDS | DETAIL_FIELDS
    assert shown["params"]["answer"] == 42
    assert Path(shown["input_dir"]).is_dir()
    assert Path(shown["output_dir"]).is_dir()
    assert Path(shown["log_dir"]).is_dir()
    assert [change["status"] for change in shown["status_history"]] == ["PENDING", "RUNNING", "FAILURE"]
    assert "参考文件缺失" in shown["status_history"][-1]["error"]
    assert "参考文件缺失" in shown["error_detail"]
    assert "\n" not in shown["message"]
    assert "参考文件缺失" in shown["message"]


def test_names_and_progress(api: httpx.Client, completed: Task, failed: Task) -> None:
    """The display name is the title, the job name the pipeline; progress counts completed stages."""
    shown = get(api, f"/api/tasks/{failed.id}")
    assert (shown["display_name"], shown["job_name"]) == ("夜间作业", "gated")
    progress = {"progress_percent": 33.3, "current_pass": 2, "total_passes": 3, "message": "check"}
    assert shown["progress_info"] == progress
    done = get(api, f"/api/tasks/{completed.id}")
    assert done["progress_info"]["progress_percent"] == 100.0


@pytest.mark.parametrize("path", ["", "/detail", "/outputs", "/files", "/outputs/read/a.csv"])
def test_unknown_tasks_are_404(api: httpx.Client, path: str) -> None:
    """Every read of an unknown task says so."""
    answer = api.get(f"/api/tasks/nope{path}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Task not found"})


@pytest.mark.parametrize(("method", "path"), [("POST", "/retry"), ("POST", "/stop"), ("DELETE", "")])
def test_unknown_tasks_are_not_acted_upon(api: httpx.Client, method: str, path: str) -> None:
    """Every write to an unknown task is a 404."""
    answer = api.request(method, f"/api/tasks/nope{path}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Task not found"})


def test_input_files_are_listed(platform: LivePlatform, api: httpx.Client) -> None:
    """Name, size, existence and origin of each file, until when they are kept, and the room for copies."""
    task_id = platform.submit("ok", files=INPUTS)
    shown = get(api, f"/api/tasks/{task_id}/files")
    until = platform.task(task_id).retention_until
    assert shown["task_id"] == task_id
    assert 0 < shown["free_bytes"] <= shutil.disk_usage(platform.settings.home).total
    assert until is not None
    assert shown["retention_until"] == pytest.approx(until.timestamp(), abs=1e-5)
    assert shown["files"] == [
        {"name": name, "size_bytes": len(INPUTS[name]), "exists": True, "method": "original", "source_task_id": None}
        for name in sorted(INPUTS)
    ]
    assert get(api, f"/api/tasks/{platform.submit('ok')}/files")["files"] == []


def test_a_whole_retry_copies_by_default(platform: LivePlatform, api: httpx.Client) -> None:
    """A retry without a body makes a new waiting task with copies of the files, linked both ways."""
    old = platform.failed(title="夜间作业", params={"n": 1}, files=INPUTS)
    answer = api.post(f"/api/tasks/{old.id}/retry")
    body = answer.json()
    assert answer.status_code == 200
    assert {key: body[key] for key in ("original_task_id", "status", "files_copied", "files_linked")} == {
        "original_task_id": old.id,
        "status": "PENDING",
        "files_copied": 2,
        "files_linked": 0,
    }
    assert isinstance(body["message"], str)
    new = get(api, f"/api/tasks/{body['new_task_id']}/detail")
    assert (new["display_name"], new["parent_task_id"], new["retry_count"]) == ("夜间作业 (重试)", old.id, 1)
    assert new["params"] == old.params
    assert get(api, f"/api/tasks/{old.id}")["retried_task_ids"] == [body["new_task_id"]]
    files = get(api, f"/api/tasks/{body['new_task_id']}/files")["files"]
    assert {(file["method"], file["source_task_id"]) for file in files} == {("copied", old.id)}
    assert get(api, "/api/tasks")["items"][0]["task_id"] == body["new_task_id"]


def test_a_whole_retry_can_link(platform: LivePlatform, api: httpx.Client) -> None:
    """Linked files are the same files on disk."""
    old = platform.failed(files=INPUTS)
    body = retry(api, old.id, copy_files=False)
    assert (body["files_copied"], body["files_linked"]) == (0, 2)
    directories = [Path(get(api, f"/api/tasks/{one}/detail")["input_dir"]) for one in (old.id, body["new_task_id"])]
    assert len({(directory / "a.csv").stat().st_ino for directory in directories}) == 1
    methods = {file["method"] for file in get(api, f"/api/tasks/{body['new_task_id']}/files")["files"]}
    assert methods == {"linked"}


def test_a_whole_retry_takes_name_and_submitter(platform: LivePlatform, api: httpx.Client) -> None:
    """Both can be given; the old task's name stays."""
    old = platform.failed(title="before")
    body = retry(api, old.id, display_name="<改名> & more", submitter="李雷")
    new = get(api, f"/api/tasks/{body['new_task_id']}")
    assert (new["display_name"], new["submitter"]) == ("<改名> & more", "李雷")
    assert get(api, f"/api/tasks/{old.id}")["display_name"] == "before"


def test_lineage_counts_along_the_chain(platform: LivePlatform, api: httpx.Client) -> None:
    """The k-th retry of a chain says k; each task lists its direct retries only."""
    first = platform.failed()
    assert get(api, f"/api/tasks/{first.id}")["retry_count"] == 0
    second = retry(api, first.id)["new_task_id"]
    platform.wait(second, "failed")
    third = retry(api, second)["new_task_id"]
    sibling = retry(api, first.id)["new_task_id"]
    shown = {one: get(api, f"/api/tasks/{one}") for one in (first.id, second, third, sibling)}
    assert [shown[one]["retry_count"] for one in (first.id, second, third, sibling)] == [0, 1, 2, 1]
    assert shown[first.id]["retried_task_ids"] == [second, sibling]
    assert shown[second]["retried_task_ids"] == [third]


def test_what_has_ended_can_be_retried_as_a_whole(platform: LivePlatform, api: httpx.Client, completed: Task) -> None:
    """A completed and a cancelled task may run again on purpose; a running one may not."""
    retry(api, completed.id)
    running = platform.submit("slow")
    platform.wait(running, "running")
    refused = api.post(f"/api/tasks/{running}/retry")
    assert (refused.status_code, refused.json()["detail"]) == (400, "task status is running")
    api.post(f"/api/tasks/{running}/stop")
    again = retry(api, running)["new_task_id"]
    api.post(f"/api/tasks/{again}/stop")


def test_files_that_are_gone_are_a_410(platform: LivePlatform, api: httpx.Client) -> None:
    """Copying and linking both say so in the contract's words, make no task, and the list shows what is missing."""
    old = platform.failed(files=INPUTS)
    (platform.store.layout.inputs(old.id) / "a.csv").unlink()
    for copy_files in (True, False):
        answer = api.post(f"/api/tasks/{old.id}/retry", json={"copy_files": copy_files})
        assert (answer.status_code, answer.json()["detail"]) == (410, "原任务文件已被清理，无法重试")
    shown = {file["name"]: file["exists"] for file in get(api, f"/api/tasks/{old.id}/files")["files"]}
    assert shown == {"a.csv": False, "数据.bin": True}
    assert get(api, f"/api/tasks/{old.id}")["retried_task_ids"] == []


def test_a_retry_that_came_too_late_is_a_409(platform: LivePlatform, api: httpx.Client) -> None:
    """`expected_retry_count` is the number of direct retries that the caller saw."""
    old = platform.failed()
    retry(api, old.id, expected_retry_count=0)
    late = api.post(f"/api/tasks/{old.id}/retry", json={"expected_retry_count": 0})
    assert late.status_code == 409
    assert len(get(api, f"/api/tasks/{old.id}")["retried_task_ids"]) == 1


def test_a_key_makes_one_task(platform: LivePlatform, api: httpx.Client) -> None:
    """The same whole retry under the same key names the same new task."""
    old, key = platform.failed(files=INPUTS), {"Idempotency-Key": uuid4().hex}
    answers = [api.post(f"/api/tasks/{old.id}/retry", headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert get(api, f"/api/tasks/{old.id}")["retried_task_ids"] == [answers[0].json()["new_task_id"]]
    assert api.post(f"/api/tasks/{old.id}/retry", json={"copy_files": False}, headers=key).status_code == 422


def test_stop_answers_with_the_status(platform: LivePlatform, api: httpx.Client) -> None:
    """A running task is CANCELLED at once; stopping what has ended is refused."""
    task_id = platform.submit("slow")
    platform.wait(task_id, "running")
    answer = api.post(f"/api/tasks/{task_id}/stop")
    assert answer.status_code == 200
    assert answer.json() == {"task_id": task_id, "status": "CANCELLED", "message": "Task cancelled"}
    assert api.post(f"/api/tasks/{task_id}/stop").status_code == 400


def test_delete_removes_a_task_and_its_files(platform: LivePlatform, api: httpx.Client) -> None:
    """A deleted task is gone from both dialects and from the disk; its retries stay and name it still."""
    old = platform.failed(files=INPUTS)
    new = retry(api, old.id)["new_task_id"]
    answer = api.delete(f"/api/tasks/{old.id}")
    assert (answer.status_code, answer.json()["task_id"]) == (200, old.id)
    assert api.get(f"/api/tasks/{old.id}").status_code == 404
    assert api.get(f"/api/v1/tasks/{old.id}").status_code == 404
    assert api.delete(f"/api/tasks/{old.id}").status_code == 404
    assert not platform.store.layout.task(old.id).exists()
    assert get(api, f"/api/tasks/{new}")["parent_task_id"] == old.id


def test_a_running_task_is_not_deleted(platform: LivePlatform, api: httpx.Client) -> None:
    """It has to be stopped first."""
    task_id = platform.submit("slow")
    platform.wait(task_id, "running")
    assert api.delete(f"/api/tasks/{task_id}").status_code == 409
    assert api.post(f"/api/tasks/{task_id}/stop").status_code == 200


def test_outputs_are_listed_and_sent(api: httpx.Client, completed: Task) -> None:
    """What completed stages left is listed with working addresses, and is sent as a download with its very bytes."""
    shown = get(api, f"/api/tasks/{completed.id}/outputs")
    assert shown["task_id"] == completed.id
    assert Path(shown["base_dir"]).is_dir()
    assert [file["name"] for file in shown["files"]] == ["read/a.csv", "read/数据.bin"]
    assert [entry["size_bytes"] for entry in shown["file_entries"]] == [len(INPUTS["a.csv"]), 256]
    for file in shown["files"]:
        answer = api.get(file["url"])
        assert answer.content == INPUTS[file["name"].removeprefix("read/")]
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment; ")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        *("read/../../../../inputs/a.csv", "../inputs/a.csv", "read/..", "read/", "read", "no/a.csv", "read/none"),
        *("read//a.csv", "read/./a.csv", "read/\0", "read//etc/passwd", "/etc/passwd", "read/link", "read/dir/passwd"),
        *("score/..\\a.csv", "read/" + "x" * 5000),
    ],
)
def test_only_output_files_are_sent(platform: LivePlatform, api: httpx.Client, linked_outputs: str, name: str) -> None:
    """No name leads out of the work directories: not by dots, not by links, not by absolute paths."""
    answer = api.get(f"/api/tasks/{linked_outputs}/outputs/{quote(name, safe='')}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "File not found"})


def test_links_are_not_listed(api: httpx.Client, linked_outputs: str) -> None:
    """A link in a work directory is no output file."""
    names = [file["name"] for file in get(api, f"/api/tasks/{linked_outputs}/outputs")["files"]]
    assert names == ["read/a.csv", "read/数据.bin"]


@pytest.fixture(scope="module")
def linked_outputs(platform: LivePlatform) -> str:
    """A task in whose outputs somebody has put links out of them."""
    task = platform.run("ok", "completed", files=INPUTS)
    (found,) = platform.store.layout.task(task.id).glob("stages/read/*/work")
    (found / "link").symlink_to("/etc/passwd")
    (found / "dir").symlink_to("/etc")
    return task.id

"""The pipeline dialect, line by line, as raw HTTP: what it shows. Acting is in `test_pipeline_retries`."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import httpx
import pytest

from retry_toolkit.server.records import Task
from tests.live import LivePlatform
from tests.server.raw import TASK_FIELDS, get, retry, stage_named

STAGE_FIELDS = {
    *("id", "task_id", "stage_name", "agent_role", "status", "started_at", "completed_at", "duration_seconds"),
    *("tokens_used", "turns_used", "self_fix_count", "retry_count", "output_summary", "output_structured"),
    *("error_message", "failure_category", "self_assessment_score"),
}
LOG_FIELDS = {
    *("id", "task_id", "stage_id", "stage_name", "agent_role", "correlation_id", "event_seq", "event_type"),
    *("event_source", "status", "request_body", "response_body", "command", "command_args", "workspace"),
    *("execution_mode", "duration_ms", "result", "output_summary", "output_truncated", "missing_fields", "created_at"),
}


def test_a_task_has_every_field_of_the_contract(api: httpx.Client, completed: Task) -> None:
    """Task and stage carry all fields, ids and names are text, and stages stand in template order."""
    task = get(api, f"/api/v1/tasks/{completed.id}")
    assert task.keys() >= TASK_FIELDS
    assert all(stage.keys() >= STAGE_FIELDS for stage in task["stages"])
    assert [stage["stage_name"] for stage in task["stages"]] == ["read", "score", "publish"]
    assert [stage["agent_role"] for stage in task["stages"]] == ["reader", "scorer", "publisher"]
    assert {stage["task_id"] for stage in task["stages"]} == {task["id"]}
    assert task["title"] == task["template_name"] == "All well · 一切正常"
    assert (task["template_id"], task["project_id"]) == ("ok", "samples")
    assert task["status"] == "completed"
    assert {stage["status"] for stage in task["stages"]} == {"completed"}


def test_structured_outputs_arrive_whole(api: httpx.Client, completed: Task) -> None:
    """Known and further keys survive; summary, tokens and score are lifted out of them."""
    stage = stage_named(get(api, f"/api/v1/tasks/{completed.id}"), "score")
    assert stage["output_structured"]["summary"] == stage["output_summary"] == "scored"
    assert stage["output_structured"]["rows"] == 3
    assert stage["tokens_used"] == 120
    assert stage["self_assessment_score"] == stage["output_structured"]["confidence"] == 0.75


def test_a_failed_stage_says_why(api: httpx.Client, failed: Task) -> None:
    """The failed stage has message and category, the ones after it never began, and the task has ended."""
    task = get(api, f"/api/v1/tasks/{failed.id}")
    check, after = stage_named(task, "check"), stage_named(task, "finish")
    assert task["status"] == "failed"
    assert "参考文件缺失" in check["error_message"]
    assert check["failure_category"] == "transient"
    assert check["duration_seconds"] > 0
    assert (after["status"], after["started_at"]) == ("pending", None)


def test_an_ordinary_error_comes_with_its_traceback(platform: LivePlatform, api: httpx.Client) -> None:
    """A stage that raises shows the traceback of its own code."""
    stage = stage_named(get(api, f"/api/v1/tasks/{platform.run('broken', 'failed').id}"), "divide")
    assert "ZeroDivisionError" in stage["error_message"]
    assert "sample_pipelines.py" in stage["error_message"]


def test_times_are_naive_and_mean_utc(api: httpx.Client, completed: Task) -> None:
    """Times have microseconds and no offset, and equal the store's UTC times."""
    shown = get(api, f"/api/v1/tasks/{completed.id}")
    assert shown["created_at"] == completed.created_at.strftime("%Y-%m-%dT%H:%M:%S.%f")
    for text in (shown["completed_at"], *(stage["started_at"] for stage in shown["stages"])):
        assert datetime.fromisoformat(text).tzinfo is None


def test_totals_count_completed_stages_only(api: httpx.Client, failed: Task) -> None:
    """Tokens of the completed stage count, the failed one adds nothing."""
    task = get(api, f"/api/v1/tasks/{failed.id}")
    assert (task["total_tokens"], task["total_cost_rmb"]) == (10, 0.0)


def test_stage_ids_are_unique_across_tasks(platform: LivePlatform, api: httpx.Client) -> None:
    """Two tasks of one pipeline share no stage id, and the stages endpoint lists the same stages."""
    first, second = platform.submit("ok"), platform.submit("ok")
    ids = [stage["id"] for task in (first, second) for stage in get(api, f"/api/v1/tasks/{task}/stages")]
    assert len(set(ids)) == len(ids) == 6


def test_the_list_is_paged_newest_first(platform: LivePlatform, api: httpx.Client) -> None:
    """Pages do not overlap, carry full tasks, and say how many there are."""
    mark = uuid4().hex
    made = [platform.submit("ok", title=f"paged {mark} {number}") for number in range(3)]
    first = get(api, "/api/v1/tasks", title=mark, page=1, page_size=2)
    second = get(api, "/api/v1/tasks", title=mark, page=2, page_size=2)
    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert (first["total"], first["page"], first["page_size"]) == (3, 1, 2)
    assert all(item.keys() >= TASK_FIELDS and item["stages"] for item in first["items"])
    assert get(api, "/api/v1/tasks", title=mark, page=3, page_size=2)["items"] == []


def test_the_list_defaults_to_twenty_rows(platform: LivePlatform, api: httpx.Client) -> None:
    """Without parameters, and with empty ones, it is the first page of twenty."""
    platform.submit("ok")
    plain = get(api, "/api/v1/tasks")
    assert (plain["page"], plain["page_size"]) == (1, 20)
    assert get(api, "/api/v1/tasks", status="", project_id="", title="")["total"] == plain["total"]


@pytest.mark.parametrize(
    ("title", "part"),
    [
        ("销售日报 北京", "日报"),
        ("Weekly REPORT", "weekly report"),
        ("ÜBERSICHT Straße", "übersicht"),
        ("50%_done", "%_d"),
        ("<b>bold</b> 'quoted'", "</b> '"),
    ],
)
def test_titles_are_found_by_any_part(platform: LivePlatform, api: httpx.Client, title: str, part: str) -> None:
    """The filter ignores case in every script and takes no character as special."""
    mark = uuid4().hex
    wanted = platform.submit("ok", title=f"{title} {mark}")
    other = platform.submit("ok", title=f"500 done {mark}")
    found = [item["id"] for item in get(api, "/api/v1/tasks", title=part, page_size=200)["items"]]
    assert wanted in found
    assert other not in found


def test_the_list_filters_by_status_and_project(platform: LivePlatform, api: httpx.Client, failed: Task) -> None:
    """Each filter keeps what has that value and nothing else."""
    project = f"project-{uuid4().hex}"
    mine = platform.submit("ok", project_id=project)
    by_status = get(api, "/api/v1/tasks", status="failed", page_size=200)["items"]
    assert failed.id in {item["id"] for item in by_status}
    assert {item["status"] for item in by_status} == {"failed"}
    assert [item["id"] for item in get(api, "/api/v1/tasks", project_id=project)["items"]] == [mine]
    assert get(api, "/api/v1/tasks", project_id=project, status="failed")["items"] == []
    assert get(api, "/api/v1/tasks", status="planning")["items"] == []


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=99999999999999999999", "page_size=0", "page_size=201", "status=odd"]
)
@pytest.mark.parametrize("path", ["/api/v1/tasks", "/api/tasks"])
def test_bad_list_parameters_are_refused(api: httpx.Client, path: str, query: str) -> None:
    """A parameter out of its range is a 422 that names it."""
    answer = api.get(f"{path}?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.partition("=")[0]]


@pytest.mark.parametrize("suffix", ["", "/stages", "/attempts"])
@pytest.mark.parametrize("task_id", ["nope", "00123", "%00", "%ED%A0%80", "..%2f..%2fetc", "x" * 5000, "任务"])
def test_unknown_tasks_are_404(api: httpx.Client, task_id: str, suffix: str) -> None:
    """Whatever the id looks like, the answer is the contract's."""
    answer = api.get(f"/api/v1/tasks/{task_id}{suffix}")
    assert answer.status_code == 404
    assert answer.json()["detail"] in {"Task not found", "Not Found"}


def test_logs_have_every_field_in_order(api: httpx.Client, failed: Task) -> None:
    """Rows of a task stand in order of `event_seq` and carry what the stage printed, as it printed it."""
    page = get(api, "/api/v1/task-logs", task=failed.id)
    assert (page["page"], page["page_size"]) == (1, 50)
    assert page["total"] == len(page["items"])
    assert all(row.keys() >= LOG_FIELDS and row["task_id"] == failed.id for row in page["items"])
    sequence = [row["event_seq"] for row in page["items"]]
    assert sequence == sorted(set(sequence))
    printed = {(row["event_type"], row["result"]) for row in page["items"] if row["stage_name"] == "check"}
    assert ("stdout", "第 1 次尝试 ✓") in printed
    assert ("stderr", "缺少文件") in printed


def test_logs_of_one_stage_and_source(api: httpx.Client, failed: Task) -> None:
    """`stage` and `event_source` keep their rows and nothing else."""
    rows = get(api, "/api/v1/task-logs", task=failed.id, stage="check", event_source="stage")["items"]
    assert {(row["stage_name"], row["event_source"]) for row in rows} == {("check", "stage")}
    assert get(api, "/api/v1/task-logs", task=failed.id, stage="no such stage")["items"] == []


def test_logs_are_paged(platform: LivePlatform, api: httpx.Client) -> None:
    """Pages of a long log follow one another without gap or repeat."""
    task = platform.run("noisy", "completed", params={"lines": 120})
    whole = get(api, "/api/v1/task-logs", task=task.id, page_size=200)
    pages = [get(api, "/api/v1/task-logs", task=task.id, page=page)["items"] for page in (1, 2, 3)]
    assert [row["id"] for page in pages for row in page] == [row["id"] for row in whole["items"]]
    lines = [row["result"] for row in whole["items"] if str(row["result"]).startswith("line ")]
    assert lines == [f"line {number}" for number in range(120)]


def test_logs_can_be_read_while_a_stage_runs(platform: LivePlatform, api: httpx.Client) -> None:
    """What a running stage printed is there before it ends."""
    task_id = platform.submit("slow")
    platform.wait_for_line(task_id, "waiting")
    assert get(api, f"/api/v1/tasks/{task_id}")["status"] == "running"
    assert "waiting" in [row["result"] for row in get(api, "/api/v1/task-logs", task=task_id)["items"]]
    platform.release(task_id)
    platform.wait(task_id, "completed")


@pytest.mark.parametrize("query", ["", "?task=", "?page=1"])
def test_logs_need_a_task(api: httpx.Client, query: str) -> None:
    """Without a task it is a 422."""
    assert api.get(f"/api/v1/task-logs{query}").status_code == 422


def test_logs_of_an_unknown_task_are_404(api: httpx.Client) -> None:
    """A deleted task and an empty log are told apart."""
    assert api.get("/api/v1/task-logs", params={"task": "nope"}).status_code == 404


def test_templates_describe_the_pipelines(api: httpx.Client) -> None:
    """Each pipeline has its stages in order with their limits."""
    answer = get(api, "/api/v1/templates")
    by_name = {item["name"]: item for item in answer["items"]}
    assert answer["total"] == len(answer["items"])
    broken = by_name["broken"]
    assert (broken["id"], broken["display_name"]) == ("broken", "Never well · 总是失败")
    assert [(stage["name"], stage["order"]) for stage in broken["stages"]] == [
        ("prepare", 0),
        ("divide", 1),
        ("never", 2),
    ]
    assert [stage["max_retries"] for stage in broken["stages"]] == [3, 2, 3]
    assert broken["stages"][1]["agent_role"] == "calculator"


def test_projects_are_those_of_tasks(platform: LivePlatform, api: httpx.Client) -> None:
    """A project appears with its first task."""
    name = f"项目-{uuid4().hex}"
    platform.submit("ok", project_id=name)
    answer = get(api, "/api/v1/projects")
    assert {"id": name, "name": name, "display_name": name} in answer["items"]
    assert answer["total"] == len(answer["items"])


def test_there_are_no_gates(api: httpx.Client) -> None:
    """The list of approvals is there and empty."""
    expected = {"items": [], "total": 0, "page": 1, "page_size": 20}
    assert get(api, "/api/v1/gates", task_id="any") == expected


def test_health_needs_no_prefix(api: httpx.Client) -> None:
    """`/health` says ok."""
    assert get(api, "/health") == {"status": "ok"}


def test_the_audit_trail_tells_who_did_what(platform: LivePlatform, api: httpx.Client) -> None:
    """A retry and a refusal are both there, newest first, with actor and outcome."""
    task = platform.failed()
    stage_id = platform.stage(task.id, "check").id
    assert retry(api, task.id, stage_id, expected_retry_count=7).status_code == 409
    assert retry(api, task.id, stage_id).status_code == 200
    page = get(api, "/api/v1/audit/logs", page=1, page_size=200)
    mine = [row for row in page["items"] if row["task_id"] == task.id]
    assert (page["page"], page["page_size"]) == (1, 200)
    assert [row["outcome"].partition(" ")[0] for row in mine] == ["accepted", "refused", "accepted"]
    assert {row["actor"] for row in mine} == {"local"}
    assert mine[0]["stage_id"] == stage_id
    assert datetime.fromisoformat(mine[0]["at"]).tzinfo is None

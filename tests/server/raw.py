"""Raw HTTP, as the tests of both dialects speak it."""

from __future__ import annotations

from typing import Any

import httpx

TASK_FIELDS = {
    *("id", "title", "description", "status", "created_at", "completed_at", "stages", "total_tokens", "total_cost_rmb"),
    *("template_id", "template_name", "project_id", "project_name"),
    *("jira_id", "branch_name", "pr_url", "target_branch", "yunxiao_task_id", "github_issue_number"),
}


def get(api: httpx.Client, path: str, **params: object) -> Any:
    """The JSON of a successful read."""
    answer = api.get(path, params=params)  # type: ignore[arg-type]  # httpx wants primitives, which these are
    assert answer.status_code == 200, answer.text
    return answer.json()


def stage_named(task: dict[str, Any], name: str) -> dict[str, Any]:
    """A stage of a task."""
    return next(stage for stage in task["stages"] if stage["stage_name"] == name)


def retry(api: httpx.Client, task_id: str, stage_id: str, **body: object) -> httpx.Response:
    """A stage retry."""
    return api.post(f"/api/v1/tasks/{task_id}/retry-from-stage", json={"stage_id": stage_id, **body})

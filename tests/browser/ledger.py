"""The platform's own ledger, read by HTTP: what a story checks besides what the user reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.browser.processes import wait_for

ROWS = b"day,amount\n2026-11-01,3\n2026-11-02,4\n"


@dataclass(frozen=True, slots=True)
class Ledger:
    """A running platform at `url`, and the token that it asks for."""

    url: str
    token: str | None = field(default=None, repr=False)

    def submit(self, title: str, *, pipeline: str = "report", params: Mapping[str, Any] | None = None) -> str:
        """Id of a new task with one small input file."""
        form = {"pipeline": pipeline, "title": title, "params": json.dumps(dict(params or {}))}
        return str(self._ask("POST", "/api/v1/tasks", data=form, files={"files": ("sales.csv", ROWS)})["id"])

    def failed(self, title: str, *, pipeline: str = "report", params: Mapping[str, Any] | None = None) -> str:
        """Id of a new task that ran and failed."""
        task_id = self.submit(title, pipeline=pipeline, params=params)
        self.wait(task_id, "failed")
        return task_id

    def wait(self, task_id: str, status: str) -> dict[str, Any]:
        """The task, as soon as it has that status."""
        return wait_for(f"{task_id} to be {status}", lambda: self._with_status(task_id, status))

    def task(self, task_id: str) -> dict[str, Any]:
        """The task as the platform has it now."""
        task: dict[str, Any] = self._ask("GET", f"/api/v1/tasks/{task_id}")
        return task

    def stage(self, task_id: str, name: str) -> dict[str, Any]:
        """One stage of the task as the platform has it now."""
        stage: dict[str, Any] = next(row for row in self.task(task_id)["stages"] if row["stage_name"] == name)
        return stage

    def retries(self, task_id: str) -> dict[str, int]:
        """`retry_count` of each stage by name."""
        return {stage["stage_name"]: int(stage["retry_count"]) for stage in self.task(task_id)["stages"]}

    def count(self) -> int:
        """How many tasks there are."""
        return int(self._first_page()["total"])

    def newest(self) -> dict[str, Any]:
        """The newest task."""
        task: dict[str, Any] = self._first_page()["items"][0]
        return task

    def files(self, task_id: str) -> list[dict[str, Any]]:
        """Input files of the task."""
        files: list[dict[str, Any]] = self._ask("GET", f"/api/tasks/{task_id}/files")["files"]
        return files

    def retry_stage(self, task_id: str, name: str) -> None:
        """Retry a stage, as somebody else would."""
        body = {"stage_id": self.stage(task_id, name)["id"]}
        self._ask("POST", f"/api/v1/tasks/{task_id}/retry-from-stage", json=body)

    def retry_task(self, task_id: str) -> str:
        """Retry the whole task, as somebody else would; the new task's id."""
        return str(self._ask("POST", f"/api/tasks/{task_id}/retry", json={})["new_task_id"])

    def _with_status(self, task_id: str, status: str) -> dict[str, Any] | None:
        task = self.task(task_id)
        return task if task["status"] == status else None

    def _first_page(self) -> Any:
        return self._ask("GET", "/api/v1/tasks", params={"page_size": "1"})

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = httpx.request(method, self.url + path, headers=headers, trust_env=False, timeout=30, **request)
        answer.raise_for_status()
        return answer.json()

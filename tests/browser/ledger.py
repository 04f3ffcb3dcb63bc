"""The platform's own ledger, read by HTTP: what a story checks besides what the user reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.browser.processes import wait_for

ROWS = b"day,amount\n2026-11-01,3\n2026-11-02,4\n"


@dataclass(frozen=True, slots=True)
class Ledger:
    """A running platform at `url`."""

    url: str

    def _get(self, path: str, **params: object) -> Any:
        answer = httpx.get(
            self.url + path, params={name: str(value) for name, value in params.items()}, trust_env=False
        )
        answer.raise_for_status()
        return answer.json()

    def submit(self, title: str, *, pipeline: str = "report", params: Mapping[str, Any] | None = None) -> str:
        """Id of a new task with one small input file."""
        answer = httpx.post(
            f"{self.url}/api/v1/tasks",
            data={"pipeline": pipeline, "title": title, "params": json.dumps(dict(params or {}))},
            files={"files": ("sales.csv", ROWS)},
            trust_env=False,
        )
        answer.raise_for_status()
        return str(answer.json()["id"])

    def failed(self, title: str, *, pipeline: str = "report", params: Mapping[str, Any] | None = None) -> str:
        """Id of a new task that ran and failed."""
        task_id = self.submit(title, pipeline=pipeline, params=params)
        self.wait(task_id, "failed")
        return task_id

    def wait(self, task_id: str, status: str) -> dict[str, Any]:
        """The task, as soon as it has that status."""
        return wait_for(f"{task_id} to be {status}", lambda: self._with_status(task_id, status))

    def _with_status(self, task_id: str, status: str) -> dict[str, Any] | None:
        task = self.task(task_id)
        return task if task["status"] == status else None

    def task(self, task_id: str) -> dict[str, Any]:
        """The task as the platform has it now."""
        task: dict[str, Any] = self._get(f"/api/v1/tasks/{task_id}")
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
        return int(self._get("/api/v1/tasks", page_size=1)["total"])

    def newest(self) -> dict[str, Any]:
        """The newest task."""
        task: dict[str, Any] = self._get("/api/v1/tasks", page_size=1)["items"][0]
        return task

    def files(self, task_id: str) -> list[dict[str, Any]]:
        """Input files of the task."""
        files: list[dict[str, Any]] = self._get(f"/api/tasks/{task_id}/files")["files"]
        return files

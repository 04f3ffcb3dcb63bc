"""The two plain dialects in process, without keys and attempt checks: what most platforms can do, as fast as it goes.

Each keeps a ledger of what it did. Time is counted in looks at a task: what was retried has ended when somebody looks.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from tests.faults.kinds import Call, Reply
from tests.faults.oracle import Act, fails

LIMIT = 3
NOT_FOUND = Reply(status=404, body=b'{"detail": "Task not found"}')


@dataclass(slots=True)
class _Job:
    """A task as the platform has it."""

    id: str
    status: str = "failed"
    attempt: int = 0

    def end(self) -> None:
        """Time passes: what was retried is over."""
        if self.status == "pending":
            self.status = "failed" if fails(self.id, self.attempt) else "completed"


class PlainPipeline:
    """The pipeline dialect: a task has three stages and failed at the second. A handler of `FaultyWire`."""

    def __init__(self, task_ids: Sequence[str]) -> None:
        self.ledger: list[Act] = []
        self._jobs = {task_id: _Job(task_id) for task_id in task_ids}
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Reply:
        """The answer to a request."""
        with self._lock:
            return self._answer(call)

    def _answer(self, call: Call) -> Reply:
        match call.method, call.parts:
            case "POST", ("tasks", "retry-batch"):
                return self._retry_batch(call.json()["task_ids"])
            case "POST", ("tasks", task_id, "retry-from-stage"):
                return self._retry_stage(task_id, call.json()["stage_id"])
            case "GET", ("tasks", task_id) if task_id in self._jobs:
                return self._look(self._jobs[task_id])
            case "GET", ("tasks" | "task-logs" | "templates",):
                return _ok({"items": [], "total": 0, "page": 1, "page_size": 50})
            case _:
                return NOT_FOUND

    def _look(self, job: _Job) -> Reply:
        job.end()
        return _ok(_task(job))

    def _retry_stage(self, task_id: str, stage_id: str) -> Reply:
        job = self._jobs.get(task_id)
        if job is None or stage_id != _stage_id(job):
            return NOT_FOUND
        if (reason := _refusal(job)) is not None:
            return Reply(status=400, body=json.dumps({"detail": reason}).encode())
        self._reset(job)
        return _ok(_task(job))

    def _retry_batch(self, task_ids: list[str]) -> Reply:
        items = [self._batch_item(task_id) for task_id in task_ids]
        succeeded = sum(item["success"] for item in items)
        counts = {"total": len(items), "succeeded": succeeded, "failed": len(items) - succeeded}
        return _ok({**counts, "items": items})

    def _batch_item(self, task_id: str) -> dict[str, Any]:
        job = self._jobs.get(task_id)
        reason = "Task not found" if job is None else _refusal(job)
        if job is None or reason is not None:
            return {"task_id": task_id, "success": False, "reason": reason, "task": None}
        self._reset(job)
        return {"task_id": task_id, "success": True, "reason": None, "task": _task(job)}

    def _reset(self, job: _Job) -> None:
        self.ledger.append(Act(task_id=job.id, attempt=job.attempt))
        job.status, job.attempt = "pending", job.attempt + 1


class PlainQueue:
    """The queue dialect: a retry makes a new task. A handler of `FaultyWire`."""

    def __init__(self, task_ids: Sequence[str]) -> None:
        self.ledger: list[Act] = []
        self._jobs = {task_id: _Job(task_id) for task_id in task_ids}
        self._children: dict[str, list[str]] = {task_id: [] for task_id in task_ids}
        self._parents: dict[str, str] = {}
        self._lock = threading.Lock()

    def __call__(self, call: Call) -> Reply:
        """The answer to a request."""
        with self._lock:
            return self._answer(call)

    def _answer(self, call: Call) -> Reply:
        match call.method, call.parts:
            case "POST", ("tasks", task_id, "retry") if task_id in self._jobs:
                return self._retry(self._jobs[task_id])
            case "GET", ("tasks", task_id) | ("tasks", task_id, "detail") if task_id in self._jobs:
                return self._look(self._jobs[task_id])
            case "GET", ("tasks",):
                return _ok({"items": [], "total": 0, "page": 1, "page_size": 10})
            case _:
                return NOT_FOUND

    def _look(self, job: _Job) -> Reply:
        job.end()
        return _ok(self._row(job))

    def _retry(self, old: _Job) -> Reply:
        if old.status == "pending":
            return Reply(status=400, body=b'{"detail": "task status is PENDING"}')
        children = self._children[old.id]
        new = _Job(f"{old.id}-r{len(children) + 1}", status="pending", attempt=1)
        self.ledger.append(Act(task_id=old.id, attempt=len(children), new_task_id=new.id))
        children.append(new.id)
        self._jobs[new.id], self._children[new.id], self._parents[new.id] = new, [], old.id
        told = {"new_task_id": new.id, "original_task_id": old.id, "status": "PENDING", "message": "Task resubmitted"}
        return _ok(told | {"files_copied": 0, "files_linked": 0})

    def _row(self, job: _Job) -> dict[str, Any]:
        words = {"failed": "FAILURE", "pending": "PENDING", "completed": "SUCCESS"}
        return {
            "task_id": job.id,
            "status": words[job.status],
            "display_name": f"solve {job.id}",
            "created_at": 1_790_000_000.5,
            "message": "solver error 1045" if job.status == "failed" else None,
            "parent_task_id": self._parents.get(job.id),
            "retry_count": 0,
            "retried_task_ids": self._children[job.id],
        }


def _refusal(job: _Job) -> str | None:
    if job.status != "failed":
        return f"task status is {job.status}"
    return f"Retry limit reached ({job.attempt}/{LIMIT})" if job.attempt >= LIMIT else None


def _stage_id(job: _Job) -> str:
    return f"{job.id}-check"


def _task(job: _Job) -> dict[str, Any]:
    after = "completed" if job.status == "completed" else "pending"
    failed = job.status == "failed"
    return {
        "id": job.id,
        "title": f"daily {job.id}",
        "status": job.status,
        "created_at": "2026-11-22T09:29:38.000000",
        "completed_at": "2026-11-22T09:29:41.173305" if failed else None,
        "template_id": "daily",
        "stages": [
            _stage(job, "load", "completed", 0),
            _stage(job, "check", job.status, job.attempt),
            _stage(job, "finish", after, 0),
        ],
    }


def _stage(job: _Job, name: str, status: str, retry_count: int) -> dict[str, Any]:
    failed = status == "failed"
    return {
        "id": f"{job.id}-{name}",
        "task_id": job.id,
        "stage_name": name,
        "agent_role": "tester",
        "status": status,
        "retry_count": retry_count,
        "max_retries": LIMIT,
        "error_message": f"ValueError: row {crc32(job.id.encode()) % 7}" if failed else None,
        "failure_category": "tool_error" if failed else None,
    }


def _ok(value: Any) -> Reply:
    return Reply(status=200, body=json.dumps(value).encode())

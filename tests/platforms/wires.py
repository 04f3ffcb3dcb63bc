"""Stand-ins for the network: scripted answers that record what was asked, and objects shaped as the contracts say."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from retry_toolkit.platforms.budget import RetryBudget
from retry_toolkit.platforms.transport import Clock, Transport

BASE = "http://platform.test:8642"

Script = Callable[[httpx.Request], Any]


@dataclass
class Recorder:
    """Answers by a script, and keeps every request.

    The script returns a JSON value, a `httpx.Response`, or raises.
    """

    script: Script
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.script(request)
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    @property
    def wire(self) -> httpx.MockTransport:
        """This recorder in place of the network."""
        return httpx.MockTransport(self)

    @property
    def lines(self) -> list[str]:
        """Method and raw path of every request."""
        return [f"{request.method} {request.url.raw_path.decode('ascii')}" for request in self.requests]

    @property
    def writes(self) -> list[str]:
        """The lines of everything but reads."""
        return [line for line in self.lines if not line.startswith("GET ")]

    def body(self, index: int = -1) -> Any:
        """JSON body of one request."""
        return json.loads(self.requests[index].content)


@dataclass
class FakeTime:
    """A clock that moves only when somebody sleeps."""

    now: float = 0.0
    chance: float = 1.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Pass the time at once."""
        self.slept.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        """This time as the transport takes it; its epoch is 2026-01-01."""
        return Clock(
            elapsed=lambda: self.now,
            now=lambda: datetime.fromtimestamp(datetime(2026, 1, 1, tzinfo=UTC).timestamp() + self.now, UTC),
            sleep=self.sleep,
            chance=lambda: self.chance,
        )


def transport(recorder: Recorder, *, time: FakeTime | None = None, base: str = BASE, **options: Any) -> Transport:
    """A transport over a recorder that never really waits."""
    options.setdefault("budget", RetryBudget(reserve=1000))
    return Transport(base, wire=recorder.wire, clock=(time or FakeTime()).clock, **options)


def routes(table: Mapping[str, Any]) -> Script:
    """A script that answers by `METHOD /path` and 404 elsewhere; a value may be a function of the request."""

    def answer(request: httpx.Request) -> Any:
        found = table.get(f"{request.method} {request.url.path}")
        if found is None:
            return httpx.Response(404, json={"detail": "Not Found"})
        return found(request) if callable(found) else found

    return answer


def wire_stage(stage_id: str = "s1", **fields: Any) -> dict[str, Any]:
    """A stage of the pipeline dialect."""
    return {
        "id": stage_id,
        "task_id": "t1",
        "stage_name": "check",
        "agent_role": "checker",
        "status": "failed",
        "started_at": "2026-11-22T09:29:39.173305",
        "completed_at": "2026-11-22T09:29:41.173305",
        "duration_seconds": 2.0,
        "tokens_used": 5,
        "turns_used": 1,
        "self_fix_count": 0,
        "retry_count": 1,
        "max_retries": 3,
        "output_summary": None,
        "output_structured": None,
        "error_message": "ValueError: row 7",
        "failure_category": "tool_error",
        "self_assessment_score": 0.5,
        **fields,
    }


def wire_task(task_id: str = "t1", **fields: Any) -> dict[str, Any]:
    """A task of the pipeline dialect that failed at its only stage."""
    return {
        "id": task_id,
        "title": "日报 daily",
        "description": None,
        "status": "failed",
        "created_at": "2026-11-22T09:29:38.000000",
        "completed_at": "2026-11-22T09:29:41.173305",
        "stages": [wire_stage(f"{task_id}-s1", task_id=task_id)],
        "total_tokens": 0,
        "total_cost_rmb": 0.0,
        "template_id": "daily",
        "template_name": "Daily",
        "project_id": "p1",
        "project_name": "Project 1",
        **fields,
    }


def wire_job(task_id: str = "j1", **fields: Any) -> dict[str, Any]:
    """A task of the queue dialect that failed."""
    return {
        "task_id": task_id,
        "status": "FAILURE",
        "display_name": "求解 solve",
        "job_name": "solve.inp",
        "created_at": 1_790_000_000.5,
        "duration": 12.5,
        "message": "solver error 1045",
        "submitter": "li",
        "solver_type": "mapdl",
        "parent_task_id": None,
        "retry_count": 0,
        "retried_task_ids": [],
        **fields,
    }


def listing(rows: list[Any], **fields: Any) -> dict[str, Any]:
    """A page of a list."""
    return {"items": rows, "total": len(rows), "page": 1, "page_size": 100, **fields}

"""What endpoints share: the platform's parts, the caller, the task of the path, and the errors that OpenAPI lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, HTTPException, Path, Query, Request

from retry_toolkit.server.actions import Actions, Intent
from retry_toolkit.server.auth import Role
from retry_toolkit.server.logs import TaskLogs
from retry_toolkit.server.outputs import TaskOutputs
from retry_toolkit.server.pipelines import Pipeline
from retry_toolkit.server.records import Answer, Task
from retry_toolkit.server.store import Store
from retry_toolkit.server.wire.answers import Failure, Invalid, JsonAnswer, Refusal
from retry_toolkit.server.wire.platform import DemoState
from retry_toolkit.server.wire.requests import KEY_PATTERN, MAX_KEY
from retry_toolkit.settings import Settings

MAX_ID = 200
TASK_NOT_FOUND = "Task not found"


@dataclass(slots=True)
class DemoProgress:
    """How far the demo is; written by the thread that makes it, read by requests."""

    total: int = 0
    done: int = 0
    finished: bool = True
    error: str | None = None

    def update(self, done: int, total: int) -> None:
        """Note that `done` of `total` steps are done."""
        self.done, self.total = done, total

    def state(self) -> DemoState:
        """What is told about it."""
        return {"total": self.total, "done": self.done, "finished": self.finished, "error": self.error}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that endpoints work with."""

    store: Store
    actions: Actions
    pipelines: Mapping[str, Pipeline]
    settings: Settings
    logs: TaskLogs
    outputs: TaskOutputs
    demo: DemoProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One write: who makes it, under which key, and where."""

    role: Role
    key: str | None
    target: str

    def intent(self, body: Mapping[str, Any] | None = None) -> Intent:
        """The intent of this call; the same body in another order or with spelt-out defaults is the same intent."""
        canonical = json.dumps([self.target, body or {}], sort_keys=True)
        return Intent(actor=self.role, key=self.key, fingerprint=sha256(canonical.encode()).hexdigest())


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _role(request: Request) -> Role:
    role: Role = request.state.role
    return role


def _call(
    request: Request,
    role: CallerRole,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=MAX_KEY,
            pattern=KEY_PATTERN,
            description="Names this intent: a repeat under the same key is answered as before and does nothing; "
            "the same key for another request is refused with 422.",
        ),
    ] = None,
) -> Call:
    return Call(role=role, key=idempotency_key, target=f"{request.method} {request.url.path}")


def _path_task_id(task_id: Annotated[str, Path(description="Id of the task.")]) -> str:
    """An id that may be looked up: databases refuse NUL, and nothing that long was ever given out."""
    if "\0" in task_id or len(task_id) > MAX_ID:
        raise HTTPException(404, TASK_NOT_FOUND)
    return task_id


def _path_task(task_id: TaskId, parts: PartsOf) -> Task:
    return find_task(parts, task_id)


PartsOf = Annotated[Parts, Depends(_parts)]
CallerRole = Annotated[Role, Depends(_role)]
CallOf = Annotated[Call, Depends(_call)]
TaskId = Annotated[str, Depends(_path_task_id)]
PathTask = Annotated[Task, Depends(_path_task)]
Page = Annotated[int, Query(ge=1, le=1_000_000, description="Page, from 1.")]
PageSize = Annotated[int, Query(ge=1, le=200, description="Rows a page.")]
TitleFilter = Annotated[
    str, Query(max_length=500, pattern=r"^[^\x00]*$", description="Case-insensitive part of the title.")
]
NameFilter = Annotated[str, Query(max_length=MAX_ID, pattern=r"^[^\x00]*$")]


def find_task(parts: Parts, task_id: str) -> Task:
    """The task of that id.

    Raises:
        HTTPException: 404, there is none.
    """
    task = parts.store.task(task_id)
    if task is None:
        raise HTTPException(404, TASK_NOT_FOUND)
    return task


def send(answer: Answer) -> JsonAnswer:
    """What an action answers, as a response."""
    return JsonAnswer(answer.body, answer.status)


_ERRORS: dict[int, tuple[Any, str]] = {
    400: (Refusal, "Not possible in the task's present state, or a body that cannot be read."),
    401: (Refusal, "A token is missing or wrong."),
    403: (Refusal, "The token may only read, or the request comes from another site or for another host name."),
    404: (Refusal, "There is no such task, stage or file."),
    409: (Refusal, "The attempt number has moved: somebody else has retried."),
    410: (Refusal, "The input files are gone."),
    413: (Refusal, "The body is too large."),
    415: (Refusal, "The body has a content type that is not allowed."),
    422: (Invalid, "A parameter, header or body cannot be used."),
    500: (Failure, "The platform itself failed and has logged why."),
    507: (Refusal, "Not enough disk; the detail has the bytes needed and free."),
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of these errors and of those that every endpoint has."""
    return {
        status: {"model": _ERRORS[status][0], "description": _ERRORS[status][1]}
        for status in sorted({401, 403, 422, 500, *statuses})
    }


def write_refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries of these errors and of those that every write has."""
    return refusals(400, 413, 415, *statuses)

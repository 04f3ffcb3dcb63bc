"""What surrounds the tasks on the wire: templates, projects, gates, logs, the audit trail, capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

from retry_toolkit.server.wire.answers import described

if TYPE_CHECKING:
    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.server.store import StoredAnswer

MAX_BATCH = 500


@described
class Health(TypedDict):
    """That the platform answers."""

    status: Literal["ok"]
    """Always `ok`."""


@described
class KeyState(TypedDict):
    """What became of an idempotency key."""

    key: str
    """The key."""
    state: Literal["done", "called_off", "open"]
    """`done`: acted on; `called_off`: not acted on, and it never will be; `open`: not acted on so far."""
    new_task_id: str | None
    """The task that was made under it, if one was."""


@described
class Capabilities(TypedDict):
    """What this platform can do, and who the caller is."""

    platform: Literal["retry-toolkit"]
    """Names this kind of platform."""
    version: str
    """Version of the platform."""
    stage_retry: Literal["in_place"]
    """A stage retry resets the stage in its task."""
    whole_retry: Literal["new_task"]
    """A whole retry makes a new task."""
    batch: Literal["per_item"]
    """A batch is answered item by item."""
    max_batch: int
    """Most tasks in one batch."""
    start_anywhere: bool
    """Whether a retry may begin at a stage that has not failed."""
    idempotency: Literal["key"]
    """Writes take an `Idempotency-Key`."""
    keeps_attempts: bool
    """Whether every attempt is kept."""
    files: bool
    """Whether input files are known."""
    logs: bool
    """Whether logs are kept."""
    cancel: bool
    """Whether tasks can be cancelled."""
    parameters: bool
    """Whether the parameters of tasks are known."""
    auth: Literal["none", "token"]
    """Whether requests need a token."""
    role: Literal["local", "viewer", "operator"]
    """Who the caller is: `local` where no token is needed."""


@described
class TemplateStage(TypedDict):
    """One stage of a pipeline."""

    name: str
    """Name, unique in its pipeline."""
    agent_role: str
    """Who does it."""
    order: int
    """Position, 0 for the first."""
    max_retries: int
    """Retries allowed."""


@described
class Template(TypedDict):
    """One pipeline that tasks can be submitted to."""

    id: str
    """The same as `name`."""
    name: str
    """Name to submit under."""
    display_name: str
    """What people read."""
    project_id: str | None
    """Project of its tasks unless they name another."""
    stages: list[TemplateStage]
    """Its stages in the order in which they run."""


@described
class TemplateList(TypedDict):
    """Every pipeline."""

    items: list[Template]
    """The pipelines."""
    total: int
    """How many there are."""


@described
class Project(TypedDict):
    """One project that has tasks."""

    id: str
    """Id to filter by."""
    name: str
    """The same as `id` here."""
    display_name: str
    """The same as `id` here."""


@described
class ProjectList(TypedDict):
    """Every project."""

    items: list[Project]
    """The projects by name."""
    total: int
    """How many there are."""


@described
class GateList(TypedDict):
    """One page of human approvals; this platform has none."""

    items: list[dict[str, Any]]
    """Always empty."""
    total: int
    """Always 0."""
    page: int
    """This page, from 1."""
    page_size: int
    """Rows asked for."""


@described
class LogRow(TypedDict):
    """One line of a stage's log."""

    id: str
    """Id of the row."""
    task_id: str
    """Task."""
    stage_id: str | None
    """Stage."""
    stage_name: str | None
    """Name of the stage."""
    agent_role: str | None
    """Who does the stage."""
    correlation_id: str | None
    """Names the attempt."""
    event_seq: int
    """Order within the task, from 1."""
    event_type: str
    """`stdout`, `stderr` or `event`."""
    event_source: str
    """`stage` for what it wrote, `platform` for what happened to it."""
    status: str | None
    """Status that an event reports."""
    request_body: Any
    """Always null here."""
    response_body: Any
    """Always null here."""
    command: str | None
    """Command line of the stage."""
    command_args: Any
    """Arguments of the command line."""
    workspace: str | None
    """Work directory of the attempt."""
    execution_mode: str | None
    """How the stage runs."""
    duration_ms: float | None
    """Running time in milliseconds, where an event reports one."""
    result: str | None
    """The line."""
    output_summary: str | None
    """What the stage says it made, where an event reports it."""
    output_truncated: bool
    """Whether the line was cut."""
    missing_fields: list[str] | None
    """Always null or empty here."""
    created_at: str | None
    """When the line was written; ISO 8601 without offset, meaning UTC."""


@described
class LogList(TypedDict):
    """One page of log lines in order."""

    items: list[LogRow]
    """The lines."""
    total: int
    """How many there are in all."""
    page: int
    """This page, from 1."""
    page_size: int
    """Rows asked for."""


@described
class AuditRow(TypedDict):
    """One entry of the audit trail."""

    id: int | str
    """Id of the entry."""
    at: str
    """When; ISO 8601 without offset, meaning UTC."""
    actor: str
    """Who: `operator`, or `local` where no token is needed."""
    action: str
    """What was asked for."""
    task_id: str | None
    """Task that it touched."""
    stage_id: str | None
    """Stage that it touched."""
    before: Any
    """The task before, in short."""
    after: Any
    """The task afterwards, in short, or what was made."""
    outcome: str
    """`accepted`, or `refused` with the status and the reason."""


@described
class AuditList(TypedDict):
    """One page of the audit trail, newest first."""

    items: list[AuditRow]
    """The entries."""
    total: int
    """How many there are in all."""
    page: int
    """This page, from 1."""
    page_size: int
    """Rows asked for."""


@described
class DemoState(TypedDict):
    """How far the demo is."""

    total: int
    """Steps that make the demo; 0 where no demo is being made."""
    done: int
    """Steps done."""
    finished: bool
    """Whether no more is going to be made."""
    error: str | None
    """Why making it was given up, or null."""


def key_state(key: str, stored: StoredAnswer | None) -> KeyState:
    """What is told of an idempotency key that has this stored answer."""
    if stored is None:
        return {"key": key, "state": "open", "new_task_id": None}
    if stored.called_off:
        return {"key": key, "state": "called_off", "new_task_id": None}
    return {"key": key, "state": "done", "new_task_id": stored.answer.body.get("new_task_id")}


def template(pipeline: Pipeline, retry_limit: int) -> Template:
    """A pipeline as the dialect's template; `retry_limit` holds for stages that name none."""
    return {
        "id": pipeline.name,
        "name": pipeline.name,
        "display_name": pipeline.title,
        "project_id": pipeline.project,
        "stages": [
            {
                "name": stage.name,
                "agent_role": stage.role,
                "order": order,
                "max_retries": retry_limit if stage.max_retries is None else stage.max_retries,
            }
            for order, stage in enumerate(pipeline.stages)
        ],
    }

"""The pipeline dialect on the wire: its answers, and how records become them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

from retry_toolkit.server.wire.answers import described, naive_utc

if TYPE_CHECKING:
    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.server.records import Attempt, Stage, Task

DEFAULT_PAGE_SIZE = 20


@described
class PipelineStage(TypedDict):
    """One stage of a task as it stands now."""

    id: str
    """Id, unique across tasks."""
    task_id: str
    """Task that it belongs to."""
    stage_name: str
    """Name in its pipeline."""
    agent_role: str
    """Who does it, such as `validator`."""
    status: str
    """`pending`, `running`, `completed`, `failed` or `skipped`."""
    started_at: str | None
    """Start of the latest attempt; ISO 8601 without offset, meaning UTC."""
    completed_at: str | None
    """End of the latest attempt; ISO 8601 without offset, meaning UTC."""
    duration_seconds: float | None
    """Running time of the latest attempt in seconds."""
    tokens_used: int
    """Tokens that it reported."""
    turns_used: int
    """Turns of an agent; always 0 here."""
    self_fix_count: int
    """Times that an agent mended itself; always 0 here."""
    retry_count: int
    """Retries so far: the attempt number less one. Send it as `expected_retry_count` of a retry."""
    max_retries: int
    """Retries allowed."""
    output_summary: str | None
    """What the stage says it made."""
    output_structured: dict[str, Any] | None
    """`summary`, `status` (pass, fail, partial), `confidence` (0 to 1), `artifacts`, `metadata`, any further keys."""
    error_message: str | None
    """Error of the latest attempt with its traceback; may be long."""
    failure_category: str | None
    """`transient`, `tool_error`, `resource`, `semantic`, `gate_rejected` or `unknown`."""
    self_assessment_score: float | None
    """The `confidence` of the structured output, 0 to 1."""


@described
class PipelineTask(TypedDict):
    """One task with its stages."""

    id: str
    """Id; opaque text, never a number."""
    title: str
    """What its submitter called it."""
    description: str | None
    """Always null here."""
    status: str
    """`pending`, `running`, `completed`, `failed` or `cancelled`."""
    created_at: str | None
    """Submitted; ISO 8601 without offset, meaning UTC."""
    completed_at: str | None
    """Ended; ISO 8601 without offset, meaning UTC."""
    stages: list[PipelineStage]
    """Its stages in the order in which they run."""
    total_tokens: int
    """Tokens of the completed stages."""
    total_cost_rmb: float
    """Cost of the completed stages; always 0 here."""
    template_id: str | None
    """Name of its pipeline."""
    template_name: str | None
    """Title of its pipeline."""
    project_id: str | None
    """Project that it belongs to."""
    project_name: str | None
    """The same as `project_id` here."""
    jira_id: str | None
    """Always null here."""
    branch_name: str | None
    """Always null here."""
    pr_url: str | None
    """Always null here."""
    target_branch: str | None
    """Always null here."""
    yunxiao_task_id: str | None
    """Always null here."""
    github_issue_number: int | None
    """Always null here."""
    submitter: str | None
    """Who submitted it."""
    params: dict[str, Any]
    """Its parameters."""
    parent_task_id: str | None
    """Task that this one retries as a whole."""
    retried_task_ids: list[str]
    """Direct whole retries of this task."""
    lineage_retry_count: int
    """0 for an original, k for the k-th whole retry along the chain."""
    retention_until: str | None
    """Until when its input files are kept; ISO 8601 without offset, meaning UTC."""


@described
class TaskList(TypedDict):
    """One page of tasks, newest first."""

    items: list[PipelineTask]
    """The tasks with their stages."""
    total: int
    """How many there are in all."""
    page: int
    """This page, from 1."""
    page_size: int
    """Rows asked for."""


@described
class BatchItem(TypedDict):
    """What became of one task of a batch."""

    task_id: str
    """Task that was asked for."""
    success: bool
    """Whether its retry was submitted; says nothing of how it will end."""
    reason: str | None
    """Why not, in the platform's words."""
    task: PipelineTask | None
    """The task after the reset."""


@described
class BatchResult(TypedDict):
    """What became of a batch, one item a task in the order of the request."""

    total: int
    """Tasks asked for."""
    succeeded: int
    """Retries submitted."""
    failed: int
    """Retries refused."""
    items: list[BatchItem]
    """One item a task."""


@described
class StageAttempt(TypedDict):
    """One execution of a stage; kept for ever."""

    task_id: str
    """Task."""
    stage_id: str
    """Stage."""
    stage_name: str
    """Name of the stage."""
    attempt: int
    """1 for the first."""
    status: str
    """As in stages."""
    started_at: str | None
    """Start; ISO 8601 without offset, meaning UTC."""
    completed_at: str | None
    """End; ISO 8601 without offset, meaning UTC."""
    duration_seconds: float | None
    """Running time in seconds."""
    tokens_used: int
    """Tokens that it reported."""
    error_message: str | None
    """Error with its traceback; may be long."""
    failure_category: str | None
    """As in stages."""
    output_summary: str | None
    """What the attempt says it made."""
    output_structured: dict[str, Any] | None
    """As in stages."""
    requested_by: str | None
    """Who asked for this attempt."""


@described
class AttemptList(TypedDict):
    """Every attempt of a task, by stage, then attempt."""

    items: list[StageAttempt]
    """The attempts."""
    total: int
    """How many there are."""


def pipeline_task(task: Task, pipelines: Mapping[str, Pipeline]) -> PipelineTask:
    """A task as this dialect sends it."""
    pipeline = pipelines.get(task.pipeline)
    return {
        "id": task.id,
        "title": task.title,
        "description": None,
        "status": task.status,
        "created_at": naive_utc(task.created_at),
        "completed_at": naive_utc(task.completed_at),
        "stages": [pipeline_stage(stage) for stage in task.stages],
        "total_tokens": sum(stage.tokens_used for stage in task.stages if stage.status == "completed"),
        "total_cost_rmb": 0.0,
        "template_id": task.pipeline,
        "template_name": pipeline.title if pipeline else task.pipeline,
        "project_id": task.project_id,
        "project_name": task.project_id,
        "jira_id": None,
        "branch_name": None,
        "pr_url": None,
        "target_branch": None,
        "yunxiao_task_id": None,
        "github_issue_number": None,
        "submitter": task.submitter,
        "params": task.params,
        "parent_task_id": task.parent_task_id,
        "retried_task_ids": list(task.retried_task_ids),
        "lineage_retry_count": task.retry_count,
        "retention_until": naive_utc(task.retention_until),
    }


def pipeline_stage(stage: Stage) -> PipelineStage:
    """A stage as this dialect sends it."""
    return {
        "id": stage.id,
        "task_id": stage.task_id,
        "stage_name": stage.name,
        "agent_role": stage.role,
        "status": stage.status,
        "started_at": naive_utc(stage.started_at),
        "completed_at": naive_utc(stage.completed_at),
        "duration_seconds": stage.duration_seconds,
        "tokens_used": stage.tokens_used,
        "turns_used": 0,
        "self_fix_count": 0,
        "retry_count": stage.retry_count,
        "max_retries": stage.max_retries,
        "output_summary": stage.output_summary,
        "output_structured": stage.output_structured,
        "error_message": stage.error_message,
        "failure_category": stage.failure_category,
        "self_assessment_score": _score(stage.output_structured),
    }


def stage_attempt(attempt: Attempt) -> StageAttempt:
    """An attempt as this dialect sends it."""
    return {
        "task_id": attempt.task_id,
        "stage_id": attempt.stage_id,
        "stage_name": attempt.stage,
        "attempt": attempt.attempt,
        "status": attempt.status,
        "started_at": naive_utc(attempt.started_at),
        "completed_at": naive_utc(attempt.completed_at),
        "duration_seconds": attempt.duration_seconds,
        "tokens_used": attempt.tokens_used,
        "error_message": attempt.error_message,
        "failure_category": attempt.failure_category,
        "output_summary": attempt.output_summary,
        "output_structured": attempt.output_structured,
        "requested_by": attempt.requested_by,
    }


def _score(output: Mapping[str, Any] | None) -> float | None:
    """The confidence that a stage claims, where it is one."""
    confidence = (output or {}).get("confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        return None
    return float(confidence) if 0 <= confidence <= 1 else None

"""The pipeline dialect under `/api/v1`: tasks, their stages, stage retries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from retry_toolkit.server.actions import Render
from retry_toolkit.server.records import Task, TaskStatus
from retry_toolkit.server.routes.context import (
    CallOf,
    NameFilter,
    Page,
    PageSize,
    Parts,
    PartsOf,
    PathTask,
    TaskId,
    TitleFilter,
    refusals,
    send,
    write_refusals,
)
from retry_toolkit.server.routes.submission import SUBMISSION_BODY, Submission, received
from retry_toolkit.server.wire.answers import JsonAnswer
from retry_toolkit.server.wire.pipeline import (
    DEFAULT_PAGE_SIZE,
    AttemptList,
    BatchResult,
    PipelineStage,
    PipelineTask,
    TaskList,
    pipeline_stage,
    pipeline_task,
    stage_attempt,
)
from retry_toolkit.server.wire.requests import BatchRetryRequest, StageRetryRequest

router = APIRouter(prefix="/api/v1", tags=["Pipeline dialect"])

StatusFilter = Annotated[
    Literal[TaskStatus, "planning", ""], Query(description="Only tasks of this status; empty for all.")
]


def renderer(parts: Parts) -> Render:
    """Makes tasks into this dialect's answers."""

    def render(task: Task) -> dict[str, Any]:
        return dict(pipeline_task(task, parts.pipelines))

    return render


@router.get("/tasks", response_model=TaskList, responses=refusals(), summary="Tasks, newest first")
def list_tasks(
    *,
    parts: PartsOf,
    page: Page = 1,
    page_size: PageSize = DEFAULT_PAGE_SIZE,
    status: StatusFilter = "",
    project_id: Annotated[NameFilter, Query(description="Only tasks of this project; empty for all.")] = "",
    title: TitleFilter = "",
) -> JsonAnswer:
    """One page of tasks with their stages."""
    found = parts.store.tasks(
        page=page, page_size=page_size, status=status or None, project_id=project_id or None, title=title or None
    )
    items = [pipeline_task(task, parts.pipelines) for task in found.items]
    return JsonAnswer({"items": items, "total": found.total, "page": page, "page_size": page_size})


@router.post(
    "/tasks",
    response_model=PipelineTask,
    status_code=201,
    responses=write_refusals(507),
    openapi_extra=SUBMISSION_BODY,
    summary="Submit a task",
)
def submit_task(parts: PartsOf, call: CallOf, submission: Annotated[Submission, Depends(received)]) -> JsonAnswer:
    """Make a task from JSON, or from a form with input files."""
    request = submission.request
    with submission.saved_files(parts.settings.home) as files:
        answer = parts.actions.submit(
            request.pipeline,
            title=request.title or None,
            params=request.params,
            files=files,
            project_id=request.project_id or None,
            submitter=request.submitter or None,
            intent=call.intent(submission.fingerprint()),
            render=renderer(parts),
        )
    return send(answer)


@router.post(
    "/tasks/retry-batch",
    response_model=BatchResult,
    responses=write_refusals(),
    summary="Retry tasks from their earliest failed stage",
)
def retry_batch(body: BatchRetryRequest, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Reset, for each task, its earliest failed stage that is under its limit; refusals are in `items[].reason`."""
    answer = parts.actions.retry_batch(
        body.task_ids,
        expected_retry_counts=body.expected_retry_counts,
        keys=body.idempotency_keys,
        intent=call.intent(body.model_dump()),
        render=renderer(parts),
    )
    return send(answer)


@router.get("/tasks/{task_id}", response_model=PipelineTask, responses=refusals(404), summary="One task")
def get_task(task: PathTask, parts: PartsOf) -> JsonAnswer:
    """One task with its stages."""
    return JsonAnswer(pipeline_task(task, parts.pipelines))


@router.get(
    "/tasks/{task_id}/stages",
    response_model=list[PipelineStage],
    responses=refusals(404),
    summary="Stages of a task",
)
def list_stages(task: PathTask) -> JsonAnswer:
    """The stages in the order in which they run."""
    return JsonAnswer([pipeline_stage(stage) for stage in task.stages])


@router.get(
    "/tasks/{task_id}/attempts", response_model=AttemptList, responses=refusals(404), summary="Attempts of a task"
)
def list_attempts(task: PathTask, parts: PartsOf) -> JsonAnswer:
    """Every execution of every stage, also those that a retry has reset."""
    items = [stage_attempt(attempt) for attempt in parts.store.attempts(task.id)]
    return JsonAnswer({"items": items, "total": len(items)})


@router.post(
    "/tasks/{task_id}/retry-from-stage",
    response_model=PipelineTask,
    responses=write_refusals(404, 409),
    summary="Retry one failed stage",
)
def retry_from_stage(task_id: TaskId, body: StageRetryRequest, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Reset that stage and nothing else, and run the task on from there."""
    answer = parts.actions.retry_stage(
        task_id,
        body.stage_id,
        expected_retry_count=body.expected_retry_count,
        intent=call.intent(body.model_dump()),
        render=renderer(parts),
    )
    return send(answer)


@router.post(
    "/tasks/{task_id}/retry",
    response_model=PipelineTask,
    responses=write_refusals(404),
    summary="Retry every failed stage",
)
def retry_failed_stages(task_id: TaskId, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Reset every failed stage of the task."""
    return send(parts.actions.retry_failed_stages(task_id, intent=call.intent(), render=renderer(parts)))


@router.post(
    "/tasks/{task_id}/cancel", response_model=PipelineTask, responses=write_refusals(404), summary="Cancel a task"
)
def cancel_task(task_id: TaskId, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Cancel a queued or running task."""
    return send(parts.actions.cancel(task_id, intent=call.intent(), render=renderer(parts)))


@router.post(
    "/tasks/{task_id}/clone",
    response_model=PipelineTask,
    status_code=201,
    responses=write_refusals(404, 410, 507),
    summary="Make a copy of a task",
)
def clone_task(task_id: TaskId, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Make a new task with the same parameters and files, and without lineage."""
    return send(parts.actions.clone(task_id, intent=call.intent(), render=renderer(parts)))

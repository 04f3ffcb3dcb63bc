"""What surrounds the tasks: templates, projects, gates, logs, the audit trail, capabilities, health."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from retry_toolkit.server.auth import Access
from retry_toolkit.server.routes.context import (
    CallerRole,
    CallOf,
    NameFilter,
    Page,
    PageSize,
    PartsOf,
    find_task,
    refusals,
    write_refusals,
)
from retry_toolkit.server.wire.answers import JsonAnswer, naive_utc
from retry_toolkit.server.wire.pipeline import DEFAULT_PAGE_SIZE
from retry_toolkit.server.wire.platform import (
    MAX_BATCH,
    AuditList,
    Capabilities,
    DemoState,
    GateList,
    Health,
    KeyState,
    LogList,
    ProjectList,
    TemplateList,
    key_state,
    template,
)
from retry_toolkit.server.wire.requests import KEY_PATTERN, MAX_KEY

router = APIRouter(tags=["Platform"])

IdempotencyKey = Annotated[
    str, Path(min_length=1, max_length=MAX_KEY, pattern=KEY_PATTERN, description="The key, as it was sent.")
]

LOG_PAGE_SIZE = 50


@router.get("/health", response_model=Health, responses=refusals(), summary="Whether the platform answers")
def health() -> JsonAnswer:
    """Needs no token."""
    return JsonAnswer({"status": "ok"})


@router.get(
    "/api/v1/capabilities",
    response_model=Capabilities,
    responses=refusals(),
    summary="What this platform can do",
)
def capabilities(parts: PartsOf, role: CallerRole) -> JsonAnswer:
    """What it can do, and who the caller is."""
    answer: Capabilities = {
        "platform": "retry-toolkit",
        "version": version("retry-toolkit"),
        "stage_retry": "in_place",
        "whole_retry": "new_task",
        "batch": "per_item",
        "max_batch": MAX_BATCH,
        "start_anywhere": False,
        "idempotency": "key",
        "keeps_attempts": True,
        "files": True,
        "logs": True,
        "cancel": True,
        "parameters": True,
        "auth": "none" if Access.of(parts.settings).open else "token",
        "role": role,
    }
    return JsonAnswer(answer)


@router.get("/api/v1/templates", response_model=TemplateList, responses=refusals(), summary="Pipelines")
def list_templates(parts: PartsOf) -> JsonAnswer:
    """Every pipeline that tasks can be submitted to."""
    items = [template(pipeline, parts.settings.retry_limit) for pipeline in parts.pipelines.values()]
    return JsonAnswer({"items": items, "total": len(items)})


@router.get("/api/v1/projects", response_model=ProjectList, responses=refusals(), summary="Projects")
def list_projects(parts: PartsOf) -> JsonAnswer:
    """Every project that has tasks."""
    items = [{"id": name, "name": name, "display_name": name} for name in parts.store.projects()]
    return JsonAnswer({"items": items, "total": len(items)})


@router.get("/api/v1/gates", response_model=GateList, responses=refusals(), summary="Human approvals")
def list_gates(
    task_id: Annotated[NameFilter, Query(description="Only gates of this task.")] = "",
    page: Page = 1,
    page_size: PageSize = DEFAULT_PAGE_SIZE,
) -> JsonAnswer:
    """Always empty: this platform has no approvals."""
    del task_id
    return JsonAnswer({"items": [], "total": 0, "page": page, "page_size": page_size})


@router.get("/api/v1/task-logs", response_model=LogList, responses=refusals(404), summary="Log lines of a task")
def list_logs(
    *,
    parts: PartsOf,
    task: Annotated[NameFilter, Query(min_length=1, description="Id of the task.")],
    stage: Annotated[NameFilter, Query(description="Only lines of the stage of this name; empty for all.")] = "",
    event_source: Annotated[NameFilter, Query(description="`stage`, `platform`, or empty for both.")] = "",
    page: Page = 1,
    page_size: PageSize = LOG_PAGE_SIZE,
) -> JsonAnswer:
    """Lines in order, also while a stage runs."""
    found = find_task(parts, task)
    items, total = parts.logs.rows(
        found.id, stage_name=stage or None, event_source=event_source or None, page=page, page_size=page_size
    )
    return JsonAnswer({"items": items, "total": total, "page": page, "page_size": page_size})


@router.get(
    "/api/v1/idempotency-keys/{key}",
    response_model=KeyState,
    responses=refusals(),
    summary="What became of an idempotency key",
)
def recall_key(key: IdempotencyKey, parts: PartsOf) -> JsonAnswer:
    """Whether the platform has acted under that key."""
    return JsonAnswer(key_state(key, parts.store.recall(key)))


@router.post(
    "/api/v1/idempotency-keys/{key}/call-off",
    response_model=KeyState,
    responses=write_refusals(),
    summary="Call an idempotency key off",
)
def call_off_key(key: IdempotencyKey, parts: PartsOf, call: CallOf) -> JsonAnswer:
    """Refuse that key from now on (409), unless it was acted on already; may be repeated."""
    return JsonAnswer(key_state(key, parts.actions.call_off(key, intent=call.intent())))


@router.get("/api/v1/audit/logs", response_model=AuditList, responses=refusals(), summary="The audit trail")
def list_audit(parts: PartsOf, page: Page = 1, page_size: PageSize = DEFAULT_PAGE_SIZE) -> JsonAnswer:
    """Who did what, newest first."""
    rows, total = parts.store.audit(page=page, page_size=page_size)
    items = [{name: _naive(value) for name, value in row.items()} for row in rows]
    return JsonAnswer({"items": items, "total": total, "page": page, "page_size": page_size})


@router.get("/api/v1/demo", response_model=DemoState, responses=refusals(), summary="How far the demo tasks are")
def demo(parts: PartsOf) -> JsonAnswer:
    """Counts the demo tasks while they are made."""
    return JsonAnswer(parts.demo.state())


def _naive(value: Any) -> Any:
    return naive_utc(value) if isinstance(value, datetime) else value

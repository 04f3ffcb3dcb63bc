"""The application: both dialects over one store, behind one guard."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from retry_toolkit.server.actions import ActionRefused
from retry_toolkit.server.guard import Guard
from retry_toolkit.server.logs import TaskLogs
from retry_toolkit.server.outputs import TaskOutputs
from retry_toolkit.server.routes import docs, pipeline, platform, queue
from retry_toolkit.server.routes.context import DemoProgress, Parts
from retry_toolkit.server.wire.answers import JsonAnswer

if TYPE_CHECKING:
    from retry_toolkit.server.actions import Actions
    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.server.store import Store
    from retry_toolkit.settings import Settings

DESCRIPTION = """The embedded platform of retry-toolkit: runs pipelines, and retries exactly the part that failed.

Two dialects over the same tasks: the **pipeline dialect** retries a stage in place, the **queue dialect** makes a new
task. Every write takes an `Idempotency-Key`, and `expected_retry_count` refuses a retry that somebody else was faster
with. Where tokens are set, send `Authorization: Bearer <token>`. Every answer carries `X-Request-ID`."""

BEARER = Security(HTTPBearer(auto_error=False, description="A viewer's or operator's token, where tokens are set."))
"""Documents the token in OpenAPI; the guard checks it, before any body is read."""


def create_app(
    store: Store,
    actions: Actions,
    pipelines: Mapping[str, Pipeline],
    settings: Settings,
    *,
    demo: DemoProgress | None = None,
) -> FastAPI:
    """The application over these parts; nothing is started.

    Raises:
        SettingsError: A token cannot be used.
    """
    app = FastAPI(
        title="retry-toolkit",
        version=version("retry-toolkit"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        default_response_class=JsonAnswer,
    )
    app.state.parts = Parts(
        store=store,
        actions=actions,
        pipelines=pipelines,
        settings=settings,
        outputs=TaskOutputs(store),
        logs=TaskLogs(store),
        demo=demo or DemoProgress(),
    )
    for module in (pipeline, queue, platform):
        app.include_router(module.router, dependencies=[BEARER])
    app.include_router(docs.router)
    app.add_exception_handler(ActionRefused, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Guard, settings=settings)
    return app


def _refused(request: Request, error: Exception) -> JsonAnswer:
    del request
    assert isinstance(error, ActionRefused)  # noqa: S101 - registered for this class
    return JsonAnswer({"detail": error.detail}, error.status)


def _http_error(request: Request, error: Exception) -> JsonAnswer:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    return JsonAnswer({"detail": error.detail}, error.status_code, headers=error.headers)


def _invalid(request: Request, error: Exception) -> JsonAnswer:
    """Says where and what, and never repeats the value: it may be a secret, or megabytes."""
    del request
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    problems = [{"loc": list(item["loc"]), "msg": item["msg"], "type": item["type"]} for item in error.errors()]
    return JsonAnswer({"detail": problems}, 422)

"""The description of the API: complete, and readable without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from retry_toolkit.server.routes.docs import render_docs

BASE = {"401", "403", "422", "500"}
WRITE = BASE | {"400", "413", "415"}
TOLD_APART = {
    ("post", "/api/v1/tasks/{task_id}/retry-from-stage"): {"404", "409"},
    ("post", "/api/tasks/{task_id}/retry"): {"404", "409", "410", "507"},
    ("post", "/api/v1/tasks/{task_id}/clone"): {"404", "410", "507"},
    ("delete", "/api/tasks/{task_id}"): {"404", "409"},
    ("get", "/api/v1/tasks/{task_id}"): {"404"},
    ("get", "/api/tasks/{task_id}/outputs/{name}"): {"404"},
}


@pytest.fixture
def openapi(api: httpx.Client) -> dict[str, Any]:
    """The description as it is served."""
    description: dict[str, Any] = api.get("/openapi.json").json()
    return description


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation."""
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_endpoint_of_the_contract_is_there(openapi: dict[str, Any]) -> None:
    """Both dialects and our own additions, and nothing under another prefix."""
    found = {f"{method.upper()} {path}" for method, path, _ in operations(openapi)}
    assert found >= {
        *("GET /api/v1/tasks", "GET /api/v1/tasks/{task_id}", "GET /api/v1/tasks/{task_id}/stages"),
        *("GET /api/v1/task-logs", "GET /api/v1/templates", "GET /api/v1/projects", "GET /api/v1/gates"),
        *("GET /api/v1/audit/logs", "GET /health", "POST /api/v1/tasks/{task_id}/retry-from-stage"),
        *("POST /api/v1/tasks/retry-batch", "POST /api/v1/tasks/{task_id}/cancel"),
        *("POST /api/v1/tasks/{task_id}/clone", "POST /api/v1/tasks/{task_id}/retry"),
        *("GET /api/tasks", "GET /api/tasks/{task_id}", "GET /api/tasks/{task_id}/detail"),
        *("GET /api/tasks/{task_id}/outputs", "GET /api/tasks/{task_id}/files", "POST /api/tasks/{task_id}/retry"),
        *("POST /api/tasks/{task_id}/stop", "DELETE /api/tasks/{task_id}"),
        *("GET /api/v1/capabilities", "GET /api/v1/tasks/{task_id}/attempts", "POST /api/v1/tasks", "GET /api/v1/demo"),
    }
    assert all(path.startswith("/api/") or path == "/health" for _, path, _ in operations(openapi))


def test_every_field_is_described(openapi: dict[str, Any]) -> None:
    """Each field of each schema has a description of its own, and so has the schema."""
    schemas = openapi["components"]["schemas"]
    silent = [name for name, schema in schemas.items() if not schema.get("description")]
    silent += [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, value in schema.get("properties", {}).items()
        if not value.get("description")
    ]
    assert silent == []
    assert len(schemas) > 20


def test_every_parameter_and_body_field_is_described(openapi: dict[str, Any]) -> None:
    """Query, path, header and form."""
    silent = []
    for method, path, operation in operations(openapi):
        silent += [(method, path, one["name"]) for one in operation.get("parameters", []) if not one.get("description")]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            fields = content["schema"].get("properties", {})
            silent += [(method, path, name) for name, field in fields.items() if not field.get("description")]
    assert silent == []


def test_every_operation_lists_its_errors(openapi: dict[str, Any]) -> None:
    """What every read and every write may answer, and what only some do; each error has a schema and a reason."""
    for method, path, operation in operations(openapi):
        expected = (BASE if method == "get" else WRITE) | TOLD_APART.get((method, path), set())
        assert operation["responses"].keys() >= expected, (method, path)
        for status, response in operation["responses"].items():
            assert response["description"], (method, path, status)
            assert response["content"], (method, path, status)
        assert operation["summary"]


def test_every_write_takes_a_key(openapi: dict[str, Any]) -> None:
    """The Idempotency-Key header is described wherever something changes."""
    for method, path, operation in operations(openapi):
        names = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
        assert ("idempotency-key" in names) is (method != "get"), (method, path)


def test_answers_are_described_by_schemas(openapi: dict[str, Any]) -> None:
    """No successful JSON answer is left without its schema."""
    for method, path, operation in operations(openapi):
        success = next(response for status, response in operation["responses"].items() if status.startswith("2"))
        schema = success["content"].get("application/json", {}).get("schema", {"$ref": ""})
        assert "$ref" in schema or schema["type"] == "array", (method, path)


def test_docs_load_nothing_from_elsewhere(api: httpx.Client) -> None:
    """The page names no address but the platform's own paths, runs no script, and its style is served."""
    page = api.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert set(re.findall(r'(?:src|href)="([^"#]+)', page.text)) == {"/docs.css", "/openapi.json"}
    assert "<script" not in page.text
    assert "://" not in page.text
    style = api.get("/docs.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "url(" not in style.text


def test_docs_show_every_operation_and_field(api: httpx.Client, openapi: dict[str, Any]) -> None:
    """Each operation, schema, field and status stands on the page, and each link inside it leads somewhere."""
    text = api.get("/docs").text
    for _, path, operation in operations(openapi):
        assert path in text
        assert operation["summary"] in text
    for name, schema in openapi["components"]["schemas"].items():
        assert f'id="schema-{name}"' in text
        assert all(f"<code>{field}</code>" in text for field in schema["properties"])
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'id="([^"]+)"', text))


def test_docs_escape_what_they_show() -> None:
    """A description with markup stays text."""
    page = render_docs(
        {
            "info": {"title": "<i>", "version": "<1>", "description": "<script>alert(1)</script> `<b>`"},
            "paths": {},
            "components": {"schemas": {}},
        }
    )
    assert "<script" not in page
    assert "<i>" not in page
    assert "<code>&lt;b&gt;</code>" in page

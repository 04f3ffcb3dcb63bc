"""The page `/docs`: the API's description as plain HTML, made here, with nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

router = APIRouter(include_in_schema=False)

Schema = Mapping[str, Any]

_STYLE = files("retry_toolkit.server.routes").joinpath("docs.css").read_bytes()
_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
)


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    """The description of the API for people."""
    return HTMLResponse(render_docs(request.app.openapi()))


@router.get("/docs.css")
def style() -> Response:
    """The style of that page."""
    return Response(_STYLE, media_type="text/css")


def render_docs(openapi: Schema) -> str:
    """One HTML page of an OpenAPI description: contents, every operation, every schema."""
    info = openapi["info"]
    groups = _operations_by_tag(openapi)
    schemas = openapi["components"]["schemas"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title>"
        '<link rel="stylesheet" href="/docs.css"></head><body>'
        f"<nav>{_contents(groups, schemas)}</nav><main>"
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>"
        f'{_paragraphs(info["description"])}<p><a href="/openapi.json">openapi.json</a></p>'
        f"{''.join(_group(tag, operations) for tag, operations in groups.items())}"
        f"<h2>Schemas</h2>{''.join(_schema(name, schema) for name, schema in sorted(schemas.items()))}"
        "</main></body></html>"
    )


def _operations_by_tag(openapi: Schema) -> dict[str, list[tuple[str, str, Schema]]]:
    groups: dict[str, list[tuple[str, str, Schema]]] = {}
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return groups


def _contents(groups: Mapping[str, list[tuple[str, str, Schema]]], schemas: Schema) -> str:
    parts = []
    for tag, operations in groups.items():
        rows = "".join(
            f'<li><a href="#{_anchor(method, path)}">{_method(method)} {escape(path)}</a></li>'
            for method, path, _ in operations
        )
        parts.append(f"<h2>{escape(tag)}</h2><ul>{rows}</ul>")
    names = "".join(f"<li>{_link(name)}</li>" for name in sorted(schemas))
    return f"{''.join(parts)}<h2>Schemas</h2><ul>{names}</ul>"


def _group(tag: str, operations: list[tuple[str, str, Schema]]) -> str:
    body = "".join(_operation(method, path, operation) for method, path, operation in operations)
    return f"<h2>{escape(tag)}</h2>{body}"


def _operation(method: str, path: str, operation: Schema) -> str:
    return (
        f'<section id="{_anchor(method, path)}"><h3>{_method(method)} <span>{escape(path)}</span></h3>'
        f"<p><strong>{escape(operation['summary'])}.</strong> {_inline(operation.get('description', ''))}</p>"
        f"{_parameters(operation.get('parameters', []))}"
        f"{_body(operation.get('requestBody'))}{_answers(operation['responses'])}</section>"
    )


def _parameters(parameters: list[Schema]) -> str:
    rows = (
        (
            f"<code>{escape(parameter['name'])}</code>",
            escape(parameter["in"]),
            _type(parameter["schema"]) + ("" if parameter.get("required") else _default(parameter["schema"])),
            _inline(parameter.get("description", "")),
        )
        for parameter in parameters
    )
    return _table(("Parameter", "In", "Type", "Meaning"), rows)


def _body(body: Schema | None) -> str:
    if body is None:
        return ""
    parts = []
    for media_type, content in body["content"].items():
        schema = content["schema"]
        inner = _fields(schema) if "properties" in schema else f"<p>{_type(schema)}</p>"
        parts.append(f"<h4>Body <small>{escape(media_type)}</small></h4>{inner}")
    return "".join(parts)


def _answers(responses: Schema) -> str:
    rows = (
        (
            f'<span class="status s{status[0]}">{escape(status)}</span>',
            _type(_content_schema(response)),
            _inline(response["description"]),
        )
        for status, response in sorted(responses.items())
    )
    return _table(("Answer", "Body", "When"), rows)


def _content_schema(response: Schema) -> Schema:
    content: Mapping[str, Schema] = response.get("content", {})
    schema: Schema = next((entry["schema"] for entry in content.values() if "schema" in entry), {})
    return schema


def _schema(name: str, schema: Schema) -> str:
    return (
        f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{_inline(schema.get('description', ''))}</p>{_fields(schema)}</section>"
    )


def _fields(schema: Schema) -> str:
    required = set(schema.get("required", ()))
    rows = (
        (
            f"<code>{escape(name)}</code>",
            _type(field) + ("" if name in required else _default(field)),
            _inline(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    )
    return _table(("Field", "Type", "Meaning"), rows)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if not body:
        return ""
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _type(schema: Schema) -> str:
    """A schema's type in words, with links to the schemas that it names."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(option) for option in schema["anyOf"]))
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(value)) or '&quot;&quot;'}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(schema.get("type", "any"))


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, "") else f" <small>default {escape(str(default))}</small>"


def _link(name: str) -> str:
    return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'


def _method(method: str) -> str:
    return f'<b class="{method.lower()}">{method}</b>'


def _anchor(method: str, path: str) -> str:
    return escape(f"{method.lower()}{path.replace('/', '-').replace('{', '').replace('}', '')}")


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n"))


def _inline(text: str) -> str:
    """Escaped text in which `code` and **strong** are marked up."""
    text = escape(text, quote=False)
    for pattern, replacement in _INLINE:
        text = pattern.sub(replacement, text)
    return text

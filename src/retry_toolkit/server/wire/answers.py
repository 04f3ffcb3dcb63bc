"""What every answer shares: safe JSON, times, and the schema of errors."""

from __future__ import annotations

import ast
import codecs
import inspect
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from textwrap import dedent
from typing import Annotated, Any, TypeVar

from pydantic import Field
from starlette.responses import JSONResponse
from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from Python 3.12 on

_Schema = TypeVar("_Schema", bound=type)


def described(schema: _Schema) -> _Schema:
    """Make the docstring under each field of a TypedDict its description in OpenAPI.

    pydantic's `use_attribute_docstrings` does the same, but reads the source again for every endpoint that names the
    schema: seconds at each start.
    """
    definition = ast.parse(dedent(inspect.getsource(schema))).body[0]
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - what the source of a class is
    for field, text in pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                annotation = schema.__annotations__[name]
                schema.__annotations__[name] = Annotated[annotation, Field(description=inspect.cleandoc(words))]
    return schema


def _replace_surrogates(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "\ufffd".encode() * (error.end - error.start), error.end


codecs.register_error("retry_toolkit.replacement", _replace_surrogates)


class JsonAnswer(JSONResponse):
    """A JSON answer that can carry any stored text and number.

    Lone surrogates become U+FFFD, since strict readers refuse a whole page for one; NaN and the infinities become null.
    """

    def render(self, content: Any) -> bytes:
        """UTF-8 bytes of any JSON value."""
        try:
            text = _dump(content)
        except ValueError:
            text = _dump(_finite(content))
        return text.encode("utf-8", "retry_toolkit.replacement")


def _dump(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: _finite(item) for key, item in value.items()}
        case Sequence() if not isinstance(value, str):
            return [_finite(item) for item in value]
        case _:
            return value


def naive_utc(moment: datetime | None) -> str | None:
    """ISO 8601 without an offset, meaning UTC, as the pipeline dialect sends times."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def epoch(moment: datetime | None) -> float | None:
    """Seconds since 1970, as the queue dialect sends times."""
    return None if moment is None else moment.timestamp()


@described
class Refusal(TypedDict):
    """Why a request was not answered as asked."""

    detail: str | dict[str, Any]
    """The platform's words; an object where a refusal carries figures."""


@described
class InvalidField(TypedDict):
    """One part of a request that cannot be used."""

    loc: list[str | int]
    """Where it is, such as `["body", "stage_id"]`."""

    msg: str
    """What is wrong with it."""

    type: str
    """The kind of the problem, a word for programs."""


@described
class Invalid(TypedDict):
    """A request whose parameters or body cannot be used."""

    detail: list[InvalidField] | str
    """Every part that cannot be used, or a sentence."""


@described
class Failure(TypedDict):
    """The platform itself failed."""

    detail: str
    """Always `Internal error`."""

    request_id: str
    """Id under which the platform has logged the cause; also the header `X-Request-ID`."""

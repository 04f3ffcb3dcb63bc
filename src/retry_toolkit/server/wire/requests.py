"""What callers send: bodies, and the texts and numbers that they may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from retry_toolkit.server.wire.platform import MAX_BATCH

MAX_DEPTH = 64
MAX_KEY = 200
KEY_PATTERN = r"^[\x21-\x7e]+$"
"""Idempotency keys are visible ASCII, as header values are."""


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain NUL")
    return value


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object that every database and strict JSON reader takes."""
    _check(value, MAX_DEPTH)
    return value


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise ValueError(f"must not be nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            _check_text(value)
        case float() if not math.isfinite(value):
            raise ValueError("must not contain NaN or infinite numbers")
        case Mapping():
            for key, item in value.items():
                _check_text(key)
                _check(item, depth - 1)
        case Sequence():
            for item in value:
                _check(item, depth - 1)


def _check_text(value: str) -> None:
    _no_nul(value)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not contain lone surrogates")


Text = Annotated[str, StringConstraints(max_length=500), AfterValidator(_no_nul)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_no_nul)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY, pattern=KEY_PATTERN)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Parameters = Annotated[dict[str, Any], AfterValidator(_storable)]


class RequestBody(BaseModel):
    """A body; fields that it does not know are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class StageRetryRequest(RequestBody):
    """Which stage to reset."""

    stage_id: Id
    """Id of the failed stage."""
    expected_retry_count: Count | None = None
    """The stage's `retry_count` as the caller saw it; the retry is refused with 409 where it has moved."""


class BatchRetryRequest(RequestBody):
    """Which tasks to retry, each from its earliest failed stage."""

    task_ids: Annotated[list[Id], Field(max_length=MAX_BATCH)]
    """Ids of the tasks."""
    expected_retry_counts: dict[Id, Count] | None = None
    """By task id, the `retry_count` of its earliest failed stage as the caller saw it; where it moved: refused."""
    idempotency_keys: dict[Id, Key] | None = None
    """By task id, a key that names its intent: a task that was reset under its key is answered as before."""


class TaskRetryRequest(RequestBody):
    """How to retry a task as a whole."""

    copy_files: bool = True
    """Copy the input files (true), or link them: free, but the originals must stay."""
    submitter: Text | None = None
    """Who asks; the submitter of the original if null."""
    display_name: Text | None = None
    """Name of the new task; `<old name> (重试)` if null."""
    expected_retry_count: Count | None = None
    """How many direct retries the task had as the caller saw it; the retry is refused with 409 where it has moved."""


class SubmitRequest(RequestBody):
    """A task to be made."""

    pipeline: Id
    """Name of its pipeline."""
    title: Text | None = None
    """What people read; made from the pipeline's title if null."""
    params: Parameters = Field(default_factory=dict)
    """Its parameters, a JSON object."""
    project_id: Text | None = None
    """Project that it belongs to; the pipeline's if null."""
    submitter: Text | None = None
    """Who submits it."""

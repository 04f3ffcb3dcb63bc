"""Records on the wire, and JSON that carries any text."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from retry_toolkit.server.records import Stage, Task
from retry_toolkit.server.wire.answers import JsonAnswer, epoch, naive_utc
from retry_toolkit.server.wire.pipeline import PipelineTask, pipeline_task
from retry_toolkit.server.wire.queue import QUEUE_STATUS, STORED_STATUS, QueueTask, queue_detail, queue_task
from retry_toolkit.server.wire.requests import MAX_DEPTH, SubmitRequest

NOW = datetime(2026, 11, 22, 9, 29, 39, 173305, tzinfo=UTC)
STAGE = Stage(id="s1", task_id="t1", name="load", role="loader", position=0)
TASK = Task(
    id="t1",
    title="标题",
    pipeline="sales",
    project_id=None,
    submitter=None,
    params={},
    status="failed",
    created_at=NOW,
    stages=(STAGE,),
)

any_text = st.text(st.characters(exclude_categories=()))
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)


def sent(value: Any) -> Any:
    """A value as a strict reader gets it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(bytes(JsonAnswer(value).body).decode("utf-8"), parse_constant=refuse)


@given(any_json)
def test_any_value_can_be_sent(value: object) -> None:
    """Whatever was stored becomes strict UTF-8 JSON."""
    sent(value)


@given(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False))
def test_ordinary_values_arrive_unchanged(text: str, integer: int, number: float) -> None:
    """Text without lone surrogates, integers of any size and finite numbers are not touched."""
    assert sent({"text": text, "integer": integer, "number": number}) == {
        "text": text,
        "integer": integer,
        "number": number,
    }


def test_what_json_cannot_hold_is_replaced() -> None:
    """Lone surrogates become U+FFFD one by one, NaN and the infinities null."""
    assert sent(["a\ud800b\udfff\udfff", math.nan, {"x": (math.inf, -math.inf)}]) == [
        "a\ufffdb\ufffd\ufffd",
        None,
        {"x": [None, None]},
    ]


def test_pipeline_times_are_naive_utc_with_microseconds() -> None:
    """Any offset is converted, whole seconds keep their zeros."""
    assert naive_utc(NOW) == "2026-11-22T09:29:39.173305"
    assert naive_utc(NOW.astimezone(timezone(timedelta(hours=8)))) == "2026-11-22T09:29:39.173305"
    assert naive_utc(NOW.replace(microsecond=0)) == "2026-11-22T09:29:39.000000"
    assert naive_utc(None) is None


def test_queue_times_are_epoch_seconds() -> None:
    """The epoch itself is 0, not unknown."""
    assert epoch(datetime(1970, 1, 1, tzinfo=UTC)) == 0.0
    assert epoch(None) is None


@pytest.mark.parametrize(
    ("confidence", "score"), [(0.5, 0.5), (0, 0.0), (1, 1.0), (1.1, None), (-1, None), (True, None), ("high", None)]
)
def test_a_score_is_a_confidence_that_makes_sense(confidence: object, score: float | None) -> None:
    """What is no number from 0 to 1 is no score."""
    stage = replace(STAGE, output_structured={"confidence": confidence})
    shown = pipeline_task(replace(TASK, stages=(stage,)), {})
    assert shown["stages"][0]["self_assessment_score"] == score


def test_answers_match_their_schemas() -> None:
    """What is built is what OpenAPI says, field by field, in both dialects."""
    stage = replace(STAGE, status="failed", error_message="a\nb", output_structured={"x": [1]}, started_at=NOW)
    history = ({"status": "pending", "timestamp": 1.0, "error": None},)
    task = replace(TASK, stages=(stage,), status_history=history, retention_until=NOW, completed_at=NOW)
    for schema, value in (
        (PipelineTask, pipeline_task(task, {})),
        (QueueTask, queue_task(task)),
        (QueueTask, queue_detail(task, input_dir="/i", output_dir="/o", log_dir=None)),
    ):
        checked = TypeAdapter[Any](schema).validate_python(value, strict=True)
        assert checked == value


def test_a_task_of_a_pipeline_that_is_no_longer_loaded_is_shown() -> None:
    """Its template is called by its name."""
    shown = pipeline_task(TASK, {})
    assert (shown["template_id"], shown["template_name"]) == ("sales", "sales")


def test_running_time_is_that_of_the_stages() -> None:
    """Waiting between attempts does not count; a running stage counts until now; nothing begun is unknown."""
    done = replace(STAGE, status="completed", duration_seconds=2.5)
    running = replace(STAGE, id="s2", position=1, status="running", started_at=NOW - timedelta(seconds=4))
    task = replace(TASK, status="running", stages=(done, running))
    shown = queue_task(task, now=NOW)
    assert (shown["elapsed_seconds"], shown["duration"]) == (6.5, None)
    assert queue_task(replace(TASK, status="pending"), now=NOW)["elapsed_seconds"] is None


def test_a_message_is_one_line() -> None:
    """It is the last line of a traceback, where the error itself stands."""
    stage = replace(STAGE, status="failed", error_message="Traceback:\n  File x\nKeyError: 'region'\n")
    assert queue_task(replace(TASK, stages=(stage,)))["message"] == "KeyError: 'region'"


def test_progress_of_tasks_without_stages_is_unknown() -> None:
    """No stages, no percentage."""
    assert queue_task(replace(TASK, stages=()))["progress_info"] is None


def test_every_word_of_the_queue_can_be_filtered_by() -> None:
    """The contract's words all have a stored status, and the platform's own words lead back to it."""
    words = (
        "PENDING STARTED DOWNLOADING RUNNING PROGRESS RETRY SUCCESS FAILURE FAILED REVOKED CANCELLED CANCELED ABORTED"
    )
    assert set(words.split()) == set(STORED_STATUS)
    assert all(STORED_STATUS[word] == status for status, word in QUEUE_STATUS.items())


def nested(depth: int) -> dict[str, Any]:
    """An object that is so many levels deep."""
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    "params",
    [{"a": "x\0"}, {"\0": 1}, {"a": ["\ud800"]}, {"a": {"b": math.nan}}, {"a": math.inf}, nested(MAX_DEPTH + 1)],
)
def test_parameters_that_cannot_be_stored_are_refused(params: dict[str, Any]) -> None:
    """NUL, lone surrogates, NaN, infinities and absurd depth, at any place."""
    with pytest.raises(ValidationError):
        SubmitRequest(pipeline="p", params=params)


def test_deep_parameters_are_taken() -> None:
    """As deep as is allowed."""
    assert SubmitRequest(pipeline="p", params=nested(MAX_DEPTH)).params

"""Decoding: what is mended, what is rejected, and that neighbours survive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.errors import BadAnswer
from retry_toolkit.platforms.base import STATUSES, TaskRecord
from retry_toolkit.platforms.decode import NOTES, Unreadable, parse_moment, read_envelope, read_page
from retry_toolkit.platforms.pipeline_wire import current_attempts, read_task
from retry_toolkit.platforms.pipeline_wire import status_of as pipeline_status
from retry_toolkit.platforms.queue_wire import WireFiles, read_job
from retry_toolkit.platforms.queue_wire import status_of as queue_status
from tests.platforms.wires import wire_job, wire_stage, wire_task

HOSTILE_IDS = ["NA", "null", "None", "00123", "1e5", "9007199254740993", "任务", "a/b", " x ", "😀", "nan", "-0"]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", HOSTILE_IDS)
def test_ids_survive_as_they_are(text: str) -> None:
    """Ids are text for ever, in both dialects."""
    assert read_task(wire_task(text)).task_id == text
    assert read_job(wire_job(text)).task_id == text


@pytest.mark.parametrize("number", [123, 0, 2**53 + 1, 2**70, -5])
def test_ids_that_arrive_as_numbers_become_text_and_are_noted(number: int) -> None:
    """Every digit is kept, and the record tells."""
    task = read_task(wire_task() | {"id": number})
    assert task.task_id == str(number)
    assert task.extra[NOTES] == ["id arrived as a number"]


@pytest.mark.parametrize("value", [None, "", 1.5, 1e5, True, [], {}, "a\ufffd"])
def test_ids_whose_meaning_is_lost_reject_the_row(value: object) -> None:
    """A float has lost its digits already; an unreadable id names nothing."""
    with pytest.raises(Unreadable, match="id"):
        read_task(wire_task() | {"id": value})
    with pytest.raises(Unreadable, match="task_id"):
        read_job(wire_job() | {"task_id": value})


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-22T12:00:00", NOON),
        ("2026-11-22T12:00:00.000000", NOON),
        ("2026-11-22 12:00:00Z", NOON),
        ("2026-11-22T20:00:00+08:00", NOON),
        (" 2026-11-22T12:00:00 ", NOON),
        ("2026-11-22", NOON.replace(hour=0)),
        (NOON.timestamp(), NOON),
        (NOON.timestamp() * 1000, NOON),
        (NOON.timestamp() + 0.25, NOON + timedelta(seconds=0.25)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("0000-00-00T00:00:00", None),
        ("2026-13-45T99:99:99", None),
        (1e300, None),
        (-1e300, None),
        (True, None),
        ([], None),
    ],
)
def test_times_are_aware_and_broken_ones_unknown(value: object, moment: datetime | None) -> None:
    """Naive means UTC; epoch seconds and milliseconds are told apart; nonsense is no time."""
    assert parse_moment(value) == moment
    record = read_task(wire_task(created_at=value))
    assert record.created_at == moment
    assert (NOTES in record.extra) is (moment is None and value not in (None, ""))


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2500, 1, 1)))
def test_times_round_trip(naive: datetime) -> None:
    """A naive time and its aware twin read the same, to the microsecond."""
    aware = naive.replace(tzinfo=UTC)
    assert parse_moment(naive.isoformat()) == parse_moment(aware.isoformat()) == aware


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total_tokens", "many"),
        ("total_tokens", -1),
        ("total_tokens", 1.5),
        ("total_tokens", 2**63),
        ("total_tokens", True),
        ("total_tokens", []),
        ("total_cost_rmb", "dear"),
        ("stages", "none"),
        ("stages", [None]),
        ("stages", [{}]),
        ("retried_task_ids", [None]),
        ("retried_task_ids", "t2"),
    ],
)
def test_fields_whose_meaning_is_lost_reject_the_row(field: str, value: Any) -> None:
    """The error names the field, and never the value."""
    with pytest.raises(Unreadable) as caught:
        read_task(wire_task() | {field: value})
    assert caught.value.path.startswith(field)
    assert "many" not in str(caught.value)


def test_numbers_that_mean_what_they_say_are_kept() -> None:
    """Large counts keep every digit; numbers as text and whole floats are numbers; what is not finite is unknown."""
    assert read_task(wire_task(total_tokens=2**63 - 1)).tokens == 2**63 - 1
    assert read_task(wire_task(total_tokens="12")).tokens == 12
    assert read_task(wire_task(total_tokens=12.0)).tokens == 12
    assert read_task(wire_task(total_cost_rmb="1.5")).cost == 1.5
    assert read_task(wire_task(total_cost_rmb=float("inf"))).cost is None


def test_null_means_zero_where_the_contract_says_so() -> None:
    """Tokens, turns, fixes, retries and cost; a field that is not sent at all is unknown."""
    stage = wire_stage(tokens_used=None, turns_used=None, self_fix_count=None, retry_count=None)
    task = read_task(wire_task(total_tokens=None, total_cost_rmb=None, stages=[stage]))
    assert (task.tokens, task.cost) == (0, 0.0)
    read = task.stages[0]
    assert (read.tokens, read.turns, read.self_fixes, read.retry_count) == (0, 0, 0, 0)
    bare = read_task({"id": "t1", "stages": [{"id": "s1"}]})
    assert (bare.tokens, bare.cost, bare.stages[0].tokens, bare.stages[0].retry_count) == (None, None, None, 0)


def test_the_smallest_rows_are_readable() -> None:
    """An id is enough; the rest is unknown."""
    task = read_task({"id": "t1", "stages": None})
    assert task == TaskRecord(
        task_id="t1",
        name=None,
        status="unknown",
        native_status="unknown",
        extra={"template_id": None, "project_id": None},
    )
    job = read_job({"task_id": "j1"})
    assert (job.status, job.name, job.error, job.created_at, job.retry_count) == ("unknown", None, None, None, None)


def test_new_fields_are_kept() -> None:
    """Fields without a name in the contract are in `extra`, of tasks and of stages."""
    task = read_task(wire_task(jira_id="J-1", shiny={"deep": [1]}, stages=[wire_stage(colour="red")]))
    assert task.extra["jira_id"] == "J-1"
    assert task.extra["shiny"] == {"deep": [1]}
    assert task.stages[0].extra["colour"] == "red"
    assert read_job(wire_job(ansys_release="2026R1")).extra["ansys_release"] == "2026R1"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("pending", "pending"),
        ("planning", "pending"),
        ("running", "running"),
        ("completed", "succeeded"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("skipped", "skipped"),
        ("Failed ", "failed"),
        ("awaiting_gate", "unknown"),
    ],
)
def test_pipeline_statuses(word: str, status: str) -> None:
    """Known words map; unknown ones survive as the native status."""
    assert pipeline_status(word) == status
    task = read_task(wire_task(status=word))
    assert (task.status, task.native_status) == (status, word)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", "pending"),
        ("STARTED", "running"),
        ("DOWNLOADING", "running"),
        ("RUNNING", "running"),
        ("PROGRESS", "running"),
        ("RETRY", "running"),
        ("SUCCESS", "succeeded"),
        ("FAILURE", "failed"),
        ("FAILED", "failed"),
        ("REVOKED", "cancelled"),
        ("CANCELLED", "cancelled"),
        ("CANCELED", "cancelled"),
        ("ABORTED", "cancelled"),
        ("failure", "failed"),
        ("PAUSED", "unknown"),
    ],
)
def test_queue_statuses(word: str, status: str) -> None:
    """Known words map; unknown ones survive as the native status."""
    assert queue_status(word) == status
    job = read_job(wire_job(status=word))
    assert (job.status, job.native_status) == (status, word)


def test_stages_keep_their_order_and_their_own_facts() -> None:
    """Template order is the order of the list; a duration of the task is the time that its stages ran."""
    stages = [wire_stage("b", stage_name="second", duration_seconds=None), wire_stage("a", stage_name="first")]
    task = read_task(wire_task(stages=stages))
    assert [(stage.stage_id, stage.stage, stage.position) for stage in task.stages] == [
        ("b", "second", 0),
        ("a", "first", 1),
    ]
    assert task.duration_s == 2.0
    assert task.failed_stage is task.stages[0]
    assert task.stages[1].error == "ValueError: row 7"


def test_structured_output_may_be_anything() -> None:
    """An object is kept with every key; anything else is kept as a value."""
    output = {"summary": "s", "status": "pass", "confidence": 0.5, "more": [1]}
    assert read_task(wire_task(stages=[wire_stage(output_structured=output)])).stages[0].output == output
    assert read_task(wire_task(stages=[wire_stage(output_structured=[1])])).stages[0].output == {"value": [1]}


def test_texts_that_are_no_text_are_shown_as_json() -> None:
    """An error message that is an object is still readable."""
    stage = wire_stage(error_message={"code": 7, "原因": "x"}, stage_name=None)
    read = read_task(wire_task(title=42, stages=[stage])).stages[0]
    assert (read.error, read.stage) == ('{"code": 7, "原因": "x"}', "s1")
    assert read_task(wire_task(title=42)).name == "42"


def test_huge_texts_are_kept_whole() -> None:
    """Error messages of megabytes arrive as they are."""
    text = "错" * 3_000_000
    assert read_task(wire_task(stages=[wire_stage(error_message=text)])).stages[0].error == text


def test_queue_names_errors_and_times() -> None:
    """The first name that is not empty; a hint is an error only of tasks that did not succeed."""
    assert read_job(wire_job(display_name="", job_name="j.inp")).name == "j.inp"
    assert read_job(wire_job()).error == "solver error 1045"
    assert read_job(wire_job(error_detail="Traceback ...")).error == "Traceback ..."
    assert read_job(wire_job(status="RUNNING", message="pass 3")).error is None
    assert read_job(wire_job(duration=None, elapsed_seconds=7)).duration_s == 7.0
    history = [{"status": "STARTED", "timestamp": 5}, {"status": "FAILURE", "timestamp": 9.5, "error": "x"}]
    assert read_job(wire_job(status_history=history)).finished_at == datetime.fromtimestamp(9.5, UTC)
    assert read_job(wire_job(status_history="broken")).finished_at is None


@pytest.mark.parametrize(
    ("percent", "progress"), [(50, 0.5), (0, 0.0), (250, 1.0), (-3, 0.0), ("x", None), (None, None)]
)
def test_queue_progress_runs_from_nought_to_one(percent: object, progress: float | None) -> None:
    """Percentages are bounded, and the whole object is kept."""
    job = read_job(wire_job(status="PROGRESS", progress_info={"progress_percent": percent, "estimated_time": "5 days"}))
    assert job.progress == progress
    assert job.extra["progress_info"]["estimated_time"] == "5 days"


def test_files_of_unknown_size_or_method_stay_unknown() -> None:
    """Unknown is never 0."""
    wire = {"task_id": "j1", "files": [{"name": "a", "method": "teleported"}, {"name": "b", "size_bytes": 0}]}
    files = WireFiles.model_validate(wire).record().files
    assert [(file.size_bytes, file.method, file.exists) for file in files] == [
        (None, "unknown", None),
        (0, "unknown", None),
    ]


def test_current_attempts_are_those_that_have_begun() -> None:
    """A platform without history knows the latest attempt of each stage that ran."""
    stages = [wire_stage("a", status="completed", retry_count=0), wire_stage("b"), wire_stage("c", status="pending")]
    attempts = current_attempts(read_task(wire_task(stages=stages)))
    assert [(attempt.stage_id, attempt.attempt, attempt.status) for attempt in attempts] == [
        ("a", 1, "succeeded"),
        ("b", 2, "failed"),
    ]


@pytest.mark.parametrize(
    ("answer", "total", "page_size"),
    [
        ({"items": [1], "total": 5, "page": 1, "page_size": 1}, 5, 1),
        ({"tasks": [1], "total": 5}, 5, None),
        ({"items": [1], "count": 5}, 5, None),
        ({"items": [1], "total": None, "count": 5}, 5, None),
        ({"items": [1], "total": "5", "page_size": 0}, None, None),
        ([1], None, None),
    ],
)
def test_lists_of_every_known_shape(answer: object, total: int | None, page_size: int | None) -> None:
    """Old servers say `tasks`, others `count`, others send a bare list."""
    envelope = read_envelope(answer)
    assert (envelope.rows, envelope.total, envelope.page_size) == ([1], total, page_size)


@pytest.mark.parametrize("answer", [None, {}, {"items": None}, {"items": {}}, "rows", 7])
def test_an_answer_without_a_list_is_bad(answer: object) -> None:
    """It cannot be told from an empty platform otherwise."""
    with pytest.raises(BadAnswer):
        read_envelope(answer)


def test_broken_rows_are_set_apart_and_the_rest_survives() -> None:
    """The report names page, row, field and reason."""
    rows: list[Any] = [
        wire_task("a"),
        {"id": None},
        "nonsense",
        wire_task("b", stages=[wire_stage(), {"id": []}]),
        wire_task("c"),
    ]
    read = read_page(read_envelope({"items": rows, "total": 5}), 3, 100, read_task)
    assert [task.task_id for task in read.page.tasks] == ["a", "c"]
    assert [(row.page, row.index, row.path) for row in read.page.rejected] == [
        (3, 1, "id"),
        (3, 2, ""),
        (3, 3, "stages[1].id"),
    ]
    assert all(row.reason for row in read.page.rejected)
    assert read.row_count == 5


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(wire_task(), VALUES)))
def test_no_row_of_the_pipeline_dialect_breaks_the_reader(row: dict[str, Any]) -> None:
    """Any object is a record or Unreadable, never another error."""
    try:
        task = read_task(row)
    except Unreadable as error:
        assert error.reason  # noqa: PT017 - either outcome is right
    else:
        assert task.task_id == str(row["id"])
        assert task.status in STATUSES


@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*wire_job(), "status_history", "progress_info"], VALUES)))
def test_no_row_of_the_queue_dialect_breaks_the_reader(row: dict[str, Any]) -> None:
    """Any object is a record or Unreadable, never another error."""
    try:
        job = read_job(row)
    except Unreadable as error:
        assert error.reason  # noqa: PT017 - either outcome is right
    else:
        assert job.task_id == str(row["task_id"])
        assert job.status in STATUSES

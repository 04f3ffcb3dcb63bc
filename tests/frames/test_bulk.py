"""Bulk reading against the slow path: whatever a server sends, both give the same frames and reject the same rows."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import chain
from typing import Any

import httpx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from retry_toolkit.frames.build import stages_frame, tasks_frame
from retry_toolkit.frames.load import RejectedRows, load_history, load_stages, load_tasks
from retry_toolkit.platforms import shapes
from retry_toolkit.platforms.base import Platform, Rejected
from retry_toolkit.platforms.pipeline import PipelinePlatform
from retry_toolkit.platforms.pipeline_bulk import page_reader
from retry_toolkit.platforms.plain import PageReader
from retry_toolkit.platforms.queue import QueuePlatform
from tests.frames.records import HOSTILE
from tests.platforms.wires import Recorder, transport, wire_job, wire_stage, wire_task

Rows = list[Any]

NUMBERS = st.none() | st.integers(-1, 2**64) | st.floats() | st.sampled_from(["12", "1.5", " 7 ", "x", True, [], 12.0])
TEXTS = st.none() | st.text() | st.sampled_from([*HOSTILE[:-3], "", 42, 1.5, True, {"原因": [1]}, "\ud800", "a\ufffd"])
TIMES = st.none() | st.sampled_from(
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T12:00",
        "2026-11-22T12:00:00Z",
        "2026-11-22 12:00:00.5+08:00",
        "2026-11-22T12:00:00.1234567",
        " 2026-11-22T12:00:00 ",
        "2026-02-30T12:00:00",
        "0001-01-01T00:00:00+08:00",
        "9999-12-31T23:59:59-08:00",
        "20261122T120000",
        1_790_000_000,
        1_790_000_000_123,
        1_790_000_000.123456,
        1e300,
        True,
        [],
    ]
)
TIMES |= st.datetimes(datetime(1600, 1, 1), datetime(2900, 1, 1)).map(datetime.isoformat)
TIMES |= st.floats(-6e10, 1e11)
IDS = st.text(min_size=1, max_size=8) | st.sampled_from(["", None, 7, 1.5, True, "a\ufffd", "\udfff", 2**70])
WORDS = st.sampled_from(
    ["failed", "completed", "running", "Failed ", "FAILURE", "SUCCESS", "REVOKED", "?", "", None, 3]
)
COUNTS = ("tokens_used", "turns_used", "self_fix_count", "retry_count", "max_retries")


def objects(base: dict[str, Any], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects as the contract says, with some fields changed and some left out."""
    changed = st.fixed_dictionaries({}, optional=fields)
    without = st.sets(st.sampled_from(sorted(base)), max_size=2)
    return st.builds(lambda new, gone: {k: v for k, v in (base | new).items() if k not in gone}, changed, without)


STAGES = objects(
    wire_stage(),
    {
        "id": IDS,
        "status": WORDS,
        "started_at": TIMES,
        "completed_at": TIMES,
        "duration_seconds": NUMBERS,
        "self_assessment_score": NUMBERS,
        "error_message": TEXTS,
        "stage_name": TEXTS,
        **dict.fromkeys(COUNTS, NUMBERS),
    },
)
TASKS = objects(
    wire_task(),
    {
        "id": IDS,
        "title": TEXTS,
        "status": WORDS,
        "created_at": TIMES,
        "completed_at": TIMES,
        "stages": st.none() | st.lists(STAGES, max_size=3) | st.sampled_from([[None], "none"]),
        "total_tokens": NUMBERS,
        "total_cost_rmb": NUMBERS,
        "template_name": TEXTS,
        "parent_task_id": st.none() | IDS,
        "retried_task_ids": st.none() | st.lists(IDS, max_size=2) | st.just("t2"),
        "lineage_retry_count": NUMBERS,
        "params": TEXTS,
    },
)
JOBS = objects(
    wire_job(),
    {
        "task_id": IDS,
        "status": WORDS,
        "display_name": TEXTS,
        "created_at": TIMES,
        "duration": NUMBERS,
        "elapsed_seconds": NUMBERS,
        "message": TEXTS,
        "error_detail": TEXTS,
        "parent_task_id": st.none() | IDS,
        "retry_count": NUMBERS,
        "retried_task_ids": st.none() | st.lists(IDS, max_size=2),
        "progress_info": TEXTS,
        "status_history": st.none() | st.just([{"status": "FAILURE", "timestamp": 9.5}]) | TEXTS,
    },
)


def distinct(rows: Rows, key: str) -> Rows:
    """Rows with an id of their own: a row that comes again is dropped, and the readers differ in nothing there."""
    found: dict[str, Any] = {}
    for row in rows:
        found.setdefault(repr(row.get(key)), row)
    return list(found.values())


def serving(rows: Rows) -> Recorder:
    """A server of one page of these rows."""
    return serving_text(json.dumps({"items": rows, "total": len(rows)}))


def serving_text(text: str) -> Recorder:
    """A server of one page, whatever it is."""
    body = text.encode("ascii")
    tasks = httpx.Response(200, content=body, headers={"Content-Type": "application/json"})
    return Recorder(lambda request: tasks if request.url.path.endswith("/tasks") else httpx.Response(404))


def slow(platform: Platform) -> tuple[pd.DataFrame, pd.DataFrame, list[Rejected], dict[str, tuple[str, ...]]]:
    """Everything by way of records, each read by its model."""
    pages = list(platform.tasks())
    records = [task for page in pages for task in page.tasks]
    claims = {task.task_id: task.retried_by for task in records if task.retried_by}
    return tasks_frame(records), stages_frame(records), [row for page in pages for row in page.rejected], claims


def check(platform: Platform) -> None:
    """Both ways agree."""
    tasks, stages, rejected, claims = slow(platform)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RejectedRows)
        history = load_history(platform)
        alone, parts = load_tasks(platform), load_stages(platform)
    for ours, theirs in ((history.tasks, tasks), (history.stages, stages), (alone, tasks), (parts, stages)):
        assert_frame_equal(ours, theirs, check_exact=True, obj=str(theirs.shape))
    assert dict(history.claims) == claims
    told = [(row["page"], row["index"], row["path"], row["reason"]) for row in history.tasks.attrs["rejected"]]
    assert told == [(row.page, row.index, row.path, row.reason) for row in rejected]


@given(st.lists(TASKS, max_size=6).map(lambda rows: distinct(rows, "id")))
def test_the_pipeline_dialect_reads_the_same_in_bulk(rows: Rows) -> None:
    """Rows, columns, dtypes, categories, order, and what is rejected for which reason."""
    check(PipelinePlatform(transport(serving(rows))))


@given(st.lists(JOBS, max_size=6).map(lambda rows: distinct(rows, "task_id")))
def test_the_queue_dialect_reads_the_same_in_bulk(rows: Rows) -> None:
    """Likewise."""
    check(QueuePlatform(transport(serving(rows))))


FIELDS: dict[tuple[str, ...], list[Any]] = {
    ("tokens_used", "turns_used", "self_fix_count", "retry_count", "max_retries"): [None, 0, 7, "7", -1],
    ("duration_seconds", "self_assessment_score"): [None, 2, 0.25, "0.5", float("nan"), 1e308],
    ("stage_name", "agent_role", "status", "error_message", "failure_category"): [None, "", "x", 4],
    ("started_at", "completed_at"): [None, "", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", 5, "x"],
    ("output_summary", "output_structured"): [None, "done", {"rows": 5}, [1]],
}
TASK_FIELDS: dict[tuple[str, ...], list[Any]] = {
    ("title", "status", "template_name", "template_id", "submitter"): [None, "", "x", "failed", 4],
    ("project_name", "project_id"): [None, "", "p"],
    ("created_at", "completed_at"): [None, "", "2026-01-01", "2026-01-01T00:00:00+08:00", 5, 1e300],
    ("total_tokens", "total_cost_rmb", "lineage_retry_count"): [None, 0, 2**53 + 1, "3", 2**63, "x"],
    ("parent_task_id",): [None, "", "t0", 5, "a\ufffd"],
    ("retried_task_ids",): [None, [], ["t1", "t2"], [""], "t1"],
    ("stages",): [None, [], [None], [wire_stage(status="completed")], [wire_stage(max_retries=None), wire_stage("s2")]],
}


def one_change_each() -> Rows:
    """Tasks that are as the contract says but in one field, of their own or of their stage, changed or not sent."""
    rows = []
    for field, values in ((field, values) for fields, values in TASK_FIELDS.items() for field in fields):
        rows += [wire_task(**{field: value}) for value in values]
        rows.append({name: value for name, value in wire_task().items() if name != field})
    for field, values in ((field, values) for fields, values in FIELDS.items() for field in fields):
        rows += [wire_task(stages=[wire_stage(**{field: value})]) for value in values]
        rows.append(wire_task(stages=[{name: value for name, value in wire_stage().items() if name != field}]))
    return [row | {"id": f"t{number}"} for number, row in enumerate(rows)]


@pytest.mark.parametrize("size", [1, 500])
def test_every_field_reads_the_same_whatever_it_holds(size: int) -> None:
    """Each on a page of its own, where a field is odd for the first time, and all on one page."""
    rows = one_change_each()
    for start in range(0, len(rows), size):
        check(PipelinePlatform(transport(serving(rows[start : start + size]))))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "123456789" * 4, "-0.0", "1.0", "1E2"])
@pytest.mark.parametrize("field", ["id", "title", "created_at", "total_tokens", "total_cost_rmb", "surplus"])
def test_numbers_that_no_machine_holds_read_the_same(field: str, number: str) -> None:
    """Also where the field is known for odd values, and whether or not the number is JSON at all."""
    odd = json.dumps(wire_task("t1", **{field: "?"})).replace('"?"', number)
    page = json.dumps({"items": ["?", wire_task("t2", **{field: True}), wire_task("t3")]}).replace('"?"', odd)
    check(PipelinePlatform(transport(serving_text(page))))


def odd_pages() -> list[bytes]:
    """Those tasks and rows that are none, each on a page of its own."""
    rows = [*one_change_each(), None, "row", {}, wire_task(stages=[{}, 5])]
    return [json.dumps({"items": [row]}).encode("ascii") for row in rows]


def read_by(reader: PageReader, pages: Sequence[bytes]) -> list[str]:
    """Every field of every row that a reader makes of each page, and what it rejects."""
    return [repr(reader.read(page, 1, 100).page) for page in pages]


def read_afresh() -> list[str]:
    """The same by readers that have seen nothing yet."""
    return [told for page in odd_pages() for told in read_by(page_reader(), [page])]


def test_a_reader_reads_a_page_the_same_whatever_it_has_met_before() -> None:
    """What it has learnt to expect changes neither good rows nor odd ones."""
    reader = page_reader()
    read_by(reader, odd_pages())
    assert read_by(reader, odd_pages()) == read_afresh()


def test_a_field_that_was_not_sent_is_missing_also_where_its_namesake_is_odd() -> None:
    """A task and its stages both have a status: here the task's is odd, and of one stage there is none."""
    without = {name: value for name, value in wire_stage("s1").items() if name != "status"}
    rows = [wire_task("t1", stages=[wire_stage(status=4)]), wire_task("t2", status=4, stages=[without])]
    page = page_reader().read(json.dumps(rows).encode("ascii"), 1, 100).page
    assert [(task.status, [stage.status for stage in task.stages]) for task in page.tasks] == [
        ("failed", ["4"]),
        ("4", [None]),
    ]


def test_pages_that_are_read_at_the_same_time_read_the_same() -> None:
    """Each thread meets another odd row first, and all learn at once."""
    reader, pages = page_reader(), odd_pages()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda page: read_by(reader, [page]), pages))
    assert list(chain.from_iterable(found)) == read_afresh()


def test_the_words_of_a_decoders_error_decide_on_nothing_but_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were it to say otherwise where a value did not fit, whole rows would go to their model."""
    monkeypatch.setattr(shapes, "_FAULT", re.compile("other words"))
    check(PipelinePlatform(transport(serving([*one_change_each(), None, "row", {}]))))


def test_values_that_are_no_times_are_set_aside_and_told() -> None:
    """The row stays, also where it is odd in another way; the report names the task, the field and the reason."""
    stages = [wire_stage("s1"), wire_stage("s2", started_at="soon", tokens_used="12")]
    rows = [wire_task("a", completed_at="32.13.2026", stages=stages), wire_task("b", created_at=False), wire_task("c")]
    with pytest.warns(RejectedRows, match=r"3 value\(s\).* created_at of 'b' is no time"):
        history = load_history(PipelinePlatform(transport(serving(rows))))
    assert history.tasks["task_id"].tolist() == ["a", "c", "b"]
    assert history.tasks.attrs["set_aside"] == [
        {"task_id": "b", "path": "created_at", "reason": "is no time"},
        {"task_id": "a", "path": "finished_at", "reason": "is no time"},
        {"task_id": "a", "path": "stages[1].started_at", "reason": "is no time"},
    ]
    assert history.stages.attrs == history.tasks.attrs
    assert history.stages["tokens"].tolist() == [5, 12, 5, 5]

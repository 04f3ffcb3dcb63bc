"""From bytes on the wire to cells of a frame: nothing is changed on the way, and nothing breaks."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit import load_stages, load_tasks
from retry_toolkit.frames.load import RejectedRows
from retry_toolkit.frames.schema import STAGES, TASKS
from retry_toolkit.platforms.pipeline import PipelinePlatform
from retry_toolkit.platforms.queue import QueuePlatform
from tests.frames.records import HOSTILE
from tests.platforms.wires import Recorder, transport, wire_job, wire_stage, wire_task

IDS = st.sampled_from(HOSTILE) | st.text(min_size=1).filter(lambda text: "\ufffd" not in text)


def answering(rows: list[dict[str, Any]]) -> Recorder:
    """A server of one page, whose JSON is plain ASCII as many servers send it."""
    body = json.dumps({"items": rows, "total": len(rows)}).encode("ascii")
    return Recorder(lambda request: httpx.Response(200, content=body, headers={"Content-Type": "application/json"}))


@given(st.lists(IDS, unique=True, max_size=8), st.text(), st.text())
def test_ids_and_texts_survive_both_dialects(ids: list[str], name: str, error: str) -> None:
    """Every id is a string for ever, in both dialects and in both frames."""
    pipeline = [wire_task(text, title=name, stages=[wire_stage(text, error_message=error)]) for text in ids]
    frame = load_tasks(PipelinePlatform(transport(answering(pipeline))))
    stages = load_stages(PipelinePlatform(transport(answering(pipeline))))
    queue = load_tasks(QueuePlatform(transport(answering([wire_job(text, display_name=name) for text in ids]))))
    assert frame["task_id"].tolist() == queue["task_id"].tolist() == stages["stage_id"].tolist() == ids
    assert set(frame["name"]) <= {name}
    assert set(frame["error"].dropna()) <= {error}


def test_hostile_rows_are_loaded_or_reported() -> None:
    """One of everything that servers get wrong, on one page: what can be read is there, the rest is named."""
    rows: list[Any] = [
        wire_task("00123", title="NA"),
        wire_task("surrogate", title="lone \ud800"),
        wire_task("huge", stages=[wire_stage(error_message="错" * 1_000_000)]),
        wire_task("times", created_at="32.13.2026", completed_at=1e300),
        wire_task("null") | dict.fromkeys(["title", "status", "stages", "total_tokens", "created_at"]),
        wire_task("infinite", stages=[wire_stage(duration_seconds=float("inf"))]),
        wire_task() | {"id": 2**60 + 1},
        wire_task("\ud800"),
        wire_task("long", total_tokens=2**64),
        {"task": "other"},
        None,
    ]
    platform = PipelinePlatform(transport(answering(rows)))
    with pytest.warns(RejectedRows, match=r"4 row\(s\)"):
        frame = load_tasks(platform)
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [(item.name, item.dtype) for item in TASKS]
    loaded = frame.set_index("task_id")
    assert set(loaded.index) == {"00123", "surrogate", "huge", "times", "null", "infinite", str(2**60 + 1)}
    assert [row["index"] for row in frame.attrs["rejected"]] == [7, 8, 9, 10]
    assert loaded.loc["00123", "name"] == "NA"
    assert loaded.loc["surrogate", "name"] == "lone \ufffd"
    assert len(str(loaded.loc["huge", "error"])) == 1_000_000
    assert loaded["created_at"].isna().to_dict()["times"]
    assert loaded.loc["null", "status"] == "unknown"
    assert loaded["duration_s"].isna().to_dict()["infinite"]
    with pytest.warns(RejectedRows):
        stages = load_stages(platform)
    assert [(name, str(dtype)) for name, dtype in stages.dtypes.items()] == [(item.name, item.dtype) for item in STAGES]

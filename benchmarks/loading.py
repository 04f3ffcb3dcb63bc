"""Pages as bytes to the frames of tasks and stages, against json_normalize and against bare parsing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pandas as pd

from benchmarks.generate import pages
from benchmarks.rows import AtLeast, Row, Scale, Side
from retry_toolkit.frames.build import stages_frame, tasks_frame
from retry_toolkit.platforms.pipeline_wire import read_task

Frames = tuple[pd.DataFrame, pd.DataFrame]


def write_pages(folder: Path, scale: Scale) -> None:
    """One file a page."""
    for number, body in enumerate(pages(scale.history), 1):
        (folder / f"{number:06d}.json").write_bytes(body)


def page_files(folder: Path, scale: Scale) -> list[Path]:
    """Pages in order; reading them is part of what is measured, as receiving them is."""
    del scale
    return sorted(folder.glob("*.json"))


def normalized(files: list[Path]) -> Frames:
    """What most notebooks do."""
    rows: list[dict[str, Any]] = []
    for file in files:
        rows.extend(json.loads(file.read_bytes())["items"])
    return pd.json_normalize(rows, max_level=0), pd.json_normalize(rows, record_path="stages", max_level=0)


def parsed(files: list[Path]) -> int:
    """Parsing alone: the rows are counted and forgotten."""
    return sum(len(orjson.loads(file.read_bytes())["items"]) for file in files)


def loaded(files: list[Path]) -> Frames:
    """Records, then frames."""
    records = [read_task(row) for file in files for row in json.loads(file.read_bytes())["items"]]
    return tasks_frame(records), stages_frame(records)


def same_frames(baseline: Frames, ours: Frames) -> None:
    """Every task and every stage, with the same ids."""
    assert sorted(baseline[0]["id"]) == sorted(ours[0]["task_id"])
    assert sorted(baseline[1]["id"]) == sorted(ours[1]["stage_id"])


def same_count(baseline: int, ours: Frames) -> None:
    """As many tasks."""
    assert baseline == len(ours[0])


def _row(name: str, what: str, label: str, run: Callable[[list[Path]], Any], **fields: Any) -> Row:
    return Row(
        name=name,
        what=what,
        prepare=write_pages,
        baseline=Side(label, load=page_files, run=run),
        ours=Side("pages to tasks and stages", load=page_files, run=loaded),
        **fields,
    )


ROWS = (
    _row(
        "load",
        "pages to tasks + stages frames",
        "json.loads + json_normalize",
        normalized,
        same=same_frames,
        gate=AtLeast(4.5, aim=6),
    ),
    _row(
        "load-parse",
        "the same, against bare parsing",
        "orjson.loads",
        parsed,
        same=same_count,
        gate=AtLeast(0.5, aim=0.65),
    ),
)

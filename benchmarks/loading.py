"""Pages as bytes to the frames of tasks and stages, against json_normalize and against bare parsing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pandas as pd

from benchmarks.generate import PAGE_SIZE, pages
from benchmarks.rows import AtLeast, AtMost, Row, Scale, Side
from retry_toolkit.frames.load import load_history
from retry_toolkit.platforms.base import EVERY_TASK, Page, Platform, Refusal, Status, TaskQuery
from retry_toolkit.platforms.bulk import AS_USUAL, Reading
from retry_toolkit.platforms.pipeline import CAPABILITIES
from retry_toolkit.platforms.pipeline_bulk import page_reader, pipeline_layout
from retry_toolkit.platforms.refusals import refusal

TEMPLATE_LIMIT = 3

Frames = tuple[pd.DataFrame, pd.DataFrame]


class Replay:
    """A platform whose pages lie in files: everything between receiving a page and the frames, without the network."""

    name = origin = "replay"

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._reader = page_reader()
        self.layout = pipeline_layout(lambda _template, _stage: TEMPLATE_LIMIT, judged)

    @property
    def platform(self) -> Platform:
        """This as a platform: it has what loaders use."""
        return cast("Platform", self)

    def bulk_pages(self, query: TaskQuery = EVERY_TASK, reading: Reading = AS_USUAL) -> Iterator[Page[Any]]:
        """The pages in order."""
        del query, reading
        for number, file in enumerate(self._files, 1):
            yield self._reader.read(file.read_bytes(), number, PAGE_SIZE).page


def judged(status: Status, failed: Iterable[tuple[int, int | None]]) -> Refusal | None:
    """As a platform with stage retries judges."""
    return refusal(status, failed, CAPABILITIES, read_only=False)


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


def parsed(files: list[Path]) -> list[Any]:
    """Parsing alone, rows kept: the least that anybody does before there can be a frame."""
    rows: list[Any] = []
    for file in files:
        rows.extend(orjson.loads(file.read_bytes())["items"])
    return rows


def loaded(files: list[Path]) -> Frames:
    """What `load_history` does with the pages that it receives, and `load_tasks` or `load_stages` with half of it."""
    history = load_history(Replay(files).platform, progress=False)
    return history.tasks, history.stages


def same_frames(baseline: Frames, ours: Frames) -> None:
    """Every task and every stage, with the same ids."""
    assert sorted(baseline[0]["id"]) == sorted(ours[0]["task_id"])
    assert sorted(baseline[1]["id"]) == sorted(ours[1]["stage_id"])


def same_count(baseline: list[Any], ours: Frames) -> None:
    """As many tasks."""
    assert len(baseline) == len(ours[0])


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
        "orjson.loads into a list of rows",
        parsed,
        same=same_count,
        gate=AtLeast(0.5, aim=0.65),
    ),
    _row(
        "load-memory",
        "the same, its peak memory",
        "json.loads + json_normalize",
        normalized,
        same=same_frames,
        measure="peak",
        gate=AtMost(0.35, aim=0.25),
    ),
)

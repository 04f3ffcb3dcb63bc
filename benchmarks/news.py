"""What a running batch tells of a hundred tasks: taken over by the lists of the desk together, or one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import orjson
from pandas.testing import assert_frame_equal

from benchmarks.loading import Replay, page_files, write_pages
from benchmarks.rows import AtLeast, Row, Scale, Side
from retry_toolkit.frames.reading import TaskReading
from retry_toolkit.panels.state.catalog_frames import Catalog, make_catalog, replace_rows
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.platforms.pipeline_wire import read_task

TOLD = 100

News = tuple[Catalog, list[TaskRecord]]


def catalog_and_news(folder: Path, scale: Scale) -> News:
    """The lists as they are loaded, and how some failed tasks, spread over all of them, have ended since."""
    files = page_files(folder, scale)
    batches = list(TaskReading(Replay(files).platform, stages=True).tables())
    failed = list(_failed(files))
    chosen = failed[:: max(1, len(failed) // TOLD)][:TOLD]
    return make_catalog(batches, loaded_at=datetime.now(UTC)), [read_task(_recovered(row)) for row in chosen]


def _failed(files: list[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from (row for row in orjson.loads(file.read_bytes())["items"] if row["status"] == "failed")


def _recovered(row: dict[str, Any]) -> dict[str, Any]:
    stages = [stage | {"status": "completed", "error_message": None} for stage in row["stages"]]
    return row | {"status": "completed", "stages": stages}


def together(news: News) -> Catalog:
    """All at once."""
    catalog, records = news
    return replace_rows(catalog, records)


def one_by_one(news: News) -> Catalog:
    """As they come."""
    catalog, records = news
    return reduce(lambda known, record: replace_rows(known, [record]), records, catalog)


def same_lists(baseline: Catalog, ours: Catalog) -> None:
    """The same tasks, stages and lineage."""
    for name in ("tasks", "stages", "lineage"):
        assert_frame_equal(getattr(ours, name), getattr(baseline, name), check_categorical=False)


ROWS = (
    Row(
        name="news",
        what="a batch's news of 100 tasks, into 100,000",
        prepare=write_pages,
        baseline=Side("one after the other", load=catalog_and_news, run=one_by_one),
        ours=Side("replace_rows, together", load=catalog_and_news, run=together),
        same=same_lists,
        gate=AtLeast(10, aim=30),
    ),
)

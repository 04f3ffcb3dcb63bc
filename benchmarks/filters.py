"""Filters over a million tasks, against masks of pandas over object columns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow.parquet as pq

from benchmarks.generate import tasks
from benchmarks.rows import AtLeast, Row, Scale, Side
from retry_toolkit.frames.conditions import SEARCHED
from retry_toolkit.frames.filters import Filters, filter_tasks

Query = Callable[[pd.DataFrame], pd.DataFrame]

HITS: Final = 200
FOUR: Final = Filters(
    status="failed", project="风险控制", since=datetime(2026, 6, 1, tzinfo=UTC), text="timeouterror"
)  # fmt: skip
COMMON: Final = Filters(text="ConnectionError")
RARE: Final = Filters(text="task_0000042")


def write_tasks(folder: Path, scale: Scale) -> None:
    """A history as Parquet."""
    tasks(scale.million).to_parquet(folder / "tasks.parquet")


def frame(folder: Path, scale: Scale) -> pd.DataFrame:
    """Canonical tasks, each column in one piece, as the loaders give them."""
    del scale
    whole: pd.DataFrame = pq.read_table(folder / "tasks.parquet").combine_chunks().to_pandas()
    return whole


def objects(folder: Path, scale: Scale) -> pd.DataFrame:
    """The same with text and categories as Python objects."""
    canonical = frame(folder, scale)
    texts = canonical.select_dtypes(include=["str", "category"]).columns
    return canonical.astype(dict.fromkeys(texts, "object"))


def _containing(tasks: pd.DataFrame, text: str) -> pd.Series:
    masks = [tasks[name].str.contains(text, case=False, regex=False, na=False) for name in SEARCHED]
    return pd.concat(masks, axis=1).any(axis=1)


def _naive_four(tasks: pd.DataFrame) -> pd.DataFrame:
    mask = tasks["status"] == FOUR.status
    mask &= tasks["project"] == FOUR.project
    mask &= tasks["created_at"] >= FOUR.since
    mask &= _containing(tasks, FOUR.text)
    return tasks[mask]


def _naive_text(filters: Filters) -> Query:
    return lambda tasks: tasks[_containing(tasks, filters.text)].head(HITS)


def _ours(filters: Filters, limit: int | None = None) -> Query:
    return lambda tasks: filter_tasks(tasks, filters, limit=limit)


def same_ids(baseline: pd.DataFrame, ours: pd.DataFrame) -> None:
    """The same tasks in the same order, and some."""
    assert baseline["task_id"].tolist() == ours["task_id"].tolist()
    assert len(ours) > 0


def _row(name: str, what: str, naive: Query, filters: Filters, gate: AtLeast) -> Row:
    limit = None if filters is FOUR else HITS
    return Row(
        name=name,
        what=what,
        prepare=write_tasks,
        baseline=Side("masks over object columns", load=objects, run=naive),
        ours=Side("filter_tasks", load=frame, run=_ours(filters, limit)),
        same=same_ids,
        gate=gate,
        repeat=5,
    )


ROWS = (
    _row("filters", "four filters together, 1 M rows", _naive_four, FOUR, AtLeast(15, aim=40)),
    _row("text", "one text filter, 1 M rows, first 200 hits", _naive_text(COMMON), COMMON, AtLeast(5, aim=15)),
    _row("text-rare", "the same, text in one task", _naive_text(RARE), RARE, AtLeast(5, aim=15)),
)

"""The forest of whole retries, against a walk with memory in plain Python: the one that the tests hold for right."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pandas as pd

from benchmarks.generate import Shape, tasks
from benchmarks.rows import AtLeast, Row, Scale, Side
from retry_toolkit.analysis.lineage import build_lineage
from tests.analysis.forest import Place, places, told

_COLUMNS = ["task_id", "parent_id", "status", "created_at"]


def write_links(folder: Path, scale: Scale) -> None:
    """The columns that matter, one file a shape."""
    for shape in get_args(Shape):
        tasks(scale.million, shape=shape)[_COLUMNS].to_parquet(folder / f"{shape}.parquet")


def _row(name: str, what: str, shape: Shape) -> Row:
    def frame(folder: Path, scale: Scale) -> pd.DataFrame:
        del scale
        return pd.read_parquet(folder / f"{shape}.parquet")

    return Row(
        name=name,
        what=what,
        prepare=write_links,
        baseline=Side("memoised Python", load=lambda folder, scale: told(frame(folder, scale)), run=places),
        ours=Side("build_lineage", load=frame, run=build_lineage),
        same=same_places,
        gate=AtLeast(5, aim=8),
        repeat=3,
    )


def same_places(baseline: list[Place], ours: pd.DataFrame) -> None:
    """Every column of every task."""
    for name in ours.columns:
        column = ours[name].astype("object")
        assert column.where(column.notna(), None).tolist() == [getattr(place, name) for place in baseline], name


ROWS = (
    _row("lineage-deep", "lineage, 1 M tasks, up to 51 deep", "forest"),
    _row("lineage-chain", "lineage, 1 M tasks, one chain of 100,000", "chain"),
    _row("lineage-cycles", "lineage, 1 M tasks with cycles", "cycles"),
)

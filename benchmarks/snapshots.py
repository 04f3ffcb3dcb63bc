"""A million tasks on disk and in memory: Parquet against SQLite, canonical columns against object columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.generate import tasks
from benchmarks.rows import AtLeast, AtMost, Row, Scale, Side
from retry_toolkit.frames.columns import CLAIMS, Tables, arrow_schema
from retry_toolkit.frames.notes import Notes
from retry_toolkit.frames.schema import STAGES, TASKS
from retry_toolkit.frames.snapshot import open_snapshot
from retry_toolkit.frames.spool import write_snapshot

PART = 50_000


class FrameSource:
    """A frame in place of a platform that is read."""

    notes = Notes()

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def tables(self) -> Iterator[Tables]:
        """The frame in parts; without stages."""
        for start in range(0, len(self._frame), PART):
            part = pa.Table.from_pandas(self._frame.iloc[start : start + PART], preserve_index=False)
            yield Tables(
                tasks=part.cast(arrow_schema(TASKS)).replace_schema_metadata(None),
                stages=arrow_schema(STAGES).empty_table(),
                claims=CLAIMS.empty_table(),
                set_aside=(),
            )


def write_tasks(folder: Path, scale: Scale) -> None:
    """The same tasks as a snapshot and as a SQLite table."""
    frame = tasks(scale.million)
    write_snapshot(folder / "snapshot", FrameSource(frame), origin="benchmark")
    with closing(sqlite3.connect(folder / "tasks.sqlite")) as connection:
        plain(frame).to_sql("tasks", connection, index=False, chunksize=PART)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Object columns, as frames have that were made of JSON or of rows: text one object a cell, times as text."""
    columns = {name: _objects(column) for name, column in frame.items()}
    # Told the dtype, pandas does not make its own text columns of them.
    return pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()}, copy=False)


def _objects(column: pd.Series) -> Any:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S.%f").to_numpy(dtype=object)
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=np.bool_)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.array(pa.array(column.astype("str")).to_pylist(), dtype=object)


def folder_of(folder: Path, scale: Scale) -> Path:
    """Where both lie."""
    del scale
    return folder


def from_sqlite(folder: Path) -> pd.DataFrame:
    """The table as a frame, with times that are times."""
    with closing(sqlite3.connect(folder / "tasks.sqlite")) as connection:
        times = {"created_at": {"utc": True}, "finished_at": {"utc": True}}
        return pd.read_sql("SELECT * FROM tasks", connection, parse_dates=times)


def from_snapshot(folder: Path) -> pd.DataFrame:
    """The canonical frame."""
    return open_snapshot(folder / "snapshot").tasks()


def as_objects(folder: Path) -> pd.DataFrame:
    """The same with object columns; the canonical frame is given up."""
    return plain(from_snapshot(folder))


def same_tasks(baseline: pd.DataFrame, ours: pd.DataFrame) -> None:
    """The same ids, words and messages, in the same order."""
    assert list(baseline.columns) == list(ours.columns)
    for name in ("task_id", "status", "error", "fingerprint", "parent_id"):
        theirs = [None if pd.isna(value) else value for value in baseline[name]]
        assert theirs == [None if pd.isna(value) else value for value in ours[name]]
    assert np.array_equal(baseline["tokens"].to_numpy(np.float64), ours["tokens"].to_numpy(np.float64))


ROWS = (
    Row(
        name="snapshot",
        what="snapshot read, 1 M tasks",
        prepare=write_tasks,
        baseline=Side("SQLite into pandas", load=folder_of, run=from_sqlite),
        ours=Side("open_snapshot(...).tasks()", load=folder_of, run=from_snapshot),
        same=same_tasks,
        gate=AtLeast(15, aim=30),
    ),
    Row(
        name="frame-memory",
        what="memory of the 1 M tasks frame",
        measure="kept",
        prepare=write_tasks,
        baseline=Side("object columns", load=folder_of, run=as_objects),
        ours=Side("canonical columns", load=folder_of, run=from_snapshot),
        same=same_tasks,
        gate=AtMost(0.4, aim=0.3),
    ),
)

"""Records -> canonical frames: exactly the columns, order and dtypes of `frames.schema`, also when empty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.frames.schema import ATTEMPTS, LOGS, STAGES, TASKS, Columns, Kind
from retry_toolkit.platforms.base import AttemptRecord, LogRecord, StageRecord, TaskRecord

Values = Sequence[Any]


def tasks_frame(records: Iterable[TaskRecord]) -> pd.DataFrame:
    """One row a task, newest first; columns and dtypes of `schema.TASKS`.

    Error, category and attempt number are those of the earliest failed stage, else the task's own.
    """
    rows = tuple(records)
    failed = [row.failed_stage for row in rows]
    pairs = list(zip(rows, failed, strict=True))
    data = _attributes(TASKS, rows) | {
        "failed_stage": [stage and stage.stage for stage in failed],
        "failure_category": [(stage and stage.failure_category) or row.failure_category for row, stage in pairs],
        "error": [(stage and stage.error) or row.error for row, stage in pairs],
        "retry_count": [row.retry_count if stage is None else stage.retry_count for row, stage in pairs],
        "retry_limit": [row.retry_limit if stage is None else stage.retry_limit for row, stage in pairs],
        "retryable": [row.refusal is None for row in rows],
        "stage_count": [len(row.stages) for row in rows],
    }
    frame = build_frame(TASKS, data | {"fingerprint": fingerprints(data["error"])})
    # Rows shift between pages: the order of arrival is not always the order of creation.
    return frame.sort_values("created_at", ascending=False, kind="stable", na_position="last", ignore_index=True)


def stages_frame(records: Iterable[TaskRecord]) -> pd.DataFrame:
    """One row a stage, in the order of the tasks and then of their template; columns and dtypes of `schema.STAGES`."""
    stages: list[StageRecord] = [stage for record in records for stage in record.stages]
    data = _attributes(STAGES, stages)
    return build_frame(STAGES, data | {"fingerprint": fingerprints(data["error"])})


def attempts_frame(records: Iterable[AttemptRecord]) -> pd.DataFrame:
    """One row an attempt, in the order given; columns and dtypes of `schema.ATTEMPTS`."""
    data = _attributes(ATTEMPTS, tuple(records))
    return build_frame(ATTEMPTS, data | {"fingerprint": fingerprints(data["error"])})


def logs_frame(records: Iterable[LogRecord]) -> pd.DataFrame:
    """One row a log line, in the order given; columns and dtypes of `schema.LOGS`."""
    return build_frame(LOGS, _attributes(LOGS, tuple(records)))


def build_frame(columns: Columns, data: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of exactly these columns; `data` holds one sequence a column, None standing for missing."""
    return pd.DataFrame({column.name: _ARRAYS[column.kind](data[column.name]) for column in columns}, copy=False)


def empty_frame(columns: Columns) -> pd.DataFrame:
    """A frame of these columns without rows."""
    return build_frame(columns, {column.name: () for column in columns})


def _attributes(columns: Columns, rows: Sequence[object]) -> dict[str, list[Any]]:
    return {column.name: [getattr(row, column.name, None) for row in rows] for column in columns}


def _texts(values: Values) -> Any:
    return pd.array(_arrow(values, pa.large_string()), dtype="str")


def _categories(values: Values) -> Any:
    encoded = _arrow(values, pa.large_string()).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    words = pd.Index(encoded.dictionary.to_pylist(), dtype="str")
    order = np.argsort(words.to_numpy(dtype=object)) if len(words) else np.zeros(0, dtype=np.int64)
    rank = np.full(len(words) + 1, -1, dtype=np.int64)  # the last place serves the code -1
    rank[order] = np.arange(len(words))
    return pd.Categorical.from_codes(rank[codes], categories=words[order])


def _times(values: Values) -> Any:
    return _arrow(values, pa.timestamp("us", tz="UTC")).to_pandas().array


def _integers(values: Values) -> Any:
    return pd.arrays.IntegerArray(*_filled(values, pa.int64(), 0))


def _floats(values: Values) -> Any:
    return pd.arrays.FloatingArray(*_filled(values, pa.float64(), 0.0))


def _flags(values: Values) -> Any:
    return pd.arrays.BooleanArray(*_filled(values, pa.bool_(), False))


def _filled(values: Values, kind: Any, blank: object) -> tuple[Any, Any]:
    """Values with blanks for missing, and the mask; never by way of float, which loses digits past 2**53."""
    array = _arrow(values, kind)
    mask = array.is_null().to_numpy(zero_copy_only=False)
    return array.fill_null(blank).to_numpy(zero_copy_only=False).copy(), mask.copy()


def _arrow(values: Values, kind: Any) -> Any:
    array = values if isinstance(values, pa.Array) else pa.array(values, type=kind, from_pandas=True)
    return array.cast(kind)


_ARRAYS: dict[Kind, Callable[[Values], Any]] = {
    "id": _texts,
    "text": _texts,
    "category": _categories,
    "time": _times,
    "seconds": _floats,
    "bytes": _integers,
    "count": _integers,
    "number": _floats,
    "flag": _flags,
}

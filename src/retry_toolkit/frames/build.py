"""Records -> canonical frames: exactly the columns, order and dtypes of `frames.schema`, also when empty."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from retry_toolkit.frames.columns import Tables, arrow_schema, make_tables, with_fingerprints
from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.frames.moments import TIME
from retry_toolkit.frames.records import RECORDS
from retry_toolkit.frames.schema import ATTEMPTS, LOGS, STAGES, TASKS, Columns, Kind
from retry_toolkit.platforms.base import AttemptRecord, LogRecord, TaskRecord
from retry_toolkit.platforms.bulk import Batch

Values = Sequence[Any]

_STR = pd.StringDtype("pyarrow", na_value=np.nan)  # what "str" means to pandas; named, it takes Arrow as it is


def tasks_frame(records: Iterable[TaskRecord]) -> pd.DataFrame:
    """One row a task, newest first; columns and dtypes of `schema.TASKS`.

    Error, category and attempt number are those of the earliest failed stage, else the task's own.
    """
    return tasks_of([make_tables(Batch(tuple(records), RECORDS), stages=False)])


def stages_frame(records: Iterable[TaskRecord]) -> pd.DataFrame:
    """One row a stage, in the order of the tasks and then of their template; columns and dtypes of `schema.STAGES`."""
    return stages_of([make_tables(Batch(tuple(records), RECORDS), stages=True)])


def tasks_of(batches: Sequence[Tables]) -> pd.DataFrame:
    """The frame of tasks of these batches, newest first."""
    (table,) = with_fingerprints(_joined(TASKS, [batch.tasks for batch in batches]))
    return frame_of(TASKS, newest_first(table))


def stages_of(batches: Sequence[Tables]) -> pd.DataFrame:
    """The frame of stages of these batches, in their order."""
    (table,) = with_fingerprints(_joined(STAGES, [batch.stages for batch in batches]))
    return frame_of(STAGES, table)


def both_of(batches: Sequence[Tables]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`tasks_of` and `stages_of`, each message looked at once."""
    tasks, stages = joined(batches)
    return frame_of(TASKS, newest_first(tasks)), frame_of(STAGES, stages)


def joined(batches: Sequence[Tables]) -> tuple[Any, Any]:
    """The tables of tasks and of stages of these batches, complete with fingerprints."""
    tasks, stages = with_fingerprints(
        _joined(TASKS, [batch.tasks for batch in batches]), _joined(STAGES, [batch.stages for batch in batches])
    )
    return tasks, stages


def claims_of(tables: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """The direct retries that tasks name, by task."""
    found: dict[str, list[str]] = {}
    for table in tables:
        for task_id, retry_id in zip(*(column.to_pylist() for column in table.columns), strict=True):
            found.setdefault(task_id, []).append(retry_id)
    return {task_id: tuple(retries) for task_id, retries in found.items()}


def newest_first(tasks: Any) -> Any:
    """A table of tasks by time, unknown times last: rows shift between pages, so the order of arrival is another.

    Its columns are in one piece: pages are small, and a search looks at each piece by itself.
    """
    tasks = tasks.combine_chunks()
    ages = pc.negate(tasks.column("created_at").cast(pa.int64())).fill_null(np.iinfo(np.int64).max).to_numpy()
    if not np.any(ages[1:] < ages[:-1]):
        return tasks
    return tasks.take(pa.array(np.argsort(ages, kind="stable")))


def frame_of(columns: Columns, table: Any) -> pd.DataFrame:
    """A canonical frame of an Arrow table that has these columns."""
    return build_frame(columns, {column.name: table.column(column.name) for column in columns})


def _joined(columns: Columns, tables: Sequence[Any]) -> Any:
    return pa.concat_tables([arrow_schema(columns).empty_table(), *tables])


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
    return _STR.__from_arrow__(_arrow(values, pa.large_string()))  # type: ignore[attr-defined]  # not in the stubs


def _categories(values: Values) -> Any:
    """Codes of all chunks in one sorted dictionary."""
    chunks = _encoded(values)
    words = sorted({word for chunk in chunks for word in chunk.dictionary.to_pylist() if word is not None})
    rank = {word: code for code, word in enumerate(words)} | {None: -1}
    codes = [np.zeros(0, dtype=np.int32)]
    for chunk in chunks:
        # The last place serves the code -1, which stands for missing.
        ranks = np.array([*map(rank.__getitem__, chunk.dictionary.to_pylist()), -1], dtype=np.int32)
        codes.append(ranks[chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)])
    used = np.concatenate(codes)
    return pd.Categorical.from_codes(used, categories=pd.Index(words, dtype="str"))


def _encoded(values: Any) -> list[Any]:
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        coded = isinstance(getattr(values, "dtype", None), pd.CategoricalDtype)
        values = pa.array(values, None if coded else pa.large_string(), from_pandas=True)
    chunks = values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    return [chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode() for chunk in chunks]


def _times(values: Values) -> Any:
    return _arrow(values, TIME).to_pandas().array


def _integers(values: Values) -> Any:
    return pd.arrays.IntegerArray(*_filled(values, pa.int64(), 0))


def _floats(values: Values) -> Any:
    return pd.arrays.FloatingArray(*_filled(values, pa.float64(), 0.0))


def _flags(values: Values) -> Any:
    return pd.arrays.BooleanArray(*_filled(values, pa.bool_(), False))


def _lists(values: Values, kind: Any) -> Any:
    return pd.array(_arrow(values, kind), dtype=pd.ArrowDtype(kind))


def _filled(values: Values, kind: Any, blank: object) -> tuple[Any, Any]:
    """Values with blanks for missing, and the mask; never by way of float, which loses digits past 2**53."""
    array = _arrow(values, kind)
    if not array.null_count:
        return _owned(array), np.zeros(len(array), dtype=np.bool_)
    return _owned(array.fill_null(blank)), _owned(array.is_null())


def _owned(array: Any) -> Any:
    """As numpy, in memory that may be written to."""
    plain = array.to_numpy() if isinstance(array, pa.ChunkedArray) else array.to_numpy(zero_copy_only=False)
    return plain if plain.flags.writeable else plain.copy()


def _arrow(values: Any, kind: Any) -> Any:
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = pa.array(values, type=kind, from_pandas=True)
    return values if values.type == kind else values.cast(kind)


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
    "texts": partial(_lists, kind=pa.list_(pa.large_string())),
    "counts": partial(_lists, kind=pa.list_(pa.int64())),
}

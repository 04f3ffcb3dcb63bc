"""Batches of rows -> Arrow tables with the columns of the schema, in its order.

`fingerprint` is still missing in them: messages repeat, so they are told apart once for all batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.frames.moments import TIME, moments
from retry_toolkit.frames.schema import STAGES, TASKS, Columns, Kind
from retry_toolkit.platforms.bulk import Batch, Getter, NullIsZero
from retry_toolkit.platforms.decode import ABSENT

ARROW: dict[Kind, Any] = {
    "id": pa.large_string(),
    "text": pa.large_string(),
    "category": pa.dictionary(pa.int32(), pa.large_string()),
    "time": TIME,
    "seconds": pa.float64(),
    "bytes": pa.int64(),
    "count": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A value that could not be read and is missing in its row."""

    task_id: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """One batch.

    Attributes:
        tasks: Its tasks.
        stages: Their stages, where they were asked for.
        claims: The direct retries that they name (`CLAIMS`).
        set_aside: The values that could not be read.
    """

    tasks: Any
    stages: Any
    claims: Any
    set_aside: tuple[SetAside, ...]


CLAIMS = pa.schema([("task_id", ARROW["id"]), ("retry_id", ARROW["id"])])
"""A task, and a direct retry that it names: one row a pair."""


def arrow_schema(columns: Columns) -> Any:
    """The Arrow schema of these columns."""
    return pa.schema([(column.name, ARROW[column.kind]) for column in columns])


def make_tables(batch: Batch, *, stages: bool) -> Tables:
    """The columns of a batch; those of stages only where they are asked for."""
    counts = np.fromiter(map(len, batch.stages), dtype=np.int64, count=len(batch.rows))
    tasks = _Maker(batch.layout.tasks, batch, len(counts))
    tasks.given["stage_count"] = pa.array(counts)
    tasks.given["retryable"] = pc.is_null(tasks.array("refusal", "category"))
    made = tasks.table(TASKS)
    claims, set_aside = _claims(batch), [_set_aside(batch, at, name) for name, at in tasks.odd]
    if not stages:
        return Tables(tasks=made, stages=None, claims=claims, set_aside=tuple(set_aside))
    owners = np.repeat(np.arange(len(counts)), counts)
    positions = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = _Maker(batch.layout.stages, batch, len(owners))
    parts.given["task_id"] = made.column("task_id").combine_chunks().take(pa.array(owners))
    parts.given["position"] = pa.array(positions)
    table = parts.table(STAGES)
    set_aside += [_set_aside(batch, int(owners[at]), f"stages[{positions[at]}].{name}") for name, at in parts.odd]
    return Tables(tasks=made, stages=table, claims=claims, set_aside=tuple(set_aside))


def with_fingerprints(*tables: Any) -> tuple[Any, ...]:
    """The tables with the fingerprints of their errors, each message looked at once for all of them."""
    errors = pa.chunked_array([chunk for table in tables for chunk in table.column("error").chunks], ARROW["text"])
    found = pa.chunked_array([fingerprints(errors)], pa.large_string())
    filled, start = [], 0
    for table in tables:
        column = found.slice(start, len(table)).dictionary_encode()
        filled.append(table.set_column(table.schema.get_field_index("fingerprint"), "fingerprint", column))
        start += len(table)
    return tuple(filled)


def _claims(batch: Batch) -> Any:
    pairs = [(row.task_id, retry) for row in batch.rows for retry in batch.layout.retried_by(row)]
    return pa.Table.from_arrays([pa.array([pair[at] for pair in pairs], ARROW["id"]) for at in (0, 1)], schema=CLAIMS)


def _set_aside(batch: Batch, at: int, path: str) -> SetAside:
    return SetAside(task_id=batch.rows[at].task_id, path=path, reason="is no time")


class _Maker:
    """Makes the arrays of one table; `odd` collects the name and the position of each value that was no time."""

    def __init__(self, getters: Mapping[str, Getter], batch: Batch, rows: int) -> None:
        self._getters = getters
        self._batch = batch
        self._rows = rows
        self.given: dict[str, Any] = {}
        self.odd: list[tuple[str, int]] = []

    def array(self, name: str, kind: Kind) -> Any:
        """The values of a column; made once."""
        if name not in self.given:
            self.given[name] = self._made(name, kind)
        return self.given[name]

    def table(self, columns: Columns) -> Any:
        """All columns."""
        arrays = [self.array(column.name, column.kind) for column in columns]
        return pa.Table.from_arrays(arrays, schema=arrow_schema(columns))

    def _made(self, name: str, kind: Kind) -> Any:
        if name not in self._getters:
            return pa.nulls(self._rows, ARROW[kind])
        values = self._getters[name](self._batch)
        if kind == "time":
            times, odd = moments(values)
            self.odd += [(name, at) for at in odd]
            return times
        found = pa.array(values, ARROW[kind])
        if isinstance(self._getters[name], NullIsZero):
            found = pc.fill_null(found, 0)
            found = pc.if_else(pc.equal(found, ABSENT), None, found) if kind == "count" else found
        return pc.if_else(pc.is_nan(found), None, found) if pa.types.is_floating(found.type) else found

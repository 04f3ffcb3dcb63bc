"""Histories on disk: Parquet parts that are written in bounded memory and read column by column.

history/
tasks/part-00000.parquet, ...
stages/part-00000.parquet, ...
claims/part-00000.parquet, ...   the direct retries that tasks name
snapshot.json                    written last: without it the load was not finished
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as ds

from retry_toolkit.errors import SnapshotError
from retry_toolkit.frames.build import build_frame, claims_of, newest_first
from retry_toolkit.frames.columns import ARROW, CLAIMS, arrow_schema
from retry_toolkit.frames.schema import STAGES, TASKS, Columns

MANIFEST = "snapshot.json"
VERSION = 1

_SCHEMAS = {"tasks": arrow_schema(TASKS), "stages": arrow_schema(STAGES), "claims": CLAIMS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A finished load on disk; columns are read when they are asked for.

    Attributes:
        path: Its directory.
        origin: The platform that it was loaded from.
        taken_at: When the load began.
        rows: How many there are, by `tasks`, `stages` and `claims`.
        attrs: What could not be read, as in the `attrs` of a loaded frame.
    """

    path: Path
    origin: str
    taken_at: datetime
    rows: dict[str, int]
    attrs: dict[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.rows["tasks"]

    def tasks(self, columns: Sequence[str] | None = None, *, where: Any = None) -> pd.DataFrame:
        """Tasks, newest first.

        Args:
            columns: Columns to read; all if None. The fewer, the faster and the smaller.
            where: A `pyarrow.dataset` expression, such as `field("status") == "failed"`; parts in which it cannot hold
                are not read.

        Raises:
            KeyError: There is no such column.
        """
        wanted = _chosen(TASKS, columns)
        table = self._table("tasks", {*(column.name for column in wanted), "created_at"}, where)
        return self._frame(wanted, newest_first(table))

    def stages(self, columns: Sequence[str] | None = None, *, where: Any = None) -> pd.DataFrame:
        """Stages, in the order in which their tasks came and then of their template; arguments as of `tasks`."""
        wanted = _chosen(STAGES, columns)
        return self._frame(wanted, self._table("stages", {column.name for column in wanted}, where))

    def claims(self) -> dict[str, tuple[str, ...]]:
        """The direct retries that tasks name, by task."""
        return claims_of([self._table("claims", {"task_id", "retry_id"}, None)])

    def _frame(self, columns: Columns, table: Any) -> pd.DataFrame:
        frame = build_frame(columns, {column.name: table.column(column.name) for column in columns})
        frame.attrs |= self.attrs
        return frame

    def _table(self, what: str, columns: set[str], where: Any) -> Any:
        schema = _SCHEMAS[what]
        words = [each.name for each in schema if each.type == ARROW["category"]]
        form = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=words))
        parts = sorted((self.path / what).glob("part-*.parquet"))
        source = ds.dataset([str(part) for part in parts], schema=schema, format=form)
        return source.to_table(columns=[name for name in schema.names if name in columns], filter=where)


def open_snapshot(path: str | Path) -> Snapshot:
    """The snapshot in a directory that `load_tasks(..., into=...)` wrote.

    Raises:
        SnapshotError: There is none, its load was not finished, a part is missing, or a later version wrote it.
    """
    folder = Path(path)
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(folder) from None
    except ValueError:
        raise SnapshotError(f"{folder / MANIFEST} cannot be read.", advice="Load the history again.") from None
    if told["version"] != VERSION:
        raise SnapshotError(f"The snapshot in {folder} has version {told['version']}, not {VERSION}.")
    _check_parts(folder, told["parts"])
    return Snapshot(
        path=folder,
        origin=told["origin"],
        taken_at=datetime.fromisoformat(told["taken_at"]),
        rows=told["rows"],
        attrs=told["attrs"],
    )


def _missing(folder: Path) -> SnapshotError:
    if any(folder.glob("*/part-*.parquet")):
        return SnapshotError(
            f"The load into {folder} was not finished.", advice="Load again into it: what is there is replaced."
        )
    return SnapshotError(f"There is no snapshot in {folder}.", advice="Make one with load_tasks(platform, into=...).")


def _check_parts(folder: Path, parts: dict[str, int]) -> None:
    for name, size in parts.items():
        part = folder / name
        if not part.is_file() or part.stat().st_size != size:
            raise SnapshotError(f"{part} is not what was written.", advice="Load the history again.")


def _chosen(columns: Columns, names: Sequence[str] | None) -> Columns:
    if names is None:
        return columns
    known = {column.name: column for column in columns}
    if unknown := [name for name in names if name not in known]:
        raise KeyError(f"No such column: {', '.join(unknown)}.")
    return tuple(known[name] for name in names)

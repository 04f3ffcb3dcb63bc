"""Writing a snapshot: parts as they fill, the manifest last, and nothing left behind when it fails."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from retry_toolkit.errors import SnapshotError
from retry_toolkit.frames.build import joined
from retry_toolkit.frames.columns import ARROW, CLAIMS, Tables
from retry_toolkit.frames.notes import Notes
from retry_toolkit.frames.snapshot import MANIFEST, VERSION, Snapshot, open_snapshot

PART_TASKS = 20_000
"""Tasks of one part: what a load holds in memory at the most, beside the pages in flight."""

_KINDS = ("tasks", "stages", "claims")


class Source(Protocol):
    """Where the rows of a snapshot come from."""

    def tables(self) -> Iterator[Tables]:
        """Batches, with their stages."""

    @property
    def notes(self) -> Notes:
        """What there is to say of them, once they have all come."""


def write_snapshot(folder: Path, reading: Source, *, origin: str, part_tasks: int = PART_TASKS) -> Snapshot:
    """Everything that is read, in a new directory; one that an unfinished load left is used again.

    Args:
        folder: The directory.
        reading: What is read.
        origin: The platform that it is read from.
        part_tasks: Tasks of one part.

    Raises:
        SnapshotError: The directory holds something else, or a finished snapshot.
    """
    taken_at = datetime.now(UTC)
    with _directory(folder):
        rows, parts = dict.fromkeys(_KINDS, 0), {}
        for number, batches in enumerate(_portions(reading.tables(), part_tasks)):
            for kind, table in _portion(batches).items():
                part = folder / kind / f"part-{number:05d}.parquet"
                words = [column.name for column in table.schema if column.type == ARROW["category"]]
                # Ids and messages rarely repeat within a part: a dictionary of them is only in the way.
                pq.write_table(table.unify_dictionaries(), part, compression="zstd", use_dictionary=words or False)
                rows[kind] += len(table)
                parts[f"{kind}/{part.name}"] = part.stat().st_size
        told = {"version": VERSION, "origin": origin, "taken_at": taken_at.isoformat(), "rows": rows, "parts": parts}
        _finish(folder, told | {"attrs": reading.notes.attrs})
    return open_snapshot(folder)


def _portion(batches: list[Tables]) -> dict[str, Any]:
    tasks, stages = joined(batches)
    return {
        "tasks": tasks,
        "stages": stages,
        "claims": pa.concat_tables([CLAIMS.empty_table(), *(batch.claims for batch in batches)]),
    }


def _portions(batches: Iterator[Tables], part_tasks: int) -> Iterator[list[Tables]]:
    """Batches that make one part each; at least one, so that the columns of an empty history are there too."""
    portion: list[Tables] = []
    first = True
    for batch in batches:
        portion.append(batch)
        if sum(len(each.tasks) for each in portion) >= part_tasks:
            yield portion
            portion, first = [], False
    if portion or first:
        yield portion


@contextmanager
def _directory(folder: Path) -> Iterator[None]:
    """The directory for the length of a load; removed again if that fails."""
    _make_way(folder)
    existed = folder.exists()
    for kind in _KINDS:
        (folder / kind).mkdir(parents=True)
    try:
        yield
    except BaseException:
        _remove(folder)
        if not existed:
            folder.rmdir()
        raise


def _make_way(folder: Path) -> None:
    """Remove what an unfinished load left, and nothing else."""
    if not folder.exists():
        return
    if not folder.is_dir() or (folder / MANIFEST).exists():
        raise SnapshotError(f"{folder} exists already.", advice="Choose another directory.")
    if strange := [entry.name for entry in folder.iterdir() if entry.name not in _KINDS]:
        raise SnapshotError(f"{folder} holds {strange[0]!r}, which is no part of a load.", advice="Choose another one.")
    _remove(folder)


def _remove(folder: Path) -> None:
    for kind in _KINDS:
        shutil.rmtree(folder / kind, ignore_errors=True)
    (folder / f"{MANIFEST}.partial").unlink(missing_ok=True)


def _finish(folder: Path, told: dict[str, Any]) -> None:
    """Write the manifest: there as a whole, or not at all."""
    partial = folder / f"{MANIFEST}.partial"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(told, file)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / MANIFEST)

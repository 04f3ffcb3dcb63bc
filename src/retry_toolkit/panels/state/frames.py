"""Plain frames in the place of a platform: what panels show that were given no platform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, ValuesView
from datetime import datetime
from typing import Any, Final

import pandas as pd

from retry_toolkit.frames.schema import DISK, LINEAGE, STAGES, TASKS, Columns
from retry_toolkit.panels.state.catalog_frames import Catalog, places_of
from retry_toolkit.panels.state.given import catalog_of
from retry_toolkit.panels.state.still import StillPlatform
from retry_toolkit.platforms.base import (
    STATUSES,
    Capabilities,
    FileRecord,
    Refusal,
    StageRecord,
    Status,
    TaskFiles,
    TaskRecord,
)

_WITH_FILES: Final = Capabilities(stage_retry="none", whole_retry="none", batch="none", files=True)
_KNOWN: Final = frozenset(STATUSES)
_AS_THEY_ARE: Final = (
    "duration_s",
    "template",
    "project",
    "owner",
    "failure_category",
    "error",
    "retry_count",
    "retry_limit",
    "parent_id",
    "tokens",
    "cost",
)
_OF_STAGES: Final = (
    "role",
    "duration_s",
    "retry_limit",
    "failure_category",
    "error",
    "output_summary",
    "tokens",
    "turns",
    "self_fixes",
    "score",
)


class FramePlatform(StillPlatform):
    """The tasks of a frame; nothing of them can be retried, because there is nobody to ask."""


class TasksPlatform(FramePlatform):
    """Whole frames of tasks and stages: they are shown as they are, and a record is made of a task that is opened."""

    def __init__(self, tasks: pd.DataFrame, stages: pd.DataFrame | None) -> None:
        records = _Records(tasks, stages)
        super().__init__(records, name=f"DataFrame · {len(records):,}")
        self._frames = tasks, stages

    def as_catalog(self, loaded_at: datetime) -> Catalog:
        """The frames as those of a page.

        Raises:
            ValueError: A column holds something else than its name says.
        """
        return catalog_of(*self._frames, loaded_at=loaded_at)


class _Records(Mapping[str, TaskRecord]):
    """Tasks of a frame by their ids; each record is made when it is asked for."""

    def __init__(self, tasks: pd.DataFrame, stages: pd.DataFrame | None) -> None:
        self._tasks = tasks
        self._stages = stages
        self._places = places_of(tasks.astype({"task_id": "str"}))

    def __getitem__(self, task_id: str) -> TaskRecord:
        place = self._places[task_id]
        row = next(_rows(self._tasks.iloc[place : place + 1], TASKS))
        if self._stages is None:
            return _record(row, {})
        return _record(row, _stages_of(self._stages[self._stages["task_id"].astype("str") == task_id]))

    def values(self) -> ValuesView[TaskRecord]:
        """All of them, for less than one by one."""
        own = {} if self._stages is None else _stages_of(self._stages)
        records = (_record(row, own) for row in _rows(self._tasks, TASKS))
        return {record.task_id: record for record in records}.values()

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def check_columns(frame: object, needed: Iterable[str], what: str) -> pd.DataFrame:
    """The frame, if it has these columns.

    Raises:
        TypeError: It is no frame.
        ValueError: Columns are missing; the message names them.
    """
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"{what} must be a DataFrame, not {type(frame).__name__}.")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise ValueError(f"{what} lacks the column(s) {', '.join(missing)}; it has {_listed(frame.columns)}.")
    return frame


def of_tasks(tasks: pd.DataFrame, stages: pd.DataFrame | None = None) -> TasksPlatform:
    """A frame of tasks, as `load_tasks` gives it or cut to some of its columns: what is not there is unknown.

    Args:
        tasks: With `task_id` and `status` at least.
        stages: Their stages, as `load_stages` gives them; without them, the failed stage of each task is all there is.

    Raises:
        TypeError, ValueError: These are no such frames.
    """
    check_columns(tasks, ("task_id", "status"), "The frame of tasks")
    if stages is not None:
        check_columns(stages, ("task_id", "stage", "status"), "The frame of stages")
    return TasksPlatform(tasks, stages)


def of_lineage(lineage: pd.DataFrame) -> FramePlatform:
    """A frame of lineage, as `load_lineage` gives it: of the tasks it tells only how they hang together."""
    check_columns(lineage, ("task_id", "parent_id"), "The frame of lineage")
    records = [
        TaskRecord(
            task_id=row["task_id"], name=None, status="unknown", native_status="", parent_id=row.get("parent_id")
        )
        for row in _rows(lineage, LINEAGE)
    ]
    return FramePlatform(records, name=f"DataFrame · {len(records):,}")


def of_disk(disk: pd.DataFrame, tasks: pd.DataFrame | None = None) -> FramePlatform:
    """A frame of disk, as `load_disk` gives it; `tasks` give names, projects and times to what it tells."""
    check_columns(disk, ("task_id", "root_id", "method", "input_bytes", "extra_bytes"), "The frame of disk")
    named = {}
    if tasks is not None:
        check_columns(tasks, ("task_id", "status"), "The frame of tasks")
        named = {row["task_id"]: _record(row, {}) for row in _rows(tasks, TASKS)}
    rows = list(_rows(disk, DISK))
    records = [named.get(row["task_id"]) or _member(row) for row in rows]
    files = {row["task_id"]: _files(row) for row in rows if row.get("method") is not None}
    return FramePlatform(records, files=files, name=f"DataFrame · {len(records):,}", capabilities=_WITH_FILES)


def _rows(frame: pd.DataFrame, columns: Columns) -> Iterator[dict[str, Any]]:
    """The rows with those of the columns that are there; missing is None."""
    names = [column.name for column in columns if column.name in frame.columns]
    values = [_plain(frame[name]) for name in names]
    for row in zip(*values, strict=True):
        yield dict(zip(names, row, strict=True))


def _plain(column: pd.Series) -> list[Any]:
    """Python's own values, None where one is missing."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if pd.isna(value) else value.to_pydatetime() for value in column]
    return column.astype("object").where(column.notna(), None).tolist()


def _record(row: Mapping[str, Any], stages: Mapping[str, tuple[StageRecord, ...]]) -> TaskRecord:
    task_id = str(row["task_id"])
    own = stages.get(task_id) or _failed_stage(task_id, row)
    status = _status(row)
    return TaskRecord(
        task_id=task_id,
        name=row.get("name"),
        status=status,
        native_status=str(row.get("native_status") or status),
        created_at=_time(row.get("created_at")),
        finished_at=_time(row.get("finished_at")),
        refusal=_refusal(row),
        stages=own,
        **_values(row, _AS_THEY_ARE),
    )


def _refusal(row: Mapping[str, Any]) -> Refusal | None:
    """Why the task may not be retried, as the frame has it; one that tells nothing of it promises nothing."""
    refusal: Refusal | None = row.get("refusal")
    return refusal or (None if row.get("retryable") is True else "unsupported")


def _failed_stage(task_id: str, row: Mapping[str, Any]) -> tuple[StageRecord, ...]:
    stage = row.get("failed_stage")
    if stage is None:
        return ()
    return (
        StageRecord(
            task_id=task_id,
            stage_id=f"{task_id}/{stage}",
            stage=stage,
            position=0,
            status="failed",
            native_status="failed",
            retry_count=row.get("retry_count") or 0,
            retry_limit=row.get("retry_limit"),
            failure_category=row.get("failure_category"),
            error=row.get("error"),
        ),
    )


def _stages_of(stages: pd.DataFrame) -> dict[str, tuple[StageRecord, ...]]:
    found: dict[str, list[StageRecord]] = {}
    for row in _rows(stages, STAGES):
        mine = found.setdefault(str(row["task_id"]), [])
        mine.append(_stage(row, len(mine)))
    return {task_id: tuple(mine) for task_id, mine in found.items()}


def _stage(row: Mapping[str, Any], position: int) -> StageRecord:
    status = _status(row)
    return StageRecord(
        task_id=row["task_id"],
        stage_id=row.get("stage_id") or f"{row['task_id']}/{row['stage']}",
        stage=row["stage"],
        position=position,
        status=status,
        native_status=str(row.get("native_status") or status),
        started_at=_time(row.get("started_at")),
        finished_at=_time(row.get("finished_at")),
        retry_count=row.get("retry_count") or 0,
        **_values(row, _OF_STAGES),
    )


def _member(row: Mapping[str, Any]) -> TaskRecord:
    """A task of which only its place in a lineage is known."""
    root = None if row["root_id"] == row["task_id"] else row["root_id"]
    return TaskRecord(task_id=row["task_id"], name=None, status="unknown", native_status="", parent_id=root)


def _files(row: Mapping[str, Any]) -> TaskFiles:
    """All input of a task as one file; of a copy counts what it takes on the disk, where that is known."""
    extra, size = row["extra_bytes"], row["input_bytes"]
    copied = row["method"] == "copied" and extra is not None
    file = FileRecord(
        name="input",
        size_bytes=extra if copied else size,
        exists=None if row.get("missing_files") is None else row["missing_files"] == 0,
        method=row["method"],
    )
    return TaskFiles(task_id=row["task_id"], files=(file,), retention_until=_time(row.get("retention_until")))


def _values(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row.get(name) for name in names}


def _status(row: Mapping[str, Any]) -> Status:
    word = row["status"]
    return word if word in _KNOWN else "unknown"


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    stamp = pd.Timestamp(value)
    return (stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")).to_pydatetime()


def _listed(names: Iterable[object], most: int = 8) -> str:
    words = [str(name) for name in names]
    return ", ".join(words[:most]) + (", …" if len(words) > most else "") if words else "none"

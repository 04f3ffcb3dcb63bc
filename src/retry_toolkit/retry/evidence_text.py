"""Records <-> the text in which evidence is kept: JSON in ASCII, so that NUL and lone surrogates survive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, TypeVar

from retry_toolkit.platforms.base import FINISHED, AttemptRecord, LogRecord, StageRecord, TaskRecord

CHUNK_BYTES = 1 << 20
"""Log text of one chunk; a longer line is a chunk by itself."""

T = TypeVar("T")


def task_text(task: TaskRecord) -> bytes:
    """A task with its stages, all that was known of it."""
    return _text(asdict(task))


def task_of(text: bytes) -> TaskRecord:
    """The task of a text; fields that this version does not know are left out."""
    known = json.loads(text)
    stages = tuple(_record(StageRecord, stage, "started_at", "finished_at") for stage in known.pop("stages"))
    known["retried_by"] = tuple(known["retried_by"])
    return _record(TaskRecord, known | {"stages": stages}, "created_at", "finished_at")


def log_chunks(logs: Iterable[LogRecord]) -> Iterator[bytes]:
    """A log's text, chunk by chunk; a log that has grown begins with the same chunks."""
    chunk = bytearray()
    for log in logs:
        chunk += _text(asdict(log)) + b"\n"
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def logs_of(text: bytes) -> Iterator[LogRecord]:
    """The log lines of a chunk's text."""
    for line in text.splitlines():
        yield _record(LogRecord, json.loads(line), "time")


def attempts_of(task: TaskRecord) -> Iterator[AttemptRecord]:
    """The attempts that a task's stages tell of: the latest of each stage that ran to an end."""
    for stage in task.stages:
        if stage.status in FINISHED - {"skipped"}:
            yield AttemptRecord(
                task_id=task.task_id,
                stage_id=stage.stage_id,
                stage=stage.stage,
                attempt=stage.retry_count + 1,
                status=stage.status,
                started_at=stage.started_at,
                finished_at=stage.finished_at,
                duration_s=stage.duration_s,
                error=stage.error,
                tokens=stage.tokens,
                source="evidence",
            )


def _text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain).encode("ascii")


def _plain(value: object) -> str:
    """Times as ISO 8601; anything else that JSON has no word for, as it reads."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _record(kind: type[T], known: dict[str, Any], *times: str) -> T:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # T is one of our dataclasses
    values = {name: value for name, value in known.items() if name in names}
    values |= {name: datetime.fromisoformat(values[name]) for name in times if values.get(name)}
    return kind(**values)

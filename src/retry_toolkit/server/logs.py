"""Logs of stages: JSON lines beside each execution, written and readable while it runs.

A line is `{"t": seconds since the execution's start, "s": "stdout" | "stderr" | "event", "line": text}`, with
`"cut": true` where it was too long. Pages are found by counting newlines; only the lines of the page are parsed.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retry_toolkit.server.tables import attempts, executions, stages, storable_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retry_toolkit.server.store import Store

LOG_FILE = "log.jsonl"
MAX_LINE_BYTES = 64 << 10
MAX_LOG_BYTES = 64 << 20
_BLOCK = 1 << 20
_MARK_EVERY = 256
_INDEXES_KEPT = 64
_TRUNCATED = "[the log is full: further output is not kept]"


class LogWriter:
    """Appends what one execution prints to its log; a full disk ends the log, not the stage."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_LOG_BYTES) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._room = max_bytes
        self._started = time.monotonic()
        self._rest: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._skipping = {"stdout": False, "stderr": False}

    def event(self, text: str) -> None:
        """Add a line of the platform's own."""
        self._append([self._line("event", text.encode())])

    def feed(self, stream: str, data: bytes) -> None:
        """Add output as it comes; lines are kept when they are whole, or too long to wait for."""
        rest = self._rest[stream]
        rest += data
        *whole, last = rest.split(b"\n")
        lines = [line for text in whole if (line := self._take(stream, text, whole_line=True)) is not None]
        if len(last) > MAX_LINE_BYTES:
            line = self._take(stream, last, whole_line=False)
            lines += [line] if line is not None else []
            last = bytearray()
        self._rest[stream] = bytearray(last)
        self._append(lines)

    def close(self) -> None:
        """Keep what has no newline at its end, and close the file."""
        for stream, rest in self._rest.items():
            if rest and not self._skipping[stream]:
                self._append([self._line(stream, bytes(rest))])
        os.close(self._descriptor)

    def _take(self, stream: str, text: bytes | bytearray, *, whole_line: bool) -> bytes | None:
        """The line to keep of a text; None for the rest of a line that was cut before."""
        skip = self._skipping[stream]
        self._skipping[stream] = not whole_line
        return None if skip else self._line(stream, bytes(text))

    def _line(self, stream: str, text: bytes) -> bytes:
        row: dict[str, Any] = {"t": round(time.monotonic() - self._started, 6), "s": stream}
        row["line"] = text[:MAX_LINE_BYTES].decode(errors="replace").removesuffix("\r")
        if len(text) > MAX_LINE_BYTES:
            row["cut"] = True
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"

    def _append(self, lines: list[bytes]) -> None:
        if self._room <= 0 or not lines:
            return
        data = b"".join(lines)
        self._room -= len(data)
        if self._room <= 0:
            data += self._line("event", _TRUNCATED.encode())
        with suppress(OSError):
            os.write(self._descriptor, data)


@dataclass
class _Index:
    """Where the lines of a log begin: the offset of every 256th, as far as the file was read."""

    lines: int = 0
    size: int = 0
    marks: list[int] = field(default_factory=lambda: [0])

    def extend(self, path: Path) -> None:
        """Count the whole lines that were added since."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            while True:
                file.seek(self.size)
                block = file.read(_BLOCK)
                if (end := block.rfind(b"\n")) < 0:
                    return
                self._count(block, end + 1)

    def offset(self, line: int) -> tuple[int, int]:
        """An offset at or before a line, and how many lines lie between."""
        return self.marks[line // _MARK_EVERY], line % _MARK_EVERY

    def _count(self, block: bytes, end: int) -> None:
        position = 0
        while position < end:
            position = block.index(b"\n", position) + 1
            self.lines += 1
            if self.lines % _MARK_EVERY == 0:
                self.marks.append(self.size + position)
        self.size += end


@dataclass(frozen=True, slots=True)
class _Log:
    """The log of one execution, and what its rows say beside the line."""

    path: Path
    constant: dict[str, Any]
    started_at: datetime
    name: str

    def rows(self, index: _Index, lines: range, before: int) -> Iterator[dict[str, Any]]:
        """Some of its lines as rows; `before` lines of the task lie before this log."""
        if not lines:
            return
        offset, skip = index.offset(lines.start)
        with self.path.open("rb") as file:
            file.seek(offset)
            for _ in range(skip):
                file.readline()
            for number in lines:
                yield self._row(file.readline(), number + 1, before)

    def _row(self, data: bytes, number: int, before: int) -> dict[str, Any]:
        try:
            line = json.loads(data)
            seconds, stream, text, cut = line["t"], line["s"], line["line"], line.get("cut", False)
        except (ValueError, KeyError, TypeError):
            # A full disk can tear a line in two.
            seconds, stream, text, cut = 0.0, "event", data.decode(errors="replace").rstrip("\n"), True
        at = self.started_at + timedelta(seconds=seconds)
        return {
            **self.constant,
            "id": f"{self.name}.{number}",
            "event_seq": before + number,
            "event_type": stream,
            "event_source": "platform" if stream == "event" else "stage",
            "result": storable_text(text),
            "output_truncated": cut,
            "created_at": at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
        }


class TaskLogs:
    """Pages of log rows in the pipeline dialect's format."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._layout = store.layout
        self._indexes: OrderedDict[Path, _Index] = OrderedDict()
        self._lock = threading.Lock()

    def rows(
        self,
        task_id: str,
        *,
        stage_name: str | None = None,
        event_source: str | None = None,
        page: int,
        page_size: int,
    ) -> tuple[list[dict[str, Any]], int]:
        """One page of log rows in order, and how many there are in all.

        A row's `event_type` is `stdout`, `stderr` or `event`, its `event_source` `stage` or `platform`, its `result`
        the line; `event_seq` counts from 1 within the task, `output_truncated` says whether the line was cut.
        """
        wanted = range((page - 1) * page_size, page * page_size)
        found: list[dict[str, Any]] = []
        before = total = 0
        for log in self._logs(task_id):
            index = self._index(log.path)
            if stage_name is None or log.constant["stage_name"] == stage_name:
                if event_source is None:
                    count, rows = index.lines, log.rows(index, _part(wanted, total, index.lines), before)
                else:
                    everything = log.rows(index, range(index.lines), before)
                    matching = [row for row in everything if row["event_source"] == event_source]
                    part = _part(wanted, total, len(matching))
                    count, rows = len(matching), iter(matching[part.start : part.stop])
                found += rows
                total += count
            before += index.lines
        return found, total

    def _index(self, path: Path) -> _Index:
        with self._lock:
            index = self._indexes.pop(path, None) or _Index()
            index.extend(path)
            self._indexes[path] = index
            while len(self._indexes) > _INDEXES_KEPT:
                self._indexes.popitem(last=False)
            return _Index(index.lines, index.size, index.marks)

    def _logs(self, task_id: str) -> list[_Log]:
        """The logs of a task's executions, in the order in which they ran."""
        query = (
            sa.select(executions, stages.c.name, stages.c.role, attempts.c.status)
            .join(stages, stages.c.id == executions.c.stage_id)
            .join(
                attempts,
                sa.and_(attempts.c.stage_id == executions.c.stage_id, attempts.c.attempt == executions.c.attempt),
            )
            .where(executions.c.task_id == task_id)
            .order_by(stages.c.position, executions.c.attempt, executions.c.number)
        )
        with self._database.reading() as connection:
            return [self._log(row) for row in connection.execute(query)]

    def _log(self, row: sa.Row[Any]) -> _Log:
        directory = self._layout.execution(row.task_id, row.directory)
        constant = {
            "task_id": row.task_id,
            "stage_id": row.stage_id,
            "stage_name": row.name,
            "agent_role": row.role,
            "correlation_id": f"{row.stage_id}.{row.attempt}",
            "status": row.status,
            "request_body": None,
            "response_body": None,
            "command": None,
            "command_args": None,
            "workspace": str(directory / "work"),
            "execution_mode": "subprocess",
            "duration_ms": None,
            "output_summary": None,
            "missing_fields": [],
        }
        return _Log(
            path=directory / LOG_FILE,
            constant=constant,
            started_at=row.started_at,
            name=f"{row.stage_id}.{row.attempt}.{row.number}",
        )


def _part(wanted: range, before: int, count: int) -> range:
    """Which of `count` lines that begin at `before` are wanted, counted from the first of them."""
    start, stop = (min(max(0, bound - before), count) for bound in (wanted.start, wanted.stop))
    return range(start, stop)

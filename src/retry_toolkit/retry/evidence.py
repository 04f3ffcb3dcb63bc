"""Evidence: a task's report and log as they were before a retry erased them.

Kept by content: each piece once, compressed, under the hash of its text, which is compared when it is read.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Self

from retry_toolkit.errors import JournalError
from retry_toolkit.platforms.base import AttemptRecord, LogRecord, TaskRecord
from retry_toolkit.retry.evidence_text import attempts_of, log_chunks, logs_of, task_of, task_text
from retry_toolkit.retry.records import digest
from retry_toolkit.sqlite import SqliteFile, locked, mark, recognise

EVIDENCE = "evidence.db"
APPLICATION_ID = 0x52544531  # "RTE1": what `file` and SQLite show for evidence of ours
SCHEMA_VERSION = 1

_STATEMENTS = (
    """CREATE TABLE pieces (
        hash TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, body BLOB NOT NULL, touched_at TEXT NOT NULL
    )""",
    """CREATE TABLE reports (
        id INTEGER PRIMARY KEY, evidence_id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, saved_at TEXT NOT NULL
    )""",
    # The task is piece 0, its log the others.
    """CREATE TABLE parts (
        evidence_id TEXT NOT NULL REFERENCES reports (evidence_id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        hash TEXT NOT NULL REFERENCES pieces (hash),
        PRIMARY KEY (evidence_id, position)
    )""",
    "CREATE INDEX reports_by_subject ON reports (subject)",
    "CREATE INDEX parts_by_hash ON parts (hash)",
)

_SAVING = timedelta(days=1)
"""So long a piece is kept that no report names: it may belong to one that is being saved."""


class Evidence:
    """`evidence.db` of a home directory; may be used from several threads and processes at once."""

    def __init__(self, database: SqliteFile) -> None:
        self._database = database

    @classmethod
    def open(cls, home: Path, *, keep_days: float | None = None, driver: ModuleType | None = None) -> Self:
        """The evidence of this home directory, made if missing.

        Args:
            home: The directory.
            keep_days: Remove what was saved longer ago; None removes nothing.
            driver: The SQLite driver; None for the best one that is installed.

        Raises:
            JournalError: It cannot be used.
        """
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"{home} cannot be made: {error.strerror}.", advice="Check its parents.") from error
        with locked(home / "evidence.lock"):  # one process at a time makes the file
            evidence = cls(SqliteFile.open(home / EVIDENCE, driver=driver))
            try:
                evidence._make()
                if keep_days is not None:
                    evidence.prune(keep_days)
            except BaseException:
                evidence.close()
                raise
        return evidence

    def save(self, task: TaskRecord, logs: Iterable[LogRecord], *, origin: str) -> str:
        """Keep a task's report and log; returns its id, the same one for the same content.

        `logs` is read once, in bounded memory, outside of any transaction. Errors of reading it pass through, and no
        report is kept then.

        Raises:
            JournalError: It could not be kept.
        """
        hashes = [self._keep(task_text(task))]
        hashes.extend(self._keep(chunk) for chunk in log_chunks(logs))
        evidence_id = digest([origin, hashes])
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO reports (evidence_id, subject, saved_at) VALUES (?, ?, ?)"
                " ON CONFLICT (evidence_id) DO UPDATE SET saved_at = excluded.saved_at",
                (evidence_id, _subject(origin, task.task_id), _now()),
            )
            connection.executemany(
                "INSERT INTO parts (evidence_id, position, hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(evidence_id, position, piece) for position, piece in enumerate(hashes)],
            )
        return evidence_id

    def attempts(self, origin: str, task_id: str) -> tuple[AttemptRecord, ...]:
        """Every attempt that was kept, in the order of stages and attempts, `source="evidence"`.

        Raises:
            JournalError: A report is damaged.
        """
        tasks = list({piece: task for _, piece, task in self._reports(origin, task_id)}.values())
        found = {(each.stage_id, each.attempt): each for task in tasks for each in attempts_of(task)}
        order = {stage.stage_id: stage.position for task in tasks for stage in task.stages}
        return tuple(sorted(found.values(), key=lambda each: (order[each.stage_id], each.stage_id, each.attempt)))

    def reports(self, origin: str, task_id: str) -> tuple[tuple[str, TaskRecord], ...]:
        """The id of each report of a task, and the task as it was then, the oldest first.

        Raises:
            JournalError: A report is damaged.
        """
        return tuple((evidence_id, task) for evidence_id, _, task in self._reports(origin, task_id))

    def task(self, evidence_id: str) -> TaskRecord | None:
        """The task as it was, or None when it is not kept (any more).

        Raises:
            JournalError: The report is damaged.
        """
        parts = self._parts(evidence_id)
        return task_of(self._piece(parts[0])) if parts else None

    def logs(self, evidence_id: str, stage: str | None = None) -> Iterator[LogRecord]:
        """The log as it was, of one stage or of all, read piece by piece.

        Raises:
            JournalError: The report is damaged.
        """
        for piece in self._parts(evidence_id)[1:]:
            for log in logs_of(self._piece(piece)):
                if stage is None or log.stage == stage:
                    yield log

    def prune(self, keep_days: float, *, now: datetime | None = None) -> int:
        """Remove what was last saved more than `keep_days` ago, and give its space back; returns how many reports."""
        moment = now or datetime.now(UTC)
        with self._database.writing() as connection:
            removed = connection.execute(
                "DELETE FROM reports WHERE saved_at < ?", ((moment - timedelta(days=keep_days)).isoformat(),)
            ).rowcount
            connection.execute(
                "DELETE FROM pieces WHERE touched_at < ? AND hash NOT IN (SELECT hash FROM parts)",
                ((moment - _SAVING).isoformat(),),
            )
            connection.execute("PRAGMA incremental_vacuum").fetchall()
        return removed

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _make(self) -> None:
        """Make the tables of a new file; recognise those of an old one."""
        path = self._database.path
        with self._database.writing() as connection:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in _STATEMENTS:
                    connection.execute(statement)
                mark(connection, application_id=APPLICATION_ID, version=SCHEMA_VERSION)
            recognise(connection, path, application_id=APPLICATION_ID, version=SCHEMA_VERSION)

    def _keep(self, text: bytes) -> str:
        """The hash of a piece that is now kept; compressed only when it is new, and outside of any transaction."""
        piece = hashlib.sha256(text).hexdigest()
        touch = "UPDATE pieces SET touched_at = ? WHERE hash = ?"
        with self._database.writing() as connection:
            if connection.execute(touch, (_now(), piece)).rowcount:
                return piece
        body = zlib.compress(text)
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO pieces (hash, size, body, touched_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (piece, len(text), body, _now()),
            )
        return piece

    def _reports(self, origin: str, task_id: str) -> list[tuple[str, str, TaskRecord]]:
        query = """SELECT evidence_id, hash FROM reports JOIN parts USING (evidence_id)
            WHERE subject = ? AND position = 0 ORDER BY reports.id"""
        with self._database.reading() as connection:
            rows = connection.execute(query, (_subject(origin, task_id),)).fetchall()
        known: dict[str, TaskRecord] = {}
        for _, piece in rows:
            if piece not in known:
                known[piece] = task_of(self._piece(piece))
        return [(evidence_id, piece, known[piece]) for evidence_id, piece in rows]

    def _parts(self, evidence_id: str) -> list[str]:
        query = "SELECT hash FROM parts WHERE evidence_id = ? ORDER BY position"
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(query, (evidence_id,))]

    def _piece(self, piece: str) -> bytes:
        """The text of a piece, compared with its hash."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT body FROM pieces WHERE hash = ?", (piece,)).fetchone()
        try:
            text = zlib.decompress(row[0]) if row else b""
        except zlib.error:
            text = b""
        if hashlib.sha256(text).hexdigest() != piece:
            raise JournalError(
                f"{self._database.path} is damaged: a piece of evidence is not as it was kept.",
                advice="Restore the file from a backup; retries do not need it.",
            )
        return text


def _subject(origin: str, task_id: str) -> str:
    """What a task is called here; an id may hold what no database takes."""
    return digest([origin, task_id])


def _now() -> str:
    return datetime.now(UTC).isoformat()

"""The audit trail: who did what, in rows that only grow, each holding the hash of the one before it.

What it finds: a changed, removed or inserted row, and an end that is gone. What it cannot find: somebody who writes the
whole trail and its anchor anew, for all of it is on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pandas as pd

from retry_toolkit.errors import JournalError
from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.schema import Column, Columns
from retry_toolkit.retry import queries
from retry_toolkit.retry.anchor import NOTHING, Anchor, Head
from retry_toolkit.retry.checks import check_whole, damaged, missing_rows
from retry_toolkit.retry.journal_file import ANCHOR, JOURNAL
from retry_toolkit.retry.rows import NotAsWritten, printable
from retry_toolkit.retry.schema import recognise
from retry_toolkit.retry.trail import audit_rows, current_actor, facts_of, is_as_written
from retry_toolkit.sqlite import SqliteFile

__all__ = ["AUDIT", "AuditReport", "audit_frame", "current_actor", "verify"]

AUDIT: Columns = (
    Column("seq", "count", "number of the row, 1 for the first"),
    Column("time", "time", "when"),
    Column("actor", "category", "user and machine"),
    Column("identity", "category", "whom the platform took the user for, where known"),
    Column("what", "category", "created, sent, settled, recovered, planned again, resolved, superseded, paused, ..."),
    Column("origin", "category", "platform"),
    Column("batch_id", "id", "batch"),
    Column("plan_hash", "id", "plan that was decided upon"),
    Column("count", "count", "items that it is about"),
    Column("task_id", "id", "task, where it is about one"),
    Column("stage", "category", "stage that is retried"),
    Column("op_id", "id", "name of the intent"),
    Column("before", "category", "state before"),
    Column("after", "category", "state after"),
    Column("outcome", "text", "reason and the platform's words"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What a verification found.

    Attributes:
        ok: Nothing was changed and nothing is missing.
        rows: Rows that were read.
        first_bad: Number of the first audit row that is not as it was written or is missing; None where the trail is
            whole (a false item or batch) or cannot be read at all.
        reason: What is wrong.
    """

    ok: bool
    rows: int
    first_bad: int | None = None
    reason: str = ""


def verify(home: Path) -> AuditReport:
    """Whether every audit row of this home directory is as it was written, and none is missing.

    Reads everything: seconds for a million rows. A file that cannot be read is reported, not raised.
    """
    anchor, path = Anchor(home / ANCHOR), home / JOURNAL
    try:
        anchored = anchor.read() or NOTHING
        if not path.exists():
            return _bad(0, 1, "the journal is gone") if anchored != NOTHING else AuditReport(ok=True, rows=0)
        file = SqliteFile.open(path)
        try:
            with file.reading() as connection:
                recognise(connection, path)
                return _verify(connection, path, anchored)
        finally:
            file.close()
    except JournalError as error:
        return AuditReport(ok=False, rows=0, reason=error.message)


def audit_frame(home: Path) -> pd.DataFrame:
    """The audit trail of this home directory, one row an action, newest first; columns of `AUDIT`.

    Raises:
        JournalError: The journal cannot be read.
    """
    path = home / JOURNAL
    rows: list[dict[str, Any]] = []
    if path.exists():
        file = SqliteFile.open(path)
        try:
            with file.reading() as connection:
                rows = [_shown(row) for row in audit_rows(connection)]
        finally:
            file.close()
    rows.reverse()
    return build_frame(AUDIT, {column.name: [row[column.name] for row in rows] for column in AUDIT})


def _verify(connection: Connection, path: Path, anchored: Head) -> AuditReport:
    last = NOTHING
    for row in audit_rows(connection):
        problem = _problem(row, last)
        if problem:
            return _bad(last.seq, last.seq + 1, problem)
        last = Head(row["seq"], row["hash"])
    behind = missing_rows(connection, anchored)
    if behind:
        return _bad(last.seq, min(anchored.seq, last.seq + 1), behind)
    try:
        check_whole(connection, path, anchored)
        queries.list_batches(connection)
        queries.stored_items(connection)
    except NotAsWritten as error:
        return AuditReport(ok=False, rows=last.seq, reason=damaged(path, str(error)).message)
    except JournalError as error:
        return AuditReport(ok=False, rows=last.seq, reason=error.message)
    return AuditReport(ok=True, rows=last.seq)


def _problem(row: dict[str, Any], last: Head) -> str:
    if row["seq"] != last.seq + 1:
        return "the row is missing"
    if row["prev_hash"] != last.hash:
        return "the row does not follow the one before it"
    return "" if is_as_written(row) else "the row is not as it was written"


def _bad(rows: int, seq: int, reason: str) -> AuditReport:
    return AuditReport(ok=False, rows=rows, first_bad=seq, reason=f"Row {seq}: {reason}.")


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    facts = facts_of(row)
    words = [str(facts[name]) for name in ("reason", "detail") if facts.get(name)]
    texts = {"task_id": facts.get("task_id"), "stage": facts.get("stage"), "outcome": ": ".join(words) or None}
    shown = {name: text and printable(text) for name, text in texts.items()}
    return row | shown | {"time": datetime.fromisoformat(row["time"])}

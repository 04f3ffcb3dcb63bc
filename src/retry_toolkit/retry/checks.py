"""Whether a journal is whole: what is asked when it is opened.

SQLite's own check finds damaged pages and indexes; a file that lost its end is whole to it. So the audit trail must
reach the anchor without a gap, and every item and batch must be as far as the trail says: pages of different ages do
not agree.
"""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection

from retry_toolkit.errors import JournalError
from retry_toolkit.retry.anchor import NOTHING, Head
from retry_toolkit.retry.schema import is_complete

_COUNT_GAP = """SELECT 1 FROM (SELECT count(*) AS found, min(seq) AS first, max(seq) AS last FROM audit)
    WHERE first <> 1 OR found <> last"""
_BROKEN_LINK = f"""SELECT 1 FROM audit LEFT JOIN audit AS before ON before.seq = audit.seq - 1
    WHERE audit.prev_hash <> coalesce(before.hash, '{NOTHING.hash}') LIMIT 1"""  # noqa: S608 - a constant
_STALE_ITEM = """SELECT 1 FROM items LEFT JOIN audit ON audit.seq = items.audit_seq
    WHERE items.audit_seq <> coalesce(
        (SELECT max(seq) FROM audit WHERE batch_id = items.batch_id AND item_id = items.id), 0)
    OR (items.audit_seq > 0 AND audit.digest IS NOT items.digest) LIMIT 1"""
_STALE_BATCH = """SELECT 1 FROM batches LEFT JOIN audit ON audit.seq = batches.audit_seq
    WHERE batches.audit_seq IS NOT
        (SELECT max(seq) FROM audit WHERE batch_id = batches.batch_id AND item_id IS NULL)
    OR audit.digest IS NOT batches.digest LIMIT 1"""
_LOST_ITEM = """SELECT 1 FROM batches WHERE total <>
    (SELECT count(*) FROM items WHERE items.batch_id = batches.batch_id) LIMIT 1"""
_LOST_BATCH = (
    "SELECT 1 FROM audit WHERE batch_id IS NOT NULL AND batch_id NOT IN (SELECT batch_id FROM batches) LIMIT 1"
)
_QUESTIONS = (
    (_COUNT_GAP, "audit rows are missing"),
    (_BROKEN_LINK, "audit rows do not follow each other"),
    (_LOST_BATCH, "a batch is missing"),
    (_LOST_ITEM, "items are missing"),
    (_STALE_BATCH, "a batch is not as the audit trail says"),
    (_STALE_ITEM, "an item is not as the audit trail says"),
)


def check_whole(connection: Connection, path: Path, anchored: Head | None) -> None:
    """Refuse a journal that lost something, in one reading transaction of the caller.

    Args:
        connection: Of the journal.
        path: Its file, for the message.
        anchored: The anchor as it was read before the transaction began.

    Raises:
        JournalError: Something is missing or damaged.
    """
    if not is_complete(connection):
        raise damaged(path, "its tables are not as they were made")
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise damaged(path, str(found))
    if anchored is None:
        raise damaged(path, "its anchor is gone, so nothing tells whether it is complete")
    behind = missing_rows(connection, anchored)
    if behind:
        raise damaged(path, behind)
    for question, answer in _QUESTIONS:
        if connection.execute(question).fetchone() is not None:
            raise damaged(path, answer)


def missing_rows(connection: Connection, anchored: Head) -> str:
    """What the audit trail lacks of what was anchored, or an empty string."""
    if anchored == NOTHING:
        return ""
    row = connection.execute("SELECT hash FROM audit WHERE seq = ?", (anchored.seq,)).fetchone()
    if row is None:
        return f"audit row {anchored.seq} was written and is gone"
    return "" if row[0] == anchored.hash else f"audit row {anchored.seq} is not the one that was written"


def damaged(path: Path, why: str) -> JournalError:
    """The refusal of a journal that cannot be trusted."""
    return JournalError(
        f"The journal {path} is damaged: {why}. Nothing is sent from it.",
        advice=(
            "Restore journal.db and journal.anchor together from a backup. Or move all journal.* files away to start"
            " anew: past retries are then unknown, so look at the attempt numbers on the platform first."
        ),
    )

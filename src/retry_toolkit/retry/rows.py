"""Rows of `journal.db` <-> items and batches, each row with a digest of all that it says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from retry_toolkit.retry.records import BatchRow, Intent, Item, canonical, digest

ITEM_COLUMNS = (
    "id", "batch_id", "position", "op_id", "state", "round", "current", "intent", "answer", "audit_seq", "digest",
)  # fmt: skip
BATCH_COLUMNS = ("id", "batch_id", "origin", "state", "total", "record", "audit_seq", "digest")
_TIMES = ("sent_at", "answered_at", "settled_at")
_ANSWER = ("reason", "detail", *_TIMES, "attempt_after", "new_task_id", "evidence_id")


class NotAsWritten(Exception):
    """A row whose content does not fit its digest; `JournalFile` says in which file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """An item and its place in the file. `current`: the one item of its intent that may ever be sent."""

    item: Item
    current: bool
    rowid: int | None = None
    audit_seq: int = 0

    def row(self) -> dict[str, Any]:
        """The columns, but for the id of a new row."""
        item = self.item
        answer = {name: _plain(getattr(item, name)) for name in _ANSWER}
        return _sealed(
            {
                "batch_id": item.batch_id,
                "position": item.position,
                "op_id": item.op_id,
                "state": item.state,
                "round": item.round,
                "current": int(self.current),
                "intent": canonical(asdict(item.intent)),
                "answer": canonical(answer),
                "audit_seq": self.audit_seq,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """A batch and its place in the file."""

    batch: BatchRow
    rowid: int | None = None
    audit_seq: int = 0

    def row(self) -> dict[str, Any]:
        """The columns, but for the id of a new row."""
        batch = self.batch
        record = {
            "plan_hash": batch.plan_hash,
            "origin": batch.origin,
            "action": batch.action,
            "created_at": batch.created_at.isoformat(),
            "created_by": batch.created_by,
            "options": batch.options,
            "platform_identity": batch.platform_identity,
        }
        return _sealed(
            {
                "batch_id": batch.batch_id,
                "origin": printable(batch.origin),
                "state": batch.state,
                "total": batch.total,
                "record": canonical(record),
                "audit_seq": self.audit_seq,
            }
        )


def read_item(values: tuple[Any, ...]) -> StoredItem:
    """The item of a row in the order of `ITEM_COLUMNS`.

    Raises:
        NotAsWritten: Its content does not fit its digest.
    """
    row = _opened(ITEM_COLUMNS, values, "item")
    intent = Intent(**json.loads(row["intent"]))
    if intent.op_id != row["op_id"]:
        raise NotAsWritten(f"item {row['id']} is not as it was written")
    answer = json.loads(row["answer"])
    times = {name: _time(answer[name]) for name in _TIMES}
    item = Item(
        batch_id=row["batch_id"],
        position=row["position"],
        intent=intent,
        state=row["state"],
        round=row["round"],
        **(answer | times),
    )
    return StoredItem(item=item, rowid=row["id"], current=bool(row["current"]), audit_seq=row["audit_seq"])


def read_batch(values: tuple[Any, ...]) -> StoredBatch:
    """The batch of a row in the order of `BATCH_COLUMNS`.

    Raises:
        NotAsWritten: Its content does not fit its digest.
    """
    row = _opened(BATCH_COLUMNS, values, "batch")
    record = json.loads(row["record"])
    batch = BatchRow(
        batch_id=row["batch_id"],
        state=row["state"],
        total=row["total"],
        **(record | {"created_at": datetime.fromisoformat(record["created_at"])}),
    )
    return StoredBatch(batch=batch, rowid=row["id"], audit_seq=row["audit_seq"])


def printable(text: str) -> str:
    """Text that any database takes: lone surrogates are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _sealed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"digest": digest(row)}


def _opened(columns: tuple[str, ...], values: tuple[Any, ...], what: str) -> Mapping[str, Any]:
    row = dict(zip(columns, values, strict=True))
    said = {name: value for name, value in row.items() if name not in {"id", "digest"}}
    try:
        intact = digest(said) == row["digest"]
    except TypeError:  # a text that became bytes
        intact = False
    if not intact:
        raise NotAsWritten(f"{what} {row['id']} is not as it was written")
    return row


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)

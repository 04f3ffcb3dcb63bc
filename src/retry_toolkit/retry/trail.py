"""Audit rows: how one is written in a transaction, and what its hash covers."""

from __future__ import annotations

import json
import os
import platform
import pwd
from collections.abc import Iterator, Mapping
from datetime import datetime
from sqlite3 import Connection
from typing import Any

from retry_toolkit.retry.anchor import NOTHING, Head
from retry_toolkit.retry.records import canonical, digest
from retry_toolkit.retry.rows import printable

COLUMNS = (
    "seq", "time", "actor", "identity", "what", "origin", "batch_id", "plan_hash", "count", "item_id", "op_id",
    "before", "after", "facts", "digest", "prev_hash", "hash",
)  # fmt: skip
_INSERT = f"INSERT INTO audit ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"  # noqa: S608 - our own names
_WORDS_KEPT = 500  # of a platform's words: the item has them in full


class Trail:
    """The end of the audit trail, in one writing transaction."""

    def __init__(self, connection: Connection, *, actor: str, now: datetime) -> None:
        self._connection = connection
        self._actor = actor
        self._time = now.isoformat()
        self.head = head_of(connection)

    @property
    def next_seq(self) -> int:
        """The number that the next row will have."""
        return self.head.seq + 1

    def append(
        self,
        what: str,
        *,
        count: int = 1,
        identity: str | None = None,
        origin: str | None = None,
        batch_id: str | None = None,
        plan_hash: str | None = None,
        item_id: int | None = None,
        op_id: str | None = None,
        before: str | None = None,
        after: str | None = None,
        facts: Mapping[str, Any] | None = None,
        digest_after: str | None = None,
    ) -> None:
        """Add a row that follows the last one."""
        said = {name: value for name, value in (facts or {}).items() if value not in (None, "")}
        row = {
            "seq": self.next_seq,
            "time": self._time,
            "actor": self._actor,
            "identity": identity,
            "what": what,
            "origin": origin,
            "batch_id": batch_id,
            "plan_hash": plan_hash,
            "count": count,
            "item_id": item_id,
            "op_id": op_id,
            "before": before,
            "after": after,
            "facts": canonical({name: _shortened(value) for name, value in said.items()}),
            "digest": digest_after,
            "prev_hash": self.head.hash,
        }
        row = {name: printable(value) if isinstance(value, str) else value for name, value in row.items()}
        head = Head(self.next_seq, digest(row))
        self._connection.execute(_INSERT, row | {"hash": head.hash})
        self.head = head


def head_of(connection: Connection) -> Head:
    """The last row of the audit trail."""
    row = connection.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    return NOTHING if row is None else Head(*row)


def audit_rows(connection: Connection) -> Iterator[dict[str, Any]]:
    """Every audit row, oldest first."""
    for values in connection.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY seq"):  # noqa: S608 - our own names
        yield dict(zip(COLUMNS, values, strict=True))


def is_as_written(row: Mapping[str, Any]) -> bool:
    """Whether an audit row has the hash of what it says."""
    try:
        return digest({name: value for name, value in row.items() if name != "hash"}) == str(row["hash"])
    except TypeError:  # a text that became bytes
        return False


def facts_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of an audit row."""
    facts: dict[str, Any] = json.loads(row["facts"])
    return facts


def current_actor() -> str:
    """Who runs this process: `user@machine`, from the operating system rather than from the environment."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's number without a name
        user = f"uid-{os.getuid()}"
    return f"{user}@{platform.node()}"


def _shortened(value: Any) -> Any:
    return f"{value[:_WORDS_KEPT]} …" if isinstance(value, str) and len(value) > _WORDS_KEPT else value

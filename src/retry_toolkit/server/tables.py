"""Tables of the embedded platform's own database, and the column types that they need.

Written for SQLite and PostgreSQL alike: times are integers (microseconds since 1970, exact and sortable), JSON is text,
and text that neither database takes (NUL, lone surrogates) is escaped readably on the way in.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

SCHEMA = "retry_toolkit"
SCHEMA_VERSION = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    r"""The text with NUL and lone surrogates written as `\x00` and `\udc80`: databases and JSON answers refuse them."""
    return _UNSTORABLE.sub(lambda match: _escaped(match.group()), text)


def storable(value: Any) -> Any:
    """A JSON value that can be stored and sent: texts escaped, NaN and infinities as null, keys as text."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {storable_text(str(key)): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value


def _escaped(char: str) -> str:
    return "\\x00" if char == "\x00" else f"\\u{ord(char):04x}"


class UtcTime(sa.TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Microseconds of a datetime."""
        del dialect
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """The datetime of some microseconds."""
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


class SafeText(sa.TypeDecorator[str]):
    """Any Python text; see `storable_text`."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """The text as it can be stored."""
        del dialect
        return None if value is None else storable_text(value)


class JsonText(sa.TypeDecorator[Any]):
    """A JSON value, stored as ASCII text; see `storable`."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """The JSON text of a value."""
        del dialect
        return None if value is None else json.dumps(storable(value), separators=(",", ":"), allow_nan=False)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        """The value of a JSON text."""
        del dialect
        return None if value is None else json.loads(value)


metadata = sa.MetaData(schema=SCHEMA)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("title", SafeText, nullable=False),
    # SQLite compares only ASCII letters without case: what a search looks at is folded here.
    sa.Column("title_key", SafeText, nullable=False),
    sa.Column("pipeline", SafeText, nullable=False),
    sa.Column("project_id", SafeText),
    sa.Column("submitter", SafeText),
    sa.Column("params", JsonText, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("completed_at", UtcTime),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("woken_run", sa.Integer, nullable=False, default=0),
    sa.Column("parent_task_id", sa.Text, index=True),
    sa.Column("retry_count", sa.Integer, nullable=False, default=0),
    sa.Column("retention_until", UtcTime),
    sa.Index("ix_tasks_newest", "created_at", "id"),
    sa.Index("ix_tasks_status", "status", "created_at", "id"),
)

_OUTCOME = (
    ("started_at", UtcTime),
    ("completed_at", UtcTime),
    ("duration_seconds", sa.Float),
    ("error_message", SafeText),
    ("failure_category", SafeText),
    ("output_summary", SafeText),
    ("output_structured", JsonText),
    ("requested_by", SafeText),
)

stages = sa.Table(
    "stages",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey(tasks.c.id), nullable=False, index=True),
    sa.Column("name", SafeText, nullable=False),
    sa.Column("role", SafeText, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("retry_count", sa.Integer, nullable=False, default=0),
    sa.Column("max_retries", sa.Integer, nullable=False),
    sa.Column("tokens_used", sa.BigInteger, nullable=False, default=0),
    *(sa.Column(name, kind) for name, kind in _OUTCOME),
    # Token of the execution that may report this stage's outcome; whoever holds another one is too late.
    sa.Column("execution", sa.Text),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("stage_id", sa.Text, sa.ForeignKey(stages.c.id), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey(tasks.c.id), nullable=False, index=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("tokens_used", sa.BigInteger, nullable=False, default=0),
    *(sa.Column(name, kind) for name, kind in _OUTCOME),
)

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("stage_id", sa.Text, sa.ForeignKey(stages.c.id), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey(tasks.c.id), nullable=False, index=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("directory", sa.Text, nullable=False),
    sa.Column("executor", sa.Text, nullable=False),
    sa.Column("started_at", UtcTime, nullable=False),
)

input_files = sa.Table(
    "input_files",
    metadata,
    sa.Column("task_id", sa.Text, sa.ForeignKey(tasks.c.id), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("source_task_id", sa.Text),
)

status_history = sa.Table(
    "status_history",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("task_id", sa.Text, sa.ForeignKey(tasks.c.id), nullable=False, index=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("error", SafeText),
)

# No foreign key: the trail outlives the tasks that it tells of.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", SafeText, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("task_id", sa.Text, index=True),
    sa.Column("stage_id", sa.Text),
    sa.Column("before", JsonText),
    sa.Column("after", JsonText),
    sa.Column("outcome", SafeText, nullable=False),
)

answers = sa.Table(
    "answers",
    metadata,
    sa.Column("key", SafeText, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("body", JsonText, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)

executors = sa.Table(
    "executors",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("beats", sa.BigInteger, nullable=False),
)

"""What users ask loaders for, as a query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

from retry_toolkit.platforms.base import Status, TaskQuery

Moment = datetime | timedelta | str
"""A time (naive means UTC), a span before now, or ISO 8601 text."""


def make_query(
    *,
    status: Status | None = None,
    project: str | None = None,
    title: str | None = None,
    since: Moment | None = None,
    limit: int | None = None,
) -> TaskQuery:
    """The query of these filters.

    Raises:
        ValueError: One of them cannot be meant.
    """
    if status is not None and status not in get_args(Status):
        raise ValueError(f"status must be one of {', '.join(get_args(Status))}, not {status!r}.")
    if limit is not None and limit < 0:
        raise ValueError("limit must not be negative.")
    return TaskQuery(status=status, project=project, title=title, since=_moment(since), limit=limit)


def _moment(since: Moment | None) -> datetime | None:
    if since is None:
        return None
    if isinstance(since, timedelta):
        return datetime.now(UTC) - since
    moment = datetime.fromisoformat(since) if isinstance(since, str) else since
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

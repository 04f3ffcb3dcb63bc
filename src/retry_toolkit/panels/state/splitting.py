"""Which lines of a stage's log belong to which of its attempts, by their times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from retry_toolkit.platforms.base import AttemptRecord, LogRecord

_SLACK: Final = timedelta(milliseconds=500)
"""A first line may be written a little before the start that the platform noted."""


def split_log(records: Iterable[LogRecord], attempts: Sequence[AttemptRecord]) -> dict[int, list[LogRecord]]:
    """Lines by attempt; a line without a time belongs to the one before it.

    Nothing where the times of attempts are not known, unless there is a single one, the first: all lines are its own.
    """
    if [each.attempt for each in attempts] == [1]:
        return {1: list(records)}
    starts = _starts(attempts)
    if starts is None:
        return {}
    parts: dict[int, list[LogRecord]] = {each.attempt: [] for each in attempts}
    place = -1
    for record in records:
        if record.time is not None:
            place = bisect_right(starts, record.time) - 1
        if place >= 0:
            parts[attempts[place].attempt].append(record)
    return parts


def _starts(attempts: Sequence[AttemptRecord]) -> list[datetime] | None:
    """From when on a line belongs to each: half-way between the end of the attempt before and its own start."""
    starts = []
    for before, each in zip((None, *attempts), attempts, strict=False):
        if each.started_at is None:
            return None
        ended = before.finished_at if before is not None else None
        gap = each.started_at - ended if ended is not None else None
        starts.append(each.started_at - (gap / 2 if gap is not None and gap > timedelta(0) else _SLACK))
    return starts if starts == sorted(starts) else None

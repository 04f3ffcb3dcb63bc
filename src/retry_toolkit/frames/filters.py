"""Which tasks are meant: filters as a value, applied in stages from the cheapest to the dearest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from retry_toolkit.frames.conditions import (
    Condition,
    Contains,
    Listed,
    Mask,
    OneOf,
    Positions,
    Retryable,
    Since,
    masked,
)

Choice: TypeAlias = str | tuple[str, ...] | None
"""One word, or any of several; None is any at all."""

CATEGORY_FILTERS: Final = (
    "status",
    "template",
    "project",
    "owner",
    "failed_stage",
    "failure_category",
    "fingerprint",
    "refusal",
)
ACTIVE: Final = "active"
"""Stands for running and pending in the status filter."""

_FIRST_LOOK: Final = 16_384
_SURROGATES: Final = dict.fromkeys(range(55296, 57344), "�")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a task must match, all of it; what is None or empty lets everything through.

    Attributes:
        status: One of the statuses of the frame, or `active` for running and pending.
        template: Pipeline or solver.
        project: Project.
        owner: Who submitted it.
        failed_stage: Earliest failed stage.
        failure_category: Category of the failure.
        fingerprint: Error with its variable parts removed.
        refusal: Why the platform would take no retry.
        since: Submitted then or later; a naive time means UTC.
        until: Submitted before then.
        ended_since: Ended then or later.
        task_ids: One of these tasks, in the frame's order.
        retryable_only: The platform would take a retry.
        text: Contained in id, name, owner or error, in any case, as plain text.
    """

    status: Choice = None
    template: Choice = None
    project: Choice = None
    owner: Choice = None
    failed_stage: Choice = None
    failure_category: Choice = None
    fingerprint: Choice = None
    refusal: Choice = None
    since: datetime | None = None
    until: datetime | None = None
    ended_since: datetime | None = None
    task_ids: tuple[str, ...] | None = None
    retryable_only: bool = False
    text: str = ""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What is asked of a row, cheapest first; the text is not among it."""
        return tuple(self._conditions())

    @property
    def search(self) -> Contains | None:
        """The text that is sought in what the conditions leave."""
        text = self.text.strip().translate(_SURROGATES)
        return Contains(text) if text else None

    def code(self, frame: str = "tasks") -> str:
        """The pandas code that does what `filter_tasks` does, for a frame of this name and with pandas as `pd`."""
        asked: list[Condition | Contains] = [*self.conditions, *([self.search] if self.search else [])]
        if not asked:
            return frame
        joined = "\n    & ".join(condition.code(frame) for condition in asked)
        return f"{frame}[\n    {joined}\n]"

    def _conditions(self) -> Iterator[Condition]:
        for name in CATEGORY_FILTERS:
            words = _words(getattr(self, name), name)
            if words is not None:
                yield OneOf(name, words)
        if self.since is not None:
            yield Since("created_at", self.since, ">=")
        if self.until is not None:
            yield Since("created_at", self.until, "<")
        if self.ended_since is not None:
            yield Since("finished_at", self.ended_since, ">=")
        if self.retryable_only:
            yield Retryable()
        if self.task_ids is not None:
            yield Listed(self.task_ids)


def filter_tasks(tasks: pd.DataFrame, filters: Filters, *, limit: int | None = None) -> pd.DataFrame:
    """The tasks that match, in their order and with their columns.

    Args:
        tasks: Canonical tasks, newest first.
        filters: What they must match; `filters.code()` prints the same as pandas code.
        limit: At most so many, the first of the frame: a text search ends when it has found them.
    """
    return tasks.iloc[_found(tasks, filters, limit)]


def matching(tasks: pd.DataFrame, filters: Filters) -> Mask:
    """Which rows match."""
    mask = np.zeros(len(tasks), dtype=np.bool_)
    mask[_found(tasks, filters, None)] = True
    return mask


def _found(tasks: pd.DataFrame, filters: Filters, limit: int | None) -> Positions:
    if limit is not None and limit < 0:
        raise ValueError("limit must not be negative.")
    left = np.flatnonzero(masked(tasks, filters.conditions))
    found = left if filters.search is None else _searched(tasks, filters.search, left, limit)
    return found[:limit]


def _searched(tasks: pd.DataFrame, search: Contains, left: Positions, limit: int | None) -> Positions:
    """Those of the rows that contain the text; with a limit, looked at in growing parts until there are enough."""
    if limit is None:
        return left[search.among(tasks, left)]
    found: list[Positions] = []
    start, size = 0, _FIRST_LOOK
    while start < len(left) and sum(map(len, found)) < limit:
        part = left[start : start + size]
        found.append(part[search.among(tasks, part)])
        start, size = start + size, size * 2
    return np.concatenate(found) if found else left[:0]


def _words(choice: Choice, name: str) -> tuple[str, ...] | None:
    if choice is None:
        return None
    words = (choice,) if isinstance(choice, str) else tuple(choice)
    if name != "status":
        return words
    return tuple(word for given in words for word in (("running", "pending") if given == ACTIVE else (given,)))

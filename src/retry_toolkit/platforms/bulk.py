"""Many tasks at once: rows in whatever form a platform reads fastest, and how they become columns.

A platform that reads in bulk gives pages of plain rows with a `Layout`: for each canonical column a function from a
batch of rows to its values. Values are as they came (a time may be text or a number); who builds frames casts them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain
from operator import attrgetter
from threading import Event
from typing import Any, Protocol, runtime_checkable

from retry_toolkit.errors import LoadStopped
from retry_toolkit.platforms.base import EVERY_TASK, Page, Status, TaskQuery, TaskRecord

IN_FLIGHT = 4
"""Pages that are asked for at a time: right below 50 ms of latency."""

MOST_IN_FLIGHT = 8
"""Right above 50 ms, and as much as a platform should be asked to bear."""

Values = Sequence[Any]


class Batch:
    """Some rows, with what several columns of theirs are made of.

    Args:
        rows: Tasks, as a platform read them.
        layout: How they become columns.
    """

    def __init__(self, rows: Sequence[Any], layout: Layout) -> None:
        self.rows = rows
        self.layout = layout

    @cached_property
    def stages(self) -> list[Sequence[Any]]:
        """The stages of each task."""
        return [self.layout.stages_of(row) for row in self.rows]

    @cached_property
    def every_stage(self) -> list[Any]:
        """The stages of all tasks, one behind the other."""
        return list(chain.from_iterable(self.stages))

    @cached_property
    def statuses(self) -> list[Status]:
        """The status of each task."""
        return self.layout.statuses(self)

    @cached_property
    def stage_statuses(self) -> list[Status]:
        """The status of every stage."""
        return self.layout.stage_statuses(self)

    @cached_property
    def failures(self) -> dict[int, list[Any]]:
        """The failed stages of each task that has any, by the position of the task."""
        ends = list(accumulate(map(len, self.stages)))
        found: dict[int, list[Any]] = {}
        for at, status in enumerate(self.stage_statuses):
            if status == "failed":
                found.setdefault(bisect_right(ends, at), []).append(self.every_stage[at])
        return found

    @cached_property
    def failed(self) -> list[Any]:
        """The earliest failed stage of each task, or None."""
        first: list[Any] = [None] * len(self.rows)
        for at, stages in self.failures.items():
            first[at] = stages[0]
        return first


Getter = Callable[[Batch], Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How rows of one kind become columns.

    Attributes:
        tasks: Columns of tasks; one that is not here is missing in every row.
        stages: Columns of stages, likewise.
        stages_of: The stages of a task.
        statuses: The status of each task.
        stage_statuses: The status of every stage.
        retried_by: The direct retries that a task names.
        outline: What a query looks at: id, name, status, time and project of a task.
    """

    tasks: Mapping[str, Getter]
    stages: Mapping[str, Getter]
    stages_of: Callable[[Any], Sequence[Any]]
    statuses: Callable[[Batch], list[Status]]
    stage_statuses: Callable[[Batch], list[Status]]
    retried_by: Callable[[Any], Sequence[str]]
    outline: Callable[[Any], TaskRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read: pages in flight, and what ends the reading early when it is set."""

    in_flight: int = IN_FLIGHT
    stop: Event | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.in_flight <= MOST_IN_FLIGHT:
            raise ValueError(f"in_flight must be between 1 and {MOST_IN_FLIGHT}.")

    def check(self) -> None:
        """Go on, unless it was stopped.

        Raises:
            LoadStopped: It was.
        """
        if self.stop is not None and self.stop.is_set():
            raise LoadStopped("The load was stopped; nothing of it is left.")


AS_USUAL = Reading()
"""A few pages in flight, to the end."""


@runtime_checkable
class Bulk(Protocol):
    """A platform that gives many tasks at once faster than as records."""

    @property
    def layout(self) -> Layout:
        """How its rows become columns."""

    def bulk_pages(self, query: TaskQuery = EVERY_TASK, reading: Reading = AS_USUAL) -> Iterator[Page[Any]]:
        """As `Platform.tasks`, with rows that `layout` knows."""


@dataclass(frozen=True, slots=True)
class NullIsZero:
    """Numbers of which None means 0, and `ABSENT` (of counts) or NaN that nothing was sent."""

    getter: Getter

    def __call__(self, batch: Batch) -> Values:
        """The values as they were sent."""
        return self.getter(batch)


def of_task(name: str) -> Getter:
    """The attribute of each task."""
    get = attrgetter(name)
    return lambda batch: list(map(get, batch.rows))


def of_stage(name: str) -> Getter:
    """The attribute of each stage."""
    get = attrgetter(name)
    return lambda batch: list(map(get, batch.every_stage))


def first_of(*getters: Getter) -> Getter:
    """The first value that is not empty; None where all are."""

    def get(batch: Batch) -> Values:
        values = (getter(batch) for getter in getters)
        return [next(filter(None, row), None) for row in zip(*values, strict=True)]

    return get


def of_failed(name: str) -> Getter:
    """The attribute of the earliest failed stage; None where none has failed, or where it is empty."""
    get = attrgetter(name)
    return lambda batch: [stage and (get(stage) or None) for stage in batch.failed]


def task_retries(chain: str) -> Getter:
    """Retries of the failed stage; where none has failed, the most of any stage or of the attribute `chain`."""
    get = attrgetter(chain)

    def retries(task: Any, stages: Sequence[Any], failed: Any) -> int | None:
        if failed is not None:
            return failed.retry_count or 0
        counts = [stage.retry_count or 0 for stage in stages]
        return max(get(task) or 0, *counts) if counts else get(task)

    return lambda batch: list(map(retries, batch.rows, batch.stages, batch.failed))

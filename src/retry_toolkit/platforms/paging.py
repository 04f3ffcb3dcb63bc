"""Pages in order, a few in flight, each row once, and always an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from math import ceil
from typing import Any

from retry_toolkit.errors import Refused
from retry_toolkit.platforms.base import Page, RowT, TaskQuery, TaskRecord
from retry_toolkit.platforms.bulk import AS_USUAL, Reading
from retry_toolkit.platforms.decode import ReadPage

PAGE_SIZES = (100, 20)
"""Rows to ask for at a time; the second where a platform refuses the first."""

STALE_PAGES = 2
"""Pages without a new row that end a listing whose total promises more."""

REMEMBERED = 200_000
"""Ids that a listing remembers at least: rows come again a page or two later, not half a history."""

Fetch = Callable[[int, int], ReadPage[RowT]]
"""Page number (from 1) and rows to ask for -> the page."""

Outline = Callable[[RowT], TaskRecord]
"""What a query looks at in a row."""


def list_pages(fetch: Fetch[RowT], *, most: int | None = None, reading: Reading = AS_USUAL) -> Iterator[Page[RowT]]:
    """Every page of a listing, each row once.

    Rows shift between pages while new tasks arrive, pages come short, totals are wrong, and some servers send one page
    for ever: a row that came before is dropped, and pages that bring nothing new end the listing. When the listing
    ends, early or not, its threads have ended too.

    Args:
        fetch: Reads one page.
        most: Rows that the caller can use; fewer pages are asked for ahead.
        reading: Pages in flight, and what stops it.

    Raises:
        Stopped: `reading.stop` was set.
    """
    first, size = _first_page(fetch, most)
    listing = _Listing(first, size)
    yield listing.take(first)
    if listing.ended or (most is not None and listing.count >= most):
        return
    pending: deque[Future[ReadPage[RowT]]] = deque()
    number = 1
    pool = ThreadPoolExecutor(max_workers=reading.in_flight, thread_name_prefix="retry-toolkit-pages")
    try:
        while not listing.ended:
            while len(pending) < reading.in_flight and (not pending or number + 1 <= listing.expected_pages(most)):
                number += 1
                pending.append(pool.submit(fetch, number, size))
            page = pending.popleft().result()
            reading.check()
            yield listing.take(page)
    finally:
        pool.shutdown(cancel_futures=True)


class _Listing:
    """What is known of a listing while its pages come in."""

    def __init__(self, first: ReadPage[Any], size: int) -> None:
        rows, total = first.row_count, first.page.total
        self._size = min(size, first.page_size)
        if total is not None and 0 < rows < min(self._size, total):
            self._size = rows  # a server that sends fewer rows than it was asked for and does not say so
        self._first = tuple(task.task_id for task in first.page.tasks)
        self._seen = _Recent(REMEMBERED)
        self._total = total
        self._stale = 0
        self.count = 0
        self.ended = False

    def expected_pages(self, most: int | None) -> int:
        """Pages that are worth asking for ahead."""
        if self._total is None:
            return 0
        return ceil((self._total if most is None else min(self._total, most)) / self._size)

    def take(self, read: ReadPage[RowT]) -> Page[RowT]:
        """The page without rows that came before; notes whether it was the last."""
        fresh = tuple(self._fresh(read.page.tasks))
        # Where every row came before, the page itself did: what could not be read on it was reported then.
        repeated = read.page.tasks != () and fresh == ()
        page = replace(read.page, tasks=fresh, rejected=() if repeated else read.page.rejected)
        self.count += len(fresh)
        self._total = self._total if page.total is None else page.total
        self._stale = 0 if fresh else self._stale + 1
        self.ended = self._is_last(read, page) or self._begins_anew(read.page)
        return page

    def _fresh(self, tasks: Iterable[RowT]) -> Iterator[RowT]:
        for task in tasks:
            if self._seen.add(task.task_id):
                yield task

    def _is_last(self, read: ReadPage[RowT], page: Page[RowT]) -> bool:
        if self._stale >= STALE_PAGES:
            return True
        if self._total is None:
            return not page.tasks
        if page.number < self.expected_pages(None):
            return False
        return not page.tasks or read.row_count < self._size

    def _begins_anew(self, page: Page[RowT]) -> bool:
        """Whether a server goes round in a circle that is larger than what is remembered."""
        far = page.number * self._size > REMEMBERED
        return far and tuple(task.task_id for task in page.tasks) == self._first


class _Recent:
    """The ids that came last: at least `least` of them, at most twice as many."""

    def __init__(self, least: int) -> None:
        self._least = least
        self._older: set[str] = set()
        self._newer: set[str] = set()

    def add(self, task_id: str) -> bool:
        """Whether it is new."""
        if task_id in self._newer or task_id in self._older:
            return False
        if len(self._newer) >= self._least:
            self._older, self._newer = self._newer, set()
        self._newer.add(task_id)
        return True


def _first_page(fetch: Fetch[RowT], most: int | None) -> tuple[ReadPage[RowT], int]:
    largest, smaller = PAGE_SIZES
    size = largest if most is None else max(1, min(largest, most))
    try:
        return fetch(1, size), size
    except Refused:
        if size <= smaller:
            raise
        return fetch(1, smaller), smaller


def _as_it_is(task: TaskRecord) -> TaskRecord:
    return task


def select(
    pages: Callable[[int | None], Iterator[Page[RowT]]],
    query: TaskQuery,
    *,
    exact: bool,
    outline: Outline[RowT] = _as_it_is,  # type: ignore[assignment]  # records are their own outline
) -> Iterator[Page[RowT]]:
    """Pages of the tasks that a query means, ended as soon as nothing more can match.

    Args:
        pages: Lists tasks, newest first; takes the number of rows that are of use.
        query: What is asked for.
        exact: Whether the platform applies the whole query itself, so that every row counts towards the limit.
        outline: What the query looks at in a row.
    """
    left = query.limit
    if left == 0:
        return
    everything = query == TaskQuery(limit=query.limit)
    for page in pages(left if exact else None):
        rows = page.tasks
        outlines = [] if everything else list(map(outline, rows))
        if not everything:
            # Also what the platform should have filtered: some ignore what they do not know.
            rows = tuple(row for row, seen in zip(rows, outlines, strict=True) if matches(seen, query))
        # A total of what the platform lists says nothing about what is left of it here.
        yield replace(page, tasks=rows[:left], total=page.total if exact else None)
        left = None if left is None else left - min(left, len(rows))
        if left == 0 or _all_older(outlines, query):
            return


def matches(task: TaskRecord, query: TaskQuery) -> bool:
    """Whether a query means this task; a task of unknown time is never too old."""
    return (
        (query.status is None or task.status == query.status)
        and (query.project is None or query.project in {task.project, task.extra.get("project_id")})
        and (query.title is None or query.title.casefold() in (task.name or "").casefold())
        and (query.since is None or task.created_at is None or task.created_at >= query.since)
    )


def _all_older(tasks: Sequence[TaskRecord], query: TaskQuery) -> bool:
    since = query.since
    return (
        since is not None
        and bool(tasks)
        and all(task.created_at is not None and task.created_at < since for task in tasks)
    )

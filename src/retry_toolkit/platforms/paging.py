"""Pages in order, a few in flight, each row once, and always an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from math import ceil

from retry_toolkit.errors import Refused
from retry_toolkit.platforms.base import TaskPage, TaskQuery, TaskRecord
from retry_toolkit.platforms.decode import ReadPage

PAGE_SIZES = (100, 20)
"""Rows to ask for at a time; the second where a platform refuses the first."""

WINDOW = 4
"""Pages in flight."""

STALE_PAGES = 2
"""Pages without a new row that end a listing whose total promises more."""

Fetch = Callable[[int, int], ReadPage]
"""Page number (from 1) and rows to ask for -> the page."""


def list_pages(fetch: Fetch, *, most: int | None = None, window: int = WINDOW) -> Iterator[TaskPage]:
    """Every page of a listing, each row once.

    Rows shift between pages while new tasks arrive, pages come short, totals are wrong, and some servers send one page
    for ever: a row that came before is dropped, and pages that bring nothing new end the listing.

    Args:
        fetch: Reads one page.
        most: Rows that the caller can use; fewer pages are asked for ahead.
        window: Pages in flight.
    """
    first, size = _first_page(fetch, most)
    listing = _Listing(first, size)
    yield listing.take(first)
    if listing.ended or (most is not None and listing.count >= most):
        return
    pool = ThreadPoolExecutor(max_workers=window, thread_name_prefix="retry-toolkit-pages")
    pending: deque[Future[ReadPage]] = deque()
    number = 1
    try:
        while not listing.ended:
            while len(pending) < window and (not pending or number + 1 <= listing.expected_pages(most)):
                number += 1
                pending.append(pool.submit(fetch, number, size))
            yield listing.take(pending.popleft().result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Listing:
    """What is known of a listing while its pages come in."""

    def __init__(self, first: ReadPage, size: int) -> None:
        rows, total = first.row_count, first.page.total
        self._size = min(size, first.page_size)
        if total is not None and 0 < rows < min(self._size, total):
            self._size = rows  # a server that sends fewer rows than it was asked for and does not say so
        self._seen: set[str] = set()
        self._total = total
        self._stale = 0
        self.ended = False

    @property
    def count(self) -> int:
        """Tasks so far."""
        return len(self._seen)

    def expected_pages(self, most: int | None) -> int:
        """Pages that are worth asking for ahead."""
        if self._total is None:
            return 0
        return ceil((self._total if most is None else min(self._total, most)) / self._size)

    def take(self, read: ReadPage) -> TaskPage:
        """The page without rows that came before; notes whether it was the last."""
        page = replace(read.page, tasks=tuple(self._fresh(read.page.tasks)))
        self._total = self._total if page.total is None else page.total
        self._stale = 0 if page.tasks else self._stale + 1
        self.ended = self._is_last(read, page)
        return page

    def _fresh(self, tasks: Iterable[TaskRecord]) -> Iterator[TaskRecord]:
        for task in tasks:
            if task.task_id not in self._seen:
                self._seen.add(task.task_id)
                yield task

    def _is_last(self, read: ReadPage, page: TaskPage) -> bool:
        if self._stale >= STALE_PAGES:
            return True
        if self._total is None:
            return not page.tasks
        if page.number < self.expected_pages(None):
            return False
        return not page.tasks or read.row_count < self._size


def _first_page(fetch: Fetch, most: int | None) -> tuple[ReadPage, int]:
    largest, smaller = PAGE_SIZES
    size = largest if most is None else max(1, min(largest, most))
    try:
        return fetch(1, size), size
    except Refused:
        if size <= smaller:
            raise
        return fetch(1, smaller), smaller


def select(pages: Callable[[int | None], Iterator[TaskPage]], query: TaskQuery, *, exact: bool) -> Iterator[TaskPage]:
    """Pages of the tasks that a query means, ended as soon as nothing more can match.

    Args:
        pages: Lists tasks, newest first; takes the number of rows that are of use.
        query: What is asked for.
        exact: Whether the platform applies the whole query itself, so that every row counts towards the limit.
    """
    left = query.limit
    if left == 0:
        return
    for page in pages(left if exact else None):
        tasks = tuple(task for task in page.tasks if matches(task, query))[:left]
        yield replace(page, tasks=tasks)
        left = None if left is None else left - len(tasks)
        if left == 0 or _all_older(page, query):
            return


def matches(task: TaskRecord, query: TaskQuery) -> bool:
    """Whether a query means this task; a task of unknown time is never too old."""
    return (
        (query.status is None or task.status == query.status)
        and (query.project is None or query.project in {task.project, task.extra.get("project_id")})
        and (query.title is None or query.title.casefold() in (task.name or "").casefold())
        and (query.since is None or task.created_at is None or task.created_at >= query.since)
    )


def _all_older(page: TaskPage, query: TaskQuery) -> bool:
    since = query.since
    return (
        since is not None
        and bool(page.tasks)
        and all(task.created_at is not None and task.created_at < since for task in page.tasks)
    )

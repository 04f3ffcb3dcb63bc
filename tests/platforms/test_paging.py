"""Paging: every row once, in order, a few pages in flight, and always an end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.errors import LoadStopped, Refused, Unavailable
from retry_toolkit.platforms.base import EVERY_TASK, Status, TaskPage, TaskQuery, TaskRecord
from retry_toolkit.platforms.bulk import Reading
from retry_toolkit.platforms.decode import ReadPage
from retry_toolkit.platforms.paging import list_pages, matches, select

START = datetime(2026, 1, 1, tzinfo=UTC)


def task(name: str, *, hours: float = 0, status: Status = "failed", **fields: str) -> TaskRecord:
    """A task by its id."""
    moment = START + timedelta(hours=hours)
    return TaskRecord(task_id=name, name=name, status=status, native_status=status, created_at=moment, **fields)  # type: ignore[arg-type]  # text fields only


class Server:
    """Pages over a list of ids, with the faults of real servers."""

    def __init__(
        self,
        ids: Sequence[str],
        *,
        total: int | None = -1,
        cap: int = 100,
        tells_size: bool = True,
        before: Callable[[int, list[str]], None] | None = None,
        ignores_page: bool = False,
    ) -> None:
        self.ids = list(ids)
        self.asked: list[int] = []
        self._total, self._cap, self._tells = total, cap, tells_size
        self._before, self._ignores_page = before, ignores_page
        self._lock = threading.Lock()

    def fetch(self, number: int, size: int) -> ReadPage[TaskRecord]:
        """One page, as `read_page` would give it."""
        with self._lock:
            self.asked.append(number)
            if self._before is not None:
                self._before(number, self.ids)
            size = min(size, self._cap)
            start = 0 if self._ignores_page else (number - 1) * size
            rows = self.ids[start : start + size]
            total = len(self.ids) if self._total == -1 else self._total
        page = TaskPage(number=number, tasks=tuple(map(task, rows)), total=total)
        return ReadPage(page=page, row_count=len(rows), page_size=size if self._tells else 100)


def ids_of(pages: Iterator[TaskPage]) -> list[str]:
    """Every id, in order."""
    return [task.task_id for page in pages for task in page.tasks]


def names(count: int) -> list[str]:
    """So many ids."""
    return [f"t{number:05d}" for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 950])
@pytest.mark.parametrize("total", [-1, None, 0, 5, 5000])
@pytest.mark.parametrize("tells_size", [True, False])
def test_every_row_comes_once_and_in_order(count: int, total: int | None, tells_size: bool) -> None:
    """Totals that are missing, too small or too large change nothing."""
    server = Server(names(count), total=total, tells_size=tells_size)
    assert ids_of(list_pages(server.fetch)) == names(count)
    assert len(server.asked) <= count // 100 + 12


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_server_may_send_smaller_pages_than_asked_for(tells_size: bool) -> None:
    """Whether it says so or not."""
    server = Server(names(450), cap=30, tells_size=tells_size)
    assert ids_of(list_pages(server.fetch)) == names(450)


def test_known_pages_are_asked_for_once() -> None:
    """A well-behaved server gets no request too many."""
    server = Server(names(950))
    assert ids_of(list_pages(server.fetch)) == names(950)
    assert sorted(server.asked) == list(range(1, 11))


def test_rows_that_shift_come_once() -> None:
    """New tasks push rows to later pages while they are read; rows that were there at the start are all read."""

    def insert(number: int, ids: list[str]) -> None:
        if number > 1:
            ids[:0] = [f"new{number}-{position}" for position in range(7)]

    server = Server(names(500), before=insert)
    read = ids_of(list_pages(server.fetch, reading=Reading(in_flight=1)))
    assert len(read) == len(set(read))
    assert set(names(500)) <= set(read)


def test_rows_that_vanish_do_not_stop_the_listing() -> None:
    """Deleted rows make pages short; the listing goes on."""

    def delete(number: int, ids: list[str]) -> None:
        if number == 3:
            del ids[-60:]

    server = Server(names(500), before=delete)
    assert set(names(400)) <= set(ids_of(list_pages(server.fetch)))


@pytest.mark.parametrize("total", [-1, None, 10_000_000])
def test_a_server_that_ignores_the_page_ends(total: int | None) -> None:
    """One page for ever is one page."""
    server = Server(names(100), total=total, ignores_page=True)
    assert ids_of(list_pages(server.fetch)) == names(100)
    assert len(server.asked) < 12


def test_a_few_pages_are_in_flight_and_no_more() -> None:
    """The window is used, and it is bounded."""
    gate, lock = threading.Barrier(4, timeout=10), threading.Lock()
    flying, most = [0], [0]
    server = Server(names(900))

    def fetch(number: int, size: int) -> ReadPage[TaskRecord]:
        with lock:
            flying[0] += 1
            most[0] = max(most[0], flying[0])
        if 2 <= number <= 5:
            gate.wait()  # only passes when four requests are in flight at once
        page = server.fetch(number, size)
        with lock:
            flying[0] -= 1
        return page

    assert ids_of(list_pages(fetch)) == names(900)
    assert most[0] == 4


def test_an_error_of_one_page_ends_the_listing_with_that_error() -> None:
    """Pages before it have been given; nothing is skipped."""

    def fetch(number: int, size: int) -> ReadPage[TaskRecord]:
        if number == 3:
            raise Unavailable("down")
        return server.fetch(number, size)

    server, given_pages = Server(names(900)), list[int]()

    def read_all() -> None:
        for page in list_pages(fetch):
            given_pages.append(page.number)

    with pytest.raises(Unavailable):
        read_all()
    assert given_pages == [1, 2]


def test_a_page_size_that_is_refused_is_lowered() -> None:
    """Some servers allow 20 rows at most."""
    server = Server(names(50), cap=20)

    def fetch(number: int, size: int) -> ReadPage[TaskRecord]:
        if size > 20:
            raise Refused("page_size: too large", status=422)
        return server.fetch(number, size)

    assert ids_of(list_pages(fetch)) == names(50)


@given(
    count=st.integers(0, 300),
    cap=st.integers(1, 50),
    total=st.sampled_from([-1, None, 0, 17, 1000]),
    shifts=st.lists(st.integers(0, 5), max_size=10),
)
def test_no_server_loses_rows_or_repeats_them(count: int, cap: int, total: int | None, shifts: list[int]) -> None:
    """Whatever the page size, the total and the shifting."""

    def insert(number: int, ids: list[str]) -> None:
        if 1 < number <= len(shifts):
            ids[:0] = [f"new{number}-{position}" for position in range(min(shifts[number - 1], cap - 1))]

    server = Server(names(count), cap=cap, total=total, before=insert)
    read = ids_of(list_pages(server.fetch, reading=Reading(in_flight=2)))
    assert len(read) == len(set(read))
    assert set(names(count)) <= set(read)


def test_a_limit_asks_for_no_more_than_it_needs() -> None:
    """Three rows are one small page; none is no request."""
    server = Server(names(900))

    def pages(most: int | None) -> Iterator[TaskPage]:
        return list_pages(server.fetch, most=most)

    assert ids_of(select(pages, TaskQuery(limit=3), exact=True)) == names(3)
    assert ids_of(select(pages, TaskQuery(limit=250), exact=True)) == names(250)
    assert ids_of(select(pages, TaskQuery(limit=0), exact=True)) == []
    assert sorted(server.asked) == [1, 1, 2, 3]


def test_a_limit_counts_matching_rows() -> None:
    """Where the filter is ours, reading goes on until enough match."""
    server = Server(names(500))
    query = TaskQuery(title="T0043", limit=10)
    assert ids_of(select(lambda most: list_pages(server.fetch, most=most), query, exact=False)) == names(440)[430:]


def test_reading_ends_with_the_first_page_that_is_too_old() -> None:
    """Pages are newest first; a row of unknown time is kept."""
    asked = []

    def pages(most: int | None) -> Iterator[TaskPage]:
        for number in range(1, 10):
            asked.append(number)
            yield TaskPage(number=number, tasks=(task(f"a{number}", hours=-number), task(f"b{number}", hours=-number)))

    read = ids_of(select(pages, TaskQuery(since=START - timedelta(hours=3)), exact=False))
    assert read == ["a1", "b1", "a2", "b2", "a3", "b3"]
    assert asked == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("query", "match"),
    [
        (EVERY_TASK, True),
        (TaskQuery(status="failed"), True),
        (TaskQuery(status="running"), False),
        (TaskQuery(title="日报 D"), True),
        (TaskQuery(title="%"), False),
        (TaskQuery(project="p1"), True),
        (TaskQuery(project="Project 1"), True),
        (TaskQuery(project="p2"), False),
        (TaskQuery(since=START), True),
        (TaskQuery(since=START + timedelta(seconds=1)), False),
    ],
)
def test_what_a_query_means(query: TaskQuery, match: bool) -> None:
    """Case does not count in titles; projects go by name or id."""
    record = TaskRecord(
        task_id="t",
        name="日报 daily",
        status="failed",
        native_status="failed",
        created_at=START,
        project="Project 1",
        extra={"project_id": "p1"},
    )
    assert matches(record, query) is match


def test_threads_end_with_the_listing() -> None:
    """Read to its end, left early, stopped or broken: no thread outlives it."""
    server, before = Server(names(2_000)), threading.active_count()
    stop = threading.Event()

    def broken(number: int, size: int) -> ReadPage[TaskRecord]:
        if number == 4:
            raise Unavailable("down")
        return server.fetch(number, size)

    list(list_pages(server.fetch))
    assert threading.active_count() == before
    pages = list_pages(server.fetch)
    assert [next(pages).number for _ in range(3)] == [1, 2, 3]
    pages.close()  # type: ignore[attr-defined]  # a generator
    assert threading.active_count() == before
    pages = list_pages(server.fetch, reading=Reading(in_flight=8, stop=stop))
    next(pages)
    stop.set()
    with pytest.raises(LoadStopped):
        next(pages)
    assert threading.active_count() == before
    with pytest.raises(Unavailable):
        list(list_pages(broken))
    assert threading.active_count() == before


@pytest.mark.parametrize("in_flight", [0, 9])
def test_the_window_has_bounds(in_flight: int) -> None:
    """A platform is not to be drowned in requests."""
    with pytest.raises(ValueError, match="between 1 and 8"):
        Reading(in_flight=in_flight)

"""The address of a view: it comes back as it was, says what does not fit, and takes nothing that makes no sense."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.frames.filters import ACTIVE, Filters
from retry_toolkit.panels.address import AddressView
from retry_toolkit.panels.state.address import IDS_AT_MOST, LONGEST, address_of, read_address
from retry_toolkit.panels.state.columns import COLUMNS
from retry_toolkit.panels.state.query import FAILED_ONLY, NEWEST_FIRST, SPANS, Sort, View
from tests.panels.conftest import MakeDesk
from tests.panels.memory import MemoryPlatform, make_task

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)

words = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20).filter(
    lambda word: word != "all"
)
choices = st.none() | words | st.lists(words, min_size=2, max_size=3, unique=True).map(tuple)
moments = st.none() | st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
views = st.builds(
    View,
    st.builds(
        Filters,
        status=st.sampled_from([None, "failed", ACTIVE, ("failed", "cancelled")]),
        template=choices,
        project=choices,
        owner=choices,
        fingerprint=choices,
        since=moments,
        until=moments,
        ended_since=moments,
        task_ids=st.none() | st.lists(words, min_size=1, max_size=9, unique=True).map(tuple),
        retryable_only=st.booleans(),
        text=st.just("") | words,
    ),
    st.just(""),
    st.lists(
        st.builds(Sort, st.sampled_from(COLUMNS), st.booleans()),
        min_size=1,
        max_size=4,
        unique_by=lambda sort: sort.column,
    ).map(tuple),
)


@given(views)
def test_a_view_comes_back_from_its_address(view: View) -> None:
    """Whatever letters it has."""
    text, complete = address_of(view)
    assert complete
    assert read_address(text).view == view
    assert read_address(text).ignored == ()


@given(st.text(max_size=300) | st.text("&=%;+#status", max_size=60))
def test_any_text_can_stand_in_an_address(text: str) -> None:
    """It is read or named, and never raises."""
    reading = read_address(text)
    assert isinstance(reading.view, View)
    if text.strip() and reading.view == View() and "failed" not in text:
        assert reading.ignored or not text.strip("&;")


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (View(), ""),
        (View(Filters()), "status=all"),
        (View(Filters(status="failed", project="sales", text="row 7")), "status=failed&project=sales&text=row+7"),
        (View(Filters(status=("failed", "cancelled"))), "status=failed&status=cancelled"),
        (View(Filters(status="failed", since=NOON), span="24h"), "status=failed&last=24h"),
        (View(Filters(status="failed", ended_since=NOON)), "status=failed&ended=2026-11-25T12:00:00Z"),
        (View(FAILED_ONLY, "", (Sort("owner", descending=False), Sort("cost"))), "status=failed&sort=owner,-cost"),
        (View(Filters(status="failed", task_ids=("00123", "1e5"))), "status=failed&task=00123&task=1e5"),
    ],
)
def test_an_address_can_be_read_by_people(view: View, text: str) -> None:
    """Names and words, no encoded heap."""
    assert address_of(view) == (text, True)


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("status=nonsense", ["status=nonsense"]),
        ("utm_source=mail", ["utm_source=mail"]),
        ("nonsense", ["nonsense="]),
        ("sort=__class__", ["sort=__class__"]),
        ("sort=name,name", ["sort=name,name"]),
        ("from=yesterday&to=0001-01-01&ended=99999999999", ["from=yesterday", "to=0001-01-01", "ended=99999999999"]),
        ("last=1y", ["last=1y"]),
        ("retryable=1", ["retryable=1"]),
        ("project=", ["project="]),
        ("owner=%FF", ["owner=\N{REPLACEMENT CHARACTER}"]),
        ("owner=a%00b%E2%80%AE", ["owner=a\x00b\u202e"]),
        ("text=a&text=b", ["text=b"]),
        (f"owner={'x' * 301}", [f"owner={'x' * 301}"]),
    ],
)
def test_what_makes_no_sense_is_named(text: str, ignored: list[str]) -> None:
    """Unknown names and values, hidden characters, second values of what has one."""
    reading = read_address(text)
    assert list(reading.ignored) == ignored
    assert reading.view in {View(), View(replace(FAILED_ONLY, text="a"))}


@pytest.mark.parametrize("text", ["a=b&" * 600, "x" * (LONGEST + 1), "&".join(["status=failed"] * 501)])
def test_an_endless_address_is_not_read(text: str) -> None:
    """It is named as a whole."""
    assert read_address(text).view == View()
    assert read_address(text).ignored == (text,)


def test_many_chosen_tasks_are_left_out() -> None:
    """Some hundreds fit; beyond that the address has the rest of the view, and says that it is not all."""
    ids = tuple(f"task-{number}" for number in range(IDS_AT_MOST + 1))
    few = View(Filters(status=None, task_ids=ids[:-1]))
    assert read_address(address_of(few)[0]).view == few
    assert address_of(View(Filters(status=None, task_ids=ids, project="sales"))) == ("status=all&project=sales", False)
    wide = tuple(f"{number:03d}" + "文" * 200 for number in range(IDS_AT_MOST))
    assert address_of(View(Filters(task_ids=wide))) == ("", False)
    assert address_of(View(Filters(text="x" * 400))) == ("status=all", False)


def test_a_time_until_now_is_a_name() -> None:
    """Who opens the link tomorrow sees the last day of then; it wins over moments beside it."""
    for span in SPANS:
        assert read_address(f"last={span}&from=2026-01-01&to=2026-02-01").view == View(FAILED_ONLY, span)


def test_the_page_follows_its_address(make_desk: MakeDesk) -> None:
    """Read when the browser tells it, written at each change, and told once where it was not understood."""
    tasks = (make_task(f"t{number}", owner=f"o{number % 2}", minutes_ago=number) for number in range(6))
    desk = make_desk(MemoryPlatform.of(*tasks))
    address = AddressView(desk)
    assert address.widget.query == ""

    def open_with(text: str) -> None:
        address.widget._handle_custom_msg({"address": text}, [])

    open_with(f"owner=o1&sort=-name&<b>={quote_plus('x' * 200)}&a=1&b=1&c=1&d=1&e=1")
    assert (desk.table.filters.owner, desk.table.sort) == ("o1", (Sort("name"),))
    assert address.widget.query == "status=failed&owner=o1&sort=-name"
    (notice,) = desk.session.notices.items
    assert notice.values["parts"].startswith("<b>=xxx")
    assert notice.values["parts"].endswith("d=1, …")
    assert len(notice.values["parts"]) < 120
    open_with(address.widget.query)
    open_with("")
    assert desk.table.view == View()
    assert len(desk.session.notices.items) == 1
    desk.table.filter(task_ids=tuple(f"t{number}" for number in range(400)))
    assert address.widget.labels["left_out"]
    desk.table.show_last("1h")
    assert address.widget.query == "status=failed&last=1h"
    assert datetime.now(UTC) - timedelta(minutes=62) < desk.table.view.filters.since  # type: ignore[operator]  # it is set
    desk.table.filter(until=NOON, task_ids=None)
    assert (desk.table.span, desk.table.sort) == ("", NEWEST_FIRST)

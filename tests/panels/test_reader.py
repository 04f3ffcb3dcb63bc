"""A window onto lines: what is shown of any number of them, and how it moves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from retry_toolkit.panels.state import lines as lines_module
from retry_toolkit.panels.state.lines import Line, level_of, lines_of, printable, read_book
from retry_toolkit.panels.state.reader import MOST_BYTES, MOST_LINES, PAGE_LINES, Found, Reader, act_on
from retry_toolkit.platforms.base import LogRecord


def many(count: int, start: int = 0) -> list[Line]:
    """Lines that say their numbers."""
    return [Line(f"line {number}") for number in range(start, start + count)]


def numbers(reader: Reader) -> tuple[int, int]:
    """The first and the last line that are shown."""
    shown = reader.view.lines
    return shown[0][0], shown[-1][0]


def record(text: str, kind: str = "stdout", seq: int = 0) -> LogRecord:
    """A line of a log."""
    return LogRecord(task_id="a", stage="s", seq=seq, time=datetime(2026, 1, 1, tzinfo=UTC), kind=kind, text=text)


def test_a_log_begins_at_its_end_and_loads_backwards() -> None:
    """A thousand lines at a time; three thousand at most, so what is then too far below goes, and comes back."""
    reader = Reader()
    reader.put("a", many(10_000))
    assert (numbers(reader), reader.view.earlier, reader.view.later) == ((9001, 10_000), 9000, 0)
    for _ in range(4):
        reader.earlier()
    assert numbers(reader) == (5001, 8000)
    assert len(reader.view.lines) == MOST_LINES
    assert not reader.view.following
    reader.later()
    assert numbers(reader) == (6001, 9000)
    reader.follow(on=True)
    assert numbers(reader) == (9001, 10_000)


def test_who_follows_sees_the_end_and_who_reads_stays() -> None:
    """New lines move the window of who follows; who scrolled away keeps every line, and gets new ones below."""
    reader = Reader()
    reader.put("a", many(2000))
    reader.put("a", many(2500))
    assert numbers(reader) == (1501, 2500)
    reader.follow(on=False)
    reader.put("a", many(2700))
    assert numbers(reader) == (1501, 2700)
    reader.put("a", many(2000, start=1000), skipped=1000)
    assert numbers(reader) == (1501, 3000)
    reader.put("a", many(9000, start=1000), skipped=1000)
    assert numbers(reader) == (1501, 4500)
    assert reader.view.later > 0
    reader.put("b", many(3))
    assert (numbers(reader), reader.view.following) == ((1, 3), True)


def test_a_search_counts_all_lines_and_goes_around() -> None:
    """Plain text, whatever its case, also far outside of what is shown."""
    reader = Reader()
    lines = many(5000)
    lines[10] = Line("The [Disk] is full.*")
    lines[4000] = Line("the [disk] IS FULL.*")
    reader.put("a", lines)
    reader.search("[DISK] is full.*")
    assert (reader.view.found.count, reader.view.found.number) == (2, 4001)
    assert reader.view.goto[1] == 4001
    reader.step(1)
    assert (reader.view.found.at, reader.view.found.number) == (1, 11)
    assert numbers(reader)[0] <= 11 <= numbers(reader)[1]
    reader.step(-1)
    assert reader.view.found.number == 4001
    reader.put("a", [*lines, Line("[disk] is full.* again")])
    assert (reader.view.found.count, reader.view.found.at, reader.view.found.number) == (3, 2, 4001)
    reader.search("nowhere")
    assert reader.view.found == Found("nowhere")
    reader.step(1)
    reader.search("")
    assert reader.view.found.query == ""


def test_the_first_error_is_shown() -> None:
    """Wherever it is; where there is none, nothing moves."""
    reader = Reader()
    reader.put("a", [Line("x", "error") if number == 700 else Line("y") for number in range(9000)])
    assert reader.view.errors == 1
    reader.first_error()
    assert reader.view.goto == (1, 701)
    assert numbers(reader)[0] <= 701 <= numbers(reader)[1]
    assert not reader.view.following
    reader.put("b", many(3))
    reader.first_error()
    assert reader.view.goto[0] == 1


def test_the_first_error_is_of_the_latest_attempt() -> None:
    """What went wrong in earlier attempts is not asked for, unless nothing else did."""
    lines = [Line("old", "error"), Line("x"), Line("x"), Line("new", "error"), Line("more", "error")]
    reader = Reader()
    reader.put("a", lines, latest=2)
    reader.first_error()
    assert reader.view.goto[1] == 4
    reader.put("b", lines[:3], latest=2)
    reader.first_error()
    assert reader.view.goto[1] == 1


@pytest.mark.parametrize("text", ["x" * 100_000, "长" * 100_000, "short"])
def test_what_is_sent_is_bounded(text: str) -> None:
    """Whatever the lines: long ones are cut and say so, many long ones are fewer."""
    reader = Reader()
    reader.put("a", [Line(text)] * 20_000)
    for move in (reader.earlier, reader.earlier, reader.earlier, reader.later, lambda: reader.search(text[:5])):
        move()
        sent = len(json.dumps([line for _, line in reader.view.lines], ensure_ascii=False).encode())
        assert sent <= MOST_BYTES
        assert reader.view.lines
    assert reader.view.lines[0][1].cut is (len(text) > 5)
    assert reader.view.lines[0][1].text.endswith("…") is (len(text) > 5)


def test_an_error_begins_at_its_start() -> None:
    """It does not follow anything."""
    reader = Reader()
    reader.put("e", many(5000), from_start=True)
    assert numbers(reader) == (1, MOST_LINES)
    assert not reader.view.following


@pytest.mark.parametrize("value", [None, 3, [], {"a": 1}, "x" * 10_000_000])
def test_a_browser_that_sends_anything_breaks_nothing(value: object) -> None:
    """Messages are not trusted."""
    reader = Reader()
    reader.put("a", many(PAGE_LINES))
    for action in ("earlier", "later", "follow", "search", "step", "first_error", "__init__", "put"):
        act_on(reader, action, value)
    assert len(reader.view.found.query) <= 2000


def test_control_characters_are_seen_and_colours_are_counted() -> None:
    """No character of a stranger moves, hides or turns around what is read."""
    text, codes = printable("\x1b[31mred\x1b[0m\tab\x00\x07 \u202egnp\x9b \ud800 \x1b]8;;http://x\x07link\r\n")
    assert codes == 3
    assert text == "red\tab\u2400\u2407 ⟨U+202E⟩gnp⟨U+009B⟩ \ufffd link\n"
    assert printable("普通 text") == ("普通 text", 0)
    assert printable("10%\r20%") == ("10%\u240d20%", 0)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("Traceback (most recent call last):", "error"),
        ("2026-11-25 10:00:00 ERROR cannot open", "error"),
        ("[error] x", "error"),
        ('{"level": "error", "msg": 1}', "error"),
        ("level=warn msg=x", "warning"),
        ("ValueError: no amount", "error"),
        ("java.lang.NullPointerException: x", "error"),
        ("error: no such file", "error"),
        ("0 errors, error_rate=0", ""),
        ("no ERRORS here", ""),
        ("【错误】无法读取", "error"),
        ("没有错误发生", ""),
        ("DeprecationWarning: old", "warning"),
        ("[WARN] slow", "warning"),
        ("[warning] slow", "warning"),
        ("128 rows", ""),
    ],
)
def test_lines_that_look_like_errors(text: str, level: str) -> None:
    """A level, a traceback, a raised error; a word in a sentence is none."""
    assert level_of(text) == level


def test_a_book_keeps_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of lines as of characters; how many came before is known, also of texts of several lines."""
    monkeypatch.setattr(lines_module, "KEPT_LINES", 3)
    book = read_book(record(f"{number}\nand more", seq=number) for number in range(5))
    assert ([one.text for one in book.records], book.skipped) == (["2\nand more", "3\nand more", "4\nand more"], 4)
    assert len(book.lines) == 6
    monkeypatch.setattr(lines_module, "KEPT_CHARS", 10)
    assert [one.text for one in read_book([record("x" * 8), record("y" * 50), record("z" * 4)]).records] == ["zzzz"]


def test_the_latest_attempt_begins_at_its_time() -> None:
    """Its place is that of the first line since then, also behind texts of several lines."""
    records = [replace(record("a\nb"), time=datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2, 3)]
    assert read_book(records).latest == 0
    assert read_book(records, since=datetime(2026, 1, 2, tzinfo=UTC)).latest == 2


def test_a_line_says_where_it_came_from() -> None:
    """Its level where it has one, else its stream; everything else is an event."""
    assert [line.mark for line in lines_of("a\nERROR b", kind="stderr")[0]] == ["stderr", "error"]
    assert lines_of("x", kind="tool_call")[0] == [Line("x", "event")]
    assert lines_of("x\ny", kind="stdout", cut=True)[0] == [Line("x", "stdout"), Line("y", "stdout", cut=True)]

"""What the table sends to the browser: bounded at any size, and words instead of markup."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from retry_toolkit.panels.state.columns import COLUMNS, DEFAULT
from retry_toolkit.panels.state.query import FAILED_ONLY
from retry_toolkit.panels.state.table import PAGE_SIZES
from retry_toolkit.panels.tasks import TasksView
from retry_toolkit.panels.view import one_line
from tests.panels.conftest import MakeDesk
from tests.panels.memory import MemoryPlatform, make_task

LIMIT = 64 * 1024
LONG = '错误"\\' * 100


def wide_tasks(count: int) -> MemoryPlatform:
    """Tasks whose every text is as long and as wide as it gets."""
    template = make_task("x", error=LONG, name=LONG, owner=LONG, native_status=LONG, duration_s=9e6)
    stage = replace(template.stages[2], stage=LONG, failure_category=LONG)
    amounts = {"retry_count": 10**9, "tokens": 10**15, "cost": 1e15 + 0.25}
    wide = replace(template, stages=(stage,), template=LONG, project=LONG, **amounts)  # type: ignore[arg-type]  # numbers
    ids = [f"{number:032d}-{'x' * 32}" for number in range(count)]
    return MemoryPlatform.of(
        *(
            replace(wide, task_id=task_id, parent_id=ids[max(number - 1, 0)] if number else None)
            for number, task_id in enumerate(ids)
        ),
        page_size=count,
    )


@pytest.mark.parametrize("count", [40, 100_000])
def test_the_message_has_a_bound(make_desk: MakeDesk, count: int) -> None:
    """Under 64 KB for the widest rows, the largest page, a full selection: as much for 40 tasks as for 100,000."""
    desk = make_desk(wide_tasks(count))
    view = TasksView(desk)
    desk.table.resize(PAGE_SIZES[-1])
    desk.table.choose_columns(COLUMNS)
    for column in COLUMNS:
        desk.table.sort_by(column, more=True)
    desk.table.select_matching()
    assert len(desk.table.selected) == count
    message = view.widget.window
    assert len(message["rows"]) == PAGE_SIZES[-1]
    assert len(json.dumps(message, ensure_ascii=False).encode()) < LIMIT


def test_rows_are_words(make_desk: MakeDesk) -> None:
    """Every cell is a text that the browser only has to set: status, lineage, retries, times in UTC."""
    platform = MemoryPlatform.of(make_task("a", retry_count=2, owner=None))
    platform._again("a", copy_files=True, name=None)
    desk = make_desk(platform)
    desk.table.filter(status=None)
    view = TasksView(desk)
    new, old = view.widget.window["rows"]
    assert new["notes"] == [["Retry of a", " · Retry 1"]]
    assert old["notes"] == [["Retried once", ""]]
    assert (old["status_word"], old["retry_count"], old["owner"], old["duration_s"]) == ("Failed", "2/3", "–", "4.2 s")
    assert old["created_at"] == "2026-11-22T09:30:00+00:00"
    desk.session.speak("zh")
    new, old = view.widget.window["rows"]
    assert new["notes"] == [["重试自 a", " · 第 1 次重试"]]
    assert old["notes"] == [["已重试 1 次", ""]]
    assert old["status_word"] == "失败"


def test_only_columns_that_are_shown_are_sent(make_desk: MakeDesk) -> None:
    """As words, missing ones as a dash; numbers with separators."""
    task = make_task("a", tokens=12345, cost=1234.5, finished_at=None, project=None, retry_count=3)
    desk = make_desk(MemoryPlatform.of(task))
    view = TasksView(desk)
    (row,) = view.widget.window["rows"]
    assert "cost" not in row
    desk.table.choose_columns(COLUMNS)
    (row,) = view.widget.window["rows"]
    assert (row["tokens"], row["cost"], row["stage_count"]) == ("12,345", "1,234.50", "4")
    assert (row["finished_at"], row["project"], row["parent_id"]) == (None, "–", "–")
    assert (row["refusal"], row["template"]) == ("at its retry limit", "sales_report")
    assert [column["key"] for column in view.widget.window["columns"]] == list(COLUMNS)
    assert view.widget.window["usual_columns"] == list(DEFAULT)


@pytest.mark.parametrize(
    ("tasks", "filters", "title", "action"),
    [
        ([], {}, "No tasks yet", None),
        ([make_task("ok", status="succeeded")], {}, "Nothing has failed", None),
        ([make_task("a")], {"text": "zzz"}, "No task matches these filters", "reset"),
    ],
)
def test_an_empty_table_says_why(
    make_desk: MakeDesk, tasks: list[object], filters: dict[str, str], title: str, action: str | None
) -> None:
    """No tasks, no failures and no match are three different things, the last with a way out."""
    desk = make_desk(MemoryPlatform.of(*tasks))  # type: ignore[arg-type]  # records, given as objects by parametrize
    desk.table.filter(**filters)
    notice = TasksView(desk).widget.window["notice"]
    assert (notice["title"], notice["action"]) == (title, action)


def test_messages_of_the_browser_reach_the_state(make_desk: MakeDesk) -> None:
    """Each of them; what nobody knows is shown as an error instead of vanishing."""
    desk = make_desk(MemoryPlatform.of(*(make_task(f"t{number}", minutes_ago=number) for number in range(30))))
    view = TasksView(desk)

    def say(**message: object) -> None:
        view.widget._handle_custom_msg(message, [])

    say(type="toggle", id="t1")
    say(type="range", id="t3")
    assert desk.table.selected == {"t1", "t2", "t3"}
    say(type="page", page=2)
    assert desk.table.page == 2
    say(type="page_size", size=20)
    assert desk.table.page_size == 20
    say(type="select_page")
    say(type="sort", column="name")
    assert desk.table.sort[0].column == "name"
    say(type="sort", column="__class__")
    assert desk.table.sort[0].column == "name"
    say(type="sort", column="cost", more=True)
    assert [sort.column for sort in desk.table.sort] == ["name", "cost"]
    say(type="columns", columns=["name", "tokens"])
    assert desk.table.columns == ("name", "tokens")
    copied: list[object] = []
    view.widget.send = copied.append
    say(type="copy_error", id="t1")
    say(type="copy_error", id="unknown")
    assert copied == [{"copy": "KeyError: column 'amount' is missing"}]
    say(type="open", id="t5")
    assert desk.report.task_id == "t5"
    desk.table.filter(text="x")
    say(type="reset")
    assert desk.table.filters == FAILED_ONLY
    assert [notice.title_key for notice in desk.session.notices.items] == ["problem.unexpected.title"]
    say(nonsense=1)
    assert len(desk.session.notices.items) == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (None, ""),
        ("  \n ", ""),
        ("KeyError: 'amount'", "KeyError: 'amount'"),
        ("first\nsecond", "first"),
        ("2 rows are malformed:\n  row 7\n  row 9", "2 rows are malformed: row 7"),
        ('Traceback (most recent call last):\n  File "x.py", line 1\nValueError: bad row\n', "ValueError: bad row"),
        (
            "Traceback (most recent call last):\n" + "  deep\n" * 9_000 + "RecursionError: too deep",
            "RecursionError: too deep",
        ),
        (
            'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: bad row\n  row 7\nask for help',
            "ValueError: bad row",
        ),
        ("a\tb\x1b[31m", "a b [31m"),
        ("x" * 200, "x" * 19 + "…"),
    ],
)
def test_an_error_in_one_line(error: str | None, line: str) -> None:
    """The line that says most, without control characters, cut to what fits."""
    assert one_line(error, 20 if line.endswith("…") else 60) == line

"""The table of tasks: the window of the state as rows of words, and what the user does as calls of the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from retry_toolkit.panels.state.columns import COLUMNS, DEFAULT
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.query import FAILED_ONLY, Sort
from retry_toolkit.panels.state.table import PAGE_SIZES, Window
from retry_toolkit.panels.view import clipped, iso, one_line, redraw, retries_text, speaks
from retry_toolkit.panels.widgets.table import TaskTable
from retry_toolkit.text import MISSING, Texts

_LONGEST: Final = {"name": 80, "error": 120, "id": 64, "word": 40}
# With many columns none of them is wide, and a page of rows still has to stay small.
_SHORTER: Final = {"name": 60, "error": 80, "id": 64, "word": 28}
_MANY: Final = 12
_FAMILIES: Final = {"failure_category": "category", "refusal": "refusal"}
_AMOUNTS: Final[Mapping[str, Callable[[Texts, Any], str | None]]] = {
    "created_at": lambda _texts, value: iso(value),
    "finished_at": lambda _texts, value: iso(value),
    "duration_s": lambda texts, value: texts.duration(value),
    "stage_count": lambda texts, value: texts.count(value),
    "tokens": lambda texts, value: texts.count(value),
    "cost": lambda _texts, value: MISSING if value is None else f"{value:,.2f}",
}
_COPIED_AT_MOST: Final = 100_000
_FIXED_LABELS: Final = (
    "sort",
    "sorted",
    "select",
    "select_page",
    "copy_id",
    "copy_error",
    "copied_row",
    "columns",
    "columns_hint",
    "columns_reset",
    "move_hint",
    "times_ago",
    "pages",
    "page_size",
    "previous",
    "next",
)


class TasksView:
    """Sends one window to the browser, whatever the size of the frame."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._session = desk.session
        self._table = desk.table
        desk.has_table = True
        self.widget: Any = TaskTable()
        self.widget.on_event(self._session.guard(self._act))
        redraw(
            self._draw,
            speaks(self._session),
            (self._table, ["window", "sort"]),
            (desk.catalog, ["loading", "problem"]),
            (desk.report, ["task_id"]),
        )

    def _act(self, message: Mapping[str, Any]) -> None:
        table, kind, task_id = self._table, message["type"], message.get("id")
        if kind == "range" and isinstance(task_id, str):
            table.extend(task_id, start=message.get("start"))
        elif isinstance(task_id, str):
            {"open": self._desk.report.open, "toggle": table.toggle, "copy_error": self._copy_error}[kind](task_id)
        elif kind == "sort" and message.get("column") in COLUMNS:
            table.sort_by(message["column"], more=message.get("more") is True)
        elif kind == "columns":
            table.choose_columns(message["columns"])
        elif kind == "page":
            table.turn_to(int(message["page"]))
        elif kind == "page_size":
            table.resize(int(message["size"]))
        else:
            {"select_page": table.toggle_page, "reset": table.reset, "reload": self._desk.refresh}[kind]()

    def _copy_error(self, task_id: str) -> None:
        catalog = self._desk.catalog.catalog
        errors = [] if catalog is None else catalog.rows((task_id,))["error"].dropna().tolist()
        if errors:
            self.widget.copy(errors[0][:_COPIED_AT_MOST])

    def _draw(self) -> None:
        self.widget.window = window_message(
            self._session.texts,
            self._table.window,
            columns=self._table.columns,
            sorts=self._table.sort,
            page_size=self._table.page_size,
            selected=self._table.selected,
            pinned=self._table.pinned,
            opened=self._desk.report.task_id,
            loading=self._desk.catalog.loading,
            notice=self._notice(),
        )

    def _notice(self) -> dict[str, str | None] | None:
        """What stands in the place of rows."""
        texts, problem, window = self._session.texts, self._desk.catalog.problem, self._table.window
        if problem is not None and window is None:
            return {
                "title": texts(problem.title_key),
                "text": " ".join(part for part in (texts(problem.advice_key), problem.words) if part),
                "action": "reload",
                "label": texts("action.try_again"),
            }
        if window is None or window.matching:
            return None
        if self._desk.catalog.catalog is not None and self._desk.catalog.catalog.tasks.empty:
            return {
                "title": texts("table.no_tasks"),
                "text": texts("table.no_tasks_hint"),
                "action": None,
                "label": None,
            }
        if self._table.filters == FAILED_ONLY:
            return {
                "title": texts("table.none_failed"),
                "text": texts("table.none_failed_hint"),
                "action": None,
                "label": None,
            }
        return {
            "title": texts("table.no_match"),
            "text": texts("table.no_match_hint"),
            "action": "reset",
            "label": texts("filters.reset"),
        }


def window_message(
    texts: Texts,
    window: Window | None,
    *,
    columns: Sequence[str],
    sorts: Sequence[Sort],
    page_size: int,
    selected: frozenset[str],
    pinned: tuple[str, ...],
    opened: str | None,
    loading: bool,
    notice: dict[str, str | None] | None,
) -> dict[str, Any]:
    """What the browser is sent: at most one page of rows with cut texts, so its size has a bound."""
    shown = window or Window(pd.DataFrame(), 0, 0, 0, 1, "none")
    rows = [
        _row(
            texts,
            row,
            columns,
            index=shown.first + offset + 2,
            selected=row["task_id"] in selected,
            pinned=row["task_id"] in pinned,
        )
        for offset, row in enumerate(shown.rows.to_dict("records"))
    ]
    return {
        "language": texts.language,
        "columns": _named(texts, columns),
        "all_columns": _named(texts, COLUMNS),
        "usual_columns": list(DEFAULT),
        "rows": rows,
        "sorts": [{"column": sort.column, "descending": sort.descending} for sort in sorts],
        "page": shown.page,
        "pages": shown.pages,
        "page_size": page_size,
        "page_sizes": [{"value": size, "label": texts("table.page_size_n", n=size)} for size in PAGE_SIZES],
        "page_selection": shown.page_selection,
        "matching": shown.matching,
        "open": opened,
        "loading": loading,
        "notice": notice,
        "labels": _labels(texts, shown, len(rows)),
    }


def _named(texts: Texts, columns: Sequence[str]) -> list[dict[str, str]]:
    return [{"key": key, "label": texts(f"table.{key}")} for key in columns]


def _labels(texts: Texts, window: Window, rows: int) -> dict[str, str]:
    # Of `select` and `sorted` the browser gets the template: a name is not sent twice.
    return {key: texts(f"table.{key}") for key in _FIXED_LABELS} | {
        "table": texts("table.label"),
        "page": texts("table.page", page=window.page + 1, pages=window.pages),
        "range": texts(
            "table.range",
            first=texts.count(window.first + 1),
            last=texts.count(window.first + rows),
            n=texts.count(window.matching),
        )
        if rows
        else "",
    }


def _row(
    texts: Texts, row: Mapping[Any, Any], columns: Sequence[str], *, index: int, selected: bool, pinned: bool
) -> dict[str, Any]:
    longest = _LONGEST if len(columns) <= _MANY else _SHORTER
    known = {key: None if pd.isna(value) else value for key, value in row.items()}
    always = {
        "id": known["task_id"],
        "index": index,
        "selected": selected,
        "pinned": pinned,
        "status": known["status"],
        "status_word": texts.word("status", known["status"]),
        "native_status": clipped(known["native_status"] or "", longest["word"]),
        "name": clipped(str(known["name"] or known["task_id"]), longest["name"]),
        "notes": _notes(texts, known),
    }
    return always | {column: _cell(texts, column, known, longest) for column in columns if column not in always}


def _cell(texts: Texts, column: str, row: Mapping[Any, Any], longest: Mapping[str, int]) -> str | None:
    """A cell as words, a time as it travels."""
    value = row[column]
    if column == "error":
        return one_line(value, longest["error"])
    if column == "retry_count":
        return retries_text(texts, value, row["retry_limit"])
    if column in _FAMILIES:
        return clipped(texts.word(_FAMILIES[column], value), longest["word"])
    if column in _AMOUNTS:
        return _AMOUNTS[column](texts, value)
    return clipped(value or MISSING, longest["id" if column == "parent_id" else "word"])


def _notes(texts: Texts, row: Mapping[Any, Any]) -> list[list[str]]:
    """The lineage of a task in words: whose retry it is, and how often it was retried itself.

    A note is two parts, of which only the first may be cut: an id is long, and what follows it is the point.
    """
    notes: list[list[str]] = []
    if row["parent_id"] is not None:
        parent = texts("lineage.retry_of", parent=clipped(str(row["parent_id"]), _LONGEST["id"]))
        notes.append([parent, f" · {texts('lineage.retry_number', n=row['depth'])}" if row["depth"] else ""])
    if row["children"]:
        notes.append([texts("lineage.retried", n=row["children"]), ""])
    return notes

"""Every filter that is on, each with a cross; and what can be done with all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from retry_toolkit.frames.filters import CATEGORY_FILTERS, Choice
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.query import OFF, View
from retry_toolkit.panels.view import clipped, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, copy_button, el, moment
from retry_toolkit.text import MISSING, Texts

_TIMES: Final = ("since", "until", "ended_since")
_FAMILIES: Final = {"status": "status", "failure_category": "category", "refusal": "refusal"}
_LONGEST: Final = 80
_TITLE_AT_MOST: Final = 400
_CODE_AT_MOST: Final = 16_000


class ChipsView:
    """`widget` holds the chips, `tools` the buttons behind them."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._table = desk.table
        self._chips, self._tools = Fragment(), Fragment()
        for fragment in (self._chips, self._tools):
            fragment.on_action(self._session.guard(self._act))
        self.widget: Any = self._chips
        self.tools: Any = self._tools
        redraw(self._draw, speaks(self._session), (self._table, ["filters", "span", "sort"]))

    def _act(self, action: str, value: str | None) -> None:
        if action == "reset":
            self._table.reset()
        elif action == "drop" and value == "span":
            self._table.show_last("")
        elif action == "drop" and value is not None and value in OFF:
            self._table.filter(**{value: OFF[value]})

    def _draw(self) -> None:
        texts, view = self._session.texts, self._table.view
        chips: list[Child] = list(_chips(texts, view))
        empty = el("li", texts("filters.none"), cls="fd-muted")
        row = el("ul", *(chips or [empty]), cls="fd-chips", aria_label=texts("filters.on"))
        self._chips.show(row, language=texts.language)
        code = self._table.code()
        fits = len(code) <= _CODE_AT_MOST
        copy = copy_button(
            texts("filters.copy_code"),
            texts("action.copied"),
            text=code if fits else None,
            disabled=not fits,
            title=texts("filters.copy_code_hint" if fits else "filters.copy_code_long"),
        )
        reset = button(texts("filters.reset"), action="reset") if view != View() else None
        self._tools.show(el("div", copy, reset, cls="fd-tools-end"), language=texts.language)


def _chips(texts: Texts, view: View) -> Iterator[Node]:
    filters = view.filters
    for name in CATEGORY_FILTERS:
        choice: Choice = getattr(filters, name)
        if choice is not None:
            words = (choice,) if isinstance(choice, str) else choice
            word = texts.join(texts.word(_FAMILIES.get(name, "-"), word) for word in words) or MISSING
            yield _chip(texts, name, f"{texts(f'filters.{name}')}: {clipped(word, _LONGEST)}", title=word)
    if view.span:
        yield _chip(texts, "span", f"{texts('filters.created')}: {texts(f'filters.span_{view.span}')}")
    for name in _TIMES:
        time = getattr(filters, name)
        if time is not None and not (name == "since" and view.span):
            failed = name == "ended_since" and filters.status == "failed"
            yield _chip(
                texts, name, texts("filters.failed_since" if failed else f"filters.chip_{name}"), moment(time, "")
            )
    if filters.retryable_only:
        yield _chip(texts, "retryable_only", texts("filters.retryable_only"))
    if filters.text.strip():
        sought = filters.text.strip()
        yield _chip(texts, "text", f"{texts('filters.text')}: {clipped(sought, _LONGEST)}", title=sought)
    if filters.task_ids is not None:
        count = len(filters.task_ids)
        yield _chip(texts, "task_ids", texts("filters.task_ids", n=count, count=texts.count(count)))


def _chip(texts: Texts, name: str, words: str, time: Node | None = None, *, title: str | None = None) -> Node:
    close = button("×", action="drop", value=name, cls="fd-close", aria_label=texts("filters.drop", name=words))
    shown = el("span", words, " " if time else None, time, cls="fd-chip-words")
    return el("li", shown, close, cls="fd-chip", title=clipped(title, _TITLE_AT_MOST) if title else None, data_key=name)

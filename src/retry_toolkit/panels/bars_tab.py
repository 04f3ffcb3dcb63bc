"""What the tabs with bars have in common: words above, a choice of bars, the bars, and what a click on one did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import ipywidgets

from retry_toolkit.frames.filters import Filters
from retry_toolkit.panels.bars import BarsView
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.problems import Problem
from retry_toolkit.panels.view import problem_nodes
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el
from retry_toolkit.text import Texts

SHOWN: Final = 10
"""Bars of names, at most."""


class BarsTab:
    """A click on a bar, or on its line, calls what `_choices` has under its key."""

    def __init__(self, desk: DeskState, cls: str) -> None:
        self._desk = desk
        self._session = desk.session
        self._choices: dict[str, Callable[[], None]] = {}
        self._head, self._tools, self._note = Fragment(), Fragment(), Fragment()
        for fragment in (self._head, self._tools):
            fragment.on_action(self._session.guard(self._act))
        self._bars = BarsView(self._session, self._choose)
        self.widget: Any = ipywidgets.VBox([self._head, self._tools, self._bars.widget, self._note])
        self.widget.add_class("fd-cost-tab").add_class(cls)

    def _act(self, action: str, value: str | None) -> None:
        raise NotImplementedError

    def _choose(self, key: str) -> None:
        if key in self._choices:
            self._choices[key]()

    def _show_only(self, filters: Filters) -> None:
        """Have the table show these tasks and say so; where there is no table, whoever watches the filters has them."""
        self._desk.table.show_only(filters)
        texts = self._session.texts
        count = None if filters.task_ids is None else len(filters.task_ids)
        self._note.show(_shown_node(texts, count, has_table=self._desk.has_table), language=texts.language)

    def _show_head(self, texts: Texts, parts: list[Child]) -> None:
        self._head.show(el("div", parts, cls="fd-cost-head"), language=texts.language)


def problem_card(texts: Texts, problem: Problem) -> Node:
    """What went wrong, and a way to try again."""
    retry = button(texts("action.try_again"), action="reload", cls="fd-button")
    return el("div", el("div", problem_nodes(texts, problem), retry), cls="fd-notice-card fd-error", role="alert")


def names_head(texts: Texts, key: str) -> str:
    """What the rows of a table are."""
    return texts(f"chart.head_{key}")


def _shown_node(texts: Texts, count: int | None, *, has_table: bool) -> Node:
    """That the table has changed, which may be out of sight, and the way there; or what is chosen now."""
    if not has_table and count is not None:
        return el("p", texts("chart.chosen", n=count, count=texts.count(count)), role="status")
    words = texts("chart.shown_all") if count is None else texts("chart.shown", n=count, count=texts.count(count))
    there = button(texts("chart.to_table"), data_scroll="fd-list") if has_table else None
    return el("p", el("span", words), " ", there, cls="fd-row", role="status")

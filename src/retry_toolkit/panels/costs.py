"""What does it cost? Lineages, disk, tokens and money, each built when its tab is first opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import ipywidgets

from retry_toolkit.panels.disk import DiskView
from retry_toolkit.panels.forest import ForestView
from retry_toolkit.panels.spending import SpendingView
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import el


class CostTab(Protocol):
    """What a tab shows."""

    widget: Any

    def show(self, shown: bool) -> None:
        """The tab was opened or left."""


TABS: Final[dict[str, Callable[[DeskState], CostTab]]] = {
    "lineages": ForestView,
    "disk": DiskView,
    "spending": SpendingView,
}


class CostsView:
    """Three tabs, of which only what is open is kept up to date; `first` of the `TABS` is open to begin with."""

    def __init__(self, desk: DeskState, first: str = "lineages") -> None:
        self._desk = desk
        self._session = desk.session
        self._built: dict[int, CostTab] = {}
        self._head = Fragment()
        self._tabs: Any = ipywidgets.Tab(
            children=[ipywidgets.VBox([]) for _ in TABS], selected_index=list(TABS).index(first)
        )
        self._tabs.observe(self._session.guard(lambda _change: self._open()), names="selected_index")
        self.widget: Any = ipywidgets.VBox([self._head, self._tabs])
        self.widget.add_class("fd-card").add_class("fd-costs")
        redraw(self._draw, speaks(self._session), (desk.catalog, ["catalog", "problem"]))
        self._open()

    def _open(self) -> None:
        chosen = self._tabs.selected_index
        for index, tab in self._built.items():
            if index != chosen:
                tab.show(False)
        if chosen is None:
            return
        if chosen not in self._built:
            self._built[chosen] = list(TABS.values())[chosen](self._desk)
            self._tabs.children[chosen].children = (self._built[chosen].widget,)
        self._built[chosen].show(True)

    def _draw(self) -> None:
        texts = self._session.texts
        self._tabs.titles = tuple(texts(f"costs.{name}") for name in TABS)
        unread = self._desk.catalog.catalog is None and self._desk.catalog.problem is not None
        self._tabs.layout.display = "none" if unread else None
        title = el("div", el("h2", texts("costs.title")), cls="fd-card-head")
        note = [el("p", texts("costs.unread"), cls="fd-muted fd-costs-note")] if unread else []
        self._head.show(title, *note, language=texts.language)

"""The row of figures; each shows exactly its tasks in the table when it is clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from retry_toolkit.frames.filters import Filters
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.figures import FIGURES, filters_of
from retry_toolkit.panels.state.query import FAILED_ONLY
from retry_toolkit.panels.view import around, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, el, moment
from retry_toolkit.text import MISSING, Texts


class FiguresView:
    """Failed, new since the last visit, retryable, at their limit, in progress, recovered by a retry, extra disk.

    `names` are those of `FIGURES` to show.
    """

    def __init__(self, desk: DeskState, names: Sequence[str] = FIGURES) -> None:
        self._desk = desk
        self._names = names
        self._fragment = Fragment()
        self._fragment.on_action(desk.session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(desk.session),
            (desk, ["figures"]),
            (desk.catalog, ["problem"]),
            (desk.presence, ["arrived"]),
            (desk.disk, ["cost", "loading", "problem"]),
            (desk.table, ["filters"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "filter" and value in FIGURES:
            target = self._filters(value)
            if target is not None:
                # Pressed again, a figure gives way to what the page begins with.
                self._desk.table.show_only(FAILED_ONLY if target == self._desk.table.filters else target)

    def _draw(self) -> None:
        texts = self._desk.session.texts
        cards = [self._build_card(texts, name) for name in self._names]
        row = el("div", *cards, cls="fd-figures", role="group", aria_label=texts("figures.label"))
        self._fragment.show(row, language=texts.language)

    def _build_card(self, texts: Texts, name: str) -> Node:
        value = self._disk_value(texts) if name == "disk" else self._value(texts, name)
        target = self._filters(name)
        shown = target is not None and target == self._desk.table.filters
        return el(
            "button",
            el("span", texts(f"figures.{name}"), cls="fd-figure-name"),
            el("span", value, cls="fd-figure-value") if value else _grey("fd-figure-value"),
            el("span", self._note(texts, name), cls="fd-figure-note"),
            type="button",
            cls="fd-figure",
            data_key=name,
            data_action="filter",
            data_value=name,
            disabled=target is None,
            aria_busy="true" if value is None else None,
            aria_pressed="true" if shown else "false",
        )

    def _value(self, texts: Texts, name: str) -> str | None:
        """The figure in digits; None while it is not known yet."""
        figures = self._desk.figures
        if figures is None:
            return None if self._desk.catalog.problem is None else MISSING
        if name == "new" and figures.new is None:
            return MISSING if self._desk.presence.arrived else None
        return texts.count(getattr(figures, name))

    def _disk_value(self, texts: Texts) -> str | None:
        disk = self._desk.disk
        if disk.cost is not None:
            return texts.size(disk.cost.known_total)
        waits = disk.supported and disk.problem is None and self._desk.catalog.problem is None
        return None if waits else MISSING

    def _note(self, texts: Texts, name: str) -> Child:
        figures, disk = self._desk.figures, self._desk.disk
        if name == "new" and figures is not None:
            if figures.last_visit is None:
                return texts("figures.new_first") if self._desk.presence.arrived else None
            return around(texts, "figures.new_since", moment(figures.last_visit, MISSING, "clock"))
        if name == "disk" and not disk.supported:
            return texts("figures.disk_unsupported")
        if name == "disk" and disk.cost is not None and disk.cost.unknown:
            return texts("figures.disk_unknown", n=disk.cost.unknown)
        return texts(f"figures.{name}_note")

    def _filters(self, name: str) -> Filters | None:
        figures, cost = self._desk.figures, self._desk.disk.cost
        if figures is None or (name == "disk" and cost is None):
            return None
        return filters_of(name, figures, cost.holders if cost is not None else ())


def _grey(cls: str) -> Node:
    """A bar in the place of what is not known yet."""
    return el("span", el("span", cls="fd-grey"), cls=cls)

"""The row of figures; those that name a set of tasks show it in the table when they are clicked."""

from __future__ import annotations

from typing import Any, Final

from retry_toolkit.frames.filters import ACTIVE, Filters
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Node, el
from retry_toolkit.text import MISSING, Texts

_SETS: Final[dict[str, dict[str, Any]]] = {
    "failed": {"status": "failed", "retryable_only": False, "refusal": None},
    "retryable": {"status": "failed", "retryable_only": True, "refusal": None},
    "at_limit": {"status": "failed", "retryable_only": False, "refusal": "limit_reached"},
    "running": {"status": ACTIVE, "retryable_only": False, "refusal": None},
}


class FiguresView:
    """Failed, retryable, at their limit, in progress, recovered by a retry, extra disk."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._fragment = Fragment()
        self._fragment.on_action(desk.session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(desk.session),
            (desk, ["figures"]),
            (desk.disk, ["cost", "loading"]),
            (desk.table, ["filters"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "filter" and value in _SETS:
            self._desk.table.filter(**_SETS[value])

    def _draw(self) -> None:
        texts, figures = self._desk.session.texts, self._desk.figures
        cards = [
            _card(texts, name, MISSING if figures is None else texts.count(getattr(figures, name)), self._shown(name))
            for name in (*_SETS, "recovered")
        ]
        cards.append(_card(texts, "disk", self._disk(texts), None, self._disk_note(texts)))
        row = el("div", *cards, cls="fd-figures", role="group", aria_label=texts("figures.label"))
        self._fragment.show(row, language=texts.language)

    def _shown(self, name: str) -> bool | None:
        """Whether the table shows this figure's tasks; None where the figure names no set."""
        if name not in _SETS:
            return None
        filters: Filters = self._desk.table.filters
        return all(getattr(filters, key) == value for key, value in _SETS[name].items())

    def _disk(self, texts: Texts) -> str:
        cost = self._desk.disk.cost
        return MISSING if cost is None else texts.size(cost.total)

    def _disk_note(self, texts: Texts) -> str | None:
        cost = self._desk.disk.cost
        if not self._desk.disk.supported:
            return texts("figures.disk_unsupported")
        return texts("figures.disk_unknown", n=cost.unknown) if cost is not None and cost.unknown else None


def _card(texts: Texts, name: str, value: str, shown: bool | None, note: str | None = None) -> Node:
    title, small = texts(f"figures.{name}"), note or texts(f"figures.{name}_note")
    parts = (
        el("span", title, cls="fd-figure-name"),
        el("span", value, cls="fd-figure-value"),
        el("span", small, cls="fd-figure-note"),
    )
    if shown is None:
        return el("div", *parts, cls="fd-figure", data_key=name)
    return el(
        "button",
        *parts,
        type="button",
        cls="fd-figure",
        data_key=name,
        data_action="filter",
        data_value=name,
        aria_label=f"{title}: {value} {small}",
        aria_pressed="true" if shown else "false",
    )

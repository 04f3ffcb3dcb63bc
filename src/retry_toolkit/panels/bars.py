"""Bars with a tooltip and a click, and beside them the same as a table: exact, and for those who hear the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ipywidgets

from retry_toolkit.charts import Bar, Frame, Measure, Over, close_bars, draw_bars, plan_bars, redraw_bars
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Node, button, el
from retry_toolkit.text import Texts

LEGEND: Final = ("first", "second")


@dataclass(frozen=True, slots=True)
class Row:
    """One bar and its line in the table: `key` is what a click sends where the row `leads` anywhere.

    `title` is what the tooltip says first.
    """

    key: str
    name: str
    parts: tuple[float | None, float | None]
    cells: tuple[str, ...]
    title: str | None = None
    leads: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: rows in their order, the `heads` of name and cells, the words of the two parts."""

    rows: Sequence[Row]
    heads: Sequence[str]
    parts: tuple[str, str]
    caption: str
    measure: Measure
    over: Over = "names"


class BarsView:
    """`on_choose` hears the key of the bar, or of the line, that was clicked."""

    def __init__(self, session: Session, on_choose: Callable[[str], None]) -> None:
        self._session = session
        self._choose = session.guard(on_choose)
        self._chart: Chart | None = None
        self._frame: Frame | None = None
        self._table, self._tip, self._nothing = Fragment(), Fragment(), Fragment()
        self._tip.add_class("fd-tip")
        self._table.on_action(session.guard(self._act))
        self._legend = Fragment()
        self._plot: Any = ipywidgets.VBox([])
        self._plot.add_class("fd-plot")
        figure = ipywidgets.VBox([self._legend, self._plot])
        figure.add_class("fd-chart")
        self._table.add_class("fd-chart-table")
        self.widget: Any = ipywidgets.HBox([figure, self._table])
        self.widget.add_class("fd-bars-view")

    def show(self, texts: Texts, chart: Chart | None) -> None:
        """Draw this; nothing for None. Where only amounts have changed, the bars of the figure that is there change."""
        self.widget.layout.display = None if chart else "none"
        if chart is None:
            self._table.show(language=texts.language)
            return
        self._chart = chart
        self._table.show(_table(chart), language=texts.language)
        swatches = [
            el("span", word, cls=f"fd-swatch fd-swatch-{place}")
            for place, word in zip(LEGEND, chart.parts, strict=True)
        ]
        self._legend.show(el("p", *swatches, cls="fd-row"), language=texts.language)
        self._plot_bars(texts, chart)

    def _plot_bars(self, texts: Texts, chart: Chart) -> None:
        drawable = any(part for row in chart.rows for part in row.parts)
        bars = [Bar(row.name, row.parts) for row in chart.rows]
        plan = plan_bars(texts, bars, chart.measure, chart.over) if drawable else None
        if plan is not None and plan.frame == self._frame:
            redraw_bars(self._plot.children[0], plan)
            return
        before, self._frame = (self._plot.children if self._frame else ()), plan.frame if plan else None
        if plan is not None:
            self._plot.children = (self._listening(draw_bars(plan)),)
        else:
            # Of nothing, and of what is unknown, there is no bar to draw.
            self._nothing.show(el("p", texts("chart.nothing"), cls="fd-muted fd-plot-empty"), language=texts.language)
            self._plot.children = (self._nothing,)
        for figure in before:
            close_bars(figure)

    def _listening(self, figure: Any) -> Any:
        (marks,) = figure.marks
        marks.tooltip = self._tip
        marks.on_hover(self._session.guard(self._hovered))
        marks.on_element_click(self._session.guard(self._clicked))
        return figure

    def _act(self, action: str, value: str | None) -> None:
        if action == "choose" and value is not None:
            self._choose(value)

    def _clicked(self, _mark: object, content: Any) -> None:
        row = self._row_of(content.get("data"))
        if row is not None and row.leads:
            self._choose(row.key)

    def _hovered(self, _mark: object, content: Any) -> None:
        row, chart = self._row_of(content.get("data")), self._chart
        if row is None or chart is None:
            return
        lines = [
            el("div", el("span", head, cls="fd-muted"), " ", el("span", cell), cls="fd-tip-line")
            for head, cell in zip(chart.heads[1:], row.cells, strict=True)
        ]
        self._tip.show(el("div", el("strong", row.title or row.name), *lines), language=self._session.texts.language)

    def _row_of(self, data: Any) -> Row | None:
        """The row that an event of the figure is about: anything can come from a page."""
        index = data.get("index") if isinstance(data, dict) else None
        rows = self._chart.rows if self._chart else ()
        return rows[index] if isinstance(index, int) and 0 <= index < len(rows) else None


def _table(chart: Chart) -> Node:
    head = el(
        "tr",
        *(el("th", word, scope="col", cls="fd-number" if place else None) for place, word in enumerate(chart.heads)),
    )
    rows = [
        el(
            "tr",
            el(
                "th",
                button(row.title or row.name, action="choose", value=row.key, cls="fd-link fd-chart-name")
                if row.leads
                else row.title or row.name,
                scope="row",
            ),
            *(el("td", cell, cls="fd-number") for cell in row.cells),
            data_key=row.key,
        )
        # Of days the last is looked at first.
        for row in (chart.rows if chart.over == "names" else reversed(chart.rows))
    ]
    return el(
        "table",
        el("caption", chart.caption, cls="fd-hidden-text"),
        el("thead", head),
        el("tbody", *rows),
        cls="fd-numbers",
    )

"""What retries cost on disk: a chart of the dearest lineages, the formula in words, and the same as a table."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets
import pandas as pd

from retry_toolkit.charts import chart_disk_cost
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.disk import DiskCost
from retry_toolkit.panels.view import problem_nodes, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el
from retry_toolkit.text import Texts

SHOWN_ROOTS: Final = 10


class DiskView:
    """Extra bytes of the lineages: copied against linked."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._session = desk.session
        self._disk = desk.disk
        self._head, self._table = Fragment(), Fragment()
        for fragment in (self._head, self._table):
            fragment.on_action(self._session.guard(self._act))
        self._chart: Any = ipywidgets.VBox([])
        self._chart.add_class("fd-chart")
        figure = ipywidgets.HBox([self._chart, self._table])
        figure.add_class("fd-disk-figure")
        self.widget: Any = ipywidgets.VBox([self._head, figure])
        self.widget.add_class("fd-card").add_class("fd-disk")
        redraw(self._draw, speaks(self._session), (self._disk, ["cost", "loading", "problem"]))

    def _act(self, action: str, value: str | None) -> None:
        if action == "reload":
            self._disk.load()
        elif action == "open" and value is not None:
            self._desk.report.open(value)

    def _draw(self) -> None:
        texts, cost = self._session.texts, self._disk.cost
        top = None if cost is None or cost.by_root.empty else cost.by_root.head(SHOWN_ROOTS)
        self._head.show(el("div", self._build_head(texts, cost)), language=texts.language)
        self._chart.children = () if top is None or not _costs(top) else (chart_disk_cost(texts, top),)
        self._table.show(*([_table_node(texts, top)] if top is not None else []), language=texts.language)

    def _build_head(self, texts: Texts, cost: DiskCost | None) -> list[Child]:
        title = el("div", el("h2", texts("disk.title")), cls="fd-card-head")
        if not self._disk.supported:
            return [title, el("p", texts("disk.unsupported"), cls="fd-muted")]
        if self._disk.problem is not None:
            retry = button(texts("action.try_again"), action="reload", cls="fd-button")
            return [
                title,
                el("div", problem_nodes(texts, self._disk.problem), retry, cls="fd-notice-card fd-error", role="alert"),
            ]
        if cost is None:
            return [title, el("p", texts("disk.loading"), cls="fd-muted", role="status")]
        lines: list[Child] = [title, el("p", texts("disk.formula"), cls="fd-muted")]
        if cost.by_root.empty:
            return [*lines, el("p", texts("disk.empty"))]
        total = texts("disk.total", size=texts.size(cost.total), n=len(cost.by_root))
        lines.append(
            el("p", el("strong", total), f" {texts('disk.unknown', n=cost.unknown)}" if cost.unknown else None)
        )
        lines.append(
            el(
                "p",
                el("span", texts("disk.copied"), cls="fd-swatch fd-swatch-copied"),
                el("span", texts("disk.linked"), cls="fd-swatch fd-swatch-linked"),
                cls="fd-row",
            )
        )
        if cost.left_out:
            lines.append(el("p", texts("disk.left_out", n=cost.left_out), cls="fd-warning"))
        return lines


def _costs(top: pd.DataFrame) -> bool:
    """Whether there is anything to draw: of unknown sizes there is not."""
    return bool((top["extra_bytes"] + top["saved_bytes"].fillna(0)).sum())


def _table_node(texts: Texts, top: pd.DataFrame) -> Node:
    """What the chart shows, for those who do not see it, and with exact sizes."""
    names = ("root", "retries", "copied", "linked", "unknown_count")
    head = el(
        "tr",
        *(el("th", texts(f"disk.{name}"), scope="col", cls=None if name == "root" else "fd-number") for name in names),
    )
    rows = [
        el(
            "tr",
            el(
                "th",
                button(
                    str(row["root_id"] if pd.isna(row["name"]) else row["name"]), action="open", value=row["root_id"]
                ),
                scope="row",
            ),
            *(el("td", text, cls="fd-number") for text in _amounts(texts, row)),
            data_key=row["root_id"],
        )
        for row in top.to_dict("records")
    ]
    return el(
        "table",
        el("caption", texts("disk.caption", n=SHOWN_ROOTS), cls="fd-hidden-text"),
        el("thead", head),
        el("tbody", *rows),
        cls="fd-numbers",
    )


def _amounts(texts: Texts, row: Any) -> tuple[str, ...]:
    return (
        texts.count(int(row["retries"])),
        texts.size(int(row["extra_bytes"])),
        texts.size(None if pd.isna(row["saved_bytes"]) else int(row["saved_bytes"])),
        texts.count(int(row["unknown"])),
    )

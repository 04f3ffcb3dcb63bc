"""Lineages of a frame in a cell of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import ipywidgets
import pandas as pd
from traitlets import Bunch

from retry_toolkit.frames.build import empty_frame
from retry_toolkit.frames.schema import LINEAGE
from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.lineage import LineageView
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.frames import FramePlatform, check_columns, of_lineage, of_tasks
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el, status
from retry_toolkit.settings import Language
from retry_toolkit.text import MISSING, Texts

SHOWN_ROOTS: Final = 50
_OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "recovered": ("state.SUCCEEDED", "succeeded"),
    "failed": ("status.failed", "failed"),
    "open": ("status.active", "running"),
    "cancelled": ("status.cancelled", "cancelled"),
}


class LineagePanel(Panel):
    """The lineages of a frame, the largest first, and the tree of the one that is chosen.

    Args:
        frame: Tasks as `load_tasks` gives them, or a lineage as `load_lineage` gives it: that one tells how tasks hang
            together, but neither their names nor how they stand.
        language: Language to begin with; the setting `language` if None.
        background: Where long work runs; threads if None.

    Attributes:
        selected: The chosen task, as a tuple of one id or none. Setting it shows the tree that it stands in.
        frame: The lineage of every task; columns of `schema.LINEAGE`.

    Raises:
        TypeError: It is no frame.
        ValueError: The frame lacks a column; the message names it.
    """

    def __init__(
        self, frame: pd.DataFrame, *, language: Language | None = None, background: Background | None = None
    ) -> None:
        super().__init__(make_state(_platform(frame), language=language, background=background), owned=True)
        # A lineage knows how it came out, which without the states of its tasks nobody could tell.
        self._given = None if "status" in frame.columns else frame
        self._list = Fragment()
        self._list.on_action(self.state.session.guard(self._act))
        self._tree = ipywidgets.VBox([LineageView(self.state).widget])
        self._tree.add_class("fd-alone-tree")
        body = ipywidgets.HBox([self._list, self._tree])
        body.add_class("fd-card").add_class("fd-alone-lineages")
        self._build(body)
        self._bind()
        self.state.catalog.load()

    def _bind(self) -> None:
        catalog, report = self.state.catalog, self.state.report
        redraw(self._draw, speaks(self.state.session), (catalog, ["catalog"]), (report, ["task_id"]))
        catalog.observe(lambda _: self._loaded(), names="catalog")
        report.observe(lambda _: self._take_open(), names="task_id")
        self.observe(self._open, names="selected")

    def _loaded(self) -> None:
        """The largest lineage is the first to be looked at."""
        self._renew()
        roots = self._roots()
        if self.state.report.task_id is None and not roots.empty:
            self.state.report.open(str(roots["root_id"].iloc[0]))

    def _take_open(self) -> None:
        task_id = self.state.report.task_id
        self.selected = () if task_id is None else (task_id,)

    def _open(self, change: Bunch) -> None:
        if change.new and change.new[0] != self.state.report.task_id:
            self.state.report.open(change.new[0])

    def _act(self, action: str, value: str | None) -> None:
        if action == "open" and value is not None:
            self.state.report.open(value)

    def _make_frame(self) -> pd.DataFrame:
        if self._given is not None:
            return self._given
        catalog = self.state.catalog.catalog
        return empty_frame(LINEAGE) if catalog is None else catalog.lineage

    def _roots(self) -> pd.DataFrame:
        """One row a lineage of several tasks, the largest first."""
        catalog = self.state.catalog.catalog
        lineage = empty_frame(LINEAGE) if catalog is None else self.current_frame()
        roots = lineage[(lineage["tree_size"] > 1) & (lineage["task_id"] == lineage["root_id"])]
        return roots.sort_values("tree_size", ascending=False, kind="stable")

    def _draw(self) -> None:
        texts, roots = self.state.session.texts, self._roots()
        title = el("h2", texts("alone.lineages"))
        self._tree.layout.display = "none" if self.state.report.task_id is None else None
        if roots.empty:
            words = texts("alone.no_lineages" if self.state.catalog.catalog is not None else "header.starting")
            self._list.show(title, el("p", words, cls="fd-muted"), language=texts.language)
            return
        shown = roots.head(SHOWN_ROOTS)
        names = self._names(shown)
        chosen = self._chosen_root()
        rows = [_row(texts, row, names, chosen) for row in shown.to_dict("records")]
        left = len(roots) - len(shown)
        more = el("p", texts("outcome.more", n=left, count=texts.count(left)), cls="fd-muted") if left else None
        self._list.show(title, _table(texts, rows), *([more] if more else []), language=texts.language)

    def _names(self, roots: pd.DataFrame) -> dict[str, str]:
        catalog = self.state.catalog.catalog
        if catalog is None:
            return {}
        rows = catalog.rows(roots["root_id"]).dropna(subset=["name"])
        return dict(zip(rows["task_id"].tolist(), rows["name"].tolist(), strict=True))

    def _chosen_root(self) -> str | None:
        catalog, task_id = self.state.catalog.catalog, self.state.report.task_id
        if catalog is None or task_id is None or task_id not in catalog:
            return None
        return str(catalog.lineage["root_id"].iloc[catalog.places[task_id]])


def _platform(frame: pd.DataFrame) -> FramePlatform:
    check_columns(frame, ("task_id", "parent_id"), "The frame of tasks or of lineage")
    if "status" in frame.columns:
        return of_tasks(frame)
    check_columns(frame, ("root_id", "tree_size", "outcome"), "The frame of lineage")
    return of_lineage(frame)


def _table(texts: Texts, rows: list[Node]) -> Node:
    names = ("root", "outcome", "tasks")
    head = el("tr", *(el("th", texts(f"alone.{name}"), scope="col", cls=_class(name)) for name in names))
    return el("table", el("thead", head), el("tbody", *rows), cls="fd-numbers")


def _class(name: str) -> str | None:
    return "fd-number" if name == "tasks" else None


def _row(texts: Texts, row: Mapping[Any, Any], names: Mapping[str, str], chosen: str | None) -> Node:
    root = str(row["root_id"])
    key, shape = _OUTCOMES.get(str(row["outcome"]), ("", ""))
    outcome: Child = status(texts(key), shape) if key else MISSING
    pressed = "true" if root == chosen else "false"
    name = button(names.get(root, root), action="open", value=root, cls="fd-link fd-item-name", aria_pressed=pressed)
    return el(
        "tr",
        el("th", name, scope="row"),
        el("td", outcome),
        el("td", texts.count(int(row["tree_size"])), cls="fd-number"),
        cls="fd-chosen" if root == chosen else None,
        data_key=root,
    )

"""The lineage of the open task as a tree to click."""

from __future__ import annotations

from typing import Any

import ipywidgets

from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.lineage import LineageTree
from retry_toolkit.panels.widgets.lineage_svg import lineage_svg
from retry_toolkit.panels.widgets.markup import el


class LineageView:
    """Choosing a task in the tree opens its report."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._lineage = desk.lineage
        self._report = desk.report
        self._note = Fragment()
        self._tree = LineageTree()
        self._tree.on_open(self._session.guard(self._report.open))
        self.widget: Any = ipywidgets.VBox([self._note, self._tree])
        redraw(self._draw, speaks(self._session), (self._lineage, ["tree"]))

    def _draw(self) -> None:
        texts, tree = self._session.texts, self._lineage.tree
        alone = tree is None or len(tree.nodes) == 1
        with self._tree.hold_sync():
            self._tree.empty = texts("lineage.empty")
            self._tree.svg = "" if tree is None or alone else lineage_svg(texts, tree.nodes, tree.current)
        words = []
        if tree is not None and not alone:
            words.append(el("p", texts("lineage.summary", n=len(tree.nodes) + tree.left_out), cls="fd-muted"))
        if tree is not None and tree.left_out:
            words.append(
                el(
                    "p",
                    texts("lineage.left_out", n=len(tree.nodes), total=len(tree.nodes) + tree.left_out),
                    cls="fd-warning",
                )
            )
        self._note.show(*words, language=texts.language)

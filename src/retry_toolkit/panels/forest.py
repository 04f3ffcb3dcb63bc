"""All lineages that have a retry: counted by outcome, drawn as trees, to be saved as a drawing."""

from __future__ import annotations

from typing import Any

import ipywidgets

from retry_toolkit.analysis.forest import OUTCOMES, Forest
from retry_toolkit.drawing import OUTCOME_SHAPES, WIDTH, forest_file, forest_svg
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.frames import FramePlatform
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.forest import ForestTree
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el, segments, waiting
from retry_toolkit.text import Texts

FILE_NAME = "lineages.svg"


class ForestView:
    """Choosing a task opens its report; an outcome, or the table's filters, choose the lineages."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._session = desk.session
        self._forest = desk.forest
        self._head, self._foot = Fragment(), Fragment()
        for fragment in (self._head, self._foot):
            fragment.on_action(self._session.guard(self._act))
        self._tree = ForestTree()
        self._tree.on_open(self._session.guard(self._desk.report.open))
        self._tree.on_toggle(self._session.guard(self._forest.toggle))
        self._tree.on_width(self._session.guard(self._fit))
        self._width = WIDTH
        self._drawn: tuple[Forest, Texts, int] | None = None
        self.widget: Any = ipywidgets.VBox([self._head, self._tree, self._foot])
        self.widget.add_class("fd-cost-tab")
        redraw(
            self._draw,
            speaks(self._session),
            (self._forest, ["forest", "outcome", "only_matching"]),
            (desk, ["has_table"]),
        )
        redraw(self._mark, (desk.report, ["task_id"]))

    def show(self, shown: bool) -> None:
        """The tab was opened or left."""
        self._forest.show(shown)

    def _act(self, action: str, value: str | None) -> None:
        if action == "outcome":
            self._forest.choose(value)
        elif action == "matching":
            self._forest.match(value == "matching")
        elif action == "page" and value is not None and value.isdecimal():
            self._forest.turn_to(int(value))
        elif action == "export" and self._forest.forest is not None:
            self._tree.save(FILE_NAME, forest_file(self._session.texts, self._forest.forest.rows))

    def _fit(self, width: int) -> None:
        self._width = width
        self._draw()

    def _mark(self) -> None:
        self._tree.current = self._desk.report.task_id or ""

    def _draw(self) -> None:
        texts, forest = self._session.texts, self._forest.forest
        self._head.show(*self._build_head(texts, forest), language=texts.language)
        self._foot.show(*(_foot(texts, forest) if forest else ()), language=texts.language)
        if forest is not None and self._drawn != (forest, texts, self._width):
            self._drawn = (forest, texts, self._width)
            svg = forest_svg(texts, forest.rows, width=self._width) if forest.rows else ""
            self._tree.show(svg, label=texts("forest.title"), language=texts.language)

    def _build_head(self, texts: Texts, forest: Forest | None) -> list[Node]:
        if forest is None:
            return [waiting(texts("forest.loading"), lines=5)]
        if not sum(forest.outcomes.values()) and not self._forest.only_matching:
            return [el("p", texts(self._why_none()), cls="fd-muted")]
        tools = el(
            "div",
            el(
                "div",
                *self._outcomes(texts, forest),
                cls="fd-row fd-still",
                role="group",
                aria_label=texts("forest.outcomes"),
            ),
            self._scope(texts) if self._desk.has_table else None,
            button(texts("forest.export"), action="export", cls="fd-button", disabled=not forest.rows),
            cls="fd-cost-tools",
        )
        return [tools, el("p", _sentence(texts, forest), cls="fd-muted", role="status")]

    def _why_none(self) -> str:
        platform = self._session.platform
        if isinstance(platform, FramePlatform):
            return "alone.no_lineages"
        return "forest.unsupported" if platform.capabilities.whole_retry == "none" else "disk.empty"

    def _outcomes(self, texts: Texts, forest: Forest) -> list[Child]:
        """A button an outcome; one that no lineage has is left out, unless it is chosen."""
        return [
            el(
                "button",
                el(
                    "span",
                    texts(f"forest.{word}"),
                    cls=f"fd-status fd-is-{OUTCOME_SHAPES.get(word, 'unknown')} fd-still",
                ),
                el("span", texts.count(forest.outcomes[word]), cls="fd-bucket-count"),
                type="button",
                cls="fd-bucket",
                data_action="outcome",
                data_value=word,
                data_key=word,
                aria_pressed="true" if word == self._forest.outcome else "false",
            )
            for word in OUTCOMES
            if forest.outcomes[word] or word == self._forest.outcome or word in {"recovered", "failed"}
        ]

    def _scope(self, texts: Texts) -> Node:
        return segments(
            "matching",
            texts("forest.scope"),
            {name: texts(f"forest.{name}") for name in ("all", "matching")},
            "matching" if self._forest.only_matching else "all",
        )


def _sentence(texts: Texts, forest: Forest) -> str:
    if not forest.lineages:
        return texts("forest.none")
    key = "forest.whole" if forest.whole else "forest.folded"
    return texts(key, n=forest.lineages, count=texts.count(forest.lineages), tasks=texts.count(forest.tasks))


def _foot(texts: Texts, forest: Forest) -> list[Node]:
    """What is not drawn, and the way to other lineages."""
    nodes: list[Node] = []
    if forest.left_out:
        left = forest.left_out
        nodes.append(el("p", texts("forest.left_out", n=left, count=texts.count(left)), cls="fd-warning"))
    if forest.pages > 1:
        nodes.append(
            el(
                "div",
                *(
                    button(
                        texts(f"table.{name}"),
                        action="page",
                        value=str(max(forest.page + step, 0)),
                        cls="fd-button",
                        disabled=not 0 <= forest.page + step < forest.pages,
                    )
                    for name, step in (("previous", -1), ("next", 1))
                ),
                el("span", texts("table.page", page=forest.page + 1, pages=forest.pages), cls="fd-muted"),
                cls="fd-row",
            )
        )
    return nodes

"""Lineages of a frame in a cell of their own."""

from __future__ import annotations

import ipywidgets
import pandas as pd

from retry_toolkit.frames.build import empty_frame
from retry_toolkit.frames.schema import LINEAGE
from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.forest import ForestView
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.frames import FramePlatform, check_columns, of_lineage, of_tasks
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import el
from retry_toolkit.settings import Language


class LineagePanel(Panel):
    """The lineages of a frame by outcome, drawn as trees that can be folded and saved.

    Args:
        frame: Tasks as `load_tasks` gives them, or a lineage as `load_lineage` gives it: that one tells how tasks hang
            together and how their lineages came out, but neither their names nor how each of them stands.
        language: Language to begin with; the setting `language` if None.
        background: Where long work runs; threads if None.

    Attributes:
        selected: The chosen task, as a tuple of one id or none. Setting it marks the task.
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
        if self._given is not None:
            told = self._given[["task_id", "outcome"]].dropna()
            self.state.forest.known_outcomes = dict(zip(told["task_id"].astype("str"), told["outcome"], strict=True))
        self._title = Fragment()
        view = ForestView(self.state)
        card = ipywidgets.VBox([self._title, view.widget])
        self._build(card.add_class("fd-card").add_class("fd-alone-card"))
        self._bind()
        view.show(True)
        self.state.catalog.load()

    def _bind(self) -> None:
        redraw(self._draw, speaks(self.state.session))
        self.state.catalog.observe(lambda _: self._renew(), names="catalog")
        self._select_what_is_open()

    def _make_frame(self) -> pd.DataFrame:
        if self._given is not None:
            return self._given
        catalog = self.state.catalog.catalog
        return empty_frame(LINEAGE) if catalog is None else catalog.lineage

    def _draw(self) -> None:
        texts = self.state.session.texts
        self._title.show(el("h2", texts("forest.title")), language=texts.language)


def _platform(frame: pd.DataFrame) -> FramePlatform:
    check_columns(frame, ("task_id", "parent_id"), "The frame of tasks or of lineage")
    if "status" in frame.columns:
        return of_tasks(frame)
    check_columns(frame, ("root_id", "tree_size", "outcome"), "The frame of lineage")
    return of_lineage(frame)

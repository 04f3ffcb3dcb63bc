"""What has failed, and which of it: figures, causes, filters and table in one cell."""

from __future__ import annotations

import ipywidgets
import pandas as pd
from traitlets import Bunch

from retry_toolkit.frames.build import empty_frame
from retry_toolkit.frames.filters import filter_tasks
from retry_toolkit.frames.schema import TASKS
from retry_toolkit.panels.alone.source import SourcePanel
from retry_toolkit.panels.figures import FiguresView
from retry_toolkit.panels.filters import FiltersView
from retry_toolkit.panels.groups import GroupsView
from retry_toolkit.panels.header import HeaderView
from retry_toolkit.panels.retry import RetryBarView
from retry_toolkit.panels.state.figures import FIGURES
from retry_toolkit.panels.state.frames import FramePlatform
from retry_toolkit.panels.tasks import TasksView
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import el


class TriagePanel(SourcePanel):
    """Figures, causes, filters and the table of tasks; a selection of them can be retried where there is a platform.

    Args:
        source: A platform from `connect()`, or a frame of tasks as `load_tasks` gives it; `task_id` and `status` must
            be there, other columns that are not are unknown. Of a frame nothing can be retried.
        stages: Of a frame: its stages, as `load_stages` gives them.
        state: Instead of a source: the state of another panel or desk, to show the same.
        language: Language to begin with; the setting `language` if None.
        background: Where long work runs; threads if None.
        archive: Where the journal and the evidence of retries are; in the home directory if None.
        timing: Waits of retries.

    Attributes:
        selected: Ids of the selected tasks, newest first. Setting it selects those that are there.
        frame: The tasks that the filters let through; columns of `schema.TASKS`.

    Raises:
        TypeError: There is neither a source nor a state, or it is something else.
        ValueError: The frame lacks a column; the message names it.
    """

    def _compose(self) -> None:
        self._note = Fragment()
        self._build(self._head(), self._figures(), GroupsView(self.state).widget, self._list())
        self._bind()
        if self._owned:
            self.state.refresh()

    def _head(self) -> object:
        framed = isinstance(self.state.session.platform, FramePlatform)
        return self._note if framed else HeaderView(self.state).widget

    def _figures(self) -> object:
        """Of a cell nobody knows when it was looked at last; the page of a desk does."""
        names = tuple(name for name in FIGURES if name != "new") if self._owned else FIGURES
        return FiguresView(self.state, names).widget

    def _list(self) -> object:
        views = (FiltersView(self.state), RetryBarView(self.state), TasksView(self.state))
        card = ipywidgets.VBox([view.widget for view in views])
        return card.add_class("fd-card").add_class("fd-list")

    def _bind(self) -> None:
        table, catalog = self.state.table, self.state.catalog
        table.observe(lambda _: self._take_selection(), names="selected")
        table.observe(lambda _: self._renew(), names="filters")
        catalog.observe(lambda _: self._renew(), names="catalog")
        self.observe(self._select, names="selected")
        redraw(self._draw_note, speaks(self.state.session))
        self._take_selection()

    def _take_selection(self) -> None:
        """In the order of the list."""
        chosen, catalog = self.state.table.selected, self.state.catalog.catalog
        known = catalog.rows(chosen)["task_id"].tolist() if catalog is not None else []
        self.selected = tuple(known)

    def _select(self, change: Bunch) -> None:
        if frozenset(change.new) != self.state.table.selected:
            self.state.table.select(change.new)
            # What the list does not have is not selected here either.
            self._take_selection()

    def _make_frame(self) -> pd.DataFrame:
        catalog = self.state.catalog.catalog
        return empty_frame(TASKS) if catalog is None else filter_tasks(catalog.tasks, self.state.table.filters)

    def _draw_note(self) -> None:
        texts = self.state.session.texts
        note = el("p", texts("block.no_platform"), cls="fd-muted fd-alone-note")
        self._note.show(note, language=texts.language)

"""The table of tasks: filters, sorting, pages and a selection by task id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from traitlets import HasTraits, Instance, Int

from retry_toolkit.frames.conditions import Positions
from retry_toolkit.frames.filters import Filters, matching
from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.query import FAILED_ONLY, Sort, ordered

PAGE_SIZES: Final = (10, 20, 40)
# Columns whose first click shows the largest or newest first.
_DESCENDING_FIRST: Final = frozenset({"created_at", "duration_s", "retry_count"})


@dataclass(frozen=True, eq=False)
class Window:
    """What one page shows: its rows, and where they lie in all that match."""

    rows: pd.DataFrame
    first: int
    matching: int
    page: int
    pages: int
    page_selection: Literal["none", "some", "all"]


class TableState(HasTraits):
    """Rows that were acted on here stay in sight whatever their status becomes: `pinned` on top, `kept` in their place.

    Changing the filters lets go of both.
    """

    filters = Instance(Filters)
    sort = Instance(Sort, args=())
    page = Int()
    page_size = Int(PAGE_SIZES[0])
    selected = Instance(frozenset, args=())
    window = Instance(Window, allow_none=True)

    def __init__(self, catalog: CatalogState) -> None:
        super().__init__(filters=FAILED_ONLY)
        self._catalog = catalog
        self._order: Positions = np.zeros(0, dtype=np.intp)
        self._matching: frozenset[str] | None = None
        self._anchor: str | None = None
        self.pinned: tuple[str, ...] = ()
        self.kept: frozenset[str] = frozenset()
        catalog.observe(lambda _: self._arrange(), names="catalog")
        self.observe(lambda _: self._show(), names=["page", "page_size", "selected"])

    @property
    def matching_ids(self) -> frozenset[str]:
        """Ids of every row that the table shows over all its pages."""
        if self._matching is None:
            self._matching = frozenset(self._ids(self._order))
        return self._matching

    @property
    def hidden_selected(self) -> int:
        """How many of the selected tasks the filters hide."""
        catalog = self._catalog.catalog
        if not self.selected or catalog is None:
            return len(self.selected)
        return len(self.selected) - int(np.isin(catalog.positions(self.selected), self._order).sum())

    def filter(self, **changes: Any) -> None:
        """Change some filters; the selection stays."""
        filters = replace(self.filters, **changes)
        if filters != self.filters:
            self.filters, self.pinned, self.kept = filters, (), frozenset()
            self._arrange(page=0)

    def reset(self) -> None:
        """Back to all failed tasks, newest first."""
        self.filters, self.sort, self.pinned, self.kept = FAILED_ONLY, Sort(), (), frozenset()
        self._arrange(page=0)

    def sort_by(self, column: str) -> None:
        """Sort by a column; again turns the order round."""
        same = column == self.sort.column
        self.sort = Sort(column, not self.sort.descending if same else column in _DESCENDING_FIRST)
        self._arrange(page=0)

    def turn_to(self, page: int) -> None:
        """Show a page, or the nearest that there is."""
        self.page = min(max(page, 0), self._pages() - 1)

    def resize(self, page_size: int) -> None:
        """Show so many rows a page, staying at the first one shown; a size not offered is the next smaller one."""
        first = self.page * self.page_size
        self.page_size = max((size for size in PAGE_SIZES if size <= page_size), default=PAGE_SIZES[0])
        self.turn_to(first // self.page_size)

    def toggle(self, task_id: str) -> None:
        """Select a task, or no longer; it is where a range begins."""
        self._anchor = task_id
        self.selected = self.selected ^ {task_id}

    def extend(self, task_id: str) -> None:
        """Select from where the last selection began to this task, over pages too."""
        ids = self._ids(self._order)
        if self._anchor not in ids or task_id not in ids:
            self.toggle(task_id)
            return
        start, stop = sorted((ids.index(self._anchor), ids.index(task_id)))
        self.selected = self.selected | frozenset(ids[start : stop + 1])

    def toggle_page(self) -> None:
        """Select every row of the page, or none of them where all are."""
        page = frozenset(self._ids(self._page_positions()))
        self.selected = self.selected - page if page <= self.selected else self.selected | page

    def select_matching(self) -> None:
        """Select all that match, over all pages."""
        self.selected = self.selected | self.matching_ids

    def select(self, task_ids: Iterable[str]) -> None:
        """Select these, as far as the list has them, and nothing else."""
        catalog = self._catalog.catalog
        if catalog is not None:
            self.selected = frozenset(task_id for task_id in task_ids if task_id in catalog)

    def clear(self) -> None:
        """Select nothing."""
        self.selected = frozenset()

    def keep(self, task_ids: Iterable[str]) -> None:
        """Keep these in sight whatever their status becomes."""
        self.kept |= frozenset(task_ids)
        self._arrange()

    def pin(self, task_id: str) -> None:
        """Put a new task on top, whatever the filters say, and show the first page."""
        self.pinned = (task_id, *(other for other in self.pinned if other != task_id))
        self._arrange(page=0)

    def _arrange(self, page: int | None = None) -> None:
        catalog = self._catalog.catalog
        if catalog is None:
            return
        mask = matching(catalog.tasks, self.filters)
        mask[catalog.positions(self.kept)] = True
        pinned = [position for task_id in self.pinned for position in catalog.positions((task_id,))]
        mask[pinned] = False
        rest = ordered(catalog.tasks, mask, self.sort)
        self._order = np.concatenate([np.asarray(pinned, dtype=np.intp), rest])
        self._matching = None
        # Ids that the platform no longer has cannot be acted on: forget them.
        gone = frozenset(task_id for task_id in self.selected if task_id not in catalog)
        with self.hold_trait_notifications():
            self.selected = self.selected - gone if gone else self.selected
            self.page = min(self.page if page is None else page, self._pages() - 1)
        self._show()

    def _show(self) -> None:
        catalog = self._catalog.catalog
        if catalog is not None:
            positions = self._page_positions()
            self.window = Window(
                rows=catalog.window(positions),
                first=self.page * self.page_size,
                matching=len(self._order),
                page=self.page,
                pages=self._pages(),
                page_selection=self._page_selection(self._ids(positions)),
            )

    def _page_selection(self, ids: list[str]) -> Literal["none", "some", "all"]:
        chosen = sum(task_id in self.selected for task_id in ids)
        return "none" if chosen == 0 else "all" if chosen == len(ids) else "some"

    def _page_positions(self) -> Positions:
        return self._order[self.page * self.page_size : (self.page + 1) * self.page_size]

    def _pages(self) -> int:
        return max(-(-len(self._order) // self.page_size), 1)

    def _ids(self, positions: Positions) -> list[str]:
        catalog: Catalog | None = self._catalog.catalog
        return [] if catalog is None else catalog.tasks["task_id"].iloc[positions].tolist()

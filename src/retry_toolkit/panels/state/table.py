"""The table of tasks: filters, sorting, pages and a selection by task id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from traitlets import HasTraits, Instance, Int, Tuple, Unicode

from retry_toolkit.frames.conditions import Positions, masked
from retry_toolkit.frames.filters import Filters, matching
from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.columns import DEFAULT, chosen_columns
from retry_toolkit.panels.state.query import (
    FAILED_ONLY,
    NEWEST_FIRST,
    SPANS,
    Sort,
    View,
    code_of,
    counted,
    ordered,
    sorted_by,
    start_of,
    then_by,
)
from retry_toolkit.panels.state.selection import NOWHERE, Places, either

PAGE_SIZES: Final = (10, 20, 40)


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
    span = Unicode()
    """Name of the last hours or days that are shown (`SPANS`); the filter `since` follows it at each load."""
    sort: tuple[Sort, ...] = Tuple(NEWEST_FIRST)  # type: ignore[assignment]  # a trait gives its value
    columns: tuple[str, ...] = Tuple(DEFAULT)  # type: ignore[assignment]
    page = Int()
    page_size = Int(PAGE_SIZES[0])
    selected = Instance(frozenset, args=())
    window = Instance(Window, allow_none=True)

    def __init__(self, catalog: CatalogState) -> None:
        super().__init__(filters=FAILED_ONLY)
        self._catalog = catalog
        self._order: Positions = np.zeros(0, dtype=np.intp)
        self._anchor: str | None = None
        self.pinned: tuple[str, ...] = ()
        self.kept: frozenset[str] = frozenset()
        self._counts: dict[str, dict[str, int]] = {}
        self._undoable: tuple[frozenset[str], frozenset[str]] | None = None
        self._places = Places()
        catalog.observe(lambda _: self._loaded(), names="catalog")
        # A look that found nothing new changes no row, but time has passed.
        catalog.observe(lambda _: self._move_on(), names="loaded_at")
        self.observe(lambda _: self._show(), names=["page", "page_size", "selected", "columns"])

    @property
    def view(self) -> View:
        """What makes the table show what it shows, as a value."""
        return View(self.filters, self.span, self.sort)

    @property
    def hidden_selected(self) -> int:
        """How many of the selected tasks the filters hide."""
        catalog = self._catalog.catalog
        if not self.selected or catalog is None:
            return len(self.selected)
        shown = np.zeros(len(catalog.tasks), dtype=np.bool_)
        shown[self._order] = True
        return len(self.selected) - int(np.count_nonzero(shown[self.selected_rows]))

    @property
    def selected_rows(self) -> Positions:
        """Row numbers of the selected tasks that the list has, in no order."""
        catalog = self._catalog.catalog
        return NOWHERE if catalog is None else self._places.of(self.selected, catalog)

    @property
    def can_undo(self) -> bool:
        """Whether the last change of the selection was one of many tasks, and can be taken back."""
        return self._undoable is not None and self._undoable[1] is self.selected

    def counts(self, column: str) -> dict[str, int] | None:
        """How many tasks each value of a category column would leave under the other filters.

        None where that would need another search: through the text, or for many ids.
        """
        catalog, filters = self._catalog.catalog, self.filters
        if catalog is None:
            return None
        if column not in self._counts:
            if getattr(filters, column) is None:
                self._counts[column] = counted(catalog.tasks, column, self._order)
            elif filters.search is not None or filters.task_ids is not None:
                return None
            else:
                others: Filters = replace(filters, **dict[str, Any]({column: None}))
                rows = np.flatnonzero(masked(catalog.tasks, others.conditions))
                self._counts[column] = counted(catalog.tasks, column, rows)
        return self._counts[column]

    def code(self, frame: str = "tasks") -> str:
        """The pandas code that gives what the table shows, in its order."""
        return code_of(self.filters, self.sort, frame)

    def filter(self, **changes: Any) -> None:
        """Change some filters; the selection stays."""
        span = "" if {"since", "until"} & changes.keys() else self.span
        self._let_through(replace(self.filters, **changes), span)

    def show_only(self, filters: Filters) -> None:
        """Show what these filters let through, and let go of every other; the selection stays."""
        self._let_through(filters, "")

    def show_last(self, span: str) -> None:
        """Show what was submitted within one of the `SPANS`; any other word shows all times."""
        known = span if span in SPANS else ""
        since = start_of(known, datetime.now(UTC)) if known else None
        self._let_through(replace(self.filters, since=since, until=None), known)

    def show(self, view: View) -> None:
        """Filter and sort as `view` says."""
        since = start_of(view.span, datetime.now(UTC)) if view.span else view.filters.since
        self.sort, self.pinned, self.kept = view.sort, (), frozenset()
        self.span, self.filters = view.span, replace(view.filters, since=since)
        self._arrange(page=0)

    def reset(self) -> None:
        """Back to all failed tasks, newest first."""
        self.show(View())

    def sort_by(self, column: str, *, more: bool = False) -> None:
        """Sort by a column, again turns the order round; `more` leaves the other columns in front of it."""
        self.sort = then_by(self.sort, column) if more else sorted_by(self.sort, column)
        self._arrange(page=0)

    def choose_columns(self, asked: Iterable[Any]) -> None:
        """Show these columns in this order, as far as there are such."""
        self.columns = chosen_columns(asked)

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
        catalog = self._catalog.catalog
        row = np.asarray([] if catalog is None else catalog.positions((task_id,)), dtype=np.intp)
        rows = np.setxor1d(self.selected_rows, row, assume_unique=True)
        self._choose(self.selected ^ {task_id}, rows, undoable=False)

    def extend(self, task_id: str, *, start: str | None = None) -> None:
        """Select from where the last selection began to this task, over pages too.

        Args:
            task_id: Where the range ends.
            start: Where it begins if nothing was selected before that is still shown.
        """
        if self._place(self._anchor) is None:
            self._anchor = start
        ends = self._place(self._anchor), self._place(task_id)
        if ends[0] is None or ends[1] is None:
            self.toggle(task_id)
        else:
            first, last = sorted((ends[0], ends[1]))
            self._add(self._order[first : last + 1])

    def toggle_page(self) -> None:
        """Select every row of the page, or none of them where all are."""
        rows = self._page_positions()
        page = frozenset(self._ids(rows))
        if page <= self.selected:
            self._choose(self.selected - page, np.setdiff1d(self.selected_rows, rows, assume_unique=True))
        else:
            self._add(rows)

    def select_matching(self, number: int | None = None) -> None:
        """Select all that match, over all pages; nothing where it is another number by now than the one promised."""
        if number in {None, len(self._order)}:
            self._add(self._order)

    def select(self, task_ids: Iterable[str]) -> None:
        """Select these, as far as the list has them, and nothing else."""
        catalog = self._catalog.catalog
        if catalog is not None:
            rows = np.asarray(catalog.positions(frozenset(task_ids)), dtype=np.intp)
            self._choose(frozenset(self._ids(rows)), rows)

    def clear(self) -> None:
        """Select nothing."""
        self._choose(frozenset(), NOWHERE)

    def undo(self) -> None:
        """Take back the last change of many tasks to the selection; tasks that are gone stay gone."""
        catalog = self._catalog.catalog
        if self._undoable is not None and self.can_undo and catalog is not None:
            self.selected = frozenset(task_id for task_id in self._undoable[0] if task_id in catalog)

    def keep(self, task_ids: Iterable[str]) -> None:
        """Keep these in sight whatever their status becomes."""
        self.kept |= frozenset(task_ids)
        self._arrange()

    def pin(self, task_id: str) -> None:
        """Put a new task on top, whatever the filters say, and show the first page."""
        self.pinned = (task_id, *(other for other in self.pinned if other != task_id))
        self._arrange(page=0)

    def _let_through(self, filters: Filters, span: str) -> None:
        if (filters, span) != (self.filters, self.span):
            self.span, self.filters, self.pinned, self.kept = span, filters, (), frozenset()
            self._arrange(page=0)

    def _add(self, rows: Positions) -> None:
        self._choose(self.selected | frozenset(self._ids(rows)), either(self.selected_rows, rows))

    def _choose(self, chosen: frozenset[str], rows: Positions, *, undoable: bool = True) -> None:
        """Change the selection, in a way that `undo` takes back."""
        catalog = self._catalog.catalog
        if chosen == self.selected or catalog is None:
            return
        self._undoable = (self.selected, chosen) if undoable else None
        self._places.keep(chosen, catalog, rows)
        self.selected = chosen

    def _loaded(self) -> None:
        catalog = self._catalog.catalog
        if catalog is None:
            return
        self.filters = self._moved()
        self._arrange()
        # Ids that the platform no longer has cannot be acted on: forget them.
        gone = frozenset(task_id for task_id in self.selected if task_id not in catalog)
        if gone:
            self.selected = self.selected - gone

    def _move_on(self) -> None:
        filters = self._moved()
        if filters != self.filters:
            self.filters = filters
            self._arrange()

    def _moved(self) -> Filters:
        """The filters, with the span ending now."""
        if not self.span:
            return self.filters
        return replace(self.filters, since=start_of(self.span, datetime.now(UTC)))

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
        self._counts = {}
        self.page = min(self.page if page is None else page, self._pages() - 1)
        self._show()

    def _place(self, task_id: str | None) -> int | None:
        """Where a task stands in all that match."""
        catalog: Catalog | None = self._catalog.catalog
        position = None if catalog is None or task_id is None else catalog.places.get(task_id)
        found = [] if position is None else np.flatnonzero(self._order == position).tolist()
        return found[0] if found else None

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

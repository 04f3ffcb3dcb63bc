"""The forest of all lineages that have a retry, chosen by outcome and by the filters of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
from traitlets import Bool, HasTraits, Instance, Int, Unicode

from retry_toolkit.analysis.forest import OUTCOMES, Forest, grow_forest
from retry_toolkit.frames.filters import Filters, matching
from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.disk import DiskState
from retry_toolkit.panels.state.following import REST_S, Following
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.table import TableState


class ForestState(HasTraits):
    """`forest` follows catalog, filters and disk while it is shown; None until it was first made.

    `known_outcomes` tells how lineages came out, by their tasks, where the states of tasks do not.
    `outcome` and `only_matching` choose lineages, `opened` is the root of the tree that is open where not all are, and
    `page` says which lineages are shown then.
    """

    forest = Instance(Forest, allow_none=True)
    outcome = Unicode(None, allow_none=True)
    only_matching = Bool()
    opened = Unicode(None, allow_none=True)
    page = Int()

    def __init__(
        self, session: Session, catalog: CatalogState, table: TableState, disk: DiskState, *, rest_s: float = REST_S
    ) -> None:
        super().__init__()
        self._catalog = catalog
        self._table = table
        self._disk = disk
        self.known_outcomes: Mapping[str, str] | None = None
        self._following = Following(session, self._work, partial(self.set_trait, "forest"), rest_s=rest_s)
        catalog.observe(lambda _: self._following.ask(), names="catalog")
        disk.observe(lambda _: self._following.ask(), names="cost")
        table.observe(lambda _: self._refiltered(), names="filters")

    def show(self, shown: bool) -> None:
        """Keep the forest up to date from now on, or no longer."""
        self._following.turn(shown)

    def choose(self, outcome: str | None) -> None:
        """Only lineages of this outcome; the same once more, or None, for all."""
        known = outcome if outcome in OUTCOMES else None
        self._change(outcome=None if known == self.outcome else known, page=0)

    def match(self, only_matching: bool) -> None:
        """Only lineages of which the table's filters let a task through, or all."""
        self._change(only_matching=only_matching, page=0)

    def toggle(self, root_id: str) -> None:
        """Open the tree of this root and close any other, or close it."""
        self._change(opened=None if root_id == self.opened else root_id)

    def turn_to(self, page: int) -> None:
        """Show a page of lineages, or the nearest that there is."""
        self._change(page=max(page, 0))

    def _change(self, **traits: Any) -> None:
        for name, value in traits.items():
            self.set_trait(name, value)
        self._following.ask()

    def _refiltered(self) -> None:
        if self.only_matching:
            self._change(page=0)

    def _work(self) -> Callable[[], Forest] | None:
        catalog = self._catalog.catalog
        if catalog is None:
            return None
        disk = self._disk.cost.disk if self._disk.cost else None
        filters = self._table.filters if self.only_matching else None
        choice = {"outcome": self.outcome, "opened": self.opened, "page": self.page}
        return partial(_grown, catalog, disk, filters, self.known_outcomes, **choice)


def _grown(
    catalog: Catalog,
    disk: pd.DataFrame | None,
    filters: Filters | None,
    outcomes: Mapping[str, str] | None,
    **choice: Any,
) -> Forest:
    lineage = catalog.lineage
    if outcomes is not None:
        lineage = lineage.assign(outcome=lineage["task_id"].map(outcomes).astype("category"))
    known = {} if disk is None else dict(zip(disk["task_id"], map(_int, disk["extra_bytes"]), strict=True))
    mask = None if filters is None else matching(catalog.tasks, filters)
    return grow_forest(catalog.tasks, lineage, matching=mask, disk=known, **choice)


def _int(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)

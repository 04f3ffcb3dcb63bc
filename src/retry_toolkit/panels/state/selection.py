"""Where the selected tasks lie in the frame, known without looking each of them up at every draw."""

from __future__ import annotations

import numpy as np

from retry_toolkit.frames.conditions import Positions
from retry_toolkit.panels.state.catalog import Catalog

NOWHERE: Positions = np.zeros(0, dtype=np.intp)


def either(rows: Positions, more: Positions) -> Positions:
    """Row numbers that are in one of both, in frame order; several times as fast as NumPy's union of sets."""
    marks = np.zeros(1 + max(rows.max(initial=-1), more.max(initial=-1)), dtype=np.bool_)
    marks[rows] = True
    marks[more] = True
    return np.flatnonzero(marks)


class Places:
    """The row numbers of one set of ids; they hold as long as no row comes or goes."""

    def __init__(self) -> None:
        self._ids: frozenset[str] = frozenset()
        self._of: object = None
        self._rows = NOWHERE

    def of(self, ids: frozenset[str], catalog: Catalog) -> Positions:
        """Row numbers of the ids that the catalog has; looked up where nobody has said them."""
        if ids is not self._ids or catalog.places is not self._of:
            self.keep(ids, catalog, np.asarray(catalog.positions(ids), dtype=np.intp))
        return self._rows

    def keep(self, ids: frozenset[str], catalog: Catalog, rows: Positions) -> None:
        """Remember the row numbers of these ids."""
        self._ids, self._of, self._rows = ids, catalog.places, rows

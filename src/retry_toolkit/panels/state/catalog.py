"""The catalog of the page: loaded as a whole, refreshed for less, mended some rows at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from traitlets import Bool, HasTraits, Instance, Int

from retry_toolkit.errors import LoadStopped
from retry_toolkit.frames.reading import TaskReading
from retry_toolkit.panels.state.catalog_frames import Catalog, Catalogued, make_catalog, replace_rows, same_values
from retry_toolkit.panels.state.problems import Problem, explain
from retry_toolkit.panels.state.refreshing import refresh_catalog
from retry_toolkit.panels.state.session import Session
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.platforms.bulk import Reading

__all__ = ["WHOLE_EVERY", "Catalog", "CatalogState", "make_catalog", "replace_rows", "same_values"]

WHOLE_EVERY: Final = 30
"""After so many refreshes everything is loaded: a task that was over and then deleted is only missed there."""


@dataclass(frozen=True, eq=False)
class _Loaded:
    """A catalog, when reading it was begun, and whether everything was read."""

    catalog: Catalog
    at: datetime
    whole: bool


class CatalogState(HasTraits):
    """Loads the catalog: `loading` with `read` tasks so far, or the `problem` of the last try.

    `loaded_at` is the time up to which what is shown is known to be true. A refresh that was asked for quietly shows
    neither as `loading` nor in a message: whoever looks at the page asked for nothing.
    """

    catalog = Instance(Catalog, allow_none=True)
    problem = Instance(Problem, allow_none=True)
    loaded_at = Instance(datetime, allow_none=True)
    loading = Bool()
    read = Int()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._stop = threading.Event()
        self._busy = False
        self._again: Callable[[], None] | None = None
        self._refreshes = 0
        self._mended: dict[str, TaskRecord] = {}
        self.on_refreshed: Callable[[Catalog, Catalog], None] = _ignore

    @property
    def busy(self) -> bool:
        """Whether anything is being loaded, quietly or not."""
        return self._busy

    @property
    def stale(self) -> bool:
        """Whether what is shown is older than the last try to read it."""
        return self.catalog is not None and self.problem is not None

    def load(self) -> None:
        """Load everything; asked for while loading, it is loaded once more afterwards."""
        self._begin(None, again=self.load)

    def refresh(self) -> None:
        """Ask for what is new or may have changed; for everything where nothing is known or the last try failed."""
        self._begin(self._base(), again=self.refresh)

    def refresh_quietly(self) -> None:
        """The same without a sign of it, and not while something is being loaded."""
        if not self._busy:
            self._begin(self._base(), quietly=True)

    def mend(self, records: Sequence[TaskRecord]) -> None:
        """Take over the fresh states of some tasks, all at once: every change is dear for a large catalog."""
        if self._busy:
            # What is being loaded may be older than these.
            self._mended |= {record.task_id: record for record in records}
        if self.catalog is not None and records:
            self.catalog = replace_rows(self.catalog, records)

    def close(self) -> None:
        """End what is being loaded."""
        self._stop.set()

    def _base(self) -> Catalog | None:
        """The catalog to begin with; None where everything has to be loaded."""
        return None if self.problem is not None or self._refreshes >= WHOLE_EVERY else self.catalog

    def _begin(self, base: Catalog | None, *, again: Callable[[], None] | None = None, quietly: bool = False) -> None:
        if self._busy:
            # Somebody waits now, also for what was begun quietly.
            self._again, self.loading = again, True
            return
        self._busy, self.read, self.loading = True, 0, not quietly
        if self.catalog is None:
            self.problem = None
        failed = partial(self._failed, quietly=quietly)
        self._session.start(
            partial(self._fetch, base, quietly=quietly), partial(self._loaded, base, quietly=quietly), failed
        )

    def _fetch(self, base: Catalog | None, *, quietly: bool) -> _Loaded:
        started = datetime.now(UTC)
        platform, how = self._session.platform, Reading(stop=self._stop)
        if isinstance(platform, Catalogued):
            return _Loaded(platform.as_catalog(started), started, whole=True)
        if base is not None:
            # What is learned of each load is dear: what comes in quietly is no load of its own.
            at = base.loaded_at if quietly else started
            found = refresh_catalog(platform, base, loaded_at=at, how=how, told=self._tell)
            if found is not None:
                return _Loaded(found, started, whole=False)
        reading = TaskReading(platform, stages=True, how=how)
        batches = []
        for batch in reading.tables():
            batches.append(batch)
            self._tell(reading.tasks)
        catalog = make_catalog(batches, loaded_at=started, rejected=len(reading.notes.rejected))
        return _Loaded(catalog, started, whole=True)

    def _tell(self, count: int) -> None:
        self._session.post(partial(self.set_trait, "read", count))

    def _loaded(self, base: Catalog | None, found: _Loaded, *, quietly: bool) -> None:
        self._busy = self.loading = False
        self._refreshes = 0 if found.whole else self._refreshes + 1
        mended, self._mended = tuple(self._mended.values()), {}
        self._session.notices.settle("catalog")
        before, self.problem = self.catalog, None
        if found.catalog is not base:
            catalog = replace_rows(found.catalog, mended) if mended else found.catalog
            self.catalog = catalog
            if quietly and before is not None:
                self.on_refreshed(before, catalog)
        elif not quietly and before is not None:
            self.catalog = replace(before, loaded_at=found.at)
        self.loaded_at = found.at
        self._go_on()

    def _failed(self, error: Exception, *, quietly: bool) -> None:
        self._busy = self.loading = False
        self._mended.clear()
        if isinstance(error, LoadStopped):
            return
        self.problem = explain(error)
        if self.catalog is not None and not quietly:
            # The rows of the last load stay: what is wrong must be said beside them.
            self._session.notices.show_problem(self.problem, topic="catalog")
        self._go_on()

    def _go_on(self) -> None:
        again, self._again = self._again, None
        if again is not None:
            again()


def _ignore(before: Catalog, now: Catalog) -> None:
    """Until a listener is set."""

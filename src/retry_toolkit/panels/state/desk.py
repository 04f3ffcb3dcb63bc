"""The states of one page put together, and what must be read again after which action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from traitlets import HasTraits, Instance

from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.catalog import CatalogState
from retry_toolkit.panels.state.disk import DiskState
from retry_toolkit.panels.state.figures import Figures, count_figures
from retry_toolkit.panels.state.lineage import LineageState
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.state.retry import RetryState
from retry_toolkit.panels.state.sending import Outcome
from retry_toolkit.panels.state.session import Operator, Session
from retry_toolkit.panels.state.table import TableState
from retry_toolkit.panels.state.watch import Lost, Watch
from retry_toolkit.platforms.base import Platform, TaskRecord
from retry_toolkit.text import Texts


class DeskState(HasTraits):
    """Everything that the page knows and can do, without a widget.

    Args:
        platform: Read from, and acted on where nobody typed an operator's token.
        texts: The language to begin with.
        background: Where long work runs.
        operator: Connects with a token that a viewer typed in; None where the page takes none.
        pause: Waits so many seconds between two looks at a watched task.
    """

    figures = Instance(Figures, allow_none=True)

    def __init__(
        self,
        platform: Platform,
        *,
        texts: Texts,
        background: Background,
        operator: Operator | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        super().__init__()
        self.session = Session(platform, texts=texts, background=background, operator=operator)
        self.watch = Watch(self.session, pause=pause)
        self.catalog = CatalogState(self.session)
        self.table = TableState(self.catalog)
        self.report = ReportState(self.session, lambda task_id: self.watch.follow((task_id,)))
        self.retry = RetryState(self.session, self.catalog, self.table, self.report)
        self.lineage = LineageState(self.catalog, self.report)
        self.disk = DiskState(self.session, self.catalog)
        self._disk_is_stale = True
        self._last_seen: dict[str, TaskRecord] = {}
        self._bind()

    def refresh(self) -> None:
        """Read the lists, the figures, the disk cost and the open task again."""
        self._disk_is_stale = True
        self.catalog.load()
        self.report.reload()

    def close(self) -> None:
        """End what runs aside; the platform belongs to who made it."""
        self.watch.close()
        self.session.close()

    def _bind(self) -> None:
        self.catalog.observe(self._count, names="catalog")
        self.retry.on_sent = self._sent
        self.watch.on_record = self._seen
        self.watch.on_lost = self._lost

    def _count(self, _change: Any) -> None:
        catalog = self.catalog.catalog
        if catalog is not None:
            self.figures = count_figures(catalog.tasks, catalog.stages, catalog.lineage)
            if self._disk_is_stale:
                self._disk_is_stale = False
                self.disk.load()

    def _sent(self, outcome: Outcome) -> None:
        """A stage retry has the task, the lists and the figures read again, a batch the lists and the figures."""
        self.table.keep(item.task_id for item in outcome.items)
        if outcome.new_task_id is not None:
            self.table.pin(outcome.new_task_id)
            self._disk_is_stale = True
        touched = {item.task_id for item in outcome.items}
        if outcome.kind != "batch" or self.report.task_id in touched:
            self.report.reload()
        self.catalog.load()
        self.watch.follow(item.watch_id for item in outcome.accepted if item.watch_id)

    def _seen(self, record: TaskRecord) -> None:
        if self._last_seen.get(record.task_id) != record:
            self._last_seen[record.task_id] = record
            self.catalog.mend(record)
        self.report.accept(record)
        self.retry.settle(record)

    def _lost(self, task_id: str, why: Lost) -> None:
        self.retry.lose(task_id, why)

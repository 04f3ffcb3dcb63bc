"""The states of one page put together, and what must be read again after which action."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from traitlets import Bool, HasTraits, Instance

from retry_toolkit.panels.state.aftermath import AftermathState
from retry_toolkit.panels.state.attempts import AttemptsState
from retry_toolkit.panels.state.auto import AutoRefresh
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.batches import BatchesState
from retry_toolkit.panels.state.cards import Card
from retry_toolkit.panels.state.catalog import Catalog, CatalogState, same_values
from retry_toolkit.panels.state.disk import DiskState
from retry_toolkit.panels.state.figures import Figures, count_figures
from retry_toolkit.panels.state.forest import ForestState
from retry_toolkit.panels.state.groups import GroupsState
from retry_toolkit.panels.state.lineage import LineageState
from retry_toolkit.panels.state.neighbours import NeighboursState
from retry_toolkit.panels.state.presence import Presence
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.state.retry import RetryState
from retry_toolkit.panels.state.session import Operator, Session
from retry_toolkit.panels.state.spending import SpendingState
from retry_toolkit.panels.state.table import TableState
from retry_toolkit.panels.state.watch import Watch
from retry_toolkit.platforms.base import Platform, TaskRecord
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.text import Texts


class DeskState(HasTraits):
    """Everything that the page knows and can do, without a widget.

    Args:
        platform: Read from, and acted on where nobody typed an operator's token.
        texts: The language to begin with.
        background: Where long work runs.
        operator: Connects with a token that a viewer typed in; None where the page takes none.
        pause: Waits so many seconds between two looks at the open task.
        archive: Where journal and evidence are; in the home directory if None.
        timing: Waits of the batches.
    """

    figures = Instance(Figures, allow_none=True)
    has_table = Bool()
    """Whether a table of tasks is shown, which what is chosen elsewhere can be shown in."""

    def __init__(
        self,
        platform: Platform,
        *,
        texts: Texts,
        background: Background,
        operator: Operator | None = None,
        pause: Callable[[float], object] | None = None,
        archive: Archive | None = None,
        timing: Timing = TIMING,
    ) -> None:
        super().__init__()
        self.session = Session(platform, texts=texts, background=background, operator=operator)
        self.presence = Presence()
        self.watch = Watch(self.session, pause=pause)
        self.catalog = CatalogState(self.session)
        self.auto = AutoRefresh(self.catalog.refresh_quietly)
        self.table = TableState(self.catalog)
        self.report = ReportState(self.session, lambda task_id: self.watch.follow((task_id,)))
        archive = archive or Archive()
        self.attempts = AttemptsState(self.session, self.report, archive)
        self.neighbours = NeighboursState(self.session, self.catalog, self.report)
        self.batches = BatchesState(self.session, archive, timing)
        self.aftermath = AftermathState(self.batches, self.presence, self.session.notices)
        self.groups = GroupsState(self.session, self.catalog, archive)
        self.retry = RetryState(self.session, self.catalog, self.table, self.report, self.batches)
        self.lineage = LineageState(self.catalog, self.report)
        self.disk = DiskState(self.session, self.catalog)
        self.forest = ForestState(self.session, self.catalog, self.table, self.disk)
        self.spending = SpendingState(self.session, self.catalog)
        self._disk_is_stale = True
        self._last_seen: dict[str, TaskRecord] = {}
        self._bind()

    def refresh(self) -> None:
        """Read the lists, the figures, the disk cost, the open task and unfinished batches again."""
        self._disk_is_stale = True
        self.catalog.refresh()
        self.report.reload()
        self.batches.look()

    def close(self) -> None:
        """End what runs aside, without cancelling it; the platform belongs to who made it."""
        self.auto.close()
        self.watch.close()
        self.catalog.close()
        self.batches.close()
        self.session.close()

    def _bind(self) -> None:
        self.catalog.observe(self._count, names="catalog")
        self.catalog.observe(self._price, names="loaded_at")
        self.catalog.on_refreshed = self._keep_up
        self.presence.observe(self._count, names="arrived")
        self.session.release = self.batches.release
        self.retry.on_begun = self.table.keep
        self.batches.on_records = self._seen
        self.batches.on_new_task = self.table.pin
        self.batches.on_end = self._ended
        self.watch.on_record = lambda record: self._seen((record,))

    def _count(self, _change: Any) -> None:
        catalog = self.catalog.catalog
        if catalog is not None:
            self.figures = count_figures(catalog.tasks, catalog.stages, catalog.lineage, self.presence.last_visit)

    def _price(self, _change: Any) -> None:
        if self._disk_is_stale:
            self._disk_is_stale = False
            self.disk.load()

    def _keep_up(self, before: Catalog, now: Catalog) -> None:
        """After a refresh that nobody asked for: read again what it shows to have changed, and nothing else."""
        opened = () if self.report.task_id is None else (self.report.task_id,)
        if not same_values(before.rows(opened), now.rows(opened)):
            self.report.reload()
        if _linked(before) != _linked(now):
            self._disk_is_stale = True
        if _retries(before) != _retries(now):
            self.groups.learn()

    def _seen(self, records: Iterable[TaskRecord]) -> None:
        seen = {record.task_id: record for record in records}
        self.catalog.mend([record for task_id, record in seen.items() if self._last_seen.get(task_id) != record])
        self._last_seen |= seen
        for record in seen.values():
            self.report.accept(record)

    def _ended(self, card: Card) -> None:
        """The last state of a task is known from watching it; what copied files cost has to be asked for."""
        self.groups.learn()
        if any(item.new_task_id for item in card.items):
            self.disk.load()
        if self.report.task_id in card.task_ids:
            self.report.reload()


def _linked(catalog: Catalog) -> frozenset[str]:
    """Tasks that are retries or were retried."""
    return frozenset(catalog.lineage.loc[catalog.lineage["tree_size"] > 1, "task_id"])


def _retries(catalog: Catalog) -> frozenset[tuple[str, str, int, str]]:
    """How often which stages were retried, and how they stand."""
    retried = catalog.stages[catalog.stages["retry_count"].fillna(0) > 0]
    return frozenset(
        zip(*(retried[name].tolist() for name in ("task_id", "stage", "retry_count", "status")), strict=True)
    )

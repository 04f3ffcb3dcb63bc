"""What retries cost on disk: the files of every task in a lineage, read aside; and which input files go when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import pandas as pd
from traitlets import Bool, HasTraits, Instance

from retry_toolkit.analysis.disk import disk_cost
from retry_toolkit.analysis.disk_sums import DiskForecast, disk_by, disk_by_root, expiring, forecast_disk
from retry_toolkit.frames.load import read_files
from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.problems import Problem, explain
from retry_toolkit.panels.state.proposals import Proposal
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.still import StillPlatform

READ_AT_MOST: Final = 1000


@dataclass(frozen=True, eq=False)
class DiskCost:
    """`disk` is `disk_cost` of the tasks that were asked for, with their `project` and `day`.

    `by_root` is `disk_by_root` with the `name` of each lineage, `by_project` and `by_day` are `disk_by` of the retries.
    `unknown` counts retries whose size no one knows: they are not in `total`. `linkable` is what linking would have
    saved of it. `left_out` tasks were not asked for.
    """

    disk: pd.DataFrame
    by_root: pd.DataFrame
    by_project: pd.DataFrame
    by_day: pd.DataFrame
    total: int
    linkable: int
    unknown: int
    left_out: int = 0

    @property
    def known_total(self) -> int | None:
        """`total`, but None where there are retries and no size of them is known."""
        return None if 0 < self.unknown == int(self.by_root["retries"].sum()) else self.total

    @property
    def holders(self) -> tuple[str, ...]:
        """The tasks that hold the bytes of `total`."""
        return tuple(self.disk.loc[self.disk["extra_bytes"].fillna(0) > 0, "task_id"])

    def retries(self, column: str, first: object, last: object | None = None) -> tuple[str, ...]:
        """Ids of the retries with this value, or with one from `first` to `last`; None is a missing value."""
        values = self.disk[column]
        if last is not None:
            chosen = (values >= first) & (values <= last)
        else:
            chosen = values.isna() if first is None else values == first
        return tuple(self.disk.loc[chosen.fillna(False) & self.disk["retry"], "task_id"])


@dataclass(frozen=True, eq=False)
class Expiry:
    """`windows` is `expiring` of the failed tasks whose files were read: `read` of `failed`, the newest."""

    windows: pd.DataFrame
    read: int
    failed: int


def measure(disk: pd.DataFrame, catalog: Catalog, *, left_out: int = 0) -> DiskCost:
    """The sums of `disk`, as `disk_cost` returns it."""
    tasks = catalog.rows(disk["task_id"])
    facts = tasks.set_index("task_id")[["project", "created_at"]].reindex(disk["task_id"])
    retry = ((disk["method"] != "original") | (disk["task_id"] != disk["root_id"])).to_numpy()
    described = disk.assign(project=facts["project"].array, day=facts["created_at"].dt.floor("D").array, retry=retry)
    by_root = describe_roots(disk_by_root(disk), catalog)
    return DiskCost(
        disk=described,
        by_root=by_root,
        by_project=_with_retries(disk_by(disk, tasks, "project")),
        by_day=_with_retries(disk_by(disk, tasks, "day")),
        total=int(by_root["extra_bytes"].sum()),
        linkable=int(by_root["linkable_bytes"].sum()),
        unknown=int(by_root["unknown"].sum()),
        left_out=left_out,
    )


def _with_retries(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that say something of retries: originals, which were asked for too, add nothing."""
    return table[table["retries"] > 0].reset_index(drop=True)


def describe_roots(by_root: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """`by_root` with the names of the first tasks."""
    names = catalog.rows(by_root["root_id"])[["task_id", "name"]].rename(columns={"task_id": "root_id"})
    return by_root.merge(names, on="root_id", how="left")


def forecast(proposal: Proposal) -> DiskForecast | None:
    """What the retry that waits for its confirmation will copy; None where stages are retried in place."""
    if proposal.plan.action != "task":
        return None
    told = forecast_disk(proposal.plan.frame)
    if told.free_bytes is None and proposal.files is not None:
        return DiskForecast(told.tasks, told.extra_bytes, told.unknown, proposal.files.free_bytes)
    return told


class DiskState(HasTraits):
    """`cost` of the lineages of the catalog; None until it was read, or where the platform keeps no files.

    `expiry` of the failed tasks' input files is read when it is first asked for, and with every load afterwards;
    `expiry_lost` says that it could not be read.
    """

    cost = Instance(DiskCost, allow_none=True)
    problem = Instance(Problem, allow_none=True)
    loading = Bool()
    expiry = Instance(Expiry, allow_none=True)
    expiry_lost = Bool()

    def __init__(self, session: Session, catalog: CatalogState) -> None:
        super().__init__()
        self._session = session
        self._catalog = catalog
        self._again = False
        self._looks_ahead = False
        self._looking = False

    @property
    def supported(self) -> bool:
        """Whether the platform tells about files at all."""
        return self._session.platform.capabilities.files

    def load(self) -> None:
        """Read the files of every task that stands in a lineage; asked for while loading, once more afterwards."""
        catalog = self._catalog.catalog
        if catalog is None or not self.supported:
            return
        if self.loading:
            self._again = True
            return
        self.loading, self.problem = True, None
        self._session.start(lambda: self._read(catalog), self._loaded, self._failed)

    def look_ahead(self) -> None:
        """Read which input files go when, from now on with every load too."""
        self._looks_ahead = True
        catalog = self._catalog.catalog
        if catalog is not None and self.supported and not self._looking and self.expiry is None:
            self._look(catalog)

    def _read(self, catalog: Catalog) -> DiskCost:
        members = catalog.lineage[catalog.lineage["tree_size"] > 1]
        # Of a frame, asking costs nothing.
        asked = members if isinstance(self._session.platform, StillPlatform) else members.head(READ_AT_MOST)
        files = read_files(self._session.platform, asked)
        return measure(disk_cost(files, asked), catalog, left_out=len(members) - len(asked))

    def _loaded(self, cost: DiskCost) -> None:
        self.loading, self.cost = False, cost
        catalog = self._catalog.catalog
        if self._looks_ahead and not self._looking and catalog is not None:
            self._look(catalog)
        self._reload_if_asked()

    def _failed(self, error: Exception) -> None:
        self.loading, self.problem = False, explain(error)
        self._reload_if_asked()

    def _reload_if_asked(self) -> None:
        if self._again:
            self._again = False
            self.load()

    def _look(self, catalog: Catalog) -> None:
        self._looking, self.expiry_lost = True, False
        self._session.start(partial(_expiry, self._session, catalog), self._looked, self._not_looked)

    def _looked(self, expiry: Expiry) -> None:
        self._looking, self.expiry = False, expiry

    def _not_looked(self, error: Exception) -> None:
        self._looking, self.expiry_lost = False, True
        self._session.notices.report(error)


def _expiry(session: Session, catalog: Catalog) -> Expiry:
    failed = catalog.tasks.index[catalog.tasks["status"] == "failed"]
    asked = catalog.lineage.loc[failed[:READ_AT_MOST]]
    files = read_files(session.platform, asked)
    return Expiry(expiring(disk_cost(files, asked), now=datetime.now(UTC)), len(asked), len(failed))

"""What retries cost on disk: the files of every task in a lineage, read aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd
from traitlets import Bool, HasTraits, Instance

from retry_toolkit.analysis.disk import disk_cost
from retry_toolkit.analysis.disk_sums import disk_by_root
from retry_toolkit.frames.load import read_files
from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.problems import Problem, explain
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.still import StillPlatform

READ_AT_MOST: Final = 1000


@dataclass(frozen=True, eq=False)
class DiskCost:
    """`disk` is `disk_cost` of the tasks that were asked for, `by_root` is `disk_by_root` with names of lineages.

    `unknown` counts retries whose size no one knows: they are not in `total`. `left_out` tasks were not asked for.
    """

    disk: pd.DataFrame
    by_root: pd.DataFrame
    total: int
    unknown: int
    left_out: int = 0

    @property
    def holders(self) -> tuple[str, ...]:
        """The tasks that hold the bytes of `total`."""
        return tuple(self.disk.loc[self.disk["extra_bytes"].fillna(0) > 0, "task_id"])


def describe_roots(by_root: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """`by_root` with the names of the first tasks."""
    names = catalog.tasks[["task_id", "name"]].rename(columns={"task_id": "root_id"})
    return by_root.merge(names, on="root_id", how="left")


class DiskState(HasTraits):
    """`cost` of the lineages of the catalog; None until it was read, or where the platform keeps no files."""

    cost = Instance(DiskCost, allow_none=True)
    problem = Instance(Problem, allow_none=True)
    loading = Bool()

    def __init__(self, session: Session, catalog: CatalogState) -> None:
        super().__init__()
        self._session = session
        self._catalog = catalog
        self._again = False

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

    def _read(self, catalog: Catalog) -> DiskCost:
        members = catalog.lineage[catalog.lineage["tree_size"] > 1]
        # Of a frame, asking costs nothing.
        asked = members if isinstance(self._session.platform, StillPlatform) else members.head(READ_AT_MOST)
        files = read_files(self._session.platform, asked)
        cost = disk_cost(files, asked)
        by_root = describe_roots(disk_by_root(cost), catalog)
        return DiskCost(
            cost,
            by_root,
            int(by_root["extra_bytes"].sum()),
            int(by_root["unknown"].sum()),
            len(members) - len(asked),
        )

    def _loaded(self, cost: DiskCost) -> None:
        self.loading, self.cost = False, cost
        self._reload_if_asked()

    def _failed(self, error: Exception) -> None:
        self.loading, self.problem = False, explain(error)
        self._reload_if_asked()

    def _reload_if_asked(self) -> None:
        if self._again:
            self._again = False
            self.load()

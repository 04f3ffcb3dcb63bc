"""The lineage of the open task: the tree of whole retries that it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd
from traitlets import HasTraits, Instance

from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.report import ReportState

DRAWN_AT_MOST: Final = 300
_COLUMNS: Final = ["task_id", "name", "status", "duration_s", "created_at"]


@dataclass(frozen=True, eq=False)
class Tree:
    """Tasks of one lineage with what is drawn of them; `left_out` tasks are not in `nodes`."""

    nodes: pd.DataFrame
    current: str
    left_out: int = 0


class LineageState(HasTraits):
    """`tree` follows the open task and the catalog; None while no task is open or the task is not known."""

    tree = Instance(Tree, allow_none=True)

    def __init__(self, catalog: CatalogState, report: ReportState) -> None:
        super().__init__()
        self._catalog = catalog
        self._report = report
        catalog.observe(lambda _: self._follow(), names="catalog")
        report.observe(lambda _: self._follow(), names="task_id")

    def _follow(self) -> None:
        catalog, task_id = self._catalog.catalog, self._report.task_id
        self.tree = grow(catalog, task_id) if catalog and task_id and task_id in catalog else None


def grow(catalog: Catalog, task_id: str) -> Tree:
    """The tree that `task_id` stands in, nearest tasks first kept where it is too large to be drawn."""
    lineage = catalog.lineage
    root = lineage.loc[lineage["task_id"] == task_id, "root_id"].iloc[0]
    members = lineage[lineage["root_id"] == root]
    kept = _nearest(members, task_id) if len(members) > DRAWN_AT_MOST else members
    nodes = kept.merge(catalog.rows(kept["task_id"])[_COLUMNS], on="task_id", how="left", validate="one_to_one")
    nodes = nodes.sort_values(["depth", "created_at"], kind="stable", na_position="last", ignore_index=True)
    return Tree(nodes, task_id, len(members) - len(kept))


def _nearest(members: pd.DataFrame, task_id: str) -> pd.DataFrame:
    """The tasks whose depth is closest to that of `task_id`, itself first."""
    depth = members.loc[members["task_id"] == task_id, "depth"].iloc[0]
    distance = (members["depth"] - depth).abs().where(members["task_id"] != task_id, -1)
    return members.reindex(distance.sort_values(kind="stable").index[:DRAWN_AT_MOST])

"""The tasks of the platform as canonical frames: loaded as a whole, mended a row at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial

import pandas as pd
from pandas.api.types import union_categoricals
from traitlets import Bool, HasTraits, Instance, Int

from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import stages_frame, tasks_frame
from retry_toolkit.frames.conditions import Positions
from retry_toolkit.panels.state.problems import Problem, explain
from retry_toolkit.panels.state.session import Session
from retry_toolkit.platforms.base import TaskRecord


@dataclass(frozen=True, eq=False)
class Catalog:
    """The frames of one load: tasks (newest first), their stages, their lineage.

    `claims` are the direct retries that tasks name; `rejected` rows could not be read.
    """

    tasks: pd.DataFrame
    stages: pd.DataFrame
    lineage: pd.DataFrame
    loaded_at: datetime
    claims: Mapping[str, Sequence[str]]
    rejected: int = 0

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {task_id: position for position, task_id in enumerate(self.tasks["task_id"].tolist())}

    @cached_property
    def _places(self) -> pd.DataFrame:
        return self.lineage.set_index("task_id")[["depth", "children"]]

    def window(self, positions: Positions) -> pd.DataFrame:
        """These rows of `tasks`, with the `depth` and the `children` of each in its lineage."""
        return self.tasks.iloc[positions].join(self._places, on="task_id")

    def positions(self, task_ids: Iterable[str]) -> list[int]:
        """Row numbers in `tasks` of the ids that are known, in frame order."""
        return sorted(self._positions[task_id] for task_id in task_ids if task_id in self._positions)

    def rows(self, task_ids: Iterable[str]) -> pd.DataFrame:
        """Rows of `tasks` of the ids that are known, in frame order."""
        return self.tasks.iloc[self.positions(task_ids)]

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._positions


def make_catalog(records: Sequence[TaskRecord], *, loaded_at: datetime, rejected: int = 0) -> Catalog:
    """The frames of `records`."""
    tasks = tasks_frame(records)
    claims = {record.task_id: record.retried_by for record in records if record.retried_by}
    return Catalog(tasks, stages_frame(records), build_lineage(tasks, claims), loaded_at, claims, rejected)


def replace_rows(catalog: Catalog, record: TaskRecord) -> Catalog:
    """`catalog` with the rows of one task as `record` has them now; a task that is new comes in by its time."""
    tasks = _joined(tasks_frame([record]), catalog.tasks, record.task_id)
    tasks = tasks.sort_values("created_at", ascending=False, kind="stable", na_position="last", ignore_index=True)
    stages = _joined(stages_frame([record]), catalog.stages, record.task_id)
    claims = {**catalog.claims, record.task_id: record.retried_by}
    return Catalog(tasks, stages, build_lineage(tasks, claims), catalog.loaded_at, claims, catalog.rejected)


def _joined(new: pd.DataFrame, old: pd.DataFrame, task_id: str) -> pd.DataFrame:
    """`new` above the rows of `old` that are of other tasks, with columns and dtypes kept."""
    rest = old[old["task_id"] != task_id]
    columns = {}
    for name in old.columns:
        # Categories that differ would fall back to text.
        if isinstance(old[name].dtype, pd.CategoricalDtype):
            columns[name] = pd.Series(union_categoricals([new[name], rest[name]], sort_categories=True))
        else:
            columns[name] = pd.concat([new[name], rest[name]], ignore_index=True)
    return pd.DataFrame(columns)


class CatalogState(HasTraits):
    """Loads the catalog: `loading` with `read` tasks so far, or the `problem` of the last try."""

    catalog = Instance(Catalog, allow_none=True)
    problem = Instance(Problem, allow_none=True)
    loading = Bool()
    read = Int()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._again = False
        self._mended: dict[str, TaskRecord] = {}

    def load(self) -> None:
        """Load everything; asked for while loading, it is loaded once more afterwards."""
        if self.loading:
            self._again = True
            return
        self.loading, self.read, self.problem = True, 0, None
        self._session.start(self._fetch, self._loaded, self._failed)

    def mend(self, record: TaskRecord) -> None:
        """Take over the fresh state of one task."""
        if self.loading:
            # What is being loaded may be older than this record.
            self._mended[record.task_id] = record
        if self.catalog is not None:
            self.catalog = replace_rows(self.catalog, record)

    def _fetch(self) -> Catalog:
        started = datetime.now(UTC)
        records: list[TaskRecord] = []
        rejected = 0
        for page in self._session.platform.tasks():
            records.extend(page.tasks)
            rejected += len(page.rejected)
            self._session.post(partial(self.set_trait, "read", len(records)))
        return make_catalog(records, loaded_at=started, rejected=rejected)

    def _loaded(self, catalog: Catalog) -> None:
        self.loading = False
        for record in self._mended.values():
            catalog = replace_rows(catalog, record)
        self._mended.clear()
        self._session.notices.settle("catalog")
        self.catalog = catalog
        self._reload_if_asked()

    def _failed(self, error: Exception) -> None:
        self.loading = False
        self._mended.clear()
        self.problem = explain(error)
        if self.catalog is not None:
            # The rows of the last load stay: what is wrong must be said beside them.
            self._session.notices.show_problem(self.problem, topic="catalog")
        self._reload_if_asked()

    def _reload_if_asked(self) -> None:
        if self._again:
            self._again = False
            self.load()

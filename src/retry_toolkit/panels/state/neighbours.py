"""What is near the chosen stage: other tasks that failed for the same reason, and when the stage last went well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from traitlets import HasTraits, Instance

from retry_toolkit.frames.fingerprints import fingerprint
from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.state.session import Session

NAMED: Final = 5
_NEWEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A task near by; `time` is when it was created, or when its stage ended."""

    task_id: str
    name: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`count` other failed tasks have the `fingerprint` of the chosen stage's error, the newest of them are `named`.

    `succeeded` is the task whose stage of the same name, in the same template, last ended well.
    """

    stage_id: str | None
    fingerprint: str | None = None
    count: int = 0
    named: tuple[Neighbour, ...] = ()
    template: str | None = None
    succeeded: Neighbour | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    task_id: str
    stage_id: str | None
    stage: str | None
    template: str | None
    error: str | None


class NeighboursState(HasTraits):
    """`neighbours` of the chosen stage in the list; None while there is no list."""

    neighbours = Instance(Neighbours, allow_none=True)

    def __init__(self, session: Session, catalog: CatalogState, report: ReportState) -> None:
        super().__init__()
        self._session = session
        self._catalog = catalog
        self._report = report
        self._working = False
        self._again = False
        catalog.observe(lambda _: self._look(), names="catalog")
        report.observe(lambda _: self._look(), names=["task", "stage_id"])

    def _look(self) -> None:
        """Look around, aside: a million rows take a moment. Asked for meanwhile, once more afterwards."""
        catalog, question = self._catalog.catalog, self._question()
        if catalog is None or question is None:
            self.neighbours = None
            return
        if self.neighbours is not None and self.neighbours.stage_id != question.stage_id:
            self.neighbours = None
        self._again = self._working
        if not self._working:
            self._working = True
            self._session.start(partial(_answer, catalog, question), self._take, self._not_found)

    def _question(self) -> _Question | None:
        task, stage = self._report.task, self._report.stage
        if task is None:
            return None
        name, stage_id = (stage.stage, stage.stage_id) if stage else (None, None)
        return _Question(task.task_id, stage_id, name, task.template, self._report.error)

    def _take(self, found: tuple[_Question, Neighbours]) -> None:
        self._working = False
        question, neighbours = found
        if question == self._question():
            self.neighbours = neighbours
        self._look_again()

    def _not_found(self, error: Exception) -> None:
        self._working = False
        self._session.notices.report(error)
        self._look_again()

    def _look_again(self) -> None:
        if self._again:
            self._again = False
            self._look()


def _answer(catalog: Catalog, question: _Question) -> tuple[_Question, Neighbours]:
    cause = fingerprint(question.error)
    rows = _same_cause(catalog.tasks, cause, question.task_id)
    named = catalog.tasks.iloc[rows[:NAMED]]
    return question, Neighbours(
        stage_id=question.stage_id,
        fingerprint=cause,
        count=len(rows),
        named=tuple(_neighbour(row, row["created_at"]) for row in named.to_dict("records")),
        template=question.template,
        succeeded=_last_success(catalog, question),
    )


def _same_cause(tasks: pd.DataFrame, cause: str | None, task_id: str) -> Any:
    """Rows of the other failed tasks with this fingerprint, the newest first."""
    if cause is None:
        return np.zeros(0, dtype=np.int64)
    rows = np.flatnonzero(_equals(tasks["fingerprint"], cause) & _equals(tasks["status"], "failed"))
    return rows[(tasks["task_id"].iloc[rows] != task_id).to_numpy(dtype=np.bool_)]


def _last_success(catalog: Catalog, question: _Question) -> Neighbour | None:
    """Of other tasks of the template, the one whose stage of this name ended well last."""
    if question.stage is None or question.template is None:
        return None
    stages = catalog.stages
    rows = np.flatnonzero(_equals(stages["stage"], question.stage) & _equals(stages["status"], "succeeded"))
    times = stages["finished_at"].iloc[rows].to_numpy(dtype="datetime64[us]")
    known = ~np.isnat(times)
    rows, times = rows[known], times[known]
    # Most often one of the newest is of the template: the others are only looked at where none is.
    for chosen in _newest_first(times):
        ids = stages["task_id"].iloc[rows[chosen]]
        fits = np.flatnonzero(ids.isin(_of_template(catalog, question, ids)).to_numpy(dtype=np.bool_))
        if len(fits):
            place = catalog.places[ids.iloc[fits[0]]]
            return _neighbour(catalog.tasks.iloc[place].to_dict(), pd.Timestamp(times[chosen[fits[0]]], tz="UTC"))
    return None


def _newest_first(times: Any) -> Iterator[Any]:
    """Places of the newest thousand, then of all."""
    if len(times) > _NEWEST:
        newest = np.argpartition(times, len(times) - _NEWEST)[-_NEWEST:]
        yield newest[np.argsort(times[newest], kind="stable")[::-1]]
    yield np.argsort(times, kind="stable")[::-1]


def _of_template(catalog: Catalog, question: _Question, ids: pd.Series) -> Any:
    """Ids of the other tasks of the template, at least those among `ids`."""
    tasks = catalog.rows(ids) if len(ids) <= _NEWEST else catalog.tasks
    found = tasks["task_id"][_equals(tasks["template"], question.template or "")]
    return found[found != question.task_id]


def _equals(column: pd.Series, value: str) -> Any:
    """Where a column has this value; by its codes where it is encoded."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = column.cat.categories
        return column.cat.codes.to_numpy() == (categories.get_loc(value) if value in categories else -2)
    return (column == value).fillna(False).to_numpy(dtype=np.bool_)


def _neighbour(row: Any, time: Any) -> Neighbour:
    name = row["task_id"] if pd.isna(row["name"]) else str(row["name"])
    return Neighbour(str(row["task_id"]), name, None if pd.isna(time) else time.to_pydatetime())

"""What is wrong: the failures by cause, and whether a retry of each was worth it so far."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import pandas as pd
from traitlets import Bool, HasTraits, Instance

from retry_toolkit.analysis.failures import group_failures
from retry_toolkit.analysis.recovery import recovery_rates
from retry_toolkit.panels.state.catalog import Catalog, CatalogState
from retry_toolkit.panels.state.problems import explain
from retry_toolkit.panels.state.session import Session
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.attempts import load_attempts

ASKED_AT_MOST: Final = 200
"""Newest retried tasks whose attempts are read to learn what retries came to; one request each."""


@dataclass(frozen=True, slots=True)
class Past:
    """What retries of one error came to; rate and interval are None below five cases, `median_s` where unknown."""

    cases: int
    recovered: int
    rate: float | None
    low: float | None
    high: float | None
    advice: str
    median_s: float | None = None


class GroupsState(HasTraits):
    """`groups` of the failed tasks in the list, columns of `schema.GROUPS`; `past` of their retries by fingerprint.

    `waiting` says that no groups are known yet, and may still come.

    Args:
        session: Whose platform tells of attempts.
        catalog: The list.
        archive: Where attempts are that retries erased.
    """

    groups = Instance(pd.DataFrame, allow_none=True)
    past: Any = Instance(dict, allow_none=True)
    expanded = Bool()
    waiting = Bool(True)

    def __init__(self, session: Session, catalog: CatalogState, archive: Archive) -> None:
        super().__init__()
        self._session = session
        self._catalog = catalog
        self._archive = archive
        self._grouping = False
        self._again = False
        self._learned_of: datetime | None = None
        catalog.observe(lambda _: self._regroup(), names="catalog")
        catalog.observe(lambda _: self._wait(), names="problem")

    def learn(self) -> None:
        """Read what retries came to."""
        catalog = self._catalog.catalog
        if catalog is not None:
            self._session.start(partial(self._rates, catalog), self._learned, self._not_learned)

    def _wait(self) -> None:
        self.waiting = self.groups is None and self._catalog.problem is None

    def _regroup(self, rest_s: float = 0.0) -> None:
        """Group anew, after a rest; asked for while grouping, once more afterwards."""
        catalog = self._catalog.catalog
        if self._grouping or catalog is None:
            self._again = self._grouping
            return
        self._grouping = True
        self._session.start(partial(_grouped_after, rest_s, catalog.tasks), self._grouped, self._not_grouped)
        if self._learned_of != catalog.loaded_at:
            self._learned_of = catalog.loaded_at
            self.learn()

    def _grouped(self, found: tuple[pd.DataFrame, float]) -> None:
        self._grouping = False
        self.groups, took_s = found
        self.waiting = False
        if self._again:
            self._again = False
            # While a large batch runs, rows change all the time: most of the kernel's is for the page.
            self._regroup(rest_s=2 * took_s)

    def _not_grouped(self, error: Exception) -> None:
        self._grouping = self.waiting = False
        self._session.notices.report(error)

    def _rates(self, catalog: Catalog) -> dict[str, Past]:
        attempts = None
        if self._session.platform.capabilities.keeps_attempts or self._archive.begun:
            retried = catalog.stages.loc[catalog.stages["retry_count"].fillna(0) > 0, "task_id"]
            ids = catalog.tasks["task_id"][catalog.tasks["task_id"].isin(retried)].head(ASKED_AT_MOST)
            attempts = load_attempts(
                self._session.platform, ids.tolist(), evidence=self._archive.evidence, progress=False
            )
        return past_of(recovery_rates(catalog.tasks, attempts))

    def _learned(self, past: dict[str, Past]) -> None:
        self._session.notices.settle("groups")
        self.past = past

    def _not_learned(self, error: Exception) -> None:
        self._session.notices.show_problem(explain(error), topic="groups")


def _grouped_after(rest_s: float, tasks: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """The groups, and the seconds that they took; in a thread, which may sleep while the page works."""
    time.sleep(rest_s)
    began = time.monotonic()
    return group_failures(tasks), time.monotonic() - began


def past_of(rates: pd.DataFrame) -> dict[str, Past]:
    """By fingerprint; of stage and whole retries the kind that has more cases."""
    known = rates.dropna(subset=["fingerprint"]).drop_duplicates("fingerprint")
    return {str(row["fingerprint"]): _past(row) for row in known.to_dict("records")}


def _past(row: Mapping[Any, Any]) -> Past:
    names = ("rate", "rate_low", "rate_high", "median_s")
    rate, low, high, median_s = (None if pd.isna(row.get(name)) else float(row[name]) for name in names)
    return Past(int(row["cases"]), int(row["recovered"]), rate, low, high, str(row["advice"]), median_s)

"""One pass over the tasks of a platform: page by page into Arrow tables, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from retry_toolkit.frames.columns import SetAside, Tables, make_tables
from retry_toolkit.frames.notes import Notes
from retry_toolkit.frames.progress import progress_bar
from retry_toolkit.frames.records import RECORDS
from retry_toolkit.platforms.base import EVERY_TASK, Page, Platform, Rejected, TaskQuery
from retry_toolkit.platforms.bulk import AS_USUAL, Batch, Bulk, Reading

BATCH_ROWS = 2_000
"""Tasks that become columns at a time: enough that a column is worth its overhead, few enough to stay in the cache."""


class TaskReading:
    """One pass, and what was found on the way.

    Attributes:
        tasks: Tasks so far.
    """

    def __init__(
        self,
        platform: Platform,
        query: TaskQuery = EVERY_TASK,
        *,
        stages: bool = False,
        how: Reading = AS_USUAL,
        progress: bool = False,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self._layout = platform.layout if isinstance(platform, Bulk) else RECORDS
        self._pages = platform.bulk_pages(query, how) if isinstance(platform, Bulk) else platform.tasks(query)
        self._query = query
        self._stages = stages
        self._how = how
        self._progress = progress
        self._batch_rows = batch_rows
        self._totals: list[int] = []
        self._rejected: list[Rejected] = []
        self._set_aside: list[SetAside] = []
        self.tasks = 0

    def tables(self) -> Iterator[Tables]:
        """Tables of a batch of tasks each; none where there are none."""
        rows: list[Any] = []
        for page in self._shown_pages():
            rows.extend(page.tasks)
            if len(rows) >= self._batch_rows:
                yield self._made(rows)
                rows = []
        if rows:
            yield self._made(rows)

    @property
    def notes(self) -> Notes:
        """What there is to say of the pass, once it is over."""
        return Notes(rejected=self._rejected, set_aside=self._set_aside, difference=self._difference)

    @property
    def _difference(self) -> str | None:
        """How what came differs from what the platform says it has; None where it does not, or cannot be told.

        The total moves while tasks arrive or are deleted: what lies between the first and the last is explained.
        """
        if not self._totals or self._query.limit is not None:
            return None
        least, most = min(self._totals[0], self._totals[-1]), max(self._totals[0], self._totals[-1])
        came = self.tasks + len(self._rejected)
        if least <= came <= most:
            return None
        return f"{came} task(s) came, and the platform says that it has {self._totals[-1]}"

    def _made(self, rows: list[Any]) -> Tables:
        batch = Batch(rows, self._layout)
        made = make_tables(batch, stages=self._stages)
        self._set_aside.extend(made.set_aside)
        return made

    def _shown_pages(self) -> Iterator[Page[Any]]:
        with progress_bar("tasks", shown=self._progress) as bar:
            for page in self._pages:
                self._how.check()
                self.tasks += len(page.tasks)
                self._rejected.extend(page.rejected)
                if page.total is not None:
                    self._totals.append(page.total)
                bar.total = page.total
                bar.update(len(page.tasks))
                yield page

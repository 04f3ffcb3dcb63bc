"""The open task: its stages, one of them chosen, with its attempts, its error and its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from traitlets import Bool, HasTraits, Instance, Tuple, Unicode

from retry_toolkit.errors import NotFound
from retry_toolkit.panels.state.lines import LogBook, lines_of, read_book
from retry_toolkit.panels.state.problems import Problem, explain
from retry_toolkit.panels.state.reader import Reader
from retry_toolkit.panels.state.session import Session
from retry_toolkit.platforms.base import FINISHED, AttemptRecord, StageRecord, TaskRecord


@dataclass(frozen=True, slots=True)
class _Reading:
    task: TaskRecord
    attempts: tuple[AttemptRecord, ...]


class ReportState(HasTraits):
    """`task` is the last state read of `task_id`; `stage_id` the stage that is looked at.

    `log` is what is kept of its log, `log_reader` and `error_reader` are what is shown of log and error.
    """

    task_id = Unicode(None, allow_none=True)
    task = Instance(TaskRecord, allow_none=True)
    stage_id = Unicode(None, allow_none=True)
    attempts = Tuple()
    log = Instance(LogBook, args=())
    problem = Instance(Problem, allow_none=True)
    log_problem = Instance(Problem, allow_none=True)
    loading = Bool()
    log_loading = Bool()

    def __init__(self, session: Session, follow: Callable[[str], None]) -> None:
        super().__init__()
        self._session = session
        self._follow = follow
        self._reads = 0
        self._log_reads = 0
        self._log_of: tuple[str, str] | None = None
        self._log_again = False
        self.log_reader, self.error_reader = Reader(), Reader()
        self.observe(lambda _: self._put_error(), names=["task", "stage_id"])

    @property
    def stage(self) -> StageRecord | None:
        """The stage that is looked at, as it stands now."""
        return (
            next((stage for stage in self.task.stages if stage.stage_id == self.stage_id), None) if self.task else None
        )

    @property
    def error(self) -> str | None:
        """The error that is looked at: of the chosen stage, else of a task without stages."""
        if self.task is None:
            return None
        return self.stage.error if self.stage is not None else self.task.error

    @property
    def between(self) -> bool:
        """Whether another task is being read: the page shows the last one, out of reach, rather than nothing."""
        return self.task_id is not None and self.task is None and self.loading

    def open(self, task_id: str) -> None:
        """Show a task; its failed stage is looked at first."""
        if task_id != self.task_id:
            with self.hold_trait_notifications():
                self.loading = True
                self.task_id, self.task, self.stage_id = task_id, None, None
                self.attempts, self.problem = (), None
                self._forget_log()
        self.reload()

    def close(self) -> None:
        """Show no task."""
        self._reads += 1
        with self.hold_trait_notifications():
            self.task_id, self.task, self.stage_id, self.loading = None, None, None, False
            self._forget_log()

    def choose(self, stage_id: str) -> None:
        """Look at a stage of the open task."""
        known = self.task is not None and any(stage.stage_id == stage_id for stage in self.task.stages)
        if known and stage_id != self.stage_id:
            self._forget_log()
            self.stage_id = stage_id
            self.reload_log()

    def reload(self) -> None:
        """Read the open task again, with its attempts and the log of its stage."""
        if self.task_id is None:
            return
        self._reads += 1
        self.loading = True
        read = self._reads
        self._session.start(
            partial(self._fetch, self.task_id), partial(self._fetched, read), partial(self._not_fetched, read)
        )

    def accept(self, record: TaskRecord) -> None:
        """Take over a state of the open task that somebody else read, and what is new in its attempts and log."""
        if record.task_id == self.task_id and not self.loading:
            changed = self.task is None or record.status != self.task.status or record.stages != self.task.stages
            self._show(record)
            if changed:
                self._session.start(
                    partial(self._attempts, record.task_id), partial(self._take_attempts, record.task_id)
                )
            if changed or (self.stage is not None and self.stage.status == "running"):
                self.reload_log()

    def reload_log(self) -> None:
        """Read the log of the chosen stage again; asked for while it is being read, once more afterwards."""
        task, stage = self.task, self.stage
        if task is None or stage is None or not self._session.platform.capabilities.logs:
            return
        about = (task.task_id, stage.stage)
        if self.log_loading and about == self._log_of:
            self._log_again = True
            return
        self._log_reads += 1
        self._log_of, self._log_again = about, False
        self.log_loading = True
        read = self._log_reads
        since = stage.started_at if stage.retry_count else None
        self._session.start(
            partial(self._read_log, *about, since), partial(self._take_log, read), partial(self._no_log, read)
        )

    def _fetch(self, task_id: str) -> _Reading:
        return _Reading(self._session.platform.task(task_id), self._attempts(task_id))

    def _attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:
        if not self._session.platform.capabilities.keeps_attempts:
            return ()
        try:
            return self._session.platform.attempts(task_id)
        except NotFound:
            return ()

    def _fetched(self, read: int, reading: _Reading) -> None:
        if read != self._reads:
            return
        self.loading, self.problem = False, None
        self._session.notices.settle("report")
        self.attempts = reading.attempts
        self._show(reading.task)
        self.reload_log()
        if reading.task.status not in FINISHED:
            self._follow(reading.task.task_id)

    def _not_fetched(self, read: int, error: Exception) -> None:
        if read == self._reads:
            self.loading, self.problem = False, explain(error)
            if self.task is not None:
                # What was read before stays: what is wrong must be said beside it.
                self._session.notices.show_problem(self.problem, topic="report")

    def _show(self, task: TaskRecord) -> None:
        kept = any(stage.stage_id == self.stage_id for stage in task.stages)
        with self.hold_trait_notifications():
            self.task = task
            self.stage_id = self.stage_id if kept else _first_of_interest(task)

    def _take_attempts(self, task_id: str, attempts: tuple[AttemptRecord, ...]) -> None:
        if task_id == self.task_id:
            self.attempts = attempts

    def _put_error(self) -> None:
        error = self.error
        if error:
            key = f"{self.task_id}/{self.stage_id}/{hash(error)}"
            if key != self.error_reader.view.key:
                self.error_reader.put(key, lines_of(error)[0], from_start=True)

    def _read_log(self, task_id: str, stage: str, since: datetime | None) -> LogBook:
        return read_book(self._session.platform.logs(task_id, stage), since=since)

    def _take_log(self, read: int, log: LogBook) -> None:
        if read == self._log_reads:
            self.log_loading, self.log_problem = False, None
            self.log = log
            key = f"{self.task_id}/{self.stage_id}"
            self.log_reader.put(key, log.lines, skipped=log.skipped, latest=log.latest)
            self._reload_log_if_asked()

    def _no_log(self, read: int, error: Exception) -> None:
        if read == self._log_reads:
            self.log_loading, self.log_problem = False, explain(error)
            self._reload_log_if_asked()

    def _reload_log_if_asked(self) -> None:
        if self._log_again:
            self._log_again = False
            self.reload_log()

    def _forget_log(self) -> None:
        """What is still being read of it is for nobody."""
        self._log_reads += 1
        self._log_of, self._log_again = None, False
        self.log, self.log_problem, self.log_loading = LogBook(), None, False
        self.log_reader.put("", ())


def _first_of_interest(task: TaskRecord) -> str | None:
    """The failed stage, else the one that runs, else the last."""
    running: Any = next((stage for stage in task.stages if stage.status == "running"), None)
    chosen = task.failed_stage or running or (task.stages[-1] if task.stages else None)
    return chosen.stage_id if chosen else None

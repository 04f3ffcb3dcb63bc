"""Attempts of the chosen stage, from the platform and from the evidence, and two of them compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from traitlets import Bool, HasTraits, Instance, Tuple

from retry_toolkit.analysis.difference import Difference, find_difference
from retry_toolkit.panels.state.lines import lines_of, printable, read_book
from retry_toolkit.panels.state.problems import Problem, explain
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.splitting import split_log
from retry_toolkit.platforms.base import FINISHED, AttemptRecord, LogRecord, StageRecord, TaskRecord
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.evidence import Evidence

_LONGEST_VALUE: Final = 200


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two attempts of a stage: what differs in error and log; None where one of them is not known.

    `parameters` are those that differ, by name, None where they were not kept; `without_log` are the attempts whose log
    nobody kept.
    """

    before: AttemptRecord
    after: AttemptRecord
    error: Difference
    log: Difference | None
    without_log: tuple[int, ...]
    parameters: Mapping[str, tuple[str, str]] | None

    @property
    def equal(self) -> bool:
        """Whether nothing that is known of both differs but times and numbers."""
        log = self.log is None or self.log.equal
        return self.before.status == self.after.status and self.error.equal and log and not self.parameters


@dataclass(frozen=True, slots=True)
class _Request:
    task: TaskRecord
    stage: StageRecord
    attempts: tuple[AttemptRecord, ...]
    before: AttemptRecord
    after: AttemptRecord
    log: tuple[LogRecord, ...]


class AttemptsState(HasTraits):
    """`attempts` of the chosen stage that are known, in order; `pair` are the numbers of the two that are compared.

    Args:
        session: Whose background works.
        report: The open task.
        archive: Where attempts are that retries erased.
    """

    attempts = Tuple()
    pair: Any = Tuple()
    comparison = Instance(Comparison, allow_none=True)
    comparing = Bool()
    problem = Instance(Problem, allow_none=True)

    def __init__(self, session: Session, report: ReportState, archive: Archive) -> None:
        super().__init__()
        self._session = session
        self._report = report
        self._archive = archive
        self._kept: tuple[str | None, tuple[AttemptRecord, ...]] = (None, ())
        self._asked: object = None
        self._reads = 0
        self._compared = 0
        report.observe(lambda _: self._look(), names=["task", "attempts"])
        report.observe(lambda _: self._show(), names=["stage_id"])
        report.observe(lambda _: self._compare(), names=["log", "log_loading"])

    @property
    def unknown(self) -> tuple[int, ...]:
        """Numbers of earlier attempts that nobody kept."""
        known = {each.attempt for each in self.attempts}
        stage = self._report.stage
        begun = range(1, (stage.retry_count if stage else 0) + 1)
        return tuple(number for number in begun if number not in known)

    def choose(self, side: Literal["before", "after"], number: int) -> None:
        """Compare another attempt; two of the same are never compared."""
        if number not in {each.attempt for each in self.attempts} or len(self.pair) != len(("before", "after")):
            return
        other = self.pair[1] if side == "before" else self.pair[0]
        if number != other:
            self.pair = (number, other) if side == "before" else (other, number)
            self._compare()

    def _look(self) -> None:
        """Ask the evidence anew when the platform tells of another state of the task."""
        task = self._report.task
        asked = (task.task_id, task.status, [stage.retry_count for stage in task.stages]) if task else None
        if task is not None and asked != self._asked and self._archive.has_evidence:
            self._reads += 1
            self._session.start(
                partial(self._read, task.task_id),
                partial(self._take, self._reads),
                partial(self._not_read, self._reads),
            )
        self._asked = asked
        self._show()

    def _read(self, task_id: str) -> tuple[str, tuple[AttemptRecord, ...]]:
        with self._archive.look() as evidence:
            return task_id, evidence.attempts(self._session.platform.origin, task_id) if evidence else ()

    def _take(self, read: int, kept: tuple[str, tuple[AttemptRecord, ...]]) -> None:
        if read == self._reads:
            self.problem, self._kept = None, kept
            self._show()

    def _not_read(self, read: int, error: Exception) -> None:
        if read == self._reads:
            self.problem = explain(error)

    def _show(self) -> None:
        stage = self._report.stage
        kept = self._kept[1] if self._kept[0] == self._report.task_id else ()
        attempts = _of_stage(stage, (*kept, *self._report.attempts)) if stage else ()
        if attempts != self.attempts:
            with self.hold_trait_notifications():
                self.attempts = attempts
                self.pair = tuple(each.attempt for each in attempts[-2:]) if len(attempts) > 1 else ()
        self._compare()

    def _compare(self) -> None:
        """Compare the pair, as soon as the log was read; what was compared before goes when it is about others."""
        request = self._request()
        self._compared += 1
        shown = self.comparison
        if request is None or shown is None or (shown.before, shown.after) != (request.before, request.after):
            self.comparison = None
        self.comparing = request is not None
        if request is not None and not self._report.log_loading:
            compared = self._compared
            self._session.start(
                partial(self._work, request),
                partial(self._take_comparison, compared),
                partial(self._not_compared, compared),
            )

    def _request(self) -> _Request | None:
        task, stage = self._report.task, self._report.stage
        by_number = {each.attempt: each for each in self.attempts}
        pair = [by_number[number] for number in self.pair if number in by_number]
        ended = all(each.status in FINISHED for each in pair)
        if task is None or stage is None or len(pair) != len(("before", "after")) or not ended:
            return None
        return _Request(task, stage, tuple(self.attempts), pair[0], pair[1], self._report.log.records)

    def _work(self, request: _Request) -> Comparison:
        origin = self._session.platform.origin
        with self._archive.look() as evidence:
            reports = evidence.reports(origin, request.task.task_id) if evidence else ()
            parts = split_log(request.log, request.attempts)
            logs = {
                each.attempt: parts.get(each.attempt) or _kept_log(evidence, reports, request, each.attempt)
                for each in (request.before, request.after)
            }
        in_place = self._session.platform.capabilities.stage_retry == "in_place"
        return compare(request.before, request.after, logs, _parameters(request, reports, in_place=in_place))

    def _take_comparison(self, compared: int, comparison: Comparison) -> None:
        if compared == self._compared:
            with self.hold_trait_notifications():
                self.comparison, self.comparing = comparison, False

    def _not_compared(self, compared: int, error: Exception) -> None:
        if compared == self._compared:
            self.comparing, self.problem = False, explain(error)


def compare(
    before: AttemptRecord,
    after: AttemptRecord,
    logs: Mapping[int, Sequence[LogRecord] | None],
    parameters: Mapping[str, tuple[str, str]] | None,
) -> Comparison:
    """Two attempts with their logs by number, None for one that nobody kept."""
    texts = [_texts_of(logs.get(each.attempt)) for each in (before, after)]
    return Comparison(
        before=before,
        after=after,
        error=find_difference(*([line.text for line in lines_of(each.error or "")[0]] for each in (before, after))),
        log=None if texts[0] is None or texts[1] is None else find_difference(texts[0], texts[1]),
        without_log=tuple(each.attempt for each, text in zip((before, after), texts, strict=True) if text is None),
        parameters=parameters,
    )


def _of_stage(stage: StageRecord, attempts: Iterable[AttemptRecord]) -> tuple[AttemptRecord, ...]:
    """Each attempt of a stage once, the later word before the earlier; the stage itself tells of its latest."""
    found = {each.attempt: each for each in attempts if each.stage_id == stage.stage_id}
    latest = stage.retry_count + 1
    if stage.status not in {"pending", "skipped"} and latest not in found:
        found[latest] = AttemptRecord(
            task_id=stage.task_id,
            stage_id=stage.stage_id,
            stage=stage.stage,
            attempt=latest,
            status=stage.status,
            started_at=stage.started_at,
            finished_at=stage.finished_at,
            duration_s=stage.duration_s,
            error=stage.error,
            tokens=stage.tokens,
        )
    return tuple(found[number] for number in sorted(found))


def _texts_of(log: Sequence[LogRecord] | None) -> list[str] | None:
    return None if log is None else [line.text for record in log for line in lines_of(record.text)[0]]


def _kept_log(
    evidence: Evidence | None, reports: Sequence[tuple[str, TaskRecord]], request: _Request, attempt: int
) -> Sequence[LogRecord] | None:
    """The log of an attempt as it was kept before a retry."""
    for evidence_id, task in reports if evidence is not None else ():
        stage = _stage_at(task, request.stage.stage_id, attempt)
        if stage is not None and evidence is not None:
            log = read_book(evidence.logs(evidence_id, stage.stage)).records
            if parts := split_log(log, request.attempts).get(attempt):
                return parts
    return None


def _parameters(
    request: _Request, reports: Sequence[tuple[str, TaskRecord]], *, in_place: bool
) -> dict[str, tuple[str, str]] | None:
    """Parameters that differ between the two attempts; None where those of one are not known."""
    found = []
    for each in (request.before, request.after):
        tasks = [task for _, task in reports if _stage_at(task, request.stage.stage_id, each.attempt) is not None]
        # A stage that is reset in place has its task's parameters, then as now.
        latest = request.task if in_place or each.attempt == request.stage.retry_count + 1 else None
        task = tasks[-1] if tasks else latest
        found.append(None if task is None else task.parameters)
    before, after = found
    if before is None or after is None:
        return None
    names = [*before, *(name for name in after if name not in before)]
    return {name: (_value(before, name), _value(after, name)) for name in names if before.get(name) != after.get(name)}


def _stage_at(task: TaskRecord, stage_id: str, attempt: int) -> StageRecord | None:
    """The stage of a task as it was kept, where it had just made this attempt."""
    return next((each for each in task.stages if each.stage_id == stage_id and each.retry_count + 1 == attempt), None)


def _value(parameters: Mapping[str, Any], name: str) -> str:
    return "" if name not in parameters else printable(str(parameters[name])[:_LONGEST_VALUE])[0]

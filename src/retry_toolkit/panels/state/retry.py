"""Retrying: proposed, confirmed, sent once, watched until it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from traitlets import Bool, HasTraits, Instance, Unicode

from retry_toolkit.panels.state.catalog import CatalogState
from retry_toolkit.panels.state.problems import explain
from retry_toolkit.panels.state.proposals import (
    BatchProposal,
    Kind,
    Proposal,
    WholeProposal,
    batch_block,
    propose_batch,
    propose_stage,
    propose_whole,
    sendable,
    stage_block,
    whole_block,
)
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.state.sending import Item, Outcome, Verdict, send
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.table import TableState
from retry_toolkit.panels.state.watch import Lost
from retry_toolkit.platforms.base import FINISHED, Capabilities, Platform, TaskFiles, TaskRecord

T = TypeVar("T")
_VERDICTS: Final[dict[str, Verdict]] = {"succeeded": "recovered", "failed": "failed_again"}


class RetryState(HasTraits):
    """At most one `proposal` waits for its confirmation; any change of what it is about revokes it.

    `task_outcome` is what became of the last retry of the open task, `batch_outcome` of the last selection.
    """

    proposal = Instance(Proposal, allow_none=True)
    preparing = Unicode(None, allow_none=True)
    sending = Bool()
    task_outcome = Instance(Outcome, allow_none=True)
    batch_outcome = Instance(Outcome, allow_none=True)

    def __init__(self, session: Session, catalog: CatalogState, table: TableState, report: ReportState) -> None:
        super().__init__()
        self._session = session
        self._catalog = catalog
        self._table = table
        self._report = report
        self._intent = 0
        self.on_sent: Callable[[Outcome], None] = _ignore
        table.observe(lambda _: self.revoke("batch"), names="selected")
        report.observe(lambda _: self._moved(), names=["task_id", "stage_id"])
        session.observe(lambda _: self.revoke(), names="can_act")

    def stage_block(self) -> str | None:
        """Why the chosen stage of the open task cannot be retried (`block.<reason>`), or None."""
        task = self._report.task
        return self._block() or (stage_block(self._capabilities, task, self._report.stage) if task else "no_task")

    def whole_block(self) -> str | None:
        """Why the open task cannot be run again as a new one."""
        task = self._report.task
        return self._block() or (whole_block(self._capabilities, task) if task else "no_task")

    def batch_block(self) -> str | None:
        """Why the selection cannot be retried."""
        selected = self._table.selected
        catalog = self._catalog.catalog
        sent = int(sendable(catalog.rows(selected)).sum()) if catalog and selected else 0
        return self._block() or batch_block(self._capabilities, len(selected), sent)

    def propose_stage(self) -> None:
        """Read the open task afresh and ask for the confirmation to retry its chosen stage."""
        task, stage = self._report.task, self._report.stage
        if self._refused(self.stage_block()) or task is None or stage is None:
            return
        self._prepare(
            "stage", partial(self._session.platform.task, task.task_id), partial(self._fresh_stage, stage.stage_id)
        )

    def propose_whole(self) -> None:
        """Read the open task and its files afresh and ask for the confirmation to run it again as a new one."""
        task = self._report.task
        if self._refused(self.whole_block()) or task is None:
            return
        platform = self._session.platform
        self._prepare("whole", partial(_read_whole, platform, task.task_id), self._fresh_whole)

    def propose_batch(self) -> None:
        """Ask for the confirmation to retry what of the selection can be retried."""
        if self._refused(self.batch_block()):
            return
        self.revoke()
        self.batch_outcome = None
        self.proposal = self._batch()

    def vary(self, *, copy_files: bool | None = None, new_name: str | None = None) -> None:
        """Choose otherwise how a whole retry gets its files, or what it is called."""
        if isinstance(self.proposal, WholeProposal):
            self.proposal = self.proposal.varied(copy_files=copy_files, new_name=new_name)

    def revoke(self, kind: str | None = None) -> None:
        """Take back the proposal (of that kind) that waits."""
        if self.proposal is not None and kind in {None, self.proposal.kind}:
            self.proposal = None
        if kind is None or kind == self.preparing:
            self._intent += 1
            self.preparing = None

    def confirm(self, key: str) -> None:
        """Send the proposal that has this key; a second click finds none, and one that came too late finds another."""
        proposal = self.proposal
        if proposal is None or proposal.key != key or self.sending:
            return
        self.proposal = None
        writer = self._session.writer()
        self.sending = True
        self._session.start(
            partial(send, writer, self._session.platform, proposal), self._sent, partial(self._broke, proposal)
        )

    def dismiss(self, kind: str) -> None:
        """Take an outcome off the page."""
        if kind == "batch":
            self.batch_outcome = None
        else:
            self.task_outcome = None

    def settle(self, record: TaskRecord) -> None:
        """Take over the state of a task that is watched."""
        if record.status in FINISHED:
            self._settle(record.task_id, _VERDICTS.get(record.status, "cancelled"))

    def lose(self, task_id: str, why: Lost) -> None:
        """Say that a task is watched no longer."""
        self._settle(task_id, why)

    @property
    def _capabilities(self) -> Capabilities:
        return self._session.platform.capabilities

    def _block(self) -> str | None:
        return "read_only" if not self._session.can_act else "sending" if self.sending else None

    def _refused(self, block: str | None) -> bool:
        """Whether an action is closed: a button that is disabled on the page can still be fired at the kernel."""
        if block is not None:
            self._session.notices.tell(f"block.{block}")
        return block is not None

    def _batch(self) -> BatchProposal:
        catalog = self._catalog.catalog
        selected = self._table.selected
        if catalog is None:
            return BatchProposal(retry_counts={}, names={}, refused={})
        return propose_batch(catalog.rows(selected), len(selected))

    def _prepare(self, kind: Kind, work: Callable[[], T], propose: Callable[[T], Proposal | None]) -> None:
        self.revoke()
        self.task_outcome = None
        self.preparing = kind
        intent = self._intent

        def ready(found: T) -> None:
            if intent == self._intent:
                self.preparing = None
                self.proposal = propose(found)

        def failed(error: Exception) -> None:
            if intent == self._intent:
                self.preparing = None
            self._session.notices.report(error)

        self._session.start(work, ready, failed)

    def _fresh_stage(self, stage_id: str, task: TaskRecord) -> Proposal | None:
        stage = next((stage for stage in task.stages if stage.stage_id == stage_id), None)
        if self._refused(stage_block(self._capabilities, task, stage)) or stage is None:
            self._report.accept(task)
            return None
        return propose_stage(task, stage)

    def _fresh_whole(self, found: tuple[TaskRecord, TaskFiles | None]) -> Proposal | None:
        task, files = found
        if self._refused(whole_block(self._capabilities, task)):
            self._report.accept(task)
            return None
        return propose_whole(task, files)

    def _sent(self, outcome: Outcome) -> None:
        self.sending = False
        if outcome.kind == "batch":
            self.batch_outcome = outcome
        else:
            self.task_outcome = outcome
        if outcome.error is not None:
            self._session.noted(outcome.error)
        self.on_sent(outcome)

    def _broke(self, proposal: Proposal, error: Exception) -> None:
        """Something that nobody planned for: it may have happened before or after the sending."""
        problem = explain(error)
        items = (
            Item(task_id=task_id, name=name, verdict="unclear", problem=problem)
            for task_id, name in proposal.subjects.items()
        )
        self._sent(Outcome(kind=proposal.kind, items=tuple(items), error=error))

    def _settle(self, watch_id: str, verdict: Verdict) -> None:
        if self.task_outcome is not None:
            self.task_outcome = self.task_outcome.settled(watch_id, verdict)
        if self.batch_outcome is not None:
            self.batch_outcome = self.batch_outcome.settled(watch_id, verdict)

    def _moved(self) -> None:
        self.revoke("stage")
        self.revoke("whole")


def _read_whole(platform: Platform, task_id: str) -> tuple[TaskRecord, TaskFiles | None]:
    """The task and its files as they are now."""
    return platform.task(task_id), platform.files(task_id) if platform.capabilities.files else None


def _ignore(outcome: Outcome) -> None:
    """Until a listener is set."""

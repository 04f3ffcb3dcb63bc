"""Retrying: planned on fresh reads, shown, confirmed, and handed over to be executed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from traitlets import Bool, HasTraits, Instance, Unicode

from retry_toolkit.panels.state.batches import BatchesState
from retry_toolkit.panels.state.catalog import CatalogState
from retry_toolkit.panels.state.proposals import (
    Kind,
    Proposal,
    batch_action,
    batch_block,
    sendable,
    stage_block,
    whole_block,
)
from retry_toolkit.panels.state.report import ReportState
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.state.table import TableState
from retry_toolkit.platforms.base import Capabilities, Platform, TaskFiles
from retry_toolkit.retry.plan import MOST_ITEMS, plan_retry
from retry_toolkit.retry.plan_rows import RetryPlan
from retry_toolkit.retry.records import Action

T = TypeVar("T")


class RetryState(HasTraits):
    """At most one `proposal` waits for its confirmation; any change of what it is about revokes it.

    `preparing` is the kind of retry that is being planned, `starting` is true until the confirmed one is on its way.
    """

    proposal = Instance(Proposal, allow_none=True)
    preparing = Unicode(None, allow_none=True)
    starting = Bool()

    def __init__(
        self, session: Session, catalog: CatalogState, table: TableState, report: ReportState, batches: BatchesState
    ) -> None:
        super().__init__()
        self._session = session
        self._catalog = catalog
        self._table = table
        self._report = report
        self._batches = batches
        self._intent = 0
        self.on_begun: Callable[[Iterable[str]], None] = _ignore
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
        # Asked at each draw, so it looks at no more than it must.
        rows = catalog.tasks[["status", "retryable"]].iloc[self._table.selected_rows] if catalog and selected else None
        sent = 0 if rows is None else int(sendable(rows).sum())
        most = self._capabilities.max_batch or MOST_ITEMS
        return self._block() or batch_block(self._capabilities, len(selected), sent, most)

    def propose_stage(self) -> None:
        """Plan the retry of the chosen stage of the open task, and ask for its confirmation."""
        task, stage = self._report.task, self._report.stage
        if self._refused(self.stage_block()) or task is None or stage is None:
            return
        plan = partial(plan_retry, self._session.platform, [task.task_id], stage=stage.stage)
        self._prepare("stage", plan, lambda made: Proposal(kind="stage", made=made))

    def propose_whole(self) -> None:
        """Plan to run the open task again as a new one, and ask for the confirmation."""
        task = self._report.task
        if self._refused(self.whole_block()) or task is None:
            return
        self._prepare("whole", partial(_plan_whole, self._session.platform, task.task_id), _whole_proposal)

    def propose_batch(self) -> None:
        """Plan the retry of the selection, in the order of the list, and ask for the confirmation."""
        catalog = self._catalog.catalog
        if self._refused(self.batch_block()) or catalog is None:
            return
        selected = self._table.selected
        listed = catalog.rows(selected)["task_id"].tolist()
        ids = [*listed, *sorted(selected - frozenset(listed))]
        plan = partial(plan_retry, self._session.platform, ids, action=batch_action(self._capabilities))
        self._prepare("batch", plan, lambda made: Proposal(kind="batch", made=made))

    def propose_again(self, task_ids: Sequence[str], action: Action) -> None:
        """Plan a retry of what a batch never sent, and ask for the confirmation."""
        if not self._refused(self._block()):
            plan = partial(plan_retry, self._session.platform, task_ids, action=action)
            self._prepare("batch", plan, lambda made: Proposal(kind="batch", made=made))

    def ask(self, proposal: Proposal) -> None:
        """Ask about a plan that was made elsewhere."""
        self.revoke()
        self.proposal = proposal

    def vary(
        self,
        *,
        copy_files: bool | None = None,
        new_name: str | None = None,
        careful: bool | None = None,
        typed: str | None = None,
    ) -> None:
        """Choose otherwise how the proposal is done: the same question, so that a quick yes after a choice is one."""
        changes = {"copy_files": copy_files, "new_name": new_name, "careful": careful, "typed": typed}
        known = {name: value for name, value in changes.items() if value is not None}
        if self.proposal is not None and known:
            self.proposal = replace(self.proposal, **known)  # type: ignore[arg-type]  # named like its fields

    def revoke(self, kind: str | None = None) -> None:
        """Take back the proposal (of that kind) that waits."""
        if self.proposal is not None and kind in {None, self.proposal.kind}:
            self.proposal = None
        if kind is None or kind == self.preparing:
            self._intent += 1
            self.preparing = None

    def confirm(self, key: str) -> None:
        """Execute the proposal that has this key; a second click finds none, one that came too late finds another."""
        proposal = self.proposal
        if proposal is None or proposal.key != key or not proposal.can_confirm or self.starting:
            return
        # In this order the button that asked is closed when the question goes: no focus falls on it.
        self.starting = True
        self.proposal = None
        try:
            self._batches.begin(proposal, partial(self._begun, proposal), self._not_begun)
        except Exception:
            self.starting = False
            raise

    @property
    def _capabilities(self) -> Capabilities:
        return self._session.platform.capabilities

    def _block(self) -> str | None:
        return self._session.closed_why if not self._session.can_act else "starting" if self.starting else None

    def _refused(self, block: str | None) -> bool:
        """Whether an action is closed: a button that is disabled on the page can still be fired at the kernel."""
        if block is not None:
            self._session.notices.tell(f"block.{block}")
        return block is not None

    def _prepare(self, kind: Kind, work: Callable[[], T], propose: Callable[[T], Proposal]) -> None:
        self.revoke()
        self.preparing = kind
        intent = self._intent

        def ready(found: T) -> None:
            if intent == self._intent:
                self.preparing = None
                self.proposal = propose(found)

        def failed(error: Exception) -> None:
            if intent == self._intent:
                self.preparing = None
            self._session.noted(error)
            self._session.notices.report(error)

        self._session.start(work, ready, failed)

    def _begun(self, proposal: Proposal) -> None:
        self.starting = False
        sent = frozenset(row.task_id for row in proposal.ready)
        self.on_begun(sent)
        if proposal.kind == "batch":
            # What is on its way is not wanted a second time.
            self._table.selected = self._table.selected - sent

    def _not_begun(self, error: Exception) -> None:
        self.starting = False
        self._session.notices.report(error)

    def _moved(self) -> None:
        self.revoke("stage")
        self.revoke("whole")


def _plan_whole(platform: Platform, task_id: str) -> tuple[RetryPlan, TaskFiles | None]:
    """The plan and the task's files, as they are now."""
    plan = plan_retry(platform, [task_id], action="task")
    return plan, platform.files(task_id) if platform.capabilities.files else None


def _whole_proposal(found: tuple[RetryPlan, TaskFiles | None]) -> Proposal:
    plan, files = found
    return Proposal(kind="whole", made=plan, files=files)


def _ignore(_: Iterable[str]) -> None:
    """Until a listener is set."""

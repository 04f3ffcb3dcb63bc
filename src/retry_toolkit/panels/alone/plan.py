"""A plan in a cell of its own: shown, asked about, executed, followed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd
from traitlets import Instance

from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.alone.views import BatchesView, QuestionView
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.proposals import proposal_of
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import el
from retry_toolkit.platforms.base import Platform, TaskFiles
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.plan_rows import RetryPlan
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.settings import Language


class RetryPanel(Panel):
    """The plan as a question; a yes executes it, once, and its batch is followed to the end.

    Args:
        plan: From `plan_retry`. Showing it sends nothing.
        platform: A connection that may write; the plan's own if None.
        language: Language to begin with; the setting `language` if None.
        background: Where long work runs; threads if None.
        archive: Where the journal and the evidence of retries are; in the home directory if None.
        timing: Waits of the batch.

    Attributes:
        plan: The plan.
        batch: The batch, once the plan was confirmed, else None; can be observed.
        selected: Ids of the tasks that will be sent.
        frame: The plan; columns of `schema.PLAN`. Once it was confirmed, what became of the items (`schema.RESULTS`).

    Raises:
        TypeError: It is no plan.
        ValueError: The platform is another one than the plan's.
    """

    batch = Instance(RetryBatch, allow_none=True)

    def __init__(
        self,
        plan: RetryPlan,
        *,
        platform: Platform | None = None,
        language: Language | None = None,
        background: Background | None = None,
        archive: Archive | None = None,
        timing: Timing = TIMING,
    ) -> None:
        if not isinstance(plan, RetryPlan):
            raise TypeError(f"RetryPanel takes a plan from plan_retry(), not {type(plan).__name__}.")
        target = platform or plan.platform
        if target.origin != plan.origin:
            raise ValueError(f"The plan is for {plan.origin}, not for {target.origin}.")
        state = make_state(target, language=language, background=background, archive=archive, timing=timing)
        super().__init__(state, owned=True)
        self.plan = plan
        self.selected = tuple(row.task_id for row in plan.ready)
        names = {row.task_id: row.name for row in plan.rows if row.name}
        question = QuestionView(state, self._ask)
        self._subject = Fragment()
        redraw(self._draw_subject, speaks(state.session))
        self._build(self._subject, question.widget, BatchesView(state, names).widget)
        state.batches.observe(lambda _: self._follow(), names="cards")
        self._ask()

    def _ask(self) -> None:
        proposal = proposal_of(self.plan)
        self.state.retry.ask(proposal)
        platform = self.state.session.platform
        if proposal.kind == "whole" and platform.capabilities.files:
            # How many files there are helps to choose; the question does not wait for it.
            self.state.session.start(partial(platform.files, self.plan.rows[0].task_id), self._tell_files)

    def _tell_files(self, files: TaskFiles | None) -> None:
        proposal = self.state.retry.proposal
        if proposal is not None and proposal.made is self.plan:
            self.state.retry.proposal = replace(proposal, files=files)

    def _draw_subject(self) -> None:
        """Which task, where there is only one: the question and the outcome of a single task do not say."""
        rows = self.plan.rows
        name = rows[0].name or rows[0].task_id
        node = el("p", el("strong", name), el("code", rows[0].task_id), cls="fd-row fd-alone-note")
        self._subject.show(*([node] if len(rows) == 1 else []), language=self.state.session.texts.language)

    def _follow(self) -> None:
        if self.batch is None and self.state.batches.cards:
            self.batch = self.state.batches.batch(self.state.batches.cards[-1].batch_id)
        self._renew()

    def _make_frame(self) -> pd.DataFrame:
        return self.plan.frame if self.batch is None else self.batch.results

    def __repr__(self) -> str:
        return f"<RetryPanel {self.plan!r}>"

"""A batch of retries in a cell of its own: live, and in the hand of its user."""

from __future__ import annotations

import pandas as pd

from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.alone.views import BatchesView, QuestionView
from retry_toolkit.panels.state.background import Background
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.settings import Language


class BatchPanel(Panel):
    """How far a batch is, what became of each item, and what can be done: pause, cancel, go on, settle what is unclear.

    Args:
        batch: From `execute`, `resume` or `open_batch`; what is pressed here acts on it.
        platform: Another connection to its platform; the batch's own if None.
        language: Language to begin with; the setting `language` if None.
        background: Where long work runs; threads if None.
        timing: Waits of the batch, where it is run anew from here.

    Attributes:
        batch: The batch.
        selected: Ids of the tasks of the bucket that is listed; of all that have to be looked at where none is.
        frame: What became of the items; columns of `schema.RESULTS`.

    Raises:
        TypeError: It is no batch.
    """

    def __init__(
        self,
        batch: RetryBatch,
        *,
        platform: Platform | None = None,
        language: Language | None = None,
        background: Background | None = None,
        timing: Timing = TIMING,
    ) -> None:
        if not isinstance(batch, RetryBatch):
            raise TypeError(f"BatchPanel takes a batch from execute() or open_batch(), not {type(batch).__name__}.")
        state = make_state(
            platform or batch.platform, language=language, background=background, archive=batch.archive, timing=timing
        )
        super().__init__(state, owned=True)
        self.batch = batch
        self._build(QuestionView(state).widget, BatchesView(state, {}).widget)
        state.batches.observe(lambda _: self._follow(), names="cards")
        state.batches.adopt(batch)

    def _follow(self) -> None:
        card = next((card for card in self.state.batches.cards if card.batch_id == self.batch.id), None)
        if card is not None:
            self.selected = tuple(item.task_id for item in card.items if card.shown is None or item.state == card.shown)
        self._renew()

    def _make_frame(self) -> pd.DataFrame:
        return self.batch.results

    def __repr__(self) -> str:
        return f"<BatchPanel {self.batch.id} {self.batch.state}, {self.batch.total} items>"

"""The report of one task in a cell of its own."""

from __future__ import annotations

import pandas as pd

from retry_toolkit.frames.build import stages_frame
from retry_toolkit.panels.alone.source import Source, SourcePanel
from retry_toolkit.panels.report import ReportView
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import el
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.settings import Language


class StageReportPanel(SourcePanel):
    """What is known of a task: its stages, error, log, output and attempts, its lineage, and the ways to retry it.

    Args:
        source: A platform from `connect()`, or a frame of tasks as `load_tasks` gives it.
        task_id: The task to begin with; none is open if None.
        stages: Of a frame: its stages, as `load_stages` gives them.
        state: Instead of a source: the state of another panel, whose open task is shown.
        language: Language to begin with; the setting `language` if None.
        background: Where long work runs; threads if None.
        archive: Where the journal and the evidence of retries are; in the home directory if None.
        timing: Waits of retries.

    Attributes:
        selected: The open task, as a tuple of one id or none. Setting it opens a task.
        frame: The stages of the open task; columns of `schema.STAGES`.

    Raises:
        TypeError: There is neither a source nor a state, or it is something else.
        ValueError: The frame lacks a column; the message names it.
    """

    def __init__(
        self,
        source: Source | None = None,
        task_id: str | None = None,
        *,
        stages: pd.DataFrame | None = None,
        state: DeskState | None = None,
        language: Language | None = None,
        background: Background | None = None,
        archive: Archive | None = None,
        timing: Timing = TIMING,
    ) -> None:
        super().__init__(
            source,
            stages=stages,
            state=state,
            language=language,
            background=background,
            archive=archive,
            timing=timing,
        )
        if task_id is not None:
            self.state.report.open(task_id)
        if self._owned:
            # Its lineage and its neighbours are told by the list, which may come later.
            self.state.catalog.load()

    def _compose(self) -> None:
        report = self.state.report
        self._hint = Fragment()
        self._build(self._hint, ReportView(self.state).widget)
        redraw(self._draw_hint, speaks(self.state.session), (report, ["task_id"]))
        report.observe(lambda _: self._renew(), names="task")
        self._select_what_is_open()

    def _make_frame(self) -> pd.DataFrame:
        task = self.state.report.task
        return stages_frame([task] if task is not None else [])

    def _draw_hint(self) -> None:
        texts = self.state.session.texts
        hint = el("p", texts("alone.no_report"), cls="fd-alone-empty")
        self._hint.show(*([hint] if self.state.report.task_id is None else []), language=texts.language)

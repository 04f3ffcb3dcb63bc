"""What retries cost on disk, of a frame in a cell of its own."""

from __future__ import annotations

import ipywidgets
import pandas as pd

from retry_toolkit.analysis.disk_sums import disk_by_root
from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.disk import DiskView
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.frames import of_disk
from retry_toolkit.settings import Language


class DiskCostPanel(Panel):
    """What whole retries add to the disk: copied against linked, by lineage.

    Args:
        frame: Disk as `load_disk` gives it.
        tasks: The tasks, as `load_tasks` gives them; without them lineages bear the ids of their first tasks.
        language: Language to begin with; the setting `language` if None.
        background: Where long work runs; threads if None.

    Attributes:
        selected: The tasks of the bar, of the line or of the term that was chosen last, newest first.
        frame: What each lineage adds, dearest first, as `disk_by_root` gives it.

    Raises:
        TypeError: It is no frame.
        ValueError: The frame lacks a column; the message names it.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        tasks: pd.DataFrame | None = None,
        *,
        language: Language | None = None,
        background: Background | None = None,
    ) -> None:
        super().__init__(make_state(of_disk(frame, tasks), language=language, background=background), owned=True)
        self._disk = frame
        view = DiskView(self.state)
        self._build(ipywidgets.VBox([view.widget]).add_class("fd-card").add_class("fd-alone-card"))
        self.state.table.observe(lambda _: self._take_chosen(), names="filters")
        self.state.refresh()
        view.show(True)

    def _take_chosen(self) -> None:
        """Where no table shows them, they are a value."""
        self.selected = self.state.table.filters.task_ids or ()

    def _make_frame(self) -> pd.DataFrame:
        return disk_by_root(self._disk)

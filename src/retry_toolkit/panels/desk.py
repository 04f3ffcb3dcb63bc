"""The failure desk: every panel on one page."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

import ipywidgets

from retry_toolkit.panels.aftermath import AftermathView
from retry_toolkit.panels.costs import CostsView
from retry_toolkit.panels.figures import FiguresView
from retry_toolkit.panels.filters import FiltersView
from retry_toolkit.panels.groups import GroupsView
from retry_toolkit.panels.header import HeaderView, NoticesView
from retry_toolkit.panels.operator import OperatorView, connect_operator
from retry_toolkit.panels.page import PageView
from retry_toolkit.panels.report import ReportView
from retry_toolkit.panels.retry import RetryBarView
from retry_toolkit.panels.state.background import Background, ThreadBackground
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.session import Operator
from retry_toolkit.panels.tasks import TasksView
from retry_toolkit.panels.widgets.assets import style
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.settings import Language, load_settings
from retry_toolkit.text import Texts

PARTS: Final = ("header", "figures", "groups", "filters", "report", "costs")
"""What a desk can do without; the table of tasks is what it is for."""


class FailureDesk:
    """Shows the failed tasks of a platform and retries what is chosen; the last line of a cell shows it.

    Args:
        platform: From `connect()`. One that only reads makes a desk that only reads.
        language: Language to begin with; the setting `language` if None.
        operator: Connects to the same platform with a token that a viewer types in.
        background: Where long work runs; threads whose results come back on the kernel's event loop if None.
        pause: Waits so many seconds between two looks at the open task.
        archive: Where the journal and the evidence of retries are; in the home directory if None.
        timing: Waits of retries.
        without: Parts to leave out, of `header`, `figures`, `groups`, `filters`, `report` and `costs`.

    Raises:
        ValueError: `without` names something that is no part.

    Attributes:
        state: Everything that the page knows and can do (`DeskState`); it works without a page too.
        widget: The page as one ipywidget, for a place in a larger layout.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        language: Language | None = None,
        operator: Operator | None = None,
        background: Background | None = None,
        pause: Callable[[float], object] | None = None,
        archive: Archive | None = None,
        timing: Timing = TIMING,
        without: Collection[str] = (),
    ) -> None:
        self._without = _checked(without)
        self.state = DeskState(
            platform,
            texts=Texts(language or load_settings().language),
            background=background or ThreadBackground(),
            operator=operator or partial(connect_operator, platform.origin),
            pause=pause,
            archive=archive,
            timing=timing,
        )
        self.widget: Any = self._build()
        self.state.refresh()

    def close(self) -> None:
        """Take the page away and end what runs aside; the platform stays open."""
        self.state.close()
        self.widget.close()

    def _build(self) -> Any:
        state = self.state
        lists = [*self._part("filters", FiltersView)]
        lists += [view(state).widget for view in (AftermathView, RetryBarView, TasksView)]
        table = ipywidgets.VBox(lists)
        table.add_class("fd-card").add_class("fd-list")
        left = ipywidgets.VBox([*self._part("groups", GroupsView), table])
        left.add_class("fd-left")
        main = ipywidgets.VBox([left, *self._part("report", ReportView), *self._part("costs", CostsView)])
        main.add_class("fd-main")
        sheet = ipywidgets.HTML(f"<style>{style('desk.css', 'costs.css')}</style>")
        sheet.add_class("fd-sheet")
        head = (
            PageView(state).widget,
            *self._part("header", HeaderView),
            OperatorView(state).widget,
            NoticesView(state).widget,
            *self._part("figures", FiguresView),
        )
        page = ipywidgets.VBox([sheet, *head, main])
        page.add_class("fd").add_class("fd-desk")
        return page

    def _part(self, name: str, view: Callable[[DeskState], Any]) -> tuple[Any, ...]:
        """The widget of a part, unless it is left out."""
        return () if name in self._without else (view(self.state).widget,)

    def __repr__(self) -> str:
        return f"<FailureDesk {self.state.session.platform.name}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)


def _checked(without: Collection[str]) -> frozenset[str]:
    names = frozenset([without] if isinstance(without, str) else without)
    if wrong := sorted(map(str, names - frozenset(PARTS))):
        raise ValueError(f"A desk has no part {', '.join(map(repr, wrong))}; it can do without {', '.join(PARTS)}.")
    return names

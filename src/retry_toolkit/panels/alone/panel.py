"""What every panel alone has in common: a state that can be shared, a place for its views, a selection and a frame."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets
import pandas as pd
from traitlets import All, Bunch, HasTraits, TraitType, Tuple

from retry_toolkit.panels.header import NoticesView
from retry_toolkit.panels.operator import OperatorView, connect_operator
from retry_toolkit.panels.state.background import Background, ThreadBackground
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.frames import FramePlatform
from retry_toolkit.panels.widgets.assets import style
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.settings import Language, load_settings
from retry_toolkit.text import Texts


class Frame(TraitType[pd.DataFrame, pd.DataFrame]):
    """A frame that is cut out when somebody asks for it: of a million tasks, that is not for nothing."""

    read_only = True

    def get(self, obj: Any, cls: Any = None) -> pd.DataFrame:  # noqa: ARG002 - as traitlets calls it
        """The frame as it is now; made once for each change."""
        frame: pd.DataFrame = obj.current_frame()
        return frame


class Panel(HasTraits):
    """One part of the desk; the last line of a cell shows it.

    Attributes:
        state: What the panel knows and can do. Panels that are given the same state show the same.
        selected: Ids of the chosen tasks; can be observed, and set where the panel lets tasks be chosen.
        frame: What the panel shows as a frame; can be observed, and is made when it is asked for.
        widget: The panel as one ipywidget, for a place in a larger layout.
    """

    selected = Tuple()
    frame = Frame()
    state: DeskState
    widget: Any

    def __init__(self, state: DeskState, *, owned: bool) -> None:
        super().__init__()
        self.state = state
        self._owned = owned
        self._made: pd.DataFrame | None = None
        self._frame_wanted = False

    def close(self) -> None:
        """Take the panel away; a state that it was given, and the platform, stay as they are."""
        if self._owned:
            self.state.close()
        self.widget.close()

    def current_frame(self) -> pd.DataFrame:
        """What `frame` is now."""
        if self._made is None:
            self._made = self._make_frame()
        return self._made

    def observe(self, handler: Any, names: Any = All, type: Any = "change") -> None:  # noqa: A002 - as traitlets calls it
        """As every trait is observed."""
        self._frame_wanted = self._frame_wanted or names in (All, "frame") or "frame" in names
        super().observe(handler, names, type)

    def _select_what_is_open(self) -> None:
        """Have `selected` and the open task be the same, whichever of them changes."""
        self.state.report.observe(lambda _: self._take_open(), names="task_id")
        self.observe(self._open, names="selected")
        self._take_open()

    def _take_open(self) -> None:
        task_id = self.state.report.task_id
        self.selected = () if task_id is None else (task_id,)

    def _open(self, change: Bunch) -> None:
        wanted = change.new[0] if change.new else None
        if wanted is None:
            self.state.report.close()
        elif wanted != self.state.report.task_id:
            self.state.report.open(wanted)

    def _make_frame(self) -> pd.DataFrame:
        raise NotImplementedError

    def _renew(self) -> None:
        """Forget the frame, and tell those who observe it."""
        old, self._made = self._made, None
        if self._frame_wanted:
            self.notify_change(Bunch(owner=self, name="frame", old=old, new=self.current_frame(), type="change"))

    def _build(self, *widgets: Any) -> None:
        """Put the views into their place; who made the state also shows its messages."""
        sheet = ipywidgets.HTML(f"<style>{style('desk.css', 'costs.css')}</style>")
        sheet.add_class("fd-sheet")
        head = (OperatorView(self.state).widget, NoticesView(self.state).widget) if self._owned else ()
        self.widget = ipywidgets.VBox([sheet, *head, *widgets])
        self.widget.add_class("fd").add_class("fd-desk").add_class("fd-alone")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.session.platform.name}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)


def make_state(
    platform: Platform,
    *,
    language: Language | None,
    background: Background | None,
    archive: Archive | None = None,
    timing: Timing = TIMING,
) -> DeskState:
    """The state of a panel that stands alone on this platform."""
    told = not isinstance(platform, FramePlatform)
    return DeskState(
        platform,
        texts=Texts(language or load_settings().language),
        background=background or ThreadBackground(),
        operator=partial(connect_operator, platform.origin) if told else None,
        archive=archive,
        timing=timing,
    )

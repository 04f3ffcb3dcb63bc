"""Panels that look at a platform, at a frame, or at what another panel knows."""

from __future__ import annotations

import pandas as pd

from retry_toolkit.panels.alone.panel import Panel, make_state
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.frames import of_tasks
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.policy import TIMING, Timing
from retry_toolkit.settings import Language

Source = Platform | pd.DataFrame


class SourcePanel(Panel):
    """Has a state of its own on its source, or shares the state that it was given."""

    def __init__(
        self,
        source: Source | None = None,
        *,
        stages: pd.DataFrame | None = None,
        state: DeskState | None = None,
        language: Language | None = None,
        background: Background | None = None,
        archive: Archive | None = None,
        timing: Timing = TIMING,
    ) -> None:
        name = type(self).__name__
        _one_of(name, source, state)
        if state is None:
            platform = _platform_of(source, stages, name)
            made = make_state(platform, language=language, background=background, archive=archive, timing=timing)
            super().__init__(made, owned=True)
        else:
            super().__init__(state, owned=False)
        self._compose()

    def _compose(self) -> None:
        """Build the views, and follow the state."""
        raise NotImplementedError


def _one_of(panel: str, source: object, state: DeskState | None) -> None:
    """Refuse a panel that is given nothing to show, or two things.

    Raises:
        TypeError: It is.
    """
    if (source is None) == (state is None):
        raise TypeError(f"{panel} takes either something to show or state=, the state of another panel.")
    if state is not None and not isinstance(state, DeskState):
        raise TypeError(f"state= is the state of a panel (panel.state), not {type(state).__name__}.")


def _platform_of(source: object, stages: pd.DataFrame | None, panel: str) -> Platform:
    """The platform itself, or a frame in its place.

    Raises:
        TypeError: It is neither.
        ValueError: The frame lacks columns.
    """
    if isinstance(source, pd.DataFrame):
        return of_tasks(source, stages)
    if isinstance(source, Platform):
        return source
    raise TypeError(f"{panel} takes a platform from connect() or a DataFrame, not {type(source).__name__}.")

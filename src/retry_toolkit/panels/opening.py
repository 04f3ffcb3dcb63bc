"""Connecting and showing the desk; where that fails, saying why and offering to try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from retry_toolkit.errors import SettingsError
from retry_toolkit.panels.desk import FailureDesk
from retry_toolkit.panels.state.background import Background, ThreadBackground
from retry_toolkit.panels.state.problems import explain
from retry_toolkit.panels.view import problem_nodes
from retry_toolkit.panels.widgets.assets import style
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import button, el
from retry_toolkit.platforms.base import Platform
from retry_toolkit.settings import load_settings
from retry_toolkit.text import Texts


class OpeningDesk:
    """The place of a desk until its platform is there.

    Attributes:
        desk: The desk, once its platform was reached.
        widget: What is shown, as one ipywidget.
    """

    def __init__(self, connect: Callable[[], Platform], *, background: Background | None = None) -> None:
        self._connect = connect
        self._background = background or ThreadBackground()
        self._texts = _texts()
        self.desk: FailureDesk | None = None
        self._fragment = Fragment()
        self._fragment.on_action(lambda _action, _value: self._open())
        sheet = ipywidgets.HTML(f"<style>{style('desk.css')}</style>")
        sheet.add_class("fd-sheet")
        self._waiting: Any = ipywidgets.VBox([sheet, self._fragment])
        self._waiting.add_class("fd").add_class("fd-desk")
        self.widget: Any = ipywidgets.VBox([self._waiting])
        self._open()

    def _open(self) -> None:
        words = el("p", self._texts("opening.connecting"), cls="fd-muted", role="status")
        self._fragment.show(words, language=self._texts.language)
        self._background.start(self._connect, self._show, self._fail)

    def _show(self, platform: Platform) -> None:
        self.desk = FailureDesk(platform, background=self._background)
        self.widget.children = (self.desk.widget,)

    def _fail(self, error: Exception) -> None:
        again = button(self._texts("action.try_again"), action="open", cls="fd-button")
        words = el("div", problem_nodes(self._texts, explain(error)), again)
        card = el("div", words, cls="fd-notice-card fd-error", role="alert")
        self._fragment.show(card, language=self._texts.language)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)


def open_desk(connect: Callable[[], Platform]) -> OpeningDesk:
    """A desk of the platform that `connect` reaches; an error is shown on the page, with a way to try again."""
    return OpeningDesk(connect)


def _texts() -> Texts:
    try:
        return Texts(load_settings().language)
    except SettingsError:
        # Whatever is wrong there, `connect` says it; these words need a language now.
        return Texts()

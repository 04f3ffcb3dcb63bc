"""The page as the browser has it: when it was left, whether it is in sight, its beat and the title of its tab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.page import Page
from retry_toolkit.text import Texts


class PageView:
    """Shows nothing on the page; tells the browser what stands in the tab while a retry runs that was begun here."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self.widget: Any = Page(place=desk.session.platform.origin)
        self.widget.on_news(desk.session.guard(self._hear))
        redraw(self._draw, speaks(desk.session), (desk.auto, ["interval"]), (desk.aftermath, ["spell"]))

    def _hear(self, news: Mapping[str, Any]) -> None:
        if "left" in news:
            self._desk.presence.arrive(news["left"])
        if isinstance(news.get("visible"), bool):
            self._desk.presence.visible = news["visible"]
        if news.get("beat") is True:
            self._desk.auto.beat()

    def _draw(self) -> None:
        self.widget.interval = self._desk.auto.interval
        self.widget.title = self._title(self._desk.session.texts)

    def _title(self, texts: Texts) -> str:
        """The progress of what runs, or how it ended where nobody has looked since; empty otherwise."""
        spell = self._desk.aftermath.spell
        if spell is None:
            return ""
        if spell.running:
            return texts("aftermath.tab_running", done=spell.done, total=spell.total, title=texts("header.title"))
        return texts("aftermath.tab_over", ok=spell.recovered, bad=spell.unmended, title=texts("header.title"))

"""What became of the retries that were begun on this page: one line, each number of it a filter."""

from __future__ import annotations

from typing import Any

from retry_toolkit.frames.filters import Filters
from retry_toolkit.panels.state.aftermath import FATES
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, el


class AftermathView:
    """Since you acted: so many recovered, failed again with the same cause or another, still run."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._fragment = Fragment()
        self._fragment.on_action(desk.session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(self._draw, speaks(desk.session), (desk.aftermath, ["fates"]), (desk.table, ["filters"]))

    def _act(self, action: str, value: str | None) -> None:
        fates = self._desk.aftermath.fates
        if action == "fate" and value in fates:
            self._desk.table.show_only(Filters(task_ids=fates[value]))

    def _draw(self) -> None:
        texts, fates, shown = self._desk.session.texts, self._desk.aftermath.fates, self._desk.table.filters
        parts: list[Child] = []
        for fate in FATES:
            if fate in fates:
                number = len(fates[fate])
                parts += [
                    el(
                        "button",
                        texts(f"aftermath.{fate}", n=number, count=texts.count(number)),
                        type="button",
                        cls="fd-link",
                        data_key=fate,
                        data_action="fate",
                        data_value=fate,
                        aria_pressed="true" if shown == Filters(task_ids=fates[fate]) else "false",
                    ),
                    texts("unit.comma"),
                ]
        words = [texts("aftermath.since"), *parts[:-1], texts("unit.stop")] if parts else []
        # The element is there before its words: only what changes in it is announced.
        self._fragment.show(el("p", words, cls="fd-aftermath", role="status"), language=texts.language)

"""What is near the chosen stage, with the ways to it."""

from __future__ import annotations

from typing import Any, Final

from retry_toolkit.panels.stages import fold
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.neighbours import Neighbour, Neighbours
from retry_toolkit.panels.view import clipped, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el, moment
from retry_toolkit.text import MISSING, Texts

_LONGEST_NAME: Final = 80


class NeighboursView:
    """Hidden while there is no list of tasks to look around in."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._session = desk.session
        self._report = desk.report
        self._state = desk.neighbours
        self._fragment = Fragment()
        self._fragment.on_action(desk.session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(self._session),
            (self._state, ["neighbours"]),
            (self._report, ["task", "stage_id"]),
            (self._desk, ["has_table"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "open" and value is not None:
            self._report.open(value)
        elif action == "same_cause" and value is not None:
            self._desk.table.filter(status="failed", fingerprint=value)

    def _draw(self) -> None:
        if self._report.between:
            return
        texts, found, stage = self._session.texts, self._state.neighbours, self._report.stage
        parts: list[Child] = []
        if found is not None:
            parts = [
                _same_cause(texts, found, listed=self._desk.has_table),
                _last_success(texts, found, stage.stage if stage else None),
            ]
        shown = any(part is not None for part in parts)
        self._fragment.show(
            *([fold(texts("neighbours.title"), *parts, key="neighbours")] if shown else []), language=texts.language
        )


def _same_cause(texts: Texts, found: Neighbours, *, listed: bool) -> Child:
    """How many other failed tasks have the same fingerprint, the newest of them, and the way to all in the table."""
    if found.fingerprint is None:
        return None
    if not found.count:
        return el("p", texts("neighbours.no_other"), cls="fd-muted")
    words = texts("report.same_cause", n=found.count, count=texts.count(found.count))
    names = [el("li", _link(each), " ", _time(each), data_key=each.task_id) for each in found.named]
    return [
        el("p", button(words, action="same_cause", value=found.fingerprint) if listed else words),
        el("ul", *names, cls="fd-neighbours"),
    ]


def _last_success(texts: Texts, found: Neighbours, stage: str | None) -> Child:
    if stage is None or found.template is None:
        return None
    if found.succeeded is None:
        return el("p", texts("neighbours.never", stage=stage, template=found.template), cls="fd-muted")
    return el(
        "p",
        texts("neighbours.last_success", stage=stage),
        " ",
        _link(found.succeeded),
        " ",
        _time(found.succeeded),
        cls="fd-neighbour",
    )


def _link(each: Neighbour) -> Node:
    return button(clipped(each.name, _LONGEST_NAME), action="open", value=each.task_id, title=each.task_id)


def _time(each: Neighbour) -> Node:
    return el("span", moment(each.time, MISSING), cls="fd-muted")

"""The causes of failure, one line each: how many, where, since when, which way, and is a retry worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import ipywidgets
import pandas as pd

from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.groups import Past
from retry_toolkit.panels.view import clipped, one_line, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el, moment
from retry_toolkit.text import MISSING, Texts

SHOWN: Final = 5
SHOWN_AT_MOST: Final = 100
_LONGEST: Final = 140
_BARS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = ("count", "cause", "stages", "trend", "first_seen", "last_seen", "worth")


class GroupsView:
    """A table of causes; choosing one shows its tasks. Hidden where nothing has failed, grey until that is known."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
        self._groups = desk.groups
        self._table = desk.table
        self._fragment = Fragment()
        self._fragment.on_action(desk.session.guard(self._act))
        self.widget: Any = ipywidgets.VBox([self._fragment])
        self.widget.add_class("fd-card").add_class("fd-groups")
        redraw(
            self._draw,
            speaks(desk.session),
            (self._groups, ["groups", "past", "expanded", "waiting"]),
            (self._table, ["filters"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "more":
            self._groups.expanded = not self._groups.expanded
        elif action == "cause" and value is not None:
            shown = value == self._table.filters.fingerprint
            self._table.filter(status="failed", fingerprint=None if shown else value)

    def _draw(self) -> None:
        texts, groups = self._desk.session.texts, self._groups.groups
        known = groups is not None and not groups.empty
        self.widget.layout.display = None if known or self._groups.waiting else "none"
        rows = [] if groups is None else self._rows(texts, groups)
        waiting = self._groups.waiting
        head = el("tr", *(el("th", texts(f"groups.{name}"), scope="col", cls=f"fd-at-{name}") for name in _COLUMNS))
        body = el("tbody", *([_grey_row()] * SHOWN if waiting else rows), aria_busy="true" if waiting else None)
        self._fragment.show(
            el(
                "div",
                el("h2", texts("groups.title")),
                self._more(texts, 0 if groups is None else len(groups)),
                cls="fd-card-head",
            ),
            el("table", el("thead", head), body, cls="fd-numbers fd-causes-table"),
            language=texts.language,
        )

    def _rows(self, texts: Texts, groups: pd.DataFrame) -> list[Node]:
        shown = groups.head(SHOWN_AT_MOST if self._groups.expanded else SHOWN)
        chosen = self._table.filters.fingerprint
        return [_row(texts, row, self._groups.past, chosen) for row in shown.to_dict("records")]

    def _more(self, texts: Texts, count: int) -> Child:
        if count <= SHOWN:
            return None
        expanded = self._groups.expanded
        label = texts("groups.fewer") if expanded else texts("groups.all", n=count, count=texts.count(count))
        return button(label, action="more", aria_expanded="true" if expanded else "false")


def _grey_row() -> Node:
    """A line in the place of a cause that is not known yet."""
    return el("tr", *(el("td", el("span", cls="fd-grey"), cls=f"fd-at-{name}") for name in _COLUMNS))


def _row(texts: Texts, row: Mapping[Any, Any], past: Mapping[str, Past] | None, chosen: object) -> Node:
    cause = None if pd.isna(row["fingerprint"]) else str(row["fingerprint"])
    example = one_line(None if pd.isna(row["example"]) else str(row["example"]), _LONGEST)
    name: Child = texts("confirm.no_error")
    if cause is not None:
        name = button(
            clipped(cause, _LONGEST),
            action="cause",
            value=cause,
            cls="fd-link fd-cause",
            aria_pressed="true" if cause == chosen else "false",
            title=texts("groups.example", error=example) if example and example != cause else None,
        )
    return el(
        "tr",
        el("td", texts.count(int(row["count"])), cls="fd-at-count"),
        el("td", name, cls="fd-at-cause"),
        el("td", texts.join(str(stage) for stage in row["stages"][:2]) or MISSING, cls="fd-at-stages"),
        el("td", *_trend(texts, row), cls="fd-at-trend"),
        *(el("td", moment(_known(row[seen]), MISSING), cls=f"fd-at-{seen}") for seen in ("first_seen", "last_seen")),
        el("td", *worth_parts(texts, past.get(cause or "") if past is not None else None), cls="fd-at-worth"),
        cls="fd-chosen" if cause is not None and cause == chosen else None,
        data_key=cause or "no error",
    )


def _known(time: Any) -> datetime | None:
    return None if pd.isna(time) else time


def _trend(texts: Texts, row: Mapping[Any, Any]) -> Sequence[Child]:
    word = None if pd.isna(row["trend"]) else str(row["trend"])
    return (
        el("span", bars(row["counts"]), cls="fd-bars", aria_hidden="true"),
        el("span", texts.word("trend", word) if word else "", cls="fd-muted"),
    )


def bars(counts: Sequence[int]) -> str:
    """Counts as blocks of eight heights; nothing is a thin line."""
    most = max(counts, default=0)
    return "".join(_BARS[0] if not count else _BARS[max(1, round(7 * count / most))] for count in counts)


def worth_parts(texts: Texts, past: Past | None) -> Sequence[Child]:
    """Whether a retry is worth it, with the number of cases and the interval behind the word."""
    if past is None or past.rate is None or past.low is None or past.high is None:
        cases = past.cases if past else 0
        return (el("span", texts("groups.no_data", n=cases) if cases else MISSING, cls="fd-muted"),)
    word = "retry" if past.advice == "retry" else "fix_first"
    interval = texts("groups.interval", low=f"{past.low:.0%}", high=f"{past.high:.0%}")
    return (
        el("strong", texts(f"groups.{word}")),
        " ",
        el("span", texts("groups.recovered", k=past.recovered, n=past.cases), title=interval, cls="fd-muted"),
    )

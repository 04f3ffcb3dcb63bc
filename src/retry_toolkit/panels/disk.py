"""What retries cost on disk: by day, project and lineage; what the next one will copy, and which files go when."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import pandas as pd

from retry_toolkit.analysis.disk_sums import DiskForecast
from retry_toolkit.frames.filters import Filters
from retry_toolkit.panels.bars import Chart, Row
from retry_toolkit.panels.bars_tab import SHOWN, BarsTab, names_head, problem_card
from retry_toolkit.panels.days import spans_of
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.disk import DiskCost, Expiry, forecast
from retry_toolkit.panels.state.frames import FramePlatform
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.markup import Child, Node, button, el, segments, waiting
from retry_toolkit.text import Texts

KEYS: Final = ("day", "project", "root")
_SUMS: Final = ("retries", "extra_bytes", "saved_bytes", "unknown")
_WINDOWS: Final = {"expired": "expired", "7 days": "week", "30 days": "month", "unknown": "no_term"}


class DiskView(BarsTab):
    """Extra bytes of the retries: copied against linked. A click on a bar shows its retries in the table."""

    def __init__(self, desk: DeskState) -> None:
        super().__init__(desk, "fd-disk")
        self._disk = desk.disk
        self._key = "day"
        redraw(
            self._draw_head,
            speaks(self._session),
            (self._disk, ["cost", "loading", "problem", "expiry", "expiry_lost"]),
            (desk.retry, ["proposal"]),
        )
        redraw(self._draw_chart, speaks(self._session), (self._disk, ["cost"]))

    def show(self, shown: bool) -> None:
        """The tab was opened or left."""
        if shown:
            self._disk.look_ahead()

    def _act(self, action: str, value: str | None) -> None:
        if action == "reload":
            self._disk.load()
        elif action == "key" and value in KEYS:
            self._key = value
            self._draw_chart()
        elif action == "window" and value is not None and self._disk.expiry is not None:
            self._show_only(Filters(task_ids=_window_tasks(self._disk.expiry, value)))

    def _show_retries(self, cost: DiskCost, column: str, first: object, last: object | None = None) -> None:
        self._show_only(Filters(task_ids=cost.retries(column, first, last)))

    def _draw_head(self) -> None:
        texts, cost = self._session.texts, self._disk.cost
        self._show_head(texts, self._build_head(texts, cost))

    def _build_head(self, texts: Texts, cost: DiskCost | None) -> list[Child]:
        if not self._disk.supported:
            return [el("p", texts("disk.unsupported"), cls="fd-muted")]
        problem = self._disk.problem
        # What was read last stays, below what is wrong.
        wrong = problem_card(texts, problem) if problem else None
        if cost is None:
            return [wrong or waiting(texts("disk.loading"), lines=5)]
        facts = el("dl", *self._facts(texts, cost), cls="fd-cost-facts")
        if cost.by_root.empty:
            return [wrong, el("p", texts("disk.empty")), facts]
        total = texts("disk.total", size=texts.size(cost.known_total), n=len(cost.by_root))
        unknown = f" {texts('disk.unknown', n=cost.unknown)}" if cost.unknown else None
        left = el("p", texts("disk.left_out", n=cost.left_out), cls="fd-warning") if cost.left_out else None
        return [
            wrong,
            el("p", el("strong", total), unknown),
            el("p", texts("disk.formula"), cls="fd-muted"),
            left,
            facts,
        ]

    def _facts(self, texts: Texts, cost: DiskCost) -> list[Child]:
        linking = texts("disk.linking", size=texts.size(cost.linkable)) if cost.total else texts("disk.linking_none")
        expiry = expiry_nodes(texts, self._disk.expiry, lost=self._disk.expiry_lost)
        facts = [_fact(texts("disk.linking_title"), linking), _fact(texts("disk.expiry_title"), expiry)]
        # Of a frame nothing is asked: there is nobody to retry it.
        if not isinstance(self._session.platform, FramePlatform):
            facts.insert(1, _fact(texts("disk.question_title"), self._question(texts)))
        return list(facts)

    def _question(self, texts: Texts) -> Child:
        proposal = self._desk.retry.proposal
        if proposal is None:
            return el("span", texts("disk.no_question"), cls="fd-muted")
        return forecast_nodes(texts, forecast(proposal))

    def _draw_chart(self) -> None:
        texts, cost = self._session.texts, self._disk.cost
        empty = cost is None or cost.by_root.empty
        names = {key: texts(f"disk.by_{key}") for key in KEYS}
        switch = [] if empty else [segments("key", texts("chart.by"), names, self._key)]
        self._tools.show(*switch, language=texts.language)
        self._bars.show(texts, None if cost is None or empty else self._build_chart(texts, cost))
        self._note.show(language=texts.language)

    def _build_chart(self, texts: Texts, cost: DiskCost) -> Chart:
        build = {"day": self._days, "project": self._projects, "root": self._roots}[self._key]
        self._choices = {}
        rows = build(texts, cost)
        return Chart(
            rows=rows,
            heads=(names_head(texts, self._key), *(texts(f"disk.{name}") for name in _HEADS)),
            parts=(texts("disk.copied"), texts("disk.linked")),
            caption=texts("disk.caption"),
            measure="bytes",
            over="days" if self._key == "day" else "names",
        )

    def _days(self, texts: Texts, cost: DiskCost) -> list[Row]:
        rows = []
        for span in spans_of(cost.by_day, _SUMS):
            self._choices[span.key] = partial(self._show_retries, cost, "day", span.first, span.last)
            rows.append(_row(texts, span.key, span.name(texts), span.sums, title=span.title(texts)))
        return rows

    def _projects(self, texts: Texts, cost: DiskCost) -> list[Row]:
        rows = []
        for values in cost.by_project.head(SHOWN).to_dict("records"):
            project = None if pd.isna(values["project"]) else str(values["project"])
            key = f"project {project}" if project is not None else "none"
            self._choices[key] = partial(self._show_retries, cost, "project", project)
            rows.append(_row(texts, key, project or texts("chart.none"), values))
        return rows

    def _roots(self, texts: Texts, cost: DiskCost) -> list[Row]:
        rows = []
        for values in cost.by_root.head(SHOWN).to_dict("records"):
            root = str(values["root_id"])
            self._choices[root] = partial(self._show_retries, cost, "root_id", root)
            rows.append(_row(texts, root, root if pd.isna(values["name"]) else str(values["name"]), values))
        return rows


_HEADS: Final = ("retries", "copied", "linked", "unknown_count")


def _row(texts: Texts, key: str, name: str, values: Mapping[Any, Any], *, title: str | None = None) -> Row:
    extra, saved = (
        None if pd.isna(values[column]) else int(values[column]) for column in ("extra_bytes", "saved_bytes")
    )
    retries, unknown = int(values["retries"]), int(values["unknown"])
    # Where nothing of it is known, a sum of what is known would be 0.
    copied = None if retries and unknown == retries else extra
    return Row(
        key=key,
        # Of a day on which nothing was retried there is nothing to show.
        leads=retries > 0,
        name=name,
        title=title,
        parts=(copied, saved),
        cells=(texts.count(retries), texts.size(copied), texts.size(saved), texts.count(unknown)),
    )


def _fact(name: str, value: Child) -> Node:
    return el("div", el("dt", name), el("dd", value))


def forecast_nodes(texts: Texts, told: DiskForecast | None) -> list[Child]:
    """What the retry that is asked about will copy, against the room that there is."""
    if told is None:
        return [texts("disk.forecast_stage")]
    words = texts("disk.forecast", size=texts.size(told.extra_bytes))
    if told.unknown and told.unknown == told.tasks:
        words = texts("disk.forecast_unknown")
    elif told.unknown:
        words = texts("disk.forecast_more", size=texts.size(told.extra_bytes), n=told.unknown)
    room = (
        texts("disk.room_unknown") if told.free_bytes is None else texts("disk.room", size=texts.size(told.free_bytes))
    )
    return [el("span", f"{words} {room}", cls="fd-warning" if told.fits is False else None)]


def expiry_nodes(texts: Texts, expiry: Expiry | None, *, lost: bool = False) -> list[Child]:
    """Which input files of failed tasks go when; each window shows its tasks. `lost` is what could not be read."""
    if expiry is None and lost:
        return [texts("unit.unknown")]
    if expiry is None:
        return [el("span", texts("disk.expiry_loading"), cls="fd-muted", role="status")]
    lines: list[Child] = []
    for row in expiry.windows.to_dict("records"):
        name, count = str(row["window"]), int(row["count"])
        if name not in _WINDOWS or (not count and name in {"expired", "unknown"}):
            continue
        size = None if count and int(row["unknown"]) == count else int(row["input_bytes"])
        unknown = texts("disk.expiry_unknown", n=int(row["unknown"])) if size is not None and row["unknown"] else ""
        words = texts("disk.expiry_tasks", n=count, count=texts.count(count), size=texts.size(size))
        value: Child = button(words, action="window", value=name) if count else el("span", texts("disk.expiry_none"))
        lines.append(el("li", el("span", texts(f"disk.expiry_{_WINDOWS[name]}"), cls="fd-muted"), " ", value, unknown))
    left = expiry.failed - expiry.read
    note = el("p", texts("disk.expiry_left", n=left, count=texts.count(left)), cls="fd-muted") if left else None
    return [el("ul", *lines), note]


def _window_tasks(expiry: Expiry, window: str) -> tuple[str, ...]:
    rows = expiry.windows[expiry.windows["window"] == window]
    return tuple(task_id for ids in rows["tasks"] for task_id in ids)

"""Running time, tokens and money: what recovery took, what was in vain, and where."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import pandas as pd

from retry_toolkit.frames.filters import Filters
from retry_toolkit.panels.bars import Chart, Row
from retry_toolkit.panels.bars_tab import SHOWN, BarsTab, names_head, problem_card
from retry_toolkit.panels.days import spans_of
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.spending import KEYS, MEASURES, Account, Key, Measure
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.markup import Child, Node, el, segments, waiting
from retry_toolkit.text import Texts

_OUTCOMES: Final = ("recovered", "failed", "open", "cancelled")


class SpendingView(BarsTab):
    """Sums by outcome, and bars by project, pipeline or day. A click on a bar shows its tasks in the table."""

    def __init__(self, desk: DeskState) -> None:
        super().__init__(desk, "fd-spending")
        self._spending = desk.spending
        redraw(self._draw, speaks(self._session), (self._spending, ["account", "problem", "measure", "key"]))

    def show(self, shown: bool) -> None:
        """The tab was opened or left."""
        self._spending.show(shown)

    def _act(self, action: str, value: str | None) -> None:
        if action == "measure":
            self._spending.draw(measure=value)
        elif action == "key":
            self._spending.draw(key=value)
        elif action == "reload":
            self._spending.reload()

    def _draw(self) -> None:
        texts, account = self._session.texts, self._spending.account
        self._show_head(texts, self._build_head(texts, account))
        drawn = account is not None and bool(account.known)
        self._tools.show(*([self._build_tools(texts, account)] if account and drawn else []), language=texts.language)
        self._bars.show(texts, self._build_chart(texts, account) if account and drawn else None)
        self._note.show(language=texts.language)

    def _build_head(self, texts: Texts, account: Account | None) -> list[Child]:
        wrong = problem_card(texts, self._spending.problem) if self._spending.problem else None
        if account is None:
            return [wrong or waiting(texts("spending.loading"), lines=5)]
        lacking = [texts(f"spending.lacks_{name}") for name in MEASURES if name not in account.known]
        if len(lacking) == len(MEASURES):
            return [wrong, el("p", texts("spending.empty"), cls="fd-muted")]
        lacks = el("p", texts("spending.lacks", what=texts.join(lacking)), cls="fd-muted") if lacking else None
        return [wrong, lacks, outcome_table(texts, account), el("p", texts("spending.note"), cls="fd-muted")]

    def _build_tools(self, texts: Texts, account: Account) -> Node:
        measures: dict[str, str] = {name: texts(f"spending.{name}") for name in account.known}
        keys: dict[str, str] = {key: texts(f"spending.by_{key}") for key in KEYS}
        return el(
            "div",
            segments("measure", texts("spending.measure"), measures, self._spending.measure),
            segments("key", texts("chart.by"), keys, self._spending.key),
            cls="fd-cost-tools",
        )

    def _build_chart(self, texts: Texts, account: Account) -> Chart:
        measure, key = _measure(self._spending.measure), _key(self._spending.key)
        self._choices = {}
        rows = self._days(texts, account, measure) if key == "day" else self._names(texts, account, measure, key)
        return Chart(
            rows=rows,
            heads=(names_head(texts, key), *(texts(f"spending.{name}") for name in _HEADS)),
            parts=(texts("spending.vain"), texts("spending.rest")),
            caption=texts("spending.caption"),
            measure=measure,
            over="days" if key == "day" else "names",
        )

    def _days(self, texts: Texts, account: Account, measure: Measure) -> list[Row]:
        columns = ("lineages", measure, f"vain_{measure}", f"unknown_{measure}")
        rows = []
        for span in spans_of(account.tables["day"], columns):
            if span.first is not None and span.last is not None:
                since, until = span.first, span.last + pd.Timedelta(days=1)
                within = Filters(since=since.to_pydatetime(), until=until.to_pydatetime())
                self._choices[span.key] = partial(self._show_only, within)
            rows.append(self._row(texts, span.key, span.name(texts), span.sums, measure, title=span.title(texts)))
        return rows

    def _names(self, texts: Texts, account: Account, measure: Measure, column: Key) -> list[Row]:
        table = account.tables[column]
        # Unknown is neither little nor much: it comes last.
        table = table.sort_values(measure, ascending=False, kind="stable", na_position="last")
        rows = []
        for values in table.head(SHOWN).to_dict("records"):
            name, key = texts("chart.none"), "none"
            if not pd.isna(values[column]):
                name = str(values[column])
                key = f"{column} {name}"
                of_name = Filters(project=name) if column == "project" else Filters(template=name)
                self._choices[key] = partial(self._show_only, of_name)
            rows.append(self._row(texts, key, name, values, measure))
        return rows

    def _row(
        self,
        texts: Texts,
        key: str,
        name: str,
        values: Mapping[Any, Any],
        measure: Measure,
        *,
        title: str | None = None,
    ) -> Row:
        total, vain = _number(values[measure]), _number(values[f"vain_{measure}"])
        rest = None if total is None or vain is None else max(total - vain, 0.0)
        lineages, unknown = int(values["lineages"]), int(values[f"unknown_{measure}"])
        return Row(
            key=key,
            leads=key in self._choices and lineages > 0,
            name=name,
            title=title,
            parts=(vain, rest),
            cells=(
                texts.count(lineages),
                amount(texts, measure, total),
                amount(texts, measure, vain),
                texts.count(unknown),
            ),
        )


_HEADS: Final = ("lineages", "all", "vain", "unknown")


def _measure(name: str) -> Measure:
    return next((known for known in MEASURES if known == name), "seconds")


def _key(name: str) -> Key:
    return next((known for known in KEYS if known == name), "project")


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def amount(texts: Texts, measure: Measure, value: float | None) -> str:
    """An amount in words; what is not known is said to be unknown, never 0."""
    if value is None:
        return texts("unit.unknown")
    if measure == "seconds":
        return texts.duration(value)
    return texts.count(round(value)) if measure == "tokens" else f"{value:,.2f}"


def outcome_table(texts: Texts, account: Account) -> Node:
    """What lineages came to and what they cost, one line an outcome, and what recovery took."""
    head = el(
        "tr",
        el("th", texts("spending.outcome"), scope="col"),
        *(
            el("th", texts(f"spending.{name}"), scope="col", cls="fd-number")
            for name in ("lineages", "tasks", *account.known)
        ),
    )
    body = [_outcome_line(texts, account, word) for word in _OUTCOMES if account.of(word)]
    until = account.until
    if until.lineages:
        cells = [
            el("td", amount(texts, name, until.amounts[name]), _unknown(texts, until.unknown[name]), cls="fd-number")
            for name in account.known
        ]
        counts = [el("td", texts.count(until.lineages), cls="fd-number"), el("td", "", cls="fd-number")]
        line = el("tr", el("th", texts("spending.until"), scope="row", cls="fd-muted fd-inset"), *counts, *cells)
        body.insert(1, line)
    rest = account.by_outcome[account.by_outcome["outcome"].isna()]
    if len(rest):
        body.append(_line(texts, account, texts("spending.no_failure"), rest.to_dict("records")[0]))
    return el(
        "table",
        el("caption", texts("spending.title"), cls="fd-hidden-text"),
        el("thead", head),
        el("tbody", *body),
        cls="fd-numbers fd-outcomes",
    )


def _outcome_line(texts: Texts, account: Account, word: str) -> Node:
    row = account.of(word)
    note = f" – {texts('spending.in_vain')}" if word == "failed" else ""
    return _line(texts, account, f"{texts(f'forest.{word}')}{note}", row or {})


def _line(texts: Texts, account: Account, name: str, row: Mapping[Any, Any]) -> Node:
    return el(
        "tr",
        el("th", name, scope="row"),
        *(el("td", texts.count(int(row[column])), cls="fd-number") for column in ("lineages", "tasks")),
        *(
            el(
                "td",
                amount(texts, measure, _number(row[measure])),
                _unknown(texts, int(row[f"unknown_{measure}"])) if not pd.isna(row[measure]) else None,
                cls="fd-number",
            )
            for measure in account.known
        ),
    )


def _unknown(texts: Texts, count: int) -> Child:
    return (
        el("span", texts("spending.and_unknown", n=count, count=texts.count(count)), cls="fd-muted") if count else None
    )

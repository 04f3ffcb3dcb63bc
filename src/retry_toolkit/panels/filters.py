"""The filter bar: inputs that are linked with the table's filters in both directions, and the row of chips below."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import ipywidgets

from retry_toolkit.frames.filters import ACTIVE, Choice
from retry_toolkit.panels.address import AddressView
from retry_toolkit.panels.chips import ChipsView
from retry_toolkit.panels.state.catalog import Catalog
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.query import SPANS, choices
from retry_toolkit.panels.state.table import TableState
from retry_toolkit.panels.view import clipped, speaks
from retry_toolkit.panels.widgets.filters import FilterBar
from retry_toolkit.text import Texts

OPTIONS_AT_MOST: Final = 200
"""A dropdown offers the most frequent ones; the search finds the others."""
TEXT_AT_MOST: Final = 300
_COLUMNS: Final = ("status", "failed_stage", "failure_category", "template", "project", "owner")
_FOLDED: Final = frozenset({"template", "project", "owner"})
_STATUSES: Final = ("failed", ACTIVE, "succeeded", "cancelled")
_FAMILIES: Final = {"status": "status", "failure_category": "category"}
_WORD_LENGTH: Final = 48
_YEARS: Final = range(1970, 9999)
# A word of a platform could be anything, so each travels behind a sign of its own.
_ANY, _SEVERAL, _WORD, _CUSTOM = "", "*", "=", "=custom"


class FiltersView:
    """The bar of inputs; below it chips, *Reset*, *Copy as pandas*, and *Copy link* where the page has an address."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._catalog = desk.catalog
        self._table = desk.table
        self._heard = 0
        self._occurring: tuple[Catalog | None, dict[str, tuple[str, ...]]] = None, {}
        self._bar: Any = FilterBar()
        chips, address = ChipsView(desk), AddressView(desk)
        row = ipywidgets.HBox([chips.widget, address.widget, chips.tools])
        row.add_class("fd-filters-below")
        self.widget: Any = ipywidgets.VBox([self._bar, row])
        self._bind()

    def _bind(self) -> None:
        self._bar.on_change(self._session.guard(self._hear))
        texts, names = speaks(self._session)
        texts.observe(lambda _: self._draw(), names=names)
        # Once rows are there, the counts belong to them: the bar follows the window, which follows the filters.
        self._table.observe(lambda _: self._draw(), names="window")
        self._table.observe(lambda _: self._draw() if self._table.window is None else None, names=["filters", "span"])
        self._draw()

    def _hear(self, name: str, value: Any, serial: int) -> None:
        """Take over a change; whatever comes of it, the browser learns that it was heard."""
        self._heard = serial
        self._session.guard(self._change)(name, value)
        self._draw()

    def _change(self, name: str, value: Any) -> None:
        table = self._table
        if name == "text" and isinstance(value, str):
            # Half a letter of two halves can be neither sought nor sent back.
            table.filter(text=value[:TEXT_AT_MOST].encode(errors="replace").decode())
        elif name == "retryable_only":
            table.filter(retryable_only=value is True)
        elif name in {"since", "until"}:
            table.filter(**{name: _moment(value)})
        elif name == "time" and isinstance(value, str):
            table.show_last(value.removeprefix(_WORD))
        elif name in _COLUMNS and isinstance(value, str) and value != _SEVERAL:
            table.filter(**{name: value.removeprefix(_WORD) or None})

    def _draw(self) -> None:
        self._bar.bar = bar_message(self._session.texts, self._table, self._offered, heard=self._heard)

    def _offered(self, name: str) -> tuple[str, ...]:
        """Words that occur in a column, looked up once for a catalog."""
        catalog = self._catalog.catalog
        if catalog is None:
            return ()
        if self._occurring[0] is not catalog:
            self._occurring = catalog, {}
        known = self._occurring[1]
        if name not in known:
            known[name] = choices(catalog.tasks, name)
        return known[name]


def bar_message(
    texts: Texts, table: TableState, offered: Callable[[str], tuple[str, ...]], *, heard: int
) -> dict[str, Any]:
    """What the browser shows: of each dropdown a bounded number of options."""
    filters = table.filters
    folded = sum(getattr(filters, name) is not None for name in _FOLDED)
    labels = ("filters", "text", "text_hint", "since", "until", "retryable_only")
    return {
        "heard": heard,
        "language": texts.language,
        "labels": {name: texts(f"filters.{name}") for name in labels}
        | {"more": texts("filters.more_n", n=folded) if folded else texts("filters.more")},
        "fields": [_field(texts, table, name, offered(name)) for name in _COLUMNS[:1]]
        + [_time_field(texts, table)]
        + [_field(texts, table, name, offered(name)) for name in _COLUMNS[1:]],
        "text": filters.text,
        "retryable_only": filters.retryable_only,
        "since": None if filters.since is None or table.span else filters.since.isoformat(),
        "until": None if filters.until is None else filters.until.isoformat(),
    }


def _field(texts: Texts, table: TableState, name: str, occurring: tuple[str, ...]) -> dict[str, Any]:
    chosen: Choice = getattr(table.filters, name)
    counts = table.counts(name)
    words = _offered(name, occurring, chosen, counts or {})
    options: list[list[Any]] = [[_ANY, texts("filters.any")]]
    if isinstance(chosen, tuple):
        options.append([_SEVERAL, clipped(texts.join(_word(texts, name, word) for word in chosen), _WORD_LENGTH)])
    options += [[f"{_WORD}{word}", _option(texts, name, word, counts)] for word in words[:OPTIONS_AT_MOST]]
    if len(words) > OPTIONS_AT_MOST:
        rest = len(words) - OPTIONS_AT_MOST
        options.append(["-", texts("filters.rest", n=rest, count=texts.count(rest)), True])
    value = _ANY if chosen is None else f"{_WORD}{chosen}" if isinstance(chosen, str) else _SEVERAL
    return {
        "name": name,
        "label": texts(f"filters.{name}"),
        "value": value,
        "options": options,
        "folded": name in _FOLDED,
    }


def _offered(name: str, occurring: tuple[str, ...], chosen: Choice, counts: dict[str, int]) -> list[str]:
    """What a dropdown offers, in order; where it is too much, the most frequent words and the chosen one."""
    words = list(occurring)
    if name == "status":
        words = [*_STATUSES, *(word for word in words if word not in {*_STATUSES, "running", "pending"})]
    if isinstance(chosen, str) and chosen not in words:
        words.append(chosen)
    if len(words) <= OPTIONS_AT_MOST:
        return words
    ranked = sorted(words, key=lambda word: (word != chosen, -counts.get(word, 0)))
    return [*sorted(ranked[:OPTIONS_AT_MOST]), *ranked[OPTIONS_AT_MOST:]]


def _option(texts: Texts, name: str, word: str, counts: dict[str, int] | None) -> str:
    label = clipped(_word(texts, name, word), _WORD_LENGTH)
    if counts is None:
        return label
    parts = ("running", "pending") if name == "status" and word == ACTIVE else (word,)
    return texts("filters.option", word=label, count=texts.count(sum(counts.get(part, 0) for part in parts)))


def _time_field(texts: Texts, table: TableState) -> dict[str, Any]:
    custom = not table.span and (table.filters.since is not None or table.filters.until is not None)
    options = [[_ANY, texts("filters.any")]]
    options += [[f"{_WORD}{span}", texts(f"filters.span_{span}")] for span in SPANS]
    return {
        "name": "time",
        "label": texts("filters.time"),
        "value": _CUSTOM if custom else f"{_WORD}{table.span}" if table.span else _ANY,
        "options": [*options, [_CUSTOM, texts("filters.custom")]],
        "folded": False,
    }


def _word(texts: Texts, name: str, word: str) -> str:
    return texts.word(_FAMILIES.get(name, "-"), word)


def _moment(value: Any) -> datetime | None:
    """An instant as the browser sends it; what is none asks for nothing."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo and moment.year in _YEARS else None

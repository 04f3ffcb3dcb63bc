"""Filters and order of the table as the readable part of an address, and back; what makes no sense in one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus

from retry_toolkit.frames.filters import ACTIVE, Choice, Filters
from retry_toolkit.panels.state.columns import COLUMNS
from retry_toolkit.panels.state.query import FAILED_ONLY, NEWEST_FIRST, SORTS_AT_MOST, SPANS, Sort, View
from retry_toolkit.platforms.base import STATUSES

IDS_AT_MOST: Final = 300
"""More chosen tasks than this are left out of an address."""
LONGEST: Final = 32_000
"""Characters of an address; a longer one is neither written nor read."""

_VALUE_AT_MOST: Final = 300
_WORDS_AT_MOST: Final = 20
_FIELDS_AT_MOST: Final = 500
_YEARS: Final = range(1970, 9999)
_ALL: Final = "all"
_YES: Final = "yes"
_WORDS: Final = {
    "status": "status",
    "pipeline": "template",
    "project": "project",
    "owner": "owner",
    "stage": "failed_stage",
    "category": "failure_category",
    "cause": "fingerprint",
    "refusal": "refusal",
}
_TIMES: Final = {"from": "since", "to": "until", "ended": "ended_since"}
# Where one name may stand several times.
_MANY: Final = dict.fromkeys(_WORDS, _WORDS_AT_MOST) | {"task": IDS_AT_MOST}
# Readable, and without a meaning of its own behind the `#` of an address.
_SAFE: Final = ",:;@/*()!$'~?[]"


@dataclass(frozen=True, slots=True)
class Reading:
    """What an address asks for, and the parts of it that were not understood, as they were written."""

    view: View
    ignored: tuple[str, ...] = ()


def address_of(view: View) -> tuple[str, bool]:
    """The address of a view, `""` for what the table begins with, and whether all of the view fits into it."""
    if view == View():
        return "", True
    pairs = list(_pairs(view))
    fitting = [(name, value) for name, value in pairs if 0 < len(value) <= _VALUE_AT_MOST]
    if sum(name == "task" for name, _ in fitting) > IDS_AT_MOST:
        fitting = [(name, value) for name, value in fitting if name != "task"]
    text = "&".join(f"{name}={quote_plus(value, safe=_SAFE, errors='replace')}" for name, value in fitting)
    return (text, len(fitting) == len(pairs)) if len(text) <= LONGEST else ("", False)


def read_address(text: str) -> Reading:
    """The view that an address asks for; what it does not name is as the table begins."""
    try:
        pairs = parse_qsl(text if len(text) <= LONGEST else "", max_num_fields=_FIELDS_AT_MOST, keep_blank_values=True)
    except ValueError:
        pairs = []
    if not pairs:
        return Reading(View(), (text,) if text.strip() else ())
    found: dict[str, list[Any]] = {}
    ignored = []
    for name, value in pairs:
        read = _READERS.get(name, _nothing)(value) if len(value) <= _VALUE_AT_MOST else None
        if read is None or len(found.get(name, ())) >= _MANY.get(name, 1):
            ignored.append(f"{name}={value}")
        else:
            found.setdefault(name, []).append(read)
    return Reading(_view(found), tuple(ignored))


def _pairs(view: View) -> Iterator[tuple[str, str]]:
    """What is said of a view; each part that is as in every view is left out, but for the status."""
    filters = view.filters
    for name, field in _WORDS.items():
        choice: Choice = getattr(filters, field)
        if choice is not None:
            yield from ((name, word) for word in ((choice,) if isinstance(choice, str) else choice))
        elif name == "status":
            yield name, _ALL
    if view.span:
        yield "last", view.span
    for name, field in _TIMES.items():
        moment: datetime | None = getattr(filters, field)
        if moment is not None and not (name == "from" and view.span):
            yield name, _utc(moment).isoformat(timespec="seconds").replace("+00:00", "Z")
    if filters.retryable_only:
        yield "retryable", _YES
    if filters.text.strip():
        yield "text", filters.text.strip()
    yield from (("task", task_id) for task_id in filters.task_ids or ())
    if view.sort != NEWEST_FIRST:
        yield "sort", ",".join(f"-{sort.column}" if sort.descending else sort.column for sort in view.sort)


def _view(found: Mapping[str, list[Any]]) -> View:
    choices: dict[str, Any] = {field: _choice(found[name]) for name, field in _WORDS.items() if name in found}
    times = {field: found[name][0] for name, field in _TIMES.items() if name in found}
    span = found.get("last", [""])[0]
    if span:
        times = {field: moment for field, moment in times.items() if field == "ended_since"}
    filters = Filters(
        retryable_only="retryable" in found,
        text=found.get("text", [""])[0],
        task_ids=tuple(found["task"]) if "task" in found else None,
        **({"status": FAILED_ONLY.status} | choices),
        **times,
    )
    return View(filters, span, found.get("sort", [NEWEST_FIRST])[0])


def _choice(words: list[str]) -> Choice:
    if _ALL in words:
        return None
    return words[0] if len(words) == 1 else tuple(words)


def _nothing(_value: str) -> None:
    """Of a name that no address has."""


def _word(value: str) -> str | None:
    """A text without anything that only hides."""
    fine = value.strip() and "\N{REPLACEMENT CHARACTER}" not in value
    return value if fine and all(char.isprintable() or char in "\n\t" for char in value) else None


def _one_of(*known: str) -> Callable[[str], str | None]:
    return lambda value: value if value in known else None


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        return _utc(moment) if moment.year in _YEARS else None
    except (ValueError, OverflowError):
        return None


def _sorts(value: str) -> tuple[Sort, ...] | None:
    sorts = tuple(Sort(part.removeprefix("-"), part.startswith("-")) for part in value.split(","))
    columns = {sort.column for sort in sorts}
    fine = len(columns) == len(sorts) <= SORTS_AT_MOST and columns <= set(COLUMNS)
    return sorts if fine else None


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(_WORDS, _word),
    "status": _one_of(*STATUSES, ACTIVE, _ALL),
    "last": _one_of(*SPANS),
    **dict.fromkeys(_TIMES, _moment),
    "retryable": _one_of(_YES),
    "text": _word,
    "task": _word,
    "sort": _sorts,
}

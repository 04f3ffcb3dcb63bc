"""The attempts of the chosen stage, and two of them side by side with what differs."""

from __future__ import annotations

from typing import Any, Final, Literal

from retry_toolkit.analysis.difference import Difference, Row, Side
from retry_toolkit.panels.stages import fold
from retry_toolkit.panels.state.attempts import AttemptsState, Comparison
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.lines import printable
from retry_toolkit.panels.view import clipped, one_line, problem_nodes, redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, el, moment, status
from retry_toolkit.platforms.base import AttemptRecord
from retry_toolkit.text import MISSING, Texts

_MOST_ATTEMPTS: Final = 50
_LONGEST_ERROR: Final = 160
_LONGEST_TEXT: Final = 1_200
_LONGEST_LINE: Final = 200
_SIDES: Final[tuple[Literal["before"], Literal["after"]]] = ("before", "after")
_LETTERS: Final = {"before": "A", "after": "B"}


class AttemptsView:
    """Hidden where a stage was tried once at most: of that the report has told all."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._report = desk.report
        self._attempts = desk.attempts
        self._fragment = Fragment()
        self._fragment.on_action(desk.session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(self._session),
            (self._attempts, ["attempts", "pair", "comparison", "comparing", "problem"]),
            (self._report, ["task", "stage_id", "log_problem"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action in _SIDES and value is not None and value.isdecimal():
            self._attempts.choose("before" if action == "before" else "after", int(value))

    def _draw(self) -> None:
        if self._report.between:
            return
        texts, state = self._session.texts, self._attempts
        total = len(state.attempts) + len(state.unknown)
        if self._report.stage is None or total < len(_SIDES):
            self._fragment.show(language=texts.language)
            return
        self._fragment.show(
            fold(
                texts("report.attempts", n=total),
                _table(texts, state),
                _unknown(texts, state.unknown),
                el("div", problem_nodes(texts, state.problem), cls="fd-muted") if state.problem else None,
                _comparison(texts, state, log_read=self._report.log_problem is None),
                key="attempts",
            ),
            language=texts.language,
        )


def _table(texts: Texts, state: AttemptsState) -> Node:
    """Every attempt that is known, the newest first, each with its error below."""
    choosing = bool(state.pair)
    names = ("attempt", "status", "started_at", "duration_s")
    letters = [
        el("th", _LETTERS[side], scope="col", title=texts(f"attempts.{side}"), cls="fd-at-side")
        for side in _SIDES
        if choosing
    ]
    head = el(
        "tr", *letters, *(el("th", texts(f"attempts.{name}"), scope="col", cls=f"fd-at-{name}") for name in names)
    )
    rows: list[Child] = []
    for attempt in sorted(state.attempts, key=lambda each: -each.attempt)[:_MOST_ATTEMPTS]:
        rows.extend(_rows(texts, attempt, state.pair))
    return el("table", el("thead", head), el("tbody", *rows), cls="fd-attempts")


def _rows(texts: Texts, row: AttemptRecord, pair: tuple[int, ...]) -> list[Child]:
    cells = [
        el(
            "td",
            el(
                "input",
                type="radio",
                name=f"fd-attempt-{side}",
                data_action=side,
                data_value=str(row.attempt),
                data_checked=row.attempt == chosen,
                disabled=row.attempt == other,
                aria_label=texts(f"attempts.choose_{side}", n=row.attempt),
            ),
            cls="fd-at-side",
        )
        for side, chosen, other in zip(_SIDES, pair, reversed(pair), strict=False)
    ]
    first = el(
        "tr",
        *cells,
        el("td", str(row.attempt), cls="fd-at-attempt"),
        el("td", status(texts.word("status", row.status), row.status)),
        el("td", moment(row.started_at, MISSING), _source(texts, row)),
        el("td", texts.duration(row.duration_s), cls="fd-at-duration_s"),
        data_key=f"{row.stage_id}-{row.attempt}",
    )
    columns = str(4 + len(cells))
    error = el("td", _error(row), colspan=columns) if row.error else None
    return [first, el("tr", error, cls="fd-attempt-error", data_key=f"{row.attempt}-error") if error else None]


def _source(texts: Texts, row: AttemptRecord) -> Child:
    if row.source != "evidence":
        return None
    return el("span", f" · {texts('attempts.evidence')}", cls="fd-muted", title=texts("attempts.evidence_why"))


def _error(row: AttemptRecord) -> Child:
    """One line that unfolds to the whole error."""
    line = one_line(row.error, _LONGEST_ERROR)
    if line == (row.error or "").strip():
        return el("span", line)
    whole = printable((row.error or "")[: _LONGEST_TEXT + 1])[0]
    return el("details", el("summary", line), el("pre", clipped(whole, _LONGEST_TEXT), cls="fd-text", tabindex="0"))


def _unknown(texts: Texts, numbers: tuple[int, ...]) -> Child:
    if not numbers:
        return None
    shown = texts.join(str(number) for number in numbers[:_MOST_ATTEMPTS])
    return el("p", texts("attempts.unknown", n=len(numbers), numbers=shown), cls="fd-muted fd-attempts-note")


def _comparison(texts: Texts, state: AttemptsState, *, log_read: bool) -> Child:
    found = state.comparison
    if not state.pair or (found is None and not state.comparing):
        return None
    title = el("h4", texts("compare.title", before=state.pair[0], after=state.pair[1]))
    if found is None:
        return el("div", title, el("p", texts("compare.comparing"), cls="fd-muted", role="status"), cls="fd-compare")
    return el(
        "div",
        title,
        el("p", _verdict(texts, found), cls="fd-verdict", role="status"),
        _side_by_side(texts, found),
        _difference(texts, "error", found.error, found),
        _log(texts, found, log_read=log_read),
        cls="fd-compare",
        aria_busy="true" if state.comparing else "false",
    )


def _verdict(texts: Texts, found: Comparison) -> str:
    """What differs, in a sentence."""
    differs = [
        texts(f"compare.{name}")
        for name, it_does in (
            ("status", found.before.status != found.after.status),
            ("parameters", bool(found.parameters)),
            ("error", not found.error.equal),
            ("log", found.log is not None and not found.log.equal),
        )
        if it_does
    ]
    return texts("compare.differs", what=texts.join(differs)) if differs else texts("compare.equal")


def _side_by_side(texts: Texts, found: Comparison) -> Node:
    before, after = found.before, found.after
    rows: list[tuple[str, Child, Child, bool]] = [
        (texts("attempts.status"), _status(texts, before), _status(texts, after), before.status != after.status),
        (texts("attempts.started_at"), _started(before), _started(after), False),
        (texts("attempts.duration_s"), texts.duration(before.duration_s), texts.duration(after.duration_s), False),
        (texts("fact.tokens"), _count(texts, before.tokens), _count(texts, after.tokens), False),
        (texts("compare.requested_by"), before.requested_by or MISSING, after.requested_by or MISSING, False),
    ]
    if found.parameters is None:
        unknown = texts("unit.unknown")
        rows.append((texts("fact.parameters"), unknown, unknown, False))
    elif not found.parameters:
        rows.append((texts("fact.parameters"), texts("compare.same"), texts("compare.same"), False))
    else:
        rows += [
            (clipped(name, _LONGEST_ERROR), old or MISSING, new or MISSING, True)
            for name, (old, new) in list(found.parameters.items())[:_MOST_ATTEMPTS]
        ]
    head = el("tr", el("td"), *(el("th", _head(texts, side, found), scope="col") for side in _SIDES))
    body = [
        el(
            "tr",
            el("th", name, scope="row"),
            el("td", old),
            el("td", new, el("span", f" {texts('compare.mark')}", cls="fd-differs-mark") if differs else None),
            cls="fd-differs" if differs else None,
        )
        for name, old, new, differs in rows
    ]
    return el("table", el("thead", head), el("tbody", *body), cls="fd-numbers fd-side-by-side")


def _head(texts: Texts, side: Literal["before", "after"], found: Comparison) -> str:
    number = (found.before if side == "before" else found.after).attempt
    return f"{_LETTERS[side]} · {texts('report.attempt', n=number)}"


def _status(texts: Texts, attempt: AttemptRecord) -> Node:
    return status(texts.word("status", attempt.status), attempt.status)


def _started(attempt: AttemptRecord) -> Node:
    return moment(attempt.started_at, MISSING)


def _count(texts: Texts, number: int | None) -> str:
    return texts("unit.unknown") if number is None else texts.count(number)


def _log(texts: Texts, found: Comparison, *, log_read: bool) -> Child:
    if found.log is not None:
        return _difference(texts, "log", found.log, found)
    if not log_read:
        return el("p", texts("compare.log_unread"), cls="fd-muted")
    numbers = texts.join(str(number) for number in found.without_log)
    return el("p", texts("compare.no_log", n=len(found.without_log), numbers=numbers), cls="fd-muted")


def _difference(texts: Texts, what: Literal["error", "log"], found: Difference, pair: Comparison) -> Node:
    """What differs in error or log, with the first difference in sight."""
    name = texts(f"compare.{what}_title")
    if found.equal:
        words = texts("compare.identical" if found.identical else "compare.equal_part")
        return el("p", el("strong", name), " ", el("span", words, cls="fd-muted"), cls="fd-diff-title")
    first = next((at for at, row in enumerate(found.rows) if row.kind not in {"same", "gap"}), -1)
    key = f"first-{pair.before.attempt}-{pair.after.attempt}"
    rows = [_row(texts, row, first=key if at == first else None) for at, row in enumerate(found.rows)]
    more = found.left_out + found.uncompared
    return el(
        "div",
        el(
            "p",
            el("strong", name),
            " ",
            el("span", texts("compare.lines", n=found.changes, count=texts.count(found.changes)), cls="fd-muted"),
            cls="fd-diff-title",
        ),
        el("div", *rows, cls="fd-diff", role="region", tabindex="0", aria_label=name, data_brings=key),
        el("p", texts("compare.more", n=more, count=texts.count(more)), cls="fd-muted") if more else None,
        data_key=f"diff-{what}",
    )


def _row(texts: Texts, row: Row, *, first: str | None) -> Node:
    if row.kind == "gap":
        words = texts("compare.gap", n=row.count, count=texts.count(row.count))
        return el("div", words, cls="fd-diff-row fd-diff-gap")
    sides = [
        el(
            "span",
            el("span", _LETTERS[name] if row.kind != "same" else "", cls="fd-diff-side"),
            *_parts(side, whole=row.kind != "changed"),
            cls=f"fd-diff-text fd-diff-{name}",
        )
        if side is not None
        else el("span", cls="fd-diff-text fd-diff-none")
        for name, side in zip(_SIDES, (row.before, row.after), strict=True)
    ]
    label = el("span", texts("compare.first"), cls="fd-diff-first") if first else None
    return el("div", label, *sides, cls=f"fd-diff-row fd-diff-is-{row.kind}", data_key=first)


def _parts(side: Side, *, whole: bool) -> list[Child]:
    """A line with the part that differs marked; a long one is cut around that part."""
    if whole:
        return [clipped(side.text, _LONGEST_LINE) or "\u00a0"]
    start = max(0, min(side.start - _LONGEST_LINE // 3, len(side.text) - _LONGEST_LINE))
    stop = start + _LONGEST_LINE
    return [
        "…" if start else "",
        side.text[start : side.start],
        el("strong", clipped(side.text[side.start : side.end], _LONGEST_LINE), cls="fd-diff-part"),
        side.text[side.end : max(stop, side.end)][:_LONGEST_LINE],
        "…" if max(stop, side.end) < len(side.text) else "",
    ]

"""Lineages as SVG text: rows -> drawing, pure and escaped; for the page without colours, as a file with its own.

One task is one line: shape, name, status, attempt, running time, disk, submission. It hangs from what it retries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final
from unicodedata import east_asian_width

import pandas as pd

from retry_toolkit.analysis.forest import ForestRow, grow_forest
from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.text import LanguageCode, Texts, within

# Shapes of 14 px around (0, 0): a status is never told by colour alone.
SHAPES: Final = {
    "failed": '<circle r="7" class="fd-fill"/><path d="M-2.6-2.6 2.6 2.6M2.6-2.6-2.6 2.6" class="fd-cut"/>',
    "succeeded": '<circle r="7" class="fd-fill"/><path d="M-3.2 .2-1 2.4 3.2-2" class="fd-cut"/>',
    "running": '<path d="M0-6A6 6 0 1 1-6 0" class="fd-stroke"/>',
    "pending": '<circle r="6" class="fd-stroke"/><path d="M0-3V0l2 1.5" class="fd-stroke"/>',
    "cancelled": '<circle r="6" class="fd-stroke"/><path d="M-4 4 4-4" class="fd-stroke"/>',
    "skipped": '<circle r="6" class="fd-stroke" stroke-dasharray="2 2.7"/>',
    "unknown": '<circle r="6" class="fd-stroke"/><circle r="1.5" class="fd-fill"/>',
}
OUTCOME_SHAPES: Final = {"recovered": "succeeded", "failed": "failed", "open": "running", "cancelled": "cancelled"}

ROW: Final = 28
HEAD: Final = 28
WIDTH: Final = 960
NARROWEST: Final = 720
WIDEST: Final = 1080
_INDENT: Final = 26
_LEVELS: Final = 7
_LEFT: Final = 32
_COLUMNS: Final = {"status": 452, "attempt": 362, "seconds": 218, "bytes": 134, "created": 118}
"""How far from the right edge each column stands."""
_AT_END: Final = frozenset({"seconds", "bytes"})
_EDGE: Final = 10

# What the page takes from its theme, a file brings along: text, quiet text, lines, ground, and a colour a status.
_LIGHT: Final = ("#1f1f1f", "#5f5f5f", "#bdbdbd", "#ffffff", "#c62828", "#2e7d32", "#1565c0", "#b35c00")
_DARK: Final = ("#e3e3e3", "#a6a6a6", "#5c5c5c", "#111111", "#ef7070", "#7cc47f", "#64a9f0", "#f0a860")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FONT: Final = "system-ui,-apple-system,'Segoe UI','Noto Sans CJK SC',sans-serif"


def draw_lineage(
    tasks: pd.DataFrame, *, disk: pd.DataFrame | None = None, language: LanguageCode = "en", at_most: int = 2000
) -> str:
    """The lineages that have a retry as an SVG file: self-contained, for light and dark pages.

    Args:
        tasks: Canonical tasks.
        disk: As `disk_cost` returns it; without it no sizes are drawn.
        language: Of its words.
        at_most: More tasks than this are drawn as one line a lineage, the hundred with the newest tasks.
    """
    sizes = {} if disk is None else dict(zip(disk["task_id"], disk["extra_bytes"], strict=True))
    known = {task_id: None if pd.isna(size) else int(size) for task_id, size in sizes.items()}
    forest = grow_forest(tasks, build_lineage(tasks), disk=known, drawn_at_most=at_most)
    return forest_file(Texts(language), forest.rows)


def forest_svg(texts: Texts, rows: Sequence[ForestRow], *, width: int = WIDTH) -> str:
    """The rows as an SVG element without colours of its own; `data-*` say what a row is and hangs from.

    Args:
        texts: Its words.
        rows: What `grow_forest` gives.
        width: In pixels; what is too narrow or too wide to be read is the nearest that is not.
    """
    return _drawing(texts, rows, min(max(width, NARROWEST), WIDEST), "")


def forest_file(texts: Texts, rows: Sequence[ForestRow]) -> str:
    """The rows as the text of an SVG file."""
    ground = f'<style>{_style()}</style><rect width="100%" height="100%" class="fd-tree-ground"/>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_drawing(texts, rows, WIDTH, ground)}\n'


def _drawing(texts: Texts, rows: Sequence[ForestRow], width: int, ground: str) -> str:
    height = HEAD + max(len(rows), 1) * ROW + 4
    folds = {row.parent for row in rows}
    drawn = "".join(_row(texts, rows, number, width, folds=number in folds) for number in range(len(rows)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f"<title>{_text(texts('forest.title'))}</title>{ground}{drawn}{_head(texts, width)}</svg>"
    )


def _head(texts: Texts, width: int) -> str:
    cells = "".join(_cell(name, texts(f"forest.{name}"), width) for name in _COLUMNS)
    return (
        f'<g class="fd-tree-head"><rect width="{width}" height="{HEAD}" class="fd-tree-ground"/>'
        f'<text y="18" x="12">{_text(texts("forest.task"))}{cells}</text>'
        f'<path d="M0 {HEAD - 0.5}H{width}" class="fd-tree-edge"/></g>'
    )


def _row(texts: Texts, rows: Sequence[ForestRow], number: int, width: int, *, folds: bool) -> str:
    row = rows[number]
    x = _x(row.level)
    outcome = _outcome(row)
    shape = row.status if outcome is None else OUTCOME_SHAPES.get(outcome, "unknown")
    shape = shape if shape in SHAPES else "unknown"
    links = f'data-level="{row.level}"' + ("" if row.parent is None else f' data-from="{row.parent}"')
    fold = {"lineage": ' data-fold="closed"', "opened": ' data-fold="opened"', "task": ' data-fold="here"'}
    foldable = folds or row.stands_for != "task"
    begins = 22 if foldable else _EDGE
    return (
        f'<g class="fd-tree-row fd-is-{shape}" data-id="{_attribute(row.task_id)}" {links}'
        f'{fold[row.stands_for] if foldable else ""} transform="translate(0 {HEAD + number * ROW})">'
        f"<title>{_text(f'{row.name or row.task_id} · {row.task_id}')}</title>"
        f'<rect width="{width}" height="{ROW}" class="fd-tree-band"/>{_edge(rows, number, x - begins)}'
        f"{_chevron(x) if foldable else ''}"
        f'<g transform="translate({x} 14)">{SHAPES[shape]}</g>'
        f'<text y="18" x="{x + 16}">{_name(texts, row, width - x)}{"".join(_cells(texts, row, width))}</text></g>'
    )


def _outcome(row: ForestRow) -> str | None:
    """The outcome of a lineage, where the row tells that."""
    return row.status if row.stands_for == "lineage" else row.outcome


def _x(level: int) -> int:
    """Where a shape stands; very deep chains go on straight down."""
    return _LEFT + min(level, _LEVELS) * _INDENT


def _edge(rows: Sequence[ForestRow], number: int, end: int) -> str:
    """The line from what this row hangs from to where it begins."""
    parent = rows[number].parent
    if parent is None:
        return ""
    start, up = _x(rows[parent].level), (parent - number) * ROW + 14 + _EDGE
    way = f"V10Q{start} 14 {start + 4} 14H{end}" if start < end else f"V{14 - _EDGE}"
    return f'<path d="M{start} {up}{way}" class="fd-tree-edge"/>'


def _chevron(x: int) -> str:
    arrow = '<rect x="-9" y="-12" width="18" height="24"/><path d="M-2-4 2 0-2 4"/>'
    return f'<g class="fd-tree-fold" transform="translate({x - 15} 14)">{arrow}</g>'


def _name(texts: Texts, row: ForestRow, left: int) -> str:
    """The name, cut to what the columns leave of the width that is `left`, and what is wrong with its links."""
    marks = [texts(f"lineage.{mark}") for mark in ("orphan", "cycle") if getattr(row, mark)]
    room = left - _COLUMNS["status"] - 28
    words = texts.join(marks)
    name = within(row.name or row.task_id, max(room - _width(words) - 8 if words else room, 60))
    told = f'<tspan dx="8" class="fd-tree-mark">{_text(words)}</tspan>' if words else ""
    return f'<tspan class="fd-tree-name">{_text(name)}</tspan>{told}'


def _width(words: str) -> float:
    """About so many pixels."""
    return sum(13.0 if east_asian_width(char) in "WF" else 7.6 for char in words)


def _cells(texts: Texts, row: ForestRow, width: int) -> Iterator[str]:
    lineage, outcome = row.stands_for == "lineage", _outcome(row)
    attempt = texts("lineage.retry_number", n=row.attempt) if row.attempt else texts("lineage.original")
    count = texts("forest.tasks", n=row.tasks, count=texts.count(row.tasks))
    yield _cell("status", texts.word("status", row.status) if outcome is None else texts(f"forest.{outcome}"), width)
    yield _cell("attempt", count if lineage else attempt, width)
    if row.seconds is not None:
        yield _cell("seconds", texts.duration(row.seconds), width)
    if row.extra_bytes is not None or row.bytes_unknown:
        yield _cell("bytes", texts.size(row.extra_bytes), width)
    if row.created_at is not None:
        yield _cell("created", _stamp(row.created_at), width, time=row.created_at)


def _cell(column: str, words: str, width: int, *, time: datetime | None = None) -> str:
    anchor = ' text-anchor="end"' if column in _AT_END else ""
    stamp = "" if time is None else f' data-time="{time.astimezone(UTC).isoformat()}"'
    return f'<tspan x="{width - _COLUMNS[column]}"{anchor}{stamp}>{_text(words)}</tspan>'


def _stamp(time: datetime) -> str:
    return f"{time.astimezone(UTC):%m-%d %H:%M} UTC"


def _style() -> str:
    return f"{_rules(_LIGHT)}@media (prefers-color-scheme:dark){{{_rules(_DARK)}}}"


def _rules(colours: Sequence[str]) -> str:
    text, quiet, line, ground, failed, succeeded, running, warning = colours
    return (
        f"svg{{color:{quiet}}}text{{fill:{quiet};font:13px {_FONT}}}.fd-tree-name{{fill:{text};font-weight:500}}"
        f".fd-tree-mark{{fill:{warning}}}.fd-tree-ground{{fill:{ground}}}.fd-tree-band{{fill:none}}.fd-tree-edge{{fill:none;stroke:{line}}}"
        f".fd-tree-fold{{display:none}}.fd-fill{{fill:currentColor}}.fd-cut,.fd-stroke{{fill:none;stroke-width:1.8;"
        f"stroke-linecap:round}}.fd-cut{{stroke:{ground}}}.fd-stroke{{stroke:currentColor}}.fd-is-failed{{color:{failed}}}"
        f".fd-is-succeeded{{color:{succeeded}}}.fd-is-running{{color:{running}}}"
    )


def _text(value: str) -> str:
    return escape("".join(char if char.isprintable() else " " for char in value), quote=False)


def _attribute(value: str) -> str:
    """Any text, as it is but for what XML cannot hold."""
    return escape(_NOT_XML.sub("\ufffd", value), quote=True)

"""A lineage as SVG: frame -> layout -> text, pure and escaped.

The tree grows downwards, one task a row and one step to the right for each whole retry: a chain fits a narrow panel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

import pandas as pd

from retry_toolkit.analysis.forest import Place, lay_out
from retry_toolkit.drawing import SHAPES
from retry_toolkit.text import Texts, fitted

ROW: Final = 52
NODE_HEIGHT: Final = 44
INDENT: Final = 28
NODE_WIDTH: Final = 360
PAD: Final = 4
_NAME_CELLS: Final = 40


def lineage_svg(texts: Texts, nodes: pd.DataFrame, current: str) -> str:
    """The tree as an SVG element of rows `<g data-id>` that can be focused; the `current` task is marked.

    Args:
        texts: Words for status, retry number and duration.
        nodes: `task_id, parent_id, name, status, duration_s, depth, orphan, cycle`, one row a task.
        current: The task that is open.
    """
    places = lay_out(nodes)
    facts = nodes.set_index("task_id").to_dict("index")
    deepest = max((place.level for place in places), default=0)
    width = 2 * PAD + deepest * INDENT + NODE_WIDTH
    height = max(2 * PAD + len(places) * ROW - (ROW - NODE_HEIGHT), ROW)
    edges = "".join(_edges(places))
    drawn = "".join(_node(texts, place, facts[place.task_id], current=place.task_id == current) for place in places)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    label = _attribute(texts("lineage.title"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="tree" aria-label="{label}">'
        f'<g class="fd-edges">{edges}</g>{drawn}</svg>'
    )


def _edges(places: tuple[Place, ...]) -> Iterator[str]:
    for place in places:
        if place.parent is not None:
            start = _top(place.parent) + NODE_HEIGHT
            x = PAD + (place.level - 1) * INDENT + INDENT // 2
            end_x, end_y = PAD + place.level * INDENT, _top(place.row) + NODE_HEIGHT // 2
            yield f'<path d="M{x} {start}V{end_y - 6}Q{x} {end_y} {x + 6} {end_y}H{end_x}"/>'


def _top(row: int) -> int:
    return PAD + row * ROW


def _node(texts: Texts, place: Place, facts: Mapping[Any, Any], *, current: bool) -> str:
    status = str(facts["status"]) if not pd.isna(facts["status"]) else "unknown"
    name = str(facts["name"]) if not pd.isna(facts["name"]) else place.task_id
    word = texts.word("status", status)
    notes = " · ".join(_notes(texts, facts, word))
    marks = 'class="fd-node fd-current" aria-current="true"' if current else 'class="fd-node"'
    place_in_tree = (
        f'aria-level="{place.level + 1}" aria-selected="{str(current).lower()}" tabindex="{0 if current else -1}"'
    )
    names = f'data-id="{_attribute(place.task_id)}" aria-label="{_attribute(f"{name}, {notes}")}"'
    x, y = PAD + place.level * INDENT, _top(place.row)
    shape = SHAPES.get(status, SHAPES["unknown"])
    return (
        f'<g {marks} role="treeitem" {place_in_tree} {names} transform="translate({x} {y})">'
        f"<title>{_text(f'{name} · {place.task_id}')}</title>"
        f'<rect width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="6"/>'
        f'<g class="fd-is-{_attribute(status)}" transform="translate(20 22)">{shape}</g>'
        f'<text x="38" y="19" class="fd-node-name">{_text(fitted(name, _NAME_CELLS))}</text>'
        f'<text x="38" y="35" class="fd-node-note">{_text(notes)}</text></g>'
    )


def _notes(texts: Texts, facts: Mapping[Any, Any], word: str) -> Iterator[str]:
    depth, duration = facts["depth"], facts["duration_s"]
    yield word
    yield texts("lineage.retry_number", n=depth) if not pd.isna(depth) and depth else texts("lineage.original")
    if not pd.isna(duration):
        yield texts.duration(float(duration))
    if facts["orphan"] is True:
        yield texts("lineage.orphan")
    if facts["cycle"] is True:
        yield texts("lineage.cycle")


def _text(value: str) -> str:
    return escape("".join(char if char.isprintable() else " " for char in value), quote=False)


def _attribute(value: str) -> str:
    return escape("".join(char if char.isprintable() else " " for char in value), quote=True)

"""What a stage made and what it used: summary, structured output as facts and a tree, figures with their meaning."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from retry_toolkit.panels.stages import fact_node, fold
from retry_toolkit.panels.state.lines import printable
from retry_toolkit.panels.view import clipped
from retry_toolkit.panels.widgets.markup import Child, Node, copy_button, el, status
from retry_toolkit.platforms.base import StageRecord, TaskRecord
from retry_toolkit.text import Texts

LONGEST_TEXT: Final = 20_000
_LONGEST_VALUE: Final = 2_000
_LONGEST_NAME: Final = 120
_LONGEST_ARTIFACT: Final = 300
_DEEPEST: Final = 6
_MOST_CHILDREN: Final = 50
_MOST_VALUES: Final = 400
_MOST_CHARS: Final = 40_000
_SHOWN_ABOVE: Final = ("summary", "status", "confidence", "artifacts")
_VERDICTS: Final = {"pass": "succeeded", "fail": "failed", "partial": "unknown"}


def output_node(texts: Texts, stage: StageRecord) -> Child:
    """What a stage says it made; None where it says nothing."""
    output = stage.output or {}
    summary = output.get("summary")
    parts: list[Child] = []
    if stage.output_summary:
        parts.append(_prose(stage.output_summary))
    if isinstance(summary, str) and summary.strip() != (stage.output_summary or "").strip():
        parts.append(_prose(summary))
    parts.append(_facts(texts, output))
    rest = {name: value for name, value in output.items() if not _is_above(name, value)}
    if rest:
        parts.append(el("div", *_Tree(texts).children(rest), cls="fd-tree"))
    if not any(part is not None for part in parts):
        return None
    tools: list[Child] = []
    if output:
        text = json.dumps(output, ensure_ascii=False, indent=2, default=str)
        tools.append(copy_button(texts("output.copy"), texts("action.copied"), text=printable(text[:LONGEST_TEXT])[0]))
    return fold(texts("report.output"), *parts, key="output", tools=tools)


def usage_node(texts: Texts, task: TaskRecord, stage: StageRecord) -> Child:
    """Tokens, turns and scores, each with what it means; what is not known says so. None for what has not run."""
    if stage.status in {"pending", "skipped"}:
        return None
    confidence = (stage.output or {}).get("confidence")
    rows: list[tuple[str, str | None]] = [
        ("tokens", None if stage.tokens is None else texts.count(stage.tokens)),
        ("turns", None if stage.turns is None else texts.count(stage.turns)),
        ("self_fixes", None if stage.self_fixes is None else texts.count(stage.self_fixes)),
        ("score", None if stage.score is None else f"{stage.score:.2f}"),
        ("confidence", f"{confidence:.2f}" if _is_number(confidence) else None),
        ("cost", None if task.cost is None else f"{task.cost:,.2f}"),
    ]
    items = [
        el(
            "div",
            el("dt", texts(f"fact.{name}")),
            el("dd", texts("unit.unknown") if value is None else value, cls="fd-muted" if value is None else None),
            el("dd", texts(f"usage.{name}"), cls="fd-muted"),
        )
        for name, value in rows
    ]
    told = any(value is not None and value.strip("0.") for _, value in rows)
    return fold(texts("report.usage"), el("dl", *items, cls="fd-meanings"), key="usage", open_=told)


def _prose(text: str) -> Node:
    return el(
        "pre", clipped(printable(text[: LONGEST_TEXT + 1])[0], LONGEST_TEXT), cls="fd-text fd-prose", tabindex="0"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_above(name: str, value: object) -> bool:
    """Whether a field is told by the facts; one that is not of its usual kind is in the tree."""
    kinds = {
        "summary": isinstance(value, str),
        "status": isinstance(value, str),
        "confidence": _is_number(value),
        "artifacts": isinstance(value, list) and all(isinstance(each, str) for each in value),
    }
    return kinds.get(name, False)


def _facts(texts: Texts, output: Mapping[str, Any]) -> Child:
    known = {name: output[name] for name in _SHOWN_ABOVE if name in output and _is_above(name, output[name])}
    facts: list[Child] = []
    if "status" in known:
        word = clipped(printable(known["status"])[0], _LONGEST_NAME)
        shown = status(texts.word("verdict", word), _VERDICTS.get(word, "unknown"))
        facts.append(fact_node(texts("fact.verdict"), shown))
    if "confidence" in known:
        facts.append(fact_node(texts("fact.confidence"), f"{known['confidence']:.2f}"))
    artifacts = known.get("artifacts") or []
    if artifacts:
        facts.append(fact_node(texts("fact.artifacts"), _artifacts(texts, artifacts)))
    return el("dl", *facts, cls="fd-facts fd-output-facts") if facts else None


def _artifacts(texts: Texts, artifacts: list[str]) -> Node:
    names = [el("li", el("code", clipped(_text(name), _LONGEST_ARTIFACT))) for name in artifacts[:_MOST_CHILDREN]]
    more = len(artifacts) - len(names)
    return el("ul", *names, el("li", texts("output.more", n=more, count=texts.count(more))) if more else None)


def _text(value: str) -> str:
    return clipped(printable(value[: _LONGEST_VALUE + 1])[0], _LONGEST_VALUE)


class _Tree:
    """Values within values as parts that unfold; bounded in depth, in width and in all."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._left = _MOST_VALUES
        self._room = _MOST_CHARS

    def children(self, value: Mapping[Any, Any] | list[Any], depth: int = 0) -> Iterator[Child]:
        """The parts of a value, the first of them where there are many."""
        shown = 0
        for name, each in list(_entries(value))[:_MOST_CHILDREN]:
            if self._left <= 0:
                break
            self._left -= 1
            shown += 1
            yield self._node(_text(name)[:_LONGEST_NAME], each, depth)
        if len(value) > shown:
            more = len(value) - shown
            yield el("p", self._texts("output.more", n=more, count=self._texts.count(more)), cls="fd-muted")

    def _node(self, name: str, value: object, depth: int) -> Node:
        label = el("span", name, cls="fd-tree-name")
        if not isinstance(value, dict | list) or not value:
            text = clipped(_leaf(value), max(self._room, 1))
            self._room -= len(text)
            return el("div", label, el("span", text, cls="fd-tree-value"), cls="fd-tree-leaf")
        size = el("span", self._texts("output.entries", n=len(value), count=len(value)), cls="fd-muted")
        if depth >= _DEEPEST:
            return el("div", label, size, cls="fd-tree-leaf")
        inside = el("div", *self.children(value, depth + 1), cls="fd-tree-inside")
        return el("details", el("summary", label, size), inside, open=depth == 0)


def _entries(value: Mapping[Any, Any] | list[Any]) -> Iterable[tuple[str, Any]]:
    if isinstance(value, list):
        return ((str(place), each) for place, each in enumerate(value))
    return ((str(name), each) for name, each in value.items())


def _leaf(value: object) -> str:
    """As JSON writes it, but text without its quotes."""
    return _text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))

"""What became of a retry, item by item: the platform's own words beside a plain explanation."""

from __future__ import annotations

from collections import Counter
from typing import Final

from retry_toolkit.panels.state.sending import Item, Outcome, Verdict
from retry_toolkit.panels.view import words_node
from retry_toolkit.panels.widgets.markup import Child, Node, button, copy_button, el, status
from retry_toolkit.text import Texts

LISTED_AT_MOST: Final = 100
_SHAPES: Final[dict[Verdict, str]] = {
    "running": "running",
    "recovered": "succeeded",
    "failed_again": "failed",
    "cancelled": "cancelled",
    "refused": "failed",
    "not_sent": "skipped",
    "unclear": "unknown",
    "gone": "unknown",
    "unreachable": "unknown",
    "gave_up": "unknown",
}


def outcome_node(texts: Texts, outcome: Outcome) -> Node:
    """A card with a headline and one row an item; what went wrong comes first."""
    items = sorted(outcome.items, key=lambda item: item.problem is None)
    listed = [_item_node(texts, item, named=outcome.kind == "batch") for item in items[:LISTED_AT_MOST]]
    left = len(items) - len(listed)
    return el(
        "section",
        el(
            "div",
            el("h3", _headline(texts, outcome)),
            button("×", action="dismiss", cls="fd-close", aria_label=texts("action.dismiss")),
            cls="fd-card-head",
        ),
        _new_task(texts, outcome),
        el("ul", *listed, cls="fd-items"),
        el("p", texts("outcome.more", n=left, count=texts.count(left)), cls="fd-muted") if left else None,
        cls="fd-outcome",
        aria_label=texts("outcome.label"),
        role="status",
        data_key=f"outcome-{outcome.kind}",
    )


def _headline(texts: Texts, outcome: Outcome) -> str:
    taken = len(outcome.accepted)
    if outcome.kind == "batch":
        counts = Counter(item.verdict for item in outcome.items)
        parts = [texts("outcome.batch", n=taken, taken=texts.count(taken), total=texts.count(len(outcome.items)))]
        parts += [f"{texts(f'verdict.{verdict}')} {texts.count(count)}" for verdict, count in counts.items()]
        return " · ".join(parts)
    if not taken:
        return texts("outcome.nothing" if outcome.items[0].verdict != "unclear" else "outcome.unclear")
    return texts("outcome.whole" if outcome.kind == "whole" else "outcome.stage")


def _new_task(texts: Texts, outcome: Outcome) -> Child:
    if outcome.new_task_id is None:
        return None
    files: list[Child] = [
        el("span", texts(key, n=count))
        for key, count in (("outcome.copied", outcome.files_copied), ("outcome.linked", outcome.files_linked))
        if count
    ]
    return el(
        "p",
        el("span", f"{texts('outcome.new_id')} ", el("code", outcome.new_task_id)),
        copy_button(texts("action.copy"), texts("action.copied"), text=outcome.new_task_id),
        *files,
        cls="fd-new-task",
    )


def _item_node(texts: Texts, item: Item, *, named: bool) -> Node:
    problem = item.problem
    return el(
        "li",
        status(texts(f"verdict.{item.verdict}"), _SHAPES[item.verdict]),
        el(
            "div",
            el("span", item.name, title=item.task_id, cls="fd-item-name") if named else None,
            el("p", texts("outcome.reread")) if item.reread else None,
            el("p", el("strong", texts(problem.title_key)), " ", texts(problem.advice_key)) if problem else None,
            words_node(texts, problem.words, quoted=problem.quoted) if problem else None,
        ),
        data_key=item.task_id,
    )

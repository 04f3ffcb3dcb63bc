"""Plain nodes for `Fragment`: a node is text, or a tag with attributes and children."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

Node = str | list[Any]
"""A text, or `[tag, attributes, children]` as it travels."""

_PARTS = 3
Child = Node | None | Iterable["Child"]


def el(tag: str, *children: Child, cls: str | None = None, **attributes: str | bool | None) -> Node:
    """An element. Attribute names are written with `_` for `-`; None and False leave an attribute out."""
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    kept = {
        name: "" if value is True else value
        for name, value in named.items()
        if value is not None and value is not False
    }
    if cls:
        kept["class"] = cls
    return [tag, kept, list(_flat(children))]


def _flat(children: Iterable[Child]) -> Iterable[Node]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, str) or (isinstance(child, list) and len(child) == _PARTS and isinstance(child[1], dict)):
            yield child
        else:
            yield from _flat(child)


def status(word: str, value: str, *, cls: str = "") -> Node:
    """A status as colour, shape and word."""
    return el("span", word, cls=f"fd-status fd-is-{value} {cls}".rstrip())


Form = Literal["short", "relative", "clock"]
"""An instant with its seconds or day, as how long ago it was (which the browser keeps true), or without seconds."""


def moment(time: datetime | None, missing: str, form: Form = "short") -> Node:
    """An instant: local time in the browser, the exact one as its tooltip."""
    return (
        missing if time is None else el("time", datetime=time.isoformat(), data_form=None if form == "short" else form)
    )


def select(
    options: Iterable[tuple[str, str]],
    chosen: str,
    *,
    action: str,
    cls: str = "fd-select",
    **attributes: str | bool | None,
) -> Node:
    """A choice of one of `(value, label)`; sends `action` with the value."""
    nodes = [el("option", label, value=value) for value, label in options]
    return el("select", nodes, cls=cls, data_action=action, data_chosen=chosen, **attributes)


def waiting(words: str, *, lines: int) -> Node:
    """Grey bars in the place of text that is still to come; `words` say so to those who hear the page."""
    bars = [el("span", cls="fd-waiting-bar", aria_hidden="true") for _ in range(lines)]
    return el("div", el("span", words, cls="fd-hidden-text"), *bars, cls="fd-waiting", role="status")


def button(
    label: str,
    *,
    action: str | None = None,
    value: str | None = None,
    cls: str = "fd-link",
    **attributes: str | bool | None,
) -> Node:
    """A button that sends `action` with `value`."""
    return el("button", label, type="button", cls=cls, data_action=action, data_value=value, **attributes)


def segments(action: str, label: str, choices: Mapping[str, str], chosen: str) -> Node:
    """Buttons side by side, one of them pressed."""
    return el(
        "div",
        *(
            button(
                word,
                action=action,
                value=value,
                cls="fd-segment",
                aria_pressed="true" if value == chosen else "false",
            )
            for value, word in choices.items()
        ),
        cls="fd-segments",
        role="group",
        aria_label=label,
    )


def copy_button(
    label: str, done: str, *, key: str | None = None, text: str | None = None, **attributes: str | bool | None
) -> Node:
    """A button that copies `text`, or what the node with the `data-key` of `key` shows; says `done` for a moment."""
    return el(
        "button",
        label,
        type="button",
        cls="fd-link fd-copy",
        data_copies=key,
        data_copies_text=text,
        data_done=done,
        **attributes,
    )

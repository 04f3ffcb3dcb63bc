"""What every view has in common: states to watch, words to say them with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from traitlets import HasTraits

from retry_toolkit.frames.fingerprints import raised_line
from retry_toolkit.panels.state.problems import Problem
from retry_toolkit.panels.state.session import Session
from retry_toolkit.panels.widgets.markup import Child, Node, el
from retry_toolkit.platforms.base import StageRecord
from retry_toolkit.retry import reasons
from retry_toolkit.text import MISSING, Texts

_LOOKED_AT: Final = 4000
_HOLE: Final = "\x00"


def redraw(draw: Callable[[], None], *watched: tuple[HasTraits, list[str]]) -> None:
    """Draw now, and again whenever one of the traits changes."""
    for state, names in watched:
        state.observe(lambda _: draw(), names=names)
    draw()


def speaks(session: Session) -> tuple[HasTraits, list[str]]:
    """The trait that changes with the language, for `redraw`."""
    return session, ["texts"]


def problem_nodes(texts: Texts, problem: Problem) -> Child:
    """What happened, what to do, and the platform's own words."""
    return [
        el("strong", texts(problem.title_key)),
        el("p", texts(problem.advice_key)),
        words_node(texts, problem.words, quoted=problem.quoted),
    ]


def words_node(texts: Texts, words: str, *, quoted: bool) -> Node | None:
    """The words that came with a problem, the platform's own as a quotation; None where there were none."""
    if words and not quoted:
        return el("p", words, cls="fd-words fd-muted")
    return (
        el("p", el("span", texts("problem.words"), cls="fd-muted"), " ", el("q", words), cls="fd-words")
        if words
        else None
    )


def around(texts: Texts, key: str, node: Node, *, at: str = "time") -> list[Node]:
    """A text with a node in the place of its value `at`."""
    before, after = texts(key, **{at: _HOLE}).split(_HOLE)
    return [part for part in (before, node, after) if part]


def reason_text(texts: Texts, words: str) -> str:
    """A sentence of the journal in the language of the page; a note of a person stays as it was written."""
    reason = reasons.read(words)
    key = f"reason.{reason.key}" if reason else ""
    if reason is None or key not in texts.keys:
        return words
    values = {
        name: reason_text(texts, value) if name == "why" else texts.word("status", value) if name == "status" else value
        for name, value in reason.values.items()
    }
    return texts(key, **values)


def retries_text(texts: Texts, retry_count: int | None, retry_limit: int | None) -> str:
    """Retries made of those allowed, such as `2/3`."""
    if retry_count is None:
        return MISSING
    return texts.count(retry_count) if retry_limit is None else f"{retry_count}/{retry_limit}"


def one_line(text: str | None, limit: int) -> str:
    """What an error says in one line, cut to `limit` characters: of a traceback what was raised, else the first line.

    A first line that is only a heading is followed by the next.
    """
    line = raised_line(text or "") or _first_line(text or "")
    return clipped("".join(char if char.isprintable() else " " for char in line.strip()), limit)


def _first_line(text: str) -> str:
    # Errors can be megabytes, and every row of a page asks.
    lines = [line.strip() for line in text.lstrip()[:_LOOKED_AT].splitlines() if line.strip()]
    return " ".join(lines[: 2 if lines and lines[0].endswith((":", "：")) else 1])


def clipped(text: str, limit: int) -> str:
    """`text`, or its beginning with an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def stage_label(texts: Texts, stage: StageRecord) -> str:
    """A stage in one sentence, for those who hear the page."""
    return texts(
        "report.stage_label",
        stage=stage.stage,
        status=texts.word("status", stage.status),
        duration=texts.duration(stage.duration_s),
    )


def iso(time: datetime | None) -> str | None:
    """An instant as it travels."""
    return None if time is None else time.isoformat()

"""The question before a retry: the plan, with every count and name, before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from retry_toolkit.panels.groups import worth_parts
from retry_toolkit.panels.state.groups import Past
from retry_toolkit.panels.state.proposals import CANARIES, Proposal
from retry_toolkit.panels.state.retry import RetryState
from retry_toolkit.panels.view import clipped, one_line, reason_text, retries_text
from retry_toolkit.panels.widgets.markup import Child, Node, button, el
from retry_toolkit.retry import reasons
from retry_toolkit.retry.plan_rows import PlanRow
from retry_toolkit.text import MISSING, Texts

_CAUSES_SHOWN: Final = 5
_ROWS_SHOWN: Final = 100
_LONGEST: Final = 160
_OPENED_BY: Final = {"stage": "stage", "batch": "propose", "whole": "whole"}
"""Actions of the buttons that ask each kind of question: there the focus goes back to."""
ANSWERS: Final = frozenset({"confirm", "cancel", "typed", "careful", "files", "name"})
"""Actions of the controls of a question."""


def answer(retry: RetryState, action: str, value: str | None) -> None:
    """Do what a control of the question says."""
    match action:
        case "confirm":
            retry.confirm(value or "")
        case "cancel":
            retry.revoke()
        case "typed":
            retry.vary(typed=value or "")
        case "careful":
            retry.vary(careful=value == "true")
        case "files":
            retry.vary(copy_files=value == "copy")
        case "name":
            retry.vary(new_name=(value or "").strip())


def confirmation_node(texts: Texts, proposal: Proposal, past: Mapping[str, Past], *, block: str | None = None) -> Node:
    """What will happen; where nothing can, why.

    Args:
        texts: The language.
        proposal: What is asked about.
        past: What earlier retries came to, by fingerprint.
        block: Why it cannot be confirmed here (`block.<reason>`), or None.
    """
    title, body = _question(texts, proposal, past) if proposal.ready else _refusal(texts, proposal)
    yes = button(
        texts(f"confirm.{proposal.kind}_yes"),
        action="confirm",
        value=proposal.key,
        cls="fd-button fd-primary",
        disabled=block is not None or not proposal.can_confirm,
    )
    no = button(texts("action.cancel" if proposal.ready else "action.dismiss"), action="cancel", cls="fd-button")
    return el(
        "section",
        el("h3", title),
        *body,
        el("p", texts(f"block.{block}"), cls="fd-muted fd-why") if block else None,
        el("div", yes if proposal.ready else None, no, cls="fd-buttons"),
        cls="fd-confirm",
        tabindex="-1",
        aria_label=title,
        data_asks=_OPENED_BY[proposal.kind],
        data_key=f"confirm-{proposal.kind}",
    )


def _question(texts: Texts, proposal: Proposal, past: Mapping[str, Past]) -> tuple[str, list[Child]]:
    match proposal.kind:
        case "stage":
            (row,) = proposal.ready
            return texts("confirm.stage_title", stage=row.stage), [_stage_lines(texts, row, past)]
        case "batch":
            count = len(proposal.ready)
            return texts("confirm.batch_title", n=count, count=texts.count(count)), _batch_parts(texts, proposal, past)
        case "whole":
            return texts("confirm.whole_title"), _whole_parts(texts, proposal)


def _refusal(texts: Texts, proposal: Proposal) -> tuple[str, list[Child]]:
    if proposal.kind == "batch":
        return texts("confirm.refused_title"), [el("ul", *_refused_lines(texts, proposal))]
    return texts("confirm.refused_title"), [el("p", reason_text(texts, row.reason)) for row in proposal.made.refused]


def _stage_lines(texts: Texts, row: PlanRow, past: Mapping[str, Past]) -> Node:
    known = past.get(row.fingerprint or "")
    number, limit = (row.attempt or 0) + 1, row.retry_limit
    return el(
        "ul",
        el("li", texts("confirm.stage_reset", stage=row.stage)),
        el("li", texts("confirm.stage_kept", stages=texts.join(row.kept))) if row.kept else None,
        el("li", texts("confirm.stage_after", stages=texts.join(row.after))) if row.after else None,
        el(
            "li",
            texts("confirm.attempt", n=number) if limit is None else texts("confirm.attempt_of", n=number, limit=limit),
        ),
        el("li", f"{texts('confirm.past')} ", *worth_parts(texts, known), cls="fd-past") if known else None,
        el("li", texts("confirm.usual", duration=usual)) if (usual := usual_duration(texts, (row,), past)) else None,
    )


def usual_duration(texts: Texts, rows: Sequence[PlanRow], past: Mapping[str, Past]) -> str | None:
    """How long retries of these errors take, from the shortest median to the longest; None where none is known."""
    medians = sorted({median for row in rows if (median := _median(row, past)) is not None})
    if not medians:
        return None
    ends = dict.fromkeys(texts.duration(median) for median in (medians[0], medians[-1]))
    return "–".join(ends)


def _median(row: PlanRow, past: Mapping[str, Past]) -> float | None:
    """As the plan has learned it, else as the page has."""
    if row.past is not None and row.past.median_s is not None:
        return row.past.median_s
    known = past.get(row.fingerprint or "")
    return known.median_s if known else None


def _batch_parts(texts: Texts, proposal: Proposal, past: Mapping[str, Past]) -> list[Child]:
    count = len(proposal.ready)
    whole = "batch_sent_whole" if proposal.made.copy_files else "batch_sent_linked"
    sent = "batch_sent" if proposal.made.action == "stage" else whole
    return [
        el(
            "ul",
            el("li", texts(f"confirm.{sent}", n=count, count=texts.count(count))),
            *_refused_lines(texts, proposal),
        ),
        _measures(texts, proposal, past),
        _batch_room(texts, proposal),
        _causes(texts, proposal, past),
        _rows(texts, proposal),
        _careful(texts, proposal) if proposal.can_be_careful else None,
        _typed_count(texts, count) if proposal.must_type else None,
    ]


def _measures(texts: Texts, proposal: Proposal, past: Mapping[str, Past]) -> Child:
    """What it takes: bytes against free space, and time; what is not known is said to be, but for the time."""
    facts: list[tuple[str, str]] = []
    if proposal.plan.action == "task" and proposal.plan.copy_files:
        facts.append(("copied", texts.size(proposal.plan.totals["input_bytes"])))
        facts.append(("free", texts.size(free_bytes(proposal))))
    if usual := usual_duration(texts, proposal.ready, past):
        facts.append(("usual", usual))
    nodes = [el("div", el("dt", texts(f"confirm.fact_{name}")), el("dd", value)) for name, value in facts]
    return el("dl", *nodes, cls="fd-facts") if nodes else None


def free_bytes(proposal: Proposal) -> int | None:
    """The least free space that any of the copies would go to."""
    known = [row.free_bytes for row in proposal.ready if row.free_bytes is not None]
    return min(known, default=None)


def _batch_room(texts: Texts, proposal: Proposal) -> Child:
    """A warning where the copies of all would not fit."""
    free, copied = free_bytes(proposal), proposal.plan.totals["input_bytes"] or 0
    if free is None or copied <= free or not proposal.plan.copy_files:
        return None
    return el("p", texts("confirm.no_room", size=texts.size(free)), cls="fd-warning")


def _refused_lines(texts: Texts, proposal: Proposal) -> list[Node]:
    counts = Counter(_refusal_key(row) for row in proposal.made.refused)
    return [
        el("li", texts("confirm.batch_refused", n=count, count=texts.count(count), reason=_reason(texts, key, count)))
        for key, count in counts.most_common()
    ]


def _refusal_key(row: PlanRow) -> str:
    reason = reasons.read(row.reason)
    return reason.key if reason else row.reason


def _reason(texts: Texts, key: str, count: int) -> str:
    """A refusal in words; one that has none is shown as it is."""
    return texts(f"refusal.{key}", n=count) if f"refusal.{key}" in texts.keys else key


def _causes(texts: Texts, proposal: Proposal, past: Mapping[str, Past]) -> Node:
    """Why they failed, and what retries of that came to so far."""
    causes = list(proposal.causes.items())
    listed: list[Child] = [
        el(
            "li",
            el("span", texts.count(count), cls="fd-number"),
            el("code", clipped(cause, _LONGEST), title=cause) if cause else el("span", texts("confirm.no_error")),
            el("span", *worth_parts(texts, past[cause]), cls="fd-past") if cause and cause in past else None,
        )
        for cause, count in causes[:_CAUSES_SHOWN]
    ]
    left = len(causes) - _CAUSES_SHOWN
    if left > 0:
        listed.append(el("li", el("span"), el("span", texts("confirm.more_causes", n=left), cls="fd-muted")))
    return el("div", el("span", texts("confirm.causes"), cls="fd-muted"), el("ul", *listed), cls="fd-causes")


def _rows(texts: Texts, proposal: Proposal) -> Node:
    """The plan row by row, folded: what is sent, then what is left out and why."""
    keys = ("task", "stage", "attempt", "error")
    head = el("tr", *(el("th", texts(f"confirm.row_{key}"), scope="col", cls=_row_class(key)) for key in keys))
    rows = [*proposal.ready, *proposal.made.refused]
    left = len(rows) - _ROWS_SHOWN
    body = el("tbody", *(_plan_row(texts, row) for row in rows[:_ROWS_SHOWN]))
    table = el("table", el("thead", head), body, cls="fd-numbers")
    return el(
        "details",
        el("summary", texts("confirm.rows")),
        el("div", table, cls="fd-plan-rows", tabindex="0", role="region", aria_label=texts("confirm.rows")),
        el("p", texts("outcome.more", n=left, count=texts.count(left)), cls="fd-muted") if left > 0 else None,
    )


def _row_class(key: str) -> str | None:
    return "fd-number" if key == "attempt" else None


def _plan_row(texts: Texts, row: PlanRow) -> Node:
    ready = row.verdict == "ready"
    number = retries_text(texts, (row.attempt or 0) + 1, row.retry_limit) if ready else MISSING
    why = one_line(row.error, _LONGEST) if ready else reason_text(texts, row.reason)
    return el(
        "tr",
        el("td", clipped(row.name or row.task_id, 80), title=row.task_id),
        el("td", row.stage or MISSING),
        el("td", number, cls="fd-number"),
        el("td", why),
        cls=None if ready else "fd-left-out",
    )


def _careful(texts: Texts, proposal: Proposal) -> Node:
    return el(
        "label",
        el("input", type="checkbox", data_action="careful", data_checked=proposal.careful),
        el(
            "span",
            texts("confirm.careful", n=CANARIES),
            el("span", texts("confirm.careful_note"), cls="fd-muted"),
        ),
        cls="fd-option",
    )


def _typed_count(texts: Texts, count: int) -> Node:
    return el(
        "label",
        el("span", texts("confirm.type_count", count=count)),
        el("input", type="text", data_action="typed", autocomplete="off", maxlength="9"),
        cls="fd-field-inline fd-typed",
    )


def _room(texts: Texts, proposal: Proposal) -> Child:
    """The free space where copies go; a warning where they would not fit."""
    free = proposal.files.free_bytes if proposal.files else None
    if free is None:
        return None
    fits = (proposal.plan.totals["input_bytes"] or 0) <= free
    key = "confirm.free" if fits else "confirm.no_room"
    return el("p", texts(key, size=texts.size(free)), cls="fd-muted" if fits else "fd-warning")


def _whole_parts(texts: Texts, proposal: Proposal) -> list[Child]:
    (row,) = proposal.ready
    files = proposal.files
    known = {True: "copies", False: "links"}
    options = [
        el(
            "label",
            el(
                "input",
                type="radio",
                name=f"fd-files-{row.task_id}",
                data_action="files",
                data_value="copy" if copy else "link",
                data_checked=copy == proposal.copy_files,
            ),
            el(
                "span",
                texts(f"confirm.{known[copy]}", n=len(files.files), size=texts.size(proposal.file_bytes))
                if files
                else texts(f"confirm.{known[copy]}_unknown"),
                el("span", texts(f"confirm.{'copy' if copy else 'link'}_note"), cls="fd-muted"),
            ),
            cls="fd-option",
        )
        for copy in (True, False)
    ]
    return [
        el("p", texts("confirm.whole_question")),
        el("div", *options, cls="fd-options", role="radiogroup", aria_label=texts("confirm.files")),
        _room(texts, proposal),
        el(
            "label",
            el("span", texts("confirm.name")),
            el(
                "input",
                type="text",
                data_action="name",
                placeholder=texts("confirm.name_hint", name=row.name or row.task_id),
                maxlength="200",
                autocomplete="off",
            ),
            cls="fd-field-inline",
        ),
    ]

"""The question before a retry: what will happen, with every count and name, before anything is sent."""

from __future__ import annotations

from retry_toolkit.panels.state.proposals import BatchProposal, Proposal, StageProposal, WholeProposal
from retry_toolkit.panels.widgets.markup import Child, Node, button, el
from retry_toolkit.text import Texts

_YES = "fd-button fd-primary"


def confirmation_node(texts: Texts, proposal: Proposal) -> Node:
    """What will happen, before anything is sent."""
    title, body = _question(texts, proposal)
    return el(
        "section",
        el("h3", title),
        *body,
        el(
            "div",
            button(texts(f"confirm.{proposal.kind}_yes"), action="confirm", value=proposal.key, cls=_YES),
            button(texts("action.cancel"), action="cancel", cls="fd-button"),
            cls="fd-buttons",
        ),
        cls="fd-confirm",
        aria_label=title,
        data_key=f"confirm-{proposal.kind}",
    )


def _question(texts: Texts, proposal: Proposal) -> tuple[str, list[Child]]:
    if isinstance(proposal, StageProposal):
        return texts("confirm.stage_title", stage=proposal.stage), _stage_lines(texts, proposal)
    if isinstance(proposal, BatchProposal):
        count = len(proposal.task_ids)
        return texts("confirm.batch_title", n=count, count=texts.count(count)), _batch_lines(texts, proposal)
    if isinstance(proposal, WholeProposal):
        return texts("confirm.whole_title"), _whole_lines(texts, proposal)
    raise TypeError(f"nothing asks about a {type(proposal).__name__}")


def _stage_lines(texts: Texts, proposal: StageProposal) -> list[Child]:
    number = proposal.retry_count + 1
    limit = proposal.retry_limit
    return [
        el(
            "ul",
            el("li", texts("confirm.stage_reset", stage=proposal.stage)),
            el("li", texts("confirm.stage_kept", stages=texts.join(proposal.kept))) if proposal.kept else None,
            el("li", texts("confirm.stage_after", stages=texts.join(proposal.after))) if proposal.after else None,
            el(
                "li",
                texts("confirm.attempt", n=number)
                if limit is None
                else texts("confirm.attempt_of", n=number, limit=limit),
            ),
        )
    ]


def _batch_lines(texts: Texts, proposal: BatchProposal) -> list[Child]:
    refused = [
        el(
            "li",
            texts("confirm.batch_refused", n=count, count=texts.count(count), reason=_reason(texts, reason, count)),
        )
        for reason, count in sorted(proposal.refused.items(), key=lambda pair: -pair[1])
    ]
    count = len(proposal.task_ids)
    return [el("ul", el("li", texts("confirm.batch_sent", n=count, count=texts.count(count))), *refused)]


def _reason(texts: Texts, reason: str, count: int) -> str:
    """A refusal in words; one that has none is shown as it is."""
    key = f"refusal.{reason}"
    return texts(key, n=count) if key in texts.keys else reason


def _whole_lines(texts: Texts, proposal: WholeProposal) -> list[Child]:
    count = proposal.file_count
    size = texts.size(proposal.total_bytes)
    known = (
        {True: "confirm.copies", False: "confirm.links"}
        if count is not None
        else {True: "confirm.copies_unknown", False: "confirm.links_unknown"}
    )
    options = [
        el(
            "label",
            el(
                "input",
                type="radio",
                name=f"fd-files-{proposal.task_id}",
                data_action="files",
                data_value="copy" if copy else "link",
                data_checked=copy == proposal.copy_files,
            ),
            el(
                "span",
                texts(known[copy], n=count, size=size),
                el("span", texts(f"confirm.{'copy' if copy else 'link'}_note"), cls="fd-muted"),
            ),
            cls="fd-option",
        )
        for copy in (True, False)
    ]
    return [
        el("p", texts("confirm.whole_question")),
        el("div", *options, cls="fd-options", role="radiogroup", aria_label=texts("confirm.files")),
        el("p", texts("confirm.missing", n=proposal.missing), cls="fd-warning") if proposal.missing else None,
        el(
            "label",
            el("span", texts("confirm.name")),
            el(
                "input",
                type="text",
                data_action="name",
                placeholder=texts("confirm.name_hint", name=proposal.name),
                maxlength="200",
                autocomplete="off",
            ),
            cls="fd-field-inline",
        ),
    ]

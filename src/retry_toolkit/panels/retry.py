"""Retrying: the bar for the selection, the actions of the open task, their confirmations and what became of them."""

from __future__ import annotations

from typing import Any

from retry_toolkit.panels.confirmations import confirmation_node
from retry_toolkit.panels.outcomes import outcome_node
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.proposals import BatchProposal, StageProposal, WholeProposal
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el
from retry_toolkit.text import Texts


class RetryBarView:
    """How many are selected, always; and the retry of what is."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._table = desk.table
        self._retry = desk.retry
        self._fragment = Fragment()
        self._fragment.on_action(self._session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(self._session),
            (self._session, ["can_act"]),
            (self._table, ["window"]),
            (self._retry, ["proposal", "sending", "batch_outcome"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "confirm" and value is not None:
            self._retry.confirm(value)
        elif action == "dismiss":
            self._retry.dismiss("batch")
        else:
            {
                "select_matching": self._table.select_matching,
                "clear": self._table.clear,
                "propose": self._retry.propose_batch,
                "cancel": self._retry.revoke,
            }[action]()

    def _draw(self) -> None:
        texts, proposal = self._session.texts, self._retry.proposal
        parts: list[Child] = [self._build_bar(texts)]
        if isinstance(proposal, BatchProposal):
            parts.append(confirmation_node(texts, proposal))
        if self._retry.batch_outcome is not None:
            parts.append(outcome_node(texts, self._retry.batch_outcome))
        self._fragment.show(el("div", *parts), language=texts.language)

    def _build_bar(self, texts: Texts) -> Node:
        selected, window = len(self._table.selected), self._table.window
        total = window.matching if window else 0
        hidden = self._table.hidden_selected
        words = [
            el(
                "strong",
                texts("selection.count", n=selected, count=texts.count(selected)),
                cls="fd-selected",
                role="status",
            )
        ]
        if hidden:
            words.append(el("span", texts("selection.hidden", n=hidden, count=texts.count(hidden)), cls="fd-muted"))
        if total and selected - hidden < total:
            words.append(button(texts("selection.all", n=total, count=texts.count(total)), action="select_matching"))
        if selected:
            words.append(button(texts("selection.clear"), action="clear"))
        block = self._retry.batch_block()
        busy = self._retry.sending
        label = texts("retry.batch", n=selected, count=texts.count(selected)) if selected else texts("retry.batch_none")
        return el(
            "div",
            el("div", *words, cls="fd-bar-words"),
            el("span", texts(f"block.{block}"), cls="fd-muted fd-why", id="fd-batch-why")
            if block and not busy
            else None,
            button(
                texts("retry.sending") if busy else label,
                action="propose",
                cls="fd-button fd-primary",
                disabled=block is not None,
                aria_describedby="fd-batch-why" if block else None,
            ),
            cls="fd-bar",
        )


class TaskActionsView:
    """Retry the chosen stage, or the whole task as a new one."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._report = desk.report
        self._retry = desk.retry
        self._fragment = Fragment()
        self._fragment.on_action(self._session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(self._session),
            (self._session, ["can_act"]),
            (self._report, ["task", "stage_id"]),
            (self._retry, ["proposal", "preparing", "sending", "task_outcome"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "confirm" and value is not None:
            self._retry.confirm(value)
        elif action == "files":
            self._retry.vary(copy_files=value == "copy")
        elif action == "name":
            self._retry.vary(new_name=(value or "").strip())
        elif action == "dismiss":
            self._retry.dismiss("task")
        else:
            {
                "stage": self._retry.propose_stage,
                "whole": self._retry.propose_whole,
                "cancel": self._retry.revoke,
            }[action]()

    def _draw(self) -> None:
        texts, proposal = self._session.texts, self._retry.proposal
        if self._report.between:
            return
        if self._report.task is None:
            self._fragment.show(language=texts.language)
            return
        parts: list[Child] = [self._build_buttons(texts)]
        if isinstance(proposal, StageProposal | WholeProposal):
            parts.append(confirmation_node(texts, proposal))
        if self._retry.task_outcome is not None:
            parts.append(outcome_node(texts, self._retry.task_outcome))
        self._fragment.show(el("div", *parts, cls="fd-actions"), language=texts.language)

    def _build_buttons(self, texts: Texts) -> Node:
        stage = self._report.stage
        blocks = {"stage": self._retry.stage_block(), "whole": self._retry.whole_block()}
        labels = {
            "stage": texts("retry.stage", stage=stage.stage) if stage else texts("retry.stage_any"),
            "whole": texts("retry.whole"),
        }
        buttons: list[Child] = []
        for kind, block in blocks.items():
            preparing = self._retry.preparing == kind
            buttons.append(
                button(
                    texts("retry.preparing") if preparing else labels[kind],
                    action=kind,
                    cls="fd-button fd-primary" if kind == "stage" else "fd-button",
                    disabled=block is not None or preparing,
                    aria_describedby=f"fd-why-{kind}" if block else None,
                )
            )
        return el("div", el("div", *buttons, cls="fd-buttons"), _reasons(texts, blocks), cls="fd-action-bar")


def _reasons(texts: Texts, blocks: dict[str, str | None]) -> Child:
    """Why buttons are closed, once where it is the same reason."""
    if blocks["stage"] == blocks["whole"] and blocks["stage"] is not None:
        return (
            None if blocks["stage"] == "sending" else el("p", texts(f"block.{blocks['stage']}"), cls="fd-muted fd-why")
        )
    return [
        el("p", texts(f"block.{block}"), cls="fd-muted fd-why", id=f"fd-why-{kind}")
        for kind, block in blocks.items()
        if block is not None and block != "sending"
    ]

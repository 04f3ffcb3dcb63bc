"""Retrying: the bar for the selection, the actions of the open task, their confirmations and what became of them."""

from __future__ import annotations

from typing import Any

from retry_toolkit.panels.batches import LISTED_AT_MOST, act_on, away_node, card_node, listed_items, never_sent
from retry_toolkit.panels.confirmations import ANSWERS, answer, confirmation_node
from retry_toolkit.panels.state.cards import Card
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.state.proposals import Kind
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el
from retry_toolkit.text import Texts


class RetryBarView:
    """How many are selected, always; the retry of what is; and the batches that run, wait or have ended."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
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
            (self._retry, ["proposal", "preparing", "starting"]),
            (desk.batches, ["cards", "away"]),
            (desk.report, ["task_id"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "batch_take" and value is not None:
            self._take(value)
        elif action == "batch_again" and value is not None:
            again(self._desk, value)
        elif action.startswith("batch_"):
            act_on(self._desk.batches, action, value)
        elif action == "open" and value is not None:
            self._desk.report.open(value)
        elif action == "select_matching":
            self._table.select_matching(int(value) if value else None)
        elif action in ANSWERS:
            answer(self._retry, action, value)
        else:
            {
                "clear": self._table.clear,
                "undo": self._table.undo,
                "propose": self._retry.propose_batch,
            }[action]()

    def _draw(self) -> None:
        texts, proposal = self._session.texts, self._retry.proposal
        parts: list[Child] = [self._build_bar(texts)]
        if proposal is not None and self._asks("batch"):
            parts.append(confirmation_node(texts, proposal, self._desk.groups.past or {}))
        parts.extend(self._build_card(texts, card) for card in self._cards())
        parts.append(away_node(texts, [card for card in self._desk.batches.away if card.kind == "batch"]))
        self._fragment.show(el("div", *parts), language=texts.language)

    def _asks(self, kind: Kind) -> bool:
        """Whether a question of that kind is open: its own button is the first choice then."""
        proposal = self._retry.proposal
        return proposal is not None and proposal.kind == kind

    def _cards(self) -> list[Card]:
        """Every batch; a retry of one task only where it needs somebody and its report is not open beside it."""
        batches = self._desk.batches
        beside = batches.of_task(self._desk.report.task_id)
        return [card for card in batches.cards if card.kind == "batch" or (card is not beside and card.needs_a_look)]

    def _build_card(self, texts: Texts, card: Card) -> Node:
        return card_node(texts, card, names_of(self._desk, card), can_act=self._session.can_act)

    def _take(self, batch_id: str) -> None:
        """Select the tasks of the bucket that is listed."""
        card = next((card for card in self._desk.batches.cards if card.batch_id == batch_id), None)
        if card is not None:
            self._table.select(item.task_id for item in card.items if item.state == card.shown)

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
            words.append(
                button(
                    texts("selection.all", n=total, count=texts.count(total)),
                    action="select_matching",
                    value=str(total),
                )
            )
        if selected:
            words.append(button(texts("selection.clear"), action="clear"))
        if self._table.can_undo:
            words.append(button(texts("selection.undo"), action="undo"))
        block = self._retry.batch_block()
        busy = self._retry.starting or self._retry.preparing == "batch"
        label = texts("retry.batch", n=selected, count=texts.count(selected)) if selected else texts("retry.batch_none")
        return el(
            "div",
            el("div", *words, cls="fd-bar-words"),
            el("span", texts(f"block.{block}"), cls="fd-muted fd-why", id="fd-batch-why")
            if block and not busy
            else None,
            button(
                texts("retry.starting" if self._retry.starting else "retry.planning") if busy else label,
                action="propose",
                cls="fd-button" if self._asks("batch") else "fd-button fd-primary",
                disabled=block is not None or busy,
                aria_describedby="fd-batch-why" if block else None,
            ),
            cls="fd-bar",
        )


class TaskActionsView:
    """Retry the chosen stage, or the whole task as a new one."""

    def __init__(self, desk: DeskState) -> None:
        self._desk = desk
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
            (self._retry, ["proposal", "preparing", "starting"]),
            (desk.batches, ["cards", "away"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action in ANSWERS:
            answer(self._retry, action, value)
        elif action == "batch_again" and value is not None:
            again(self._desk, value)
        elif action.startswith("batch_"):
            act_on(self._desk.batches, action, value)
        else:
            {"stage": self._retry.propose_stage, "whole": self._retry.propose_whole}[action]()

    def _draw(self) -> None:
        texts, proposal = self._session.texts, self._retry.proposal
        if self._report.between:
            return
        if self._report.task is None:
            self._fragment.show(language=texts.language)
            return
        parts: list[Child] = [self._build_buttons(texts)]
        if proposal is not None and proposal.kind != "batch":
            parts.append(confirmation_node(texts, proposal, self._desk.groups.past or {}))
        card = self._desk.batches.of_task(self._report.task_id)
        if card is not None and card.kind != "batch":
            parts.append(card_node(texts, card, names_of(self._desk, card), can_act=self._session.can_act))
        else:
            away = [card for card in self._desk.batches.away if self._report.task_id in card.task_ids]
            parts.append(away_node(texts, [card for card in away if card.kind != "batch"]))
        self._fragment.show(el("div", *parts, cls="fd-actions"), language=texts.language)

    def _build_buttons(self, texts: Texts) -> Node:
        stage = self._report.stage
        blocks = {"stage": self._retry.stage_block(), "whole": self._retry.whole_block()}
        labels = {
            "stage": texts("retry.stage", stage=stage.stage) if stage else texts("retry.stage_any"),
            "whole": texts("retry.whole"),
        }
        buttons: list[Child] = []
        asked = self._retry.proposal is not None and self._retry.proposal.kind != "batch"
        for kind, block in blocks.items():
            preparing = self._retry.preparing == kind
            buttons.append(
                button(
                    texts("retry.preparing") if preparing else labels[kind],
                    action=kind,
                    cls="fd-button fd-primary" if kind == "stage" and not asked else "fd-button",
                    disabled=block is not None or preparing,
                    aria_describedby=f"fd-why-{kind}" if block else None,
                )
            )
        return el("div", el("div", *buttons, cls="fd-buttons"), _reasons(texts, blocks), cls="fd-action-bar")


def again(desk: DeskState, batch_id: str) -> None:
    """Plan anew what this batch never sent."""
    card = next((card for card in desk.batches.cards if card.batch_id == batch_id), None)
    if card is not None:
        desk.retry.propose_again(never_sent(card), card.items[0].intent.action)


def names_of(desk: DeskState, card: Card) -> dict[str, str]:
    """Names of the tasks that a card lists, where the list has them."""
    catalog = desk.catalog.catalog
    if catalog is None:
        return {}
    rows = catalog.rows(item.task_id for item in listed_items(card)[:LISTED_AT_MOST]).dropna(subset=["name"])
    return dict(zip(rows["task_id"].tolist(), rows["name"].tolist(), strict=True))


def _reasons(texts: Texts, blocks: dict[str, str | None]) -> Child:
    """Why buttons are closed, once where it is the same reason."""
    if blocks["stage"] == blocks["whole"] and blocks["stage"] is not None:
        return (
            None if blocks["stage"] == "starting" else el("p", texts(f"block.{blocks['stage']}"), cls="fd-muted fd-why")
        )
    return [
        el("p", texts(f"block.{block}"), cls="fd-muted fd-why", id=f"fd-why-{kind}")
        for kind, block in blocks.items()
        if block is not None and block != "starting"
    ]

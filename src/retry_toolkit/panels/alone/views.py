"""The question about one plan, and batches as cards: views of what the desk shows inside other panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from retry_toolkit.panels.batches import act_on, away_node, card_node
from retry_toolkit.panels.confirmations import answer, confirmation_node
from retry_toolkit.panels.retry import again
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import Child, Node, button, el
from retry_toolkit.text import Texts


class QuestionView:
    """The question that waits, whatever it is about; after a no, the way back to it.

    Args:
        desk: Whose `retry` asks.
        again: Asks once more; without it, nothing stands where nothing is asked.
    """

    def __init__(self, desk: DeskState, again: Callable[[], None] | None = None) -> None:
        self._desk = desk
        self._session = desk.session
        self._retry = desk.retry
        self._ask_again = again
        self._fragment = Fragment()
        self._fragment.on_action(self._session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(
            self._draw,
            speaks(self._session),
            (self._session, ["can_act"]),
            (self._retry, ["proposal", "preparing", "starting"]),
            (desk.batches, ["cards", "away"]),
        )

    def _act(self, action: str, value: str | None) -> None:
        if action == "again" and self._ask_again is not None:
            self._ask_again()
        else:
            answer(self._retry, action, value)

    def _draw(self) -> None:
        node = self._node(self._session.texts)
        self._fragment.show(*([node] if node is not None else []), language=self._session.texts.language)

    def _node(self, texts: Texts) -> Node | None:
        proposal = self._retry.proposal
        card: Node
        if proposal is not None:
            block = None if self._session.can_act else self._session.closed_why
            card = confirmation_node(texts, proposal, self._desk.groups.past or {}, block=block)
        elif self._retry.starting or self._retry.preparing:
            told = texts("retry.starting" if self._retry.starting else "retry.planning")
            card = el("p", told, cls="fd-muted fd-alone-note", role="status")
        elif self._ask_again is not None and not self._desk.batches.all_cards:
            words = el("span", texts("alone.dismissed"), cls="fd-muted")
            card = el("p", words, button(texts("alone.ask_again"), action="again"), cls="fd-row fd-alone-note")
        else:
            return None
        return el("div", card, cls="fd-card")


class BatchesView:
    """The batches of a state as cards, the newest first.

    Args:
        desk: Whose `batches` are shown.
        names: Names of tasks, where they are known otherwise than by the list.
    """

    def __init__(self, desk: DeskState, names: Mapping[str, str]) -> None:
        self._desk = desk
        self._session = desk.session
        self._names = names
        self._fragment = Fragment()
        self._fragment.on_action(self._session.guard(self._act))
        self.widget: Any = self._fragment
        redraw(self._draw, speaks(self._session), (self._session, ["can_act"]), (desk.batches, ["cards", "away"]))

    def _act(self, action: str, value: str | None) -> None:
        if action == "open" and value is not None:
            self._desk.report.open(value)
        elif action == "batch_again" and value is not None:
            again(self._desk, value)
        else:
            act_on(self._desk.batches, action, value)

    def _draw(self) -> None:
        texts, can_act = self._session.texts, self._session.can_act
        cards: list[Child] = [
            el("div", card_node(texts, card, self._names, can_act=can_act, can_take=False), cls="fd-card")
            for card in self._desk.batches.cards
        ]
        cards.append(away_node(texts, self._desk.batches.away))
        self._fragment.show(el("div", *cards, cls="fd-alone-cards"), language=texts.language)

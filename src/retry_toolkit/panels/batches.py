"""Batches of retries as cards: how far they are, what became of each item, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from retry_toolkit.panels.state.batches import BatchesState
from retry_toolkit.panels.state.cards import Card
from retry_toolkit.panels.state.problems import Problem, explain, explain_words
from retry_toolkit.panels.view import one_line, problem_nodes, reason_text, words_node
from retry_toolkit.panels.widgets.markup import Child, Node, button, copy_button, el, moment, status
from retry_toolkit.retry import reasons
from retry_toolkit.retry.progress import settled
from retry_toolkit.retry.records import Item
from retry_toolkit.retry.states import STATES, State
from retry_toolkit.text import MISSING, Texts

LISTED_AT_MOST: Final = 100
ALL_LISTED_UP_TO: Final = 12
"""Larger batches list what has to be looked at, and the rest bucket by bucket."""

_LONGEST_ERROR: Final = 240
_FEW: Final = 4
"""Items that never need a scroll bar."""
_SHAPES: Final[Mapping[State, str]] = {
    "PLANNED": "pending",
    "SENT": "running",
    "ACCEPTED": "running",
    "REJECTED": "failed",
    "NOT_SENT": "skipped",
    "UNKNOWN": "unknown",
    "SUCCEEDED": "succeeded",
    "FAILED_AGAIN": "failed",
    "CANCELLED": "cancelled",
    "SKIPPED": "skipped",
}
# What has to be looked at comes first.
_ORDER: Final[tuple[State, ...]] = ("UNKNOWN", "REJECTED", "NOT_SENT", "SKIPPED", "FAILED_AGAIN", "CANCELLED")
_WANTED_AGAIN: Final = frozenset({"REJECTED", "NOT_SENT", "SKIPPED", "FAILED_AGAIN"})
_NOT_RETRIED: Final = frozenset({"REJECTED", "NOT_SENT", "SKIPPED"})


def card_node(texts: Texts, card: Card, names: Mapping[str, str], *, can_act: bool, can_take: bool = True) -> Node:
    """One batch.

    Args:
        texts: The language.
        card: The batch.
        names: Those of its tasks, where they are known.
        can_act: Whether this page may act.
        can_take: Whether there is a table in which the tasks of a bucket can be selected.
    """
    return el(
        "section",
        el("div", el("h3", _headline(texts, card), role="status"), _close(texts, card), cls="fd-card-head"),
        _standing(texts, card) if card.kind == "batch" or card.condition != "ended" else None,
        _buckets(texts, card) if card.kind == "batch" else None,
        _new_task(texts, card),
        el("div", problem_nodes(texts, explain(card.error)), cls="fd-callout") if card.error else None,
        _unclear(texts, card),
        _tools(texts, card, can_act=can_act, can_take=can_take),
        _items(texts, card, names, can_act=can_act),
        cls="fd-outcome" if card.condition in {"running", "ended"} else "fd-outcome fd-still",
        tabindex="-1",
        aria_label=texts("outcome.label"),
        data_key=f"batch-{card.batch_id}",
        data_tells=card.batch_id,
    )


def away_node(texts: Texts, cards: Sequence[Card]) -> Node | None:
    """How many batches run out of sight, and the way back to them; nothing where none does."""
    if not cards:
        return None
    words = el("span", texts("batch.away", n=len(cards), count=texts.count(len(cards))), cls="fd-muted", role="status")
    return el("p", words, button(texts("batch.bring_back"), action="batch_back"), cls="fd-row fd-away")


def act_on(batches: BatchesState, action: str, value: str | None) -> None:
    """Do what a button of a card says; its value is the batch's id, and behind a space what it is about."""
    if action == "batch_typed":
        batches.typed = value or ""
        return
    if action == "batch_back":
        batches.bring_back()
        return
    batch_id, _, about = (value or "").partition(" ")
    match action:
        case "batch_show":
            batches.show(batch_id, next((state for state in STATES if state == about), None))
        case "batch_ask":
            batches.ask_to_type(batch_id, about or None)
        case "batch_send":
            batches.send_again(batch_id, about)
        case "batch_done" | "batch_undone":
            batches.resolve(batch_id, about, done=action == "batch_done")
        case _:
            {
                "batch_pause": batches.pause,
                "batch_go": batches.go_on,
                "batch_cancel": batches.cancel,
                "batch_check": batches.check_again,
                "batch_dismiss": batches.dismiss,
            }[action](batch_id)


def listed_items(card: Card) -> list[Item]:
    """The items that a card lists: of one bucket, else those to look at; of a small batch all others behind them."""
    if card.shown is not None:
        return [item for item in card.items if item.state == card.shown]
    rank = {state: number for number, state in enumerate(_ORDER)}
    wanted = [item for item in card.items if card.total <= ALL_LISTED_UP_TO or item.state in rank]
    return sorted(wanted, key=lambda item: rank.get(item.state, len(rank)))


def never_sent(card: Card) -> list[str]:
    """Tasks of which nothing has left this machine, and nothing will by itself."""
    return [item.task_id for item in card.items if item.state in {"NOT_SENT", "SKIPPED"}]


def _close(texts: Texts, card: Card) -> Node:
    return button("×", action="batch_dismiss", value=card.batch_id, cls="fd-close", aria_label=texts("action.dismiss"))


def _headline(texts: Texts, card: Card) -> str:
    if card.kind == "batch":
        return texts("batch.title", n=card.total, count=texts.count(card.total))
    state = card.items[0].state
    if state in _NOT_RETRIED:
        return texts("outcome.nothing")
    if state == "UNKNOWN":
        return texts("outcome.unclear")
    if state in {"PLANNED", "SENT"}:
        return texts("outcome.sending")
    return texts("outcome.whole" if card.kind == "whole" else "outcome.stage")


def _standing(texts: Texts, card: Card) -> Child:
    """In words: running, held, interrupted, or over; and since when."""
    done = settled(card.buckets)
    words = texts(f"batch.{card.condition}" if card.condition != "ended" else f"batch.{card.state}")
    begun = el("span", f"{texts('batch.begun')} ", moment(card.created_at, MISSING), cls="fd-muted")
    told: list[Child] = [el("strong", words)]
    if card.kind == "batch":
        told.append(el("span", texts("batch.settled", done=texts.count(done), total=texts.count(card.total))))
    parts: list[Child] = [el("div", *told, begun, cls="fd-row")]
    if card.kind == "batch" and card.condition in {"running", "paused"}:
        parts.append(el("progress", value=str(done), max=str(card.total), aria_label=texts("batch.progress")))
    if card.condition == "interrupted":
        parts.append(el("p", texts("batch.interrupted_why")))
    if card.condition == "elsewhere" and card.owner is not None:
        owner = card.owner
        parts.append(el("p", texts("batch.elsewhere_why", pid=owner.pid, actor=owner.actor, host=owner.host)))
    return parts


def _buckets(texts: Texts, card: Card) -> Node:
    """How many items are in each state; each lists its items; they sum to the total, and say so."""
    chips = [
        el(
            "button",
            el("span", texts(f"state.{state}")),
            el("span", texts.count(card.buckets[state]), cls="fd-bucket-count"),
            type="button",
            data_action="batch_show",
            data_value=f"{card.batch_id} {state}",
            cls=f"fd-bucket fd-status fd-is-{_SHAPES[state]}",
            aria_pressed="true" if card.shown == state else "false",
            title=texts(f"meaning.{state}"),
            data_key=state,
        )
        for state in STATES
        if card.buckets[state]
    ]
    total = el("span", f"= {texts.count(card.total)}", cls="fd-muted fd-sum")
    return el("div", *chips, total, cls="fd-buckets", role="group", aria_label=texts("batch.buckets"))


def _new_task(texts: Texts, card: Card) -> Child:
    new = card.items[0].new_task_id if card.kind == "whole" else None
    if new is None:
        return None
    methods = [file.method for file in card.files.files] if card.files else []
    counts = {"outcome.copied": methods.count("copied"), "outcome.linked": methods.count("linked")}
    return el(
        "p",
        el("span", f"{texts('outcome.new_id')} ", el("code", new)),
        copy_button(texts("action.copy"), texts("action.copied"), text=new),
        *(el("span", texts(key, n=count)) for key, count in counts.items() if count),
        cls="fd-new-task",
    )


def _unclear(texts: Texts, card: Card) -> Child:
    count = card.buckets["UNKNOWN"]
    return el("p", texts("batch.unclear_why", n=count, count=texts.count(count)), cls="fd-callout") if count else None


def _tools(texts: Texts, card: Card, *, can_act: bool, can_take: bool) -> Child:
    """The buttons of the batch as a whole."""
    unsent, unclear = card.buckets["PLANNED"], card.buckets["UNKNOWN"]
    never = len(never_sent(card))
    tools: list[tuple[str, str]] = []
    if card.condition == "running" and unsent and can_act:
        tools += [("batch_pause", "batch.pause"), ("batch_cancel", "batch.cancel")]
    if card.condition == "paused" and can_act:
        tools += [("batch_go", "batch.go_on"), ("batch_cancel", "batch.cancel")]
    if card.condition == "interrupted" and (can_act or not unsent):
        tools.append(("batch_go", "batch.go_on" if unsent else "batch.watch"))
    if card.condition == "interrupted" and unsent and can_act:
        tools.append(("batch_cancel", "batch.cancel"))
    if unclear and card.condition in {"running", "ended"}:
        tools.append(("batch_check", "batch.check_again"))
    if never and can_act and card.condition == "ended":
        tools.append(("batch_again", "batch.retry_unsent"))
    if card.shown in _WANTED_AGAIN and can_act and can_take:
        tools.append(("batch_take", "batch.take"))
    if not tools:
        return None
    counts = {"batch_again": never, "batch_take": sum(item.state == card.shown for item in card.items)}
    first = {"batch_go"} if card.condition in {"paused", "interrupted"} else set()
    return el(
        "div",
        *(
            button(
                texts(key, n=counts.get(action, 0), count=texts.count(counts.get(action, 0))),
                action=action,
                value=card.batch_id,
                cls="fd-button fd-primary" if action in first else "fd-button",
            )
            for action, key in tools
        ),
        cls="fd-buttons",
    )


def _items(texts: Texts, card: Card, names: Mapping[str, str], *, can_act: bool) -> Iterable[Child]:
    listed = listed_items(card)
    left = len(listed) - LISTED_AT_MOST
    nodes = [_item_node(texts, card, item, names, can_act=can_act) for item in listed[:LISTED_AT_MOST]]
    if nodes:
        label = texts(f"state.{card.shown}") if card.shown else texts("batch.items")
        scrolls = {"tabindex": "0", "aria_label": label} if len(nodes) > _FEW else {}
        yield el("ul", *nodes, cls="fd-items", **scrolls)
    yield el("p", texts("outcome.more", n=left, count=texts.count(left)), cls="fd-muted") if left > 0 else None


def _item_node(texts: Texts, card: Card, item: Item, names: Mapping[str, str], *, can_act: bool) -> Node:
    name = names.get(item.task_id, item.task_id)
    return el(
        "li",
        status(texts(f"state.{item.state}"), _SHAPES[item.state]),
        el(
            "div",
            button(name, action="open", value=item.new_task_id or item.task_id, cls="fd-link fd-item-name")
            if card.kind == "batch"
            else None,
            el(
                "div",
                _explanation(texts, item),
                _settling(texts, card, item) if item.state == "UNKNOWN" and can_act else None,
                cls="fd-item-told",
            ),
            cls="fd-item",
        ),
        data_key=f"{item.position}",
    )


def _explanation(texts: Texts, item: Item) -> Child:
    """Why the item is where it is, and the platform's own words."""
    problem = _problem_of(item)
    if problem is not None:
        return [
            el("p", el("strong", texts(problem.title_key)), " ", texts(problem.advice_key)),
            words_node(texts, problem.words, quoted=problem.quoted),
        ]
    if item.state == "FAILED_AGAIN":
        error = one_line(item.detail, _LONGEST_ERROR)
        return [el("p", reason_text(texts, item.reason)), el("p", error, cls="fd-words fd-muted") if error else None]
    if item.state in {"PLANNED", "SENT", "SUCCEEDED"} or not item.reason:
        return None
    words = item.detail if item.state in {"UNKNOWN", "REJECTED"} else ""
    return [el("p", reason_text(texts, item.reason)), words_node(texts, words, quoted=item.state == "REJECTED")]


def _problem_of(item: Item) -> Problem | None:
    """What is explained in more than a sentence."""
    reason = reasons.read(item.reason)
    match item.state, reason.key if reason else "":
        case "REJECTED", "refused":
            return explain_words(item.detail)
        case "REJECTED", "forbidden":
            return Problem("forbidden", item.detail, quoted=True)
        case "NOT_SENT", "nothing_left":
            return Problem("not_sent", item.detail)
    return None


def _settling(texts: Texts, card: Card, item: Item) -> Node:
    """What a person can say of an unclear item, or do about it."""
    about = f"{card.batch_id} {item.task_id}"
    if card.typing != item.task_id:
        buttons = (("batch_done", "unclear.done"), ("batch_undone", "unclear.undone"), ("batch_ask", "unclear.again"))
        return el(
            "div",
            *(button(texts(key), action=action, value=about) for action, key in buttons),
            cls="fd-row",
            data_key="settling",
        )
    return el(
        "div",
        el("p", texts("unclear.risk"), cls="fd-callout"),
        el(
            "label",
            el("span", texts("unclear.type_id")),
            el("code", item.task_id),
            el("input", type="text", data_action="batch_typed", autocomplete="off", spellcheck="false"),
            cls="fd-field-inline",
        ),
        el(
            "div",
            button(texts("unclear.send"), action="batch_send", value=about, cls="fd-button"),
            button(texts("action.cancel"), action="batch_ask", value=card.batch_id, cls="fd-button"),
            cls="fd-buttons",
        ),
        data_key="typing",
    )

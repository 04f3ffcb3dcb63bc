"""What became of everything that was begun on this page, task by task, and of the batches that run right now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from traitlets import HasTraits, Instance

from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.panels.state.batches import BatchesState
from retry_toolkit.panels.state.cards import Card
from retry_toolkit.panels.state.notices import Notices
from retry_toolkit.panels.state.presence import Presence
from retry_toolkit.retry.progress import settled
from retry_toolkit.retry.records import Item

Fate = Literal["recovered", "same", "another", "failed", "cancelled", "unclear", "undone", "running"]
FATES: Final[tuple[Fate, ...]] = ("recovered", "same", "another", "failed", "cancelled", "unclear", "undone", "running")
"""In the order in which they are told; `failed` is failed again with a cause of which one is not known."""

_BY_STATE: Final[Mapping[str, Fate]] = {
    "PLANNED": "running",
    "SENT": "running",
    "ACCEPTED": "running",
    "SUCCEEDED": "recovered",
    "CANCELLED": "cancelled",
    "UNKNOWN": "unclear",
    "REJECTED": "undone",
    "NOT_SENT": "undone",
    "SKIPPED": "undone",
}


@dataclass(frozen=True, slots=True)
class Spell:
    """The batches from when the first was begun until none of them runs: how many items are settled, and how."""

    done: int
    total: int
    recovered: int
    running: bool

    @property
    def unmended(self) -> int:
        """Items that did not recover."""
        return self.total - self.recovered


class Causes:
    """Fingerprints of errors; each error is looked at once."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {"": None}

    def learn(self, errors: Iterable[str]) -> None:
        """Look at those that are new, all at once."""
        new = [error for error in dict.fromkeys(errors) if error not in self._known]
        if new:
            self._known.update(zip(new, fingerprints(new).to_pylist(), strict=True))

    def __getitem__(self, error: str) -> str | None:
        return self._known[error]


def fates_of(items: Iterable[Item], causes: Causes) -> dict[Fate, tuple[str, ...]]:
    """The tasks by what became of them; of one that was retried twice, also by way of its new task, the later.

    A whole retry is told of the new task, as soon as there is one.
    """
    latest: dict[str, Item] = {}
    first: dict[str, str] = {}
    for item in items:
        wanted = first.get(item.task_id, item.task_id)
        latest[wanted] = item
        if item.new_task_id:
            first[item.new_task_id] = wanted
    causes.learn(item.detail for item in latest.values() if item.state == "FAILED_AGAIN")
    found: dict[Fate, list[str]] = {fate: [] for fate in FATES}
    for item in latest.values():
        found[_fate(item, causes)].append(item.new_task_id or item.task_id)
    return {fate: tuple(ids) for fate, ids in found.items() if ids}


def _fate(item: Item, causes: Causes) -> Fate:
    if item.state != "FAILED_AGAIN":
        return _BY_STATE[item.state]
    before, now = item.intent.fingerprint, causes[item.detail]
    if before is None or now is None:
        return "failed"
    return "same" if before == now else "another"


class AftermathState(HasTraits):
    """`fates` of the tasks that were retried from this page; the `spell` that runs, or that ended and was not seen.

    Batches that were taken off the page still count.
    """

    fates = Instance(dict, args=())
    spell = Instance(Spell, allow_none=True)

    def __init__(self, batches: BatchesState, presence: Presence, notices: Notices) -> None:
        super().__init__()
        self._batches = batches
        self._presence = presence
        self._notices = notices
        self._causes = Causes()
        self._cards: dict[str, Card] = {}
        self._spell: frozenset[str] = frozenset()
        batches.observe(lambda _: self._look(), names=["cards", "away"])
        presence.observe(lambda _: self._seen(), names="visible")

    def _look(self) -> None:
        new = [
            card
            for card in self._batches.all_cards
            if card.batch_id in self._batches.begun_here and self._cards.get(card.batch_id) is not card
        ]
        if not new:
            return
        ran = self._runs()
        begun = frozenset(card.batch_id for card in new if self._is_begun(card))
        self._cards.update((card.batch_id, card) for card in new)
        ordered = sorted(self._cards.values(), key=lambda card: card.created_at)
        self.fates = fates_of((item for card in ordered for item in card.items), self._causes)
        if begun and not ran:
            self._spell = frozenset()
        self._spell |= begun
        if begun or ran:
            self._tell(_spell_of([self._cards[batch_id] for batch_id in self._spell]))

    def _tell(self, spell: Spell) -> None:
        """Keep the spell while it runs, and until it was seen; who did not look finds a message too."""
        unseen = not self._presence.visible
        if not spell.running and unseen:
            self._notices.tell("aftermath.notice", n=spell.total, ok=spell.recovered, bad=spell.unmended)
        self.spell = spell if spell.running or unseen else None

    def _runs(self) -> bool:
        return any(_runs(self._cards[batch_id]) for batch_id in self._spell)

    def _is_begun(self, card: Card) -> bool:
        """Whether a batch is new here, or goes on after it had stopped."""
        old = self._cards.get(card.batch_id)
        return old is None or (_runs(card) and not _runs(old))

    def _seen(self) -> None:
        """The page is looked at: what has ended is known now."""
        if self._presence.visible and self.spell is not None and not self.spell.running:
            self.spell = None


def _spell_of(cards: Iterable[Card]) -> Spell:
    cards = tuple(cards)
    return Spell(
        done=sum(settled(card.buckets) for card in cards),
        total=sum(card.total for card in cards),
        recovered=sum(card.buckets["SUCCEEDED"] for card in cards),
        running=any(map(_runs, cards)),
    )


def _runs(card: Card) -> bool:
    return card.condition in {"running", "paused"}

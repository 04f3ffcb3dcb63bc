"""Sending: look once more, keep the evidence, claim in the journal, send once, and say what it came to.

The order is the promise: SENT is on the disk before the platform's method is called, and the method is called once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from retry_toolkit.errors import (
    BadAnswer,
    JournalError,
    NotFound,
    PermissionDenied,
    RetryToolkitError,
    Unauthorized,
    Unsupported,
)
from retry_toolkit.platforms.base import BatchItem, BatchRetry, LogRecord, Platform, TaskRecord
from retry_toolkit.retry import judge
from retry_toolkit.retry.classify import Outcome, Verdict, classify, unknown
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.lookback import confirm_new_task, read_back
from retry_toolkit.retry.policy import Timing
from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.records import Item
from retry_toolkit.retry.states import SENDABLE

T = TypeVar("T")


class Claims(Protocol):
    """What sending needs of the journal; `Book` has it."""

    def claim(self, op_ids: Sequence[str], evidence: dict[str, str]) -> list[Item]:
        """Those that may be sent now, durably SENT."""

    def settle(self, item: Item, verdict: Verdict) -> Item:
        """The item as it is now that its verdict is written down."""

    def reread(self, item: Item) -> Item:
        """The item as the journal has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What became of one item in one step."""

    item: Item
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """An item that may be sent: the task as it was a moment ago, and the evidence that was kept."""

    item: Item
    task: TaskRecord
    evidence_id: str | None


class Sender:
    """Sends items to one platform.

    Args:
        platform: Where to.
        claims: The journal, seen from one batch.
        evidence: Where reports are kept before a stage retry erases them.
        timing: Waits.
    """

    def __init__(
        self,
        platform: Platform,
        claims: Claims,
        evidence: Evidence,
        timing: Timing,
    ) -> None:
        self._platform = platform
        self._claims = claims
        self._evidence = evidence
        self._timing = timing
        self._known: dict[str, frozenset[str]] = {}

    def known_retries(self, op_id: str) -> frozenset[str] | None:
        """The retries that the task of a whole retry had just before; None when another process sent it."""
        return self._known.get(op_id)

    def send(self, items: Sequence[Item]) -> Iterator[Event]:
        """Send these, those that fit into one batch call together; one event an item, as soon as it is known."""
        prepared: list[_Prepared] = []
        for item in items:
            if item.state not in SENDABLE:
                yield Event(item=item, verdict=Verdict(state=item.state))
                continue
            found = self._prepare(item)
            if isinstance(found, _Prepared):
                prepared.append(found)
            elif found.state == "SKIPPED" and item.resent:
                yield self._overtaken(item, found)
            else:
                yield self._left(item, found)
        together = [one for one in prepared if self._fits_batch(one)]
        if len(together) > 1:
            yield from self._send_together(together)
        for one in prepared if len(together) <= 1 else [one for one in prepared if one not in together]:
            yield self._send_alone(one)

    def _fits_batch(self, one: _Prepared) -> bool:
        return self._platform.capabilities.batch == "per_item" and judge.fits_batch(one.item.intent, one.task)

    def _prepare(self, item: Item) -> _Prepared | Verdict:
        """The item with its fresh task and its evidence, or why it is not sent."""
        try:
            task = self._platform.task(item.task_id)
            moved = judge.changed_since(item.intent, task)
            if moved is not None:
                return Verdict(state="SKIPPED", reason=say("not_sent", why=moved))
            self._known[item.op_id] = frozenset(task.retried_by)
            return _Prepared(item=item, task=task, evidence_id=self._keep(item, task))
        except RetryToolkitError as error:
            return _unprepared(error)

    def _keep(self, item: Item, task: TaskRecord) -> str | None:
        """The id of what is kept; a whole retry erases nothing."""
        if item.intent.action == "task":
            return None
        return self._evidence.save(task, self._logs(task), origin=self._platform.origin)

    def _logs(self, task: TaskRecord) -> Iterator[LogRecord]:
        if self._platform.capabilities.logs:
            try:
                yield from self._platform.logs(task.task_id)
            except (NotFound, Unsupported):
                return

    def _left(self, item: Item, verdict: Verdict) -> Event:
        """What was not sent: skipped for good, or as it was until it is tried again."""
        if verdict.state == "SKIPPED" and item.state == "PLANNED":
            return Event(item=self._claims.settle(item, verdict), verdict=verdict)
        return Event(item=item, verdict=replace(verdict, state=item.state))

    def _overtaken(self, item: Item, verdict: Verdict) -> Event:
        """An item that was to be sent again, but has changed: its earlier request may have arrived after all."""
        try:
            seen = read_back(self._platform, item)
        except RetryToolkitError:
            seen = unknown(verdict.reason)
        claimed = self._claims.claim([item.op_id], {})
        if not claimed:
            return self._unclaimed(item)
        settled = self._claims.settle(claimed[0], seen)
        return Event(item=settled, verdict=replace(seen, state=settled.state))

    def _unclaimed(self, item: Item) -> Event:
        """What the journal does not let go: the batch was paused or cancelled meanwhile."""
        now = self._claims.reread(item)
        return Event(item=now, verdict=Verdict(state=now.state, reason=now.reason, again=now.state == "NOT_SENT"))

    def _send_alone(self, one: _Prepared) -> Event:
        evidence = {} if one.evidence_id is None else {one.item.op_id: one.evidence_id}
        claimed = self._claims.claim([one.item.op_id], evidence)
        if not claimed:
            return self._unclaimed(one.item)
        return self._settled(claimed[0], _outcome_of(lambda: self._write(claimed[0])))

    def _send_together(self, many: Sequence[_Prepared]) -> Iterator[Event]:
        evidence = {one.item.op_id: one.evidence_id for one in many if one.evidence_id is not None}
        claimed = {item.op_id: item for item in self._claims.claim([one.item.op_id for one in many], evidence)}
        answers = self._write_together(list(claimed.values())) if claimed else {}
        for one in many:
            item = claimed.get(one.item.op_id)
            yield self._unclaimed(one.item) if item is None else self._settled(item, answers[item.op_id])

    def _write(self, item: Item) -> Outcome:
        """The one call that retries."""
        intent = item.intent
        if intent.action == "task":
            return self._platform.retry_task(
                intent.task_id,
                copy_files=intent.copy_files,
                display_name=intent.display_name,
                expected_retry_count=intent.attempt,
                idempotency_key=item.key,
            )
        return self._platform.retry_stage(
            intent.task_id, intent.stage_id or "", expected_retry_count=intent.attempt, idempotency_key=item.key
        )

    def _write_together(self, items: Sequence[Item]) -> dict[str, Outcome]:
        """The one call that retries them all; a lost answer leaves each of them to be read back."""
        answer = _outcome_of(
            lambda: self._platform.retry_batch(
                [item.task_id for item in items],
                expected_retry_counts={item.task_id: item.intent.attempt for item in items},
                item_keys={item.task_id: item.key for item in items},
            )
        )
        if not isinstance(answer, BatchRetry):
            return {item.op_id: answer for item in items}
        told: dict[str, BatchItem | BadAnswer] = {one.task_id: one for one in answer.items}
        missing = BadAnswer("The answer to the batch does not tell of this task.")
        return {item.op_id: told.get(item.task_id, missing) for item in items}

    def _settled(self, item: Item, outcome: Outcome) -> Event:
        verdict = classify(outcome, item.intent)
        if verdict.doubtful:
            verdict = self._confirmed(item, verdict)
        settled = self._claims.settle(item, verdict)
        return Event(item=settled, verdict=replace(verdict, state=settled.state))

    def _confirmed(self, item: Item, verdict: Verdict) -> Verdict:
        """The verdict after a look at the platform.

        A yes may name a wrong task. A no is also what a second copy of our own request gets (networks duplicate) after
        the first one was acted on.
        """
        seen = unknown(say("unconfirmed"), verdict.detail)
        for wait in self._timing.confirm_after_s:
            time.sleep(wait)
            try:
                seen = self._look(item, verdict)
            except RetryToolkitError:
                continue
            if verdict.state == "REJECTED":
                return replace(seen, detail=verdict.detail) if seen.state == "ACCEPTED" else verdict
            if seen.state == "ACCEPTED":
                return replace(verdict, new_task_id=seen.new_task_id)
        return seen

    def _look(self, item: Item, verdict: Verdict) -> Verdict:
        known = self._known.get(item.op_id, frozenset())
        if verdict.state == "ACCEPTED":
            return confirm_new_task(self._platform, item, verdict.new_task_id or "", known)
        return read_back(self._platform, item, known=self._known.get(item.op_id))


def _unprepared(error: RetryToolkitError) -> Verdict:
    """Why an item is not sent (now) when reading it, or keeping its evidence, failed."""
    match error:
        case NotFound():
            return Verdict(state="SKIPPED", reason=_not_sent("gone"))
        case Unauthorized() | PermissionDenied():
            return Verdict(state="SKIPPED", reason=_not_sent("hidden"), detail=error.message)
        case JournalError():
            return Verdict(state="SKIPPED", reason=_not_sent("no_evidence", error=error))
        case _:
            return Verdict(state="PLANNED", reason=_not_sent("unreadable", error=error.message), again=True)


def _not_sent(key: str, **values: object) -> str:
    return say("not_sent", why=say(key, **values))


def _outcome_of(call: Callable[[], T]) -> T | BaseException:
    """What the call returned or raised: whatever it was, the request may have left."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - classified: an error that is not ours leaves the outcome unclear
        return error

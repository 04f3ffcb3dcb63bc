"""Doing something at most once: a deed, its audit entry and its stored answer are one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from retry_toolkit.server import ledger
from retry_toolkit.server.database import is_full
from retry_toolkit.server.records import Answer
from retry_toolkit.server.store import CALLED_OFF, StoredAnswer, find_answer
from retry_toolkit.server.verdicts import ActionRefused

if TYPE_CHECKING:
    from retry_toolkit.server.database import Database

Deed = Callable[[sa.Connection], Answer]


@dataclass(frozen=True, slots=True)
class Intent:
    """Who asks, and under which idempotency key; `fingerprint` is a hash of method, path and body."""

    actor: str
    key: str | None = None
    fingerprint: str = ""


class _Answered(Exception):
    """The idempotency key has its answer already; unwinds whatever was being prepared."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Deeds:
    """Does deeds on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attempt(self, intent: Intent, action: str, task_id: str | None, act: Callable[[], Answer]) -> Answer:
        """The answer of `act`, or the stored one of a repeat; refusals go into the audit trail.

        Raises:
            ActionRefused: From `act`, or because the idempotency key belongs to another request.
        """
        try:
            if intent.key is not None:
                # Before anything is prepared for a repeat; `transact` looks again, in the transaction.
                with self._database.reading() as connection:
                    _raise_if_answered(connection, intent)
            return act()
        except _Answered as found:
            return found.answer
        except DBAPIError as error:
            if is_full(error):
                raise ActionRefused(507, {"message": "The disk is full"}) from error
            raise
        except ActionRefused as refusal:
            with self._database.writing() as connection:
                note(connection, intent, action, task_id, outcome=f"refused ({refusal.status}): {refusal.reason}")
            raise

    def transact(self, intent: Intent, deed: Deed) -> Answer:
        """Do a deed in one transaction together with its stored answer."""
        with self._database.writing() as connection:
            if intent.key is not None:
                self._database.hold(connection, intent.key)
                _raise_if_answered(connection, intent)
            answer = deed(connection)
            if intent.key is not None:
                ledger.remember(connection, intent.key, intent.fingerprint, answer, ledger.now())
            return answer

    def call_off(self, intent: Intent, key: str) -> StoredAnswer:
        """What is stored under a key; where nothing is, from now on that it is called off."""
        with self._database.writing() as connection:
            self._database.hold(connection, key)
            stored = find_answer(connection, key)
            if stored is None:
                stored = StoredAnswer(CALLED_OFF, Answer(status=409))
                ledger.remember(connection, key, stored.fingerprint, stored.answer, ledger.now())
                note(connection, intent, "call_off", None, after={"key": key})
            return stored


def note(
    connection: sa.Connection,
    intent: Intent,
    action: str,
    task_id: str | None,
    *,
    stage_id: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    outcome: str = "accepted",
) -> None:
    """Add what somebody did, or was refused, to the audit trail."""
    ledger.record(
        connection,
        actor=intent.actor,
        action=action,
        task_id=task_id,
        stage_id=stage_id,
        before=before,
        after=after,
        outcome=outcome,
        at=ledger.now(),
    )


def recalled(connection: sa.Connection, intent: Intent) -> Answer | None:
    """The answer that this very request got before, or None.

    Raises:
        ActionRefused: Its key belongs to another request, or was called off.
    """
    stored = find_answer(connection, intent.key) if intent.key is not None else None
    if stored is None:
        return None
    if stored.called_off:
        raise ActionRefused(409, "This request was called off")
    if stored.fingerprint != intent.fingerprint:
        raise ActionRefused(422, "Idempotency-Key was used for another request")
    return stored.answer


def _raise_if_answered(connection: sa.Connection, intent: Intent) -> None:
    if (answer := recalled(connection, intent)) is not None:
        raise _Answered(answer)

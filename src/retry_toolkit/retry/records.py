"""What the journal keeps: intents, items and batches, as values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from retry_toolkit.retry.states import State

Action = Literal["stage", "task"]
BatchState = Literal["running", "paused", "cancelled", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One retry that somebody wants.

    `attempt` is what the platform says before it: the stage's retry count, or for a whole retry the number of its
    direct retries. `stage_id` and `stage` are None for a whole retry.
    """

    origin: str
    task_id: str
    action: Action
    attempt: int
    stage_id: str | None = None
    stage: str | None = None
    fingerprint: str | None = None
    copy_files: bool = True
    display_name: str | None = None

    @property
    def op_id(self) -> str:
        """The intent's name in every process: of what, on what, at which attempt. Hex of a SHA-256."""
        return digest([self.origin, self.task_id, self.action, self.stage_id, self.attempt])


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One intent of a batch, and what became of it.

    `round` counts the times that it was wanted anew, from 1. `sent_at` is when it was claimed for sending,
    `answered_at` when the platform's answer (or its absence) was known, `settled_at` when nothing more was to come.
    `detail` holds the platform's own words.
    """

    batch_id: str
    position: int
    intent: Intent
    state: State
    round: int = 1
    reason: str = ""
    detail: str = ""
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    settled_at: datetime | None = None
    attempt_after: int | None = None
    new_task_id: str | None = None
    evidence_id: str | None = None

    @property
    def op_id(self) -> str:
        """The intent's name in every process."""
        return self.intent.op_id

    @property
    def task_id(self) -> str:
        """The task to retry."""
        return self.intent.task_id

    @property
    def key(self) -> str:
        """Idempotency key: the same in every process, another one for every round. 32 hex digits."""
        return self.keys[-1]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of every round so far."""
        return tuple(digest([self.op_id, number])[:32] for number in range(1, self.round + 1))

    @property
    def resent(self) -> bool:
        """Whether a person wants it sent again after a round without a clear answer; what was said of that is kept."""
        return self.state == "PLANNED" and self.round > 1 and self.reason != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """One batch: a plan that somebody decided to execute. `options` are those of its execution, as JSON values."""

    batch_id: str
    plan_hash: str
    origin: str
    action: Action
    created_at: datetime
    created_by: str
    total: int
    state: BatchState
    options: Mapping[str, Any] = field(default_factory=dict)
    platform_identity: str | None = None


def canonical(value: object) -> str:
    """The one JSON text of a value: ASCII, so that NUL and lone surrogates survive any database."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(value: object) -> str:
    """Hex of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()

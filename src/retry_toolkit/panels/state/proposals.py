"""A plan that waits for the user's yes; and for which reason an action is closed before anything is planned."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

import pandas as pd

from retry_toolkit.platforms.base import Capabilities, StageRecord, TaskFiles, TaskRecord
from retry_toolkit.retry.plan_rows import PlanRow, RetryPlan
from retry_toolkit.retry.records import Action

Kind = Literal["stage", "batch", "whole"]

CANARIES: Final = 2
"""Tasks of each error that go first, where the user wants to go carefully."""

TYPED_ABOVE: Final = 20
"""More tasks than this are confirmed by typing their number."""

_ENDED: Final = frozenset({"failed", "cancelled", "succeeded", "unknown"})


def new_key() -> str:
    """Names one question, so that an answer which comes too late cannot answer another one."""
    return uuid.uuid4().hex


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A plan, the choices that are made about it, and the `key` of the question."""

    kind: Kind
    made: RetryPlan
    files: TaskFiles | None = None
    copy_files: bool = True
    new_name: str = ""
    careful: bool = False
    typed: str = ""
    key: str = field(default_factory=new_key)

    @cached_property
    def plan(self) -> RetryPlan:
        """What will be executed."""
        if self.kind != "whole":
            return self.made
        return self.made.varied(copy_files=self.copy_files, name=self.new_name or None)

    @property
    def ready(self) -> tuple[PlanRow, ...]:
        """What will be sent."""
        return self.made.ready

    @property
    def must_type(self) -> bool:
        """Whether their number has to be typed."""
        return len(self.ready) > TYPED_ABOVE

    @property
    def can_confirm(self) -> bool:
        """Whether there is something to send, and the number was typed where it has to be."""
        return bool(self.ready) and (not self.must_type or self.typed.strip() == str(len(self.ready)))

    @property
    def causes(self) -> Mapping[str | None, int]:
        """How many of the tasks have each fingerprint, the most frequent first."""
        return dict(Counter(row.fingerprint for row in self.ready).most_common())

    @property
    def can_be_careful(self) -> bool:
        """Whether canaries would leave somebody behind them."""
        return any(count > CANARIES for count in self.causes.values())

    @property
    def canary(self) -> int:
        """Tasks of each error that go first."""
        return CANARIES if self.careful and self.can_be_careful else 0

    @property
    def file_bytes(self) -> int | None:
        """Size of the input files of a whole retry; None where it is not known."""
        sizes = [file.size_bytes for file in self.files.files if file.exists is not False] if self.files else [None]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None


def proposal_of(plan: RetryPlan) -> Proposal:
    """The question about a plan that somebody made: of one task with its choices, else of all of them at once."""
    alone = len(plan.rows) == 1
    if alone and plan.action == "stage":
        return Proposal(kind="stage", made=plan)
    if alone and plan.copy_files:
        return Proposal(kind="whole", made=plan, new_name=plan.name or "")
    return Proposal(kind="batch", made=plan)


def batch_action(capabilities: Capabilities) -> Action:
    """How a selection is retried: stage by stage where the platform can, else as new tasks."""
    return "stage" if capabilities.stage_retry != "none" else "task"


def sendable(rows: pd.DataFrame) -> pd.Series:
    """Which of these tasks a batch would send, as far as the list knows: those that failed and may be retried."""
    return (rows["status"] == "failed") & rows["retryable"].fillna(False)


def stage_block(capabilities: Capabilities, task: TaskRecord, stage: StageRecord | None) -> str | None:
    """Why the stage cannot be retried, as a key of `text` (`block.<reason>`); None where it can."""
    if capabilities.stage_retry == "none":
        return "stage_unsupported"
    if stage is None:
        return "no_stage"
    if task.status != "failed":
        return "not_failed"
    if stage.status != "failed":
        return "stage_not_failed"
    if stage.retry_limit is not None and stage.retry_count >= stage.retry_limit:
        return "limit_reached"
    return None


def whole_block(capabilities: Capabilities, task: TaskRecord) -> str | None:
    """Why the task cannot be run again as a new one."""
    if capabilities.whole_retry == "none":
        return "whole_unsupported"
    return None if task.status in _ENDED else "still_running"


def batch_block(capabilities: Capabilities, selected: int, sent: int, most: int) -> str | None:
    """Why the selection cannot be retried; `sent` of the `selected` tasks would be, and a plan takes `most`."""
    if capabilities.stage_retry == "none" and capabilities.whole_retry == "none":
        return "batch_unsupported"
    if selected == 0:
        return "nothing_selected"
    if sent == 0:
        return "none_retryable"
    return "too_many" if selected > most else None

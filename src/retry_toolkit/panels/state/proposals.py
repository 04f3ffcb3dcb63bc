"""What a retry would do, as a value that waits for the user's yes; and for which reason an action is closed."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, Final, Literal

import pandas as pd

from retry_toolkit.platforms.base import Capabilities, StageRecord, TaskFiles, TaskRecord

Kind = Literal["stage", "batch", "whole"]

_ENDED: Final = frozenset({"failed", "cancelled", "succeeded", "unknown"})


def new_key() -> str:
    """An idempotency key: one for each intent."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A retry that waits for its confirmation; each is an intent of its own, with its own idempotency `key`."""

    kind: ClassVar[Kind]
    key: str = field(default_factory=new_key)

    @property
    def subjects(self) -> Mapping[str, str]:
        """Names of the tasks that it is about, by id."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProposal(Proposal):
    """Reset one failed stage; `kept` stages stay as they are, `after` run behind it."""

    kind: ClassVar[Kind] = "stage"
    task_id: str
    name: str
    stage_id: str
    stage: str
    kept: tuple[str, ...]
    after: tuple[str, ...]
    retry_count: int
    retry_limit: int | None

    @property
    def subjects(self) -> Mapping[str, str]:
        """The one task."""
        return {self.task_id: self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProposal(Proposal):
    """Reset the earliest failed stage of each of `retry_counts`; `refused` counts what is left out, by reason."""

    kind: ClassVar[Kind] = "batch"
    retry_counts: Mapping[str, int | None]
    names: Mapping[str, str]
    refused: Mapping[str, int]

    @property
    def subjects(self) -> Mapping[str, str]:
        """Every task that will be sent."""
        return self.names

    @property
    def task_ids(self) -> tuple[str, ...]:
        """What will be sent."""
        return tuple(self.retry_counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeProposal(Proposal):
    """Make a new task of an old one; sizes are None where the platform cannot tell."""

    kind: ClassVar[Kind] = "whole"
    task_id: str
    name: str
    copy_files: bool
    new_name: str
    retried_by: tuple[str, ...]
    file_count: int | None
    total_bytes: int | None
    missing: int
    retention_until: datetime | None

    @property
    def subjects(self) -> Mapping[str, str]:
        """The one task."""
        return {self.task_id: self.name}

    def varied(self, *, copy_files: bool | None = None, new_name: str | None = None) -> WholeProposal:
        """The same with another choice: another intent, so another key."""
        return replace(
            self,
            copy_files=self.copy_files if copy_files is None else copy_files,
            new_name=self.new_name if new_name is None else new_name,
            key=new_key(),
        )


def propose_stage(task: TaskRecord, stage: StageRecord) -> StageProposal:
    """Retry `stage` of `task` as they were just read."""
    later = [other for other in task.stages if other.position > stage.position]
    return StageProposal(
        task_id=task.task_id,
        name=task.name or task.task_id,
        stage_id=stage.stage_id,
        stage=stage.stage,
        kept=tuple(other.stage for other in task.stages if other.status == "succeeded"),
        after=tuple(other.stage for other in later if other.status != "succeeded"),
        retry_count=stage.retry_count,
        retry_limit=stage.retry_limit,
    )


def sendable(rows: pd.DataFrame) -> pd.Series:
    """Which of these tasks a batch would send: those that failed and may be retried."""
    return (rows["status"] == "failed") & rows["retryable"].fillna(False)


def propose_batch(rows: pd.DataFrame, selected: int) -> BatchProposal:
    """Retry what of `rows` (tasks) failed and may be retried; `selected` tasks without a row are gone."""
    sent = rows[sendable(rows)]
    left = rows.drop(index=sent.index)
    reasons = left["refusal"].astype("str").where(left["status"] == "failed", "not_failed").fillna("unsupported")
    refused = Counter(reasons.tolist())
    if selected > len(rows):
        refused["gone"] = selected - len(rows)
    counts = [None if pd.isna(value) else int(value) for value in sent["retry_count"]]
    ids = sent["task_id"].tolist()
    names = [task_id if pd.isna(name) else name for task_id, name in zip(ids, sent["name"], strict=True)]
    return BatchProposal(
        retry_counts=dict(zip(ids, counts, strict=True)),
        names=dict(zip(ids, names, strict=True)),
        refused=dict(refused),
    )


def propose_whole(task: TaskRecord, files: TaskFiles | None) -> WholeProposal:
    """Run `task` again as a new one, with `files` as they are now (None: unknown); copying is the safe choice."""
    sizes = [file.size_bytes for file in files.files if file.exists is not False] if files else []
    known = [size for size in sizes if size is not None]
    return WholeProposal(
        task_id=task.task_id,
        name=task.name or task.task_id,
        copy_files=True,
        new_name="",
        retried_by=task.retried_by,
        file_count=len(files.files) if files else None,
        total_bytes=sum(known) if files and len(known) == len(sizes) else None,
        missing=sum(file.exists is False for file in files.files) if files else 0,
        retention_until=files.retention_until if files else None,
    )


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


def batch_block(capabilities: Capabilities, selected: int, sent: int) -> str | None:
    """Why the selection cannot be retried; `sent` of the `selected` tasks would be."""
    if capabilities.batch == "none":
        return "batch_unsupported"
    if selected == 0:
        return "nothing_selected"
    if sent == 0:
        return "none_retryable"
    return "too_many" if capabilities.max_batch is not None and sent > capabilities.max_batch else None

"""Sending a confirmed retry once, and saying honestly what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal

from retry_toolkit.errors import NotSent, RetryToolkitError, UnclearOutcome
from retry_toolkit.panels.state.problems import Problem, explain, explain_words
from retry_toolkit.panels.state.proposals import BatchProposal, Kind, Proposal, StageProposal, WholeProposal
from retry_toolkit.platforms.base import Platform

Verdict = Literal[
    "refused",
    "not_sent",
    "unclear",
    "running",
    "recovered",
    "failed_again",
    "cancelled",
    "gone",
    "unreachable",
    "gave_up",
]
WATCHED: Final[Verdict] = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What became of one task: `watch_id` is the task to watch, the new one after a whole retry.

    `reread` tells that no clear answer came, and that reading the task again showed that the retry happened.
    """

    task_id: str
    name: str
    verdict: Verdict
    problem: Problem | None = None
    watch_id: str | None = None
    reread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a confirmed retry; files are counted after a whole retry where the platform told."""

    kind: Kind
    items: tuple[Item, ...]
    new_task_id: str | None = None
    files_copied: int | None = None
    files_linked: int | None = None
    error: Exception | None = None

    @property
    def accepted(self) -> tuple[Item, ...]:
        """Items that the platform took."""
        return tuple(item for item in self.items if item.watch_id is not None)

    def settled(self, watch_id: str, verdict: Verdict) -> Outcome:
        """The same, with the verdict on the task that was watched."""
        items = tuple(replace(item, verdict=verdict) if item.watch_id == watch_id else item for item in self.items)
        return replace(self, items=items)


def send(writer: Platform, reader: Platform, proposal: Proposal) -> Outcome:
    """Send `proposal` through `writer`, exactly once; where no clear answer comes, `reader` looks what happened."""
    if isinstance(proposal, StageProposal):
        return _send_stage(writer, reader, proposal)
    if isinstance(proposal, BatchProposal):
        return _send_batch(writer, reader, proposal)
    if isinstance(proposal, WholeProposal):
        return _send_whole(writer, reader, proposal)
    raise TypeError(f"nothing sends a {type(proposal).__name__}")


def _send_stage(writer: Platform, reader: Platform, proposal: StageProposal) -> Outcome:
    try:
        writer.retry_stage(
            proposal.task_id,
            proposal.stage_id,
            expected_retry_count=proposal.retry_count,
            idempotency_key=proposal.key,
        )
    except RetryToolkitError as error:
        happened = isinstance(error, UnclearOutcome) and _looked(partial(_stage_moved, reader, proposal))
        return Outcome(
            kind="stage", items=(_broken(proposal.task_id, proposal.name, error, happened=happened),), error=error
        )
    return Outcome(kind="stage", items=(_taken(proposal.task_id, proposal.name),))


def _send_batch(writer: Platform, reader: Platform, proposal: BatchProposal) -> Outcome:
    try:
        answer = writer.retry_batch(proposal.task_ids, idempotency_key=proposal.key)
    except RetryToolkitError as error:
        unclear = isinstance(error, UnclearOutcome)
        items = tuple(
            _broken(
                task_id,
                proposal.names[task_id],
                error,
                happened=unclear and _looked(partial(_task_moved, reader, task_id, before)),
            )
            for task_id, before in proposal.retry_counts.items()
        )
        return Outcome(kind="batch", items=items, error=error)
    items = tuple(
        _taken(item.task_id, proposal.names.get(item.task_id, item.task_id))
        if item.accepted
        else Item(
            task_id=item.task_id,
            name=proposal.names.get(item.task_id, item.task_id),
            verdict="refused",
            problem=explain_words(item.reason),
        )
        for item in answer.items
    )
    return Outcome(kind="batch", items=items)


def _send_whole(writer: Platform, reader: Platform, proposal: WholeProposal) -> Outcome:
    try:
        answer = writer.retry_task(
            proposal.task_id,
            copy_files=proposal.copy_files,
            display_name=proposal.new_name or None,
            expected_retry_count=len(proposal.retried_by),
            idempotency_key=proposal.key,
        )
    except RetryToolkitError as error:
        new_id = _new_retry(reader, proposal) if isinstance(error, UnclearOutcome) else None
        item = _broken(proposal.task_id, proposal.name, error, happened=new_id is not None, watch_id=new_id)
        return Outcome(kind="whole", items=(item,), new_task_id=new_id, error=error)
    item = _taken(proposal.task_id, proposal.name, watch_id=answer.new_task_id)
    return Outcome(
        kind="whole",
        items=(item,),
        new_task_id=answer.new_task_id,
        files_copied=answer.files_copied,
        files_linked=answer.files_linked,
    )


def _taken(task_id: str, name: str, *, watch_id: str | None = None) -> Item:
    return Item(task_id=task_id, name=name, verdict=WATCHED, watch_id=watch_id or task_id)


def _broken(task_id: str, name: str, error: RetryToolkitError, *, happened: bool, watch_id: str | None = None) -> Item:
    if happened:
        return Item(task_id=task_id, name=name, verdict=WATCHED, watch_id=watch_id or task_id, reread=True)
    verdict: Verdict = (
        "unclear" if isinstance(error, UnclearOutcome) else "not_sent" if isinstance(error, NotSent) else "refused"
    )
    return Item(task_id=task_id, name=name, verdict=verdict, problem=explain(error))


def _looked(look: Callable[[], bool]) -> bool:
    """What a look at the platform shows; one that fails shows nothing."""
    try:
        return look()
    except RetryToolkitError:
        return False


def _stage_moved(reader: Platform, proposal: StageProposal) -> bool:
    stages = reader.task(proposal.task_id).stages
    return any(stage.stage_id == proposal.stage_id and stage.retry_count > proposal.retry_count for stage in stages)


def _task_moved(reader: Platform, task_id: str, before: int | None) -> bool:
    """Whether a stage of the task has more retries than its failed stage had."""
    task = reader.task(task_id)
    return before is not None and task.status != "failed" and any(stage.retry_count > before for stage in task.stages)


def _new_retry(reader: Platform, proposal: WholeProposal) -> str | None:
    try:
        found = [task_id for task_id in reader.task(proposal.task_id).retried_by if task_id not in proposal.retried_by]
    except RetryToolkitError:
        return None
    return found[-1] if found else None

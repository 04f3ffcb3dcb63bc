"""Executing a plan, going on with a batch in another process, and listing what there is."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from retry_toolkit.errors import JournalError, PlanRefused, ReadOnly
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.archive import Archive, Opened
from retry_toolkit.retry.audit import AuditReport, current_actor, verify
from retry_toolkit.retry.batch import Listener, RetryBatch, Watcher
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.journal import BatchRow, Journal
from retry_toolkit.retry.options import Options
from retry_toolkit.retry.plan_rows import RetryPlan
from retry_toolkit.retry.policy import STOP_RULE, TIMING, StopRule, Timing
from retry_toolkit.retry.progress import Bar
from retry_toolkit.retry.results import batches_frame
from retry_toolkit.settings import load_settings


def execute(
    plan: RetryPlan,
    platform: Platform | None = None,
    *,
    canary: int = 0,
    concurrency: int = 4,
    stop_after: StopRule | int = STOP_RULE,
    progress: bool = True,
    wait: bool | None = None,
    on_change: Listener | None = None,
    on_task: Watcher | None = None,
    journal: Journal | None = None,
    evidence: Evidence | None = None,
    timing: Timing = TIMING,
) -> RetryBatch:
    """Send what the plan says, each intent at most once, and watch what becomes of it.

    Just before it is sent, each task is read once more: where its attempt number has moved it is not sent. Its report
    and log are kept before a stage retry erases them. SENT is in the journal before anything leaves. An intent that any
    batch of this home directory has already is not sent again.

    Args:
        plan: From `plan_retry`.
        platform: A connection that may write; the plan's own if None.
        canary: So many of each fingerprint go first; the rest follows unless they fail with the same fingerprint again.
        concurrency: Writes at a time; fewer while the platform is busy.
        stop_after: When to stop by itself; a number means so many unclear or refused answers in a row.
        progress: Show a bar with the buckets.
        wait: Return when nothing more is to come; if None, wait unless an event loop runs here (as in notebooks).
        on_change: Called with the batch after changes, in the batch's own thread.
        on_task: Called with each state of a task that is watched, in a thread of the batch.
        journal: An open journal instead of the one of the home directory; stays open.
        evidence: Open evidence instead of that of the home directory; stays open.
        timing: Waits and numbers of tries.

    Raises:
        PlanRefused: Nothing in the plan can be sent, it is for another platform, or it is not as it was shown.
        ReadOnly: The connection refuses everything that writes.
        JournalError: The journal cannot be used: nothing was sent.
    """
    target = platform or plan.platform
    _check(plan, target)
    options = Options(canary=canary, concurrency=concurrency, stop_after=_rule(stop_after))
    actor = current_actor()
    archive = Archive(journal=journal, evidence=evidence)
    with ExitStack() as stack:
        opened = stack.enter_context(archive.open())
        row = opened.journal.create_batch(
            plan.hash,
            plan.origin,
            plan.action,
            plan.intents,
            actor=actor,
            options=options.values(),
            platform_identity=_identity(target),
        )
        batch = RetryBatch(row, target, archive, actor=actor, timing=timing)
        stack.pop_all()
    if on_change is not None:
        batch.on_change(on_change)
    if on_task is not None:
        batch.on_task(on_task)
    return _begin(batch, opened, progress=progress, wait=wait)


def resume(
    batch_id: str,
    platform: Platform,
    *,
    progress: bool = True,
    wait: bool | None = None,
    on_change: Listener | None = None,
    on_task: Watcher | None = None,
    journal: Journal | None = None,
    evidence: Evidence | None = None,
    timing: Timing = TIMING,
) -> RetryBatch:
    """Go on with a batch where it stopped, in this or another process: read back, watch, send what was never sent.

    What a process that died had sent without an answer is never sent again: it is read back.

    Args:
        batch_id: From `batches()`.
        platform: A connection to its platform.
        progress: Show a bar with the buckets.
        wait: As in `execute`.
        on_change: As in `execute`.
        on_task: As in `execute`.
        journal: As in `execute`.
        evidence: As in `execute`.
        timing: Waits and numbers of tries.

    Raises:
        BatchBusy: Another process or thread runs it.
        PlanRefused: It is for another platform.
        JournalError: The journal cannot be used, or has no such batch.
    """
    actor = current_actor()
    archive = Archive(journal=journal, evidence=evidence)
    with ExitStack() as stack:
        opened = stack.enter_context(archive.open())
        row = _row_of(opened.journal, batch_id, platform)
        batch = RetryBatch(row, platform, archive, actor=actor, timing=timing)
        stack.pop_all()
    if on_change is not None:
        batch.on_change(on_change)
    if on_task is not None:
        batch.on_task(on_task)
    return _begin(batch, opened, progress=progress, wait=wait)


def open_batch(
    batch_id: str,
    platform: Platform,
    *,
    journal: Journal | None = None,
    evidence: Evidence | None = None,
    timing: Timing = TIMING,
) -> RetryBatch:
    """A batch as the journal has it, to look at, to cancel, or to settle what is unclear; its `resume()` goes on.

    Args:
        batch_id: From `batches()`.
        platform: A connection to its platform.
        journal: As in `execute`.
        evidence: As in `execute`.
        timing: As in `execute`.

    Raises:
        PlanRefused: It is for another platform.
        JournalError: The journal cannot be used, or has no such batch.
    """
    archive = Archive(journal=journal, evidence=evidence)
    with archive.open() as opened:
        row = _row_of(opened.journal, batch_id, platform)
        batch = RetryBatch(row, platform, archive, actor=current_actor(), timing=timing)
        batch.load(opened)
    return batch


def batches(*, limit: int | None = 100, origin: str | None = None, journal: Journal | None = None) -> pd.DataFrame:
    """Batches of the journal, newest first; columns and dtypes of `schema.BATCHES`.

    Args:
        limit: At most so many.
        origin: Only those of this platform.
        journal: An open journal instead of the one of the home directory.

    Raises:
        JournalError: The journal cannot be used.
    """
    with Archive(journal=journal).open() as opened:
        return batches_frame(opened.journal, opened.journal.batches(limit=limit, origin=origin))


def verify_audit(home: Path | None = None) -> AuditReport:
    """Whether every row of the audit trail is as it was written, and none is missing.

    Args:
        home: The home directory; `RETRY_TOOLKIT_HOME` if None.
    """
    return verify(load_settings().home if home is None else home)


def _check(plan: RetryPlan, platform: Platform) -> None:
    if plan.hash != plan.content_hash():
        raise PlanRefused("The plan is not the one that was made: its hash does not fit.", advice="Plan again.")
    if platform.origin != plan.origin:
        raise PlanRefused(f"The plan is for {plan.origin}, not for {platform.origin}.")
    if not plan.ready:
        raise PlanRefused("Nothing in the plan can be sent.", advice="See the reasons in plan.frame.")
    if platform.read_only:
        raise ReadOnly("This connection is read-only: nothing can be sent through it.")


def _rule(stop_after: StopRule | int) -> StopRule:
    return StopRule(unknown=stop_after, refused=stop_after) if isinstance(stop_after, int) else stop_after


def _identity(platform: Platform) -> str | None:
    """Who the platform takes the caller for, where it tells."""
    identity = getattr(platform, "identity", None)
    return identity if isinstance(identity, str) else None


def _row_of(journal: Journal, batch_id: str, platform: Platform) -> BatchRow:
    row = journal.batch(batch_id)
    if row is None:
        raise JournalError(f"The journal has no batch {batch_id!r}.", advice="See batches().")
    if row.origin != platform.origin:
        raise PlanRefused(f"Batch {batch_id} is for {row.origin}, not for {platform.origin}.")
    return row


def _begin(batch: RetryBatch, opened: Opened, *, progress: bool, wait: bool | None) -> RetryBatch:
    batch.launch(opened, Bar(batch.total) if progress else None)
    if not (_no_loop_runs() if wait is None else wait):
        return batch
    try:
        batch.wait()
    except KeyboardInterrupt:
        # Whoever interrupts wants nothing more to leave; `resume` goes on.
        batch.close()
        raise
    return batch


def _no_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False

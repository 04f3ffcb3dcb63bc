"""What storms have in common: plans without reading, batches side by side, waits that fit, and the end of it all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from retry_toolkit.platforms.base import Platform
from retry_toolkit.platforms.budget import RetryBudget
from retry_toolkit.platforms.transport import Bounds
from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.execute import execute, resume
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan_rows import PlanRow, RetryPlan
from retry_toolkit.retry.policy import StopRule, Timing
from retry_toolkit.retry.records import Action, Item
from tests.faults.kinds import KINDS, Kind
from tests.faults.oracle import DONE
from tests.faults.sizes import SIZES

NEVER_STOP = StopRule(unknown=None, refused=None, not_sent=None)
IMPATIENT = Bounds(connect_s=2.0, silence_s=0.4, total_s=10.0, first_wait_s=0.005, longest_wait_s=0.02)
PATIENT = Bounds(connect_s=30.0, silence_s=60.0, total_s=120.0)
STORMY = Timing(
    confirm_after_s=(0.0, 0.05, 0.2),
    resend_first_s=0.02,
    resends=6,
    look_first_s=0.05,
    look_longest_s=0.4,
    looks=5,
    misses=10,
    call_off_at=3,
    watch_first_s=0.3,
    watch_longest_s=1.0,
    watches_per_s=400.0,
    hold_first_s=0.01,
    hold_longest_s=0.02,
)
PROMPT = replace(STORMY, watch_first_s=0.05)
CALM = replace(STORMY, look_first_s=0.05, looks=3, call_off_at=1)
NO_WAITS = replace(
    STORMY,
    confirm_after_s=(0.0, 0.0, 0.0),
    resend_first_s=0.0,
    look_first_s=0.0,
    looks=3,
    watch_first_s=0.0,
    watches_per_s=1e9,
    hold_first_s=0.0,
)
PATIENCE_S = 0.75 * SIZES.timeout_s
"""A storm that has not ended by then never will: it fails by itself, with what its batch says."""


def plenty() -> RetryBudget:
    """A budget of reads that a storm does not use up: what is tested here is not how little is asked."""
    return RetryBudget(reserve=1_000_000)


def plan_of(platform: Platform, task_ids: Iterable[str], action: Action = "stage") -> RetryPlan:
    """The plan of retrying tasks that failed at their first attempt, as `plan_retry` would make it, without a read."""
    stage = "check" if action == "stage" else None
    rows = tuple(
        PlanRow(
            task_id=task_id,
            action=action,
            verdict="ready",
            stage_id=None if stage is None else f"{task_id}-{stage}",
            stage=stage,
            attempt=0,
            fingerprint="ValueError: row <n>",
        )
        for task_id in task_ids
    )
    plan = RetryPlan(
        origin=platform.origin, action=action, copy_files=True, name=None, rows=rows, hash="", platform=platform
    )
    return replace(plan, hash=plan.content_hash())


def run_side_by_side(
    plans: Sequence[RetryPlan], journal: Journal, evidence: Evidence, *, timing: Timing, concurrency: int
) -> None:
    """Execute plans at once, each a batch of its own, until each has done what it can."""
    batches = [
        execute(
            plan,
            concurrency=concurrency,
            stop_after=NEVER_STOP,
            progress=False,
            wait=False,
            journal=journal,
            evidence=evidence,
            timing=timing,
        )
        for plan in plans
    ]
    _wait(batches)


def finish(platforms: Callable[[Action], Platform], journal: Journal, evidence: Evidence, *, timing: Timing) -> None:
    """Resume every batch that has something left to do, as another process would, until it has done what it can."""
    rows = [row for row in journal.batches(limit=None) if _has_more(journal, row.batch_id)]
    _wait(
        [
            resume(
                row.batch_id,
                platforms(row.action),
                progress=False,
                wait=False,
                journal=journal,
                evidence=evidence,
                timing=timing,
            )
            for row in rows
        ]
    )


def last_words(journal: Journal) -> list[Item]:
    """What the journal says in the end, one item an intent; each batch accounts for all of its items."""
    for row in journal.batches(limit=None):
        assert sum(journal.buckets(row.batch_id).values()) == row.total
    items = journal.items()
    times = Counter(item.op_id for item in items)
    # Where several batches wanted the same, the others only say which one has it.
    once = [item for item in items if times[item.op_id] == 1]
    current = (journal.item(op_id) for op_id, count in times.items() if count > 1)
    return [*once, *(item for item in current if item is not None)]


def check_evidence(items: Iterable[Item], evidence: Evidence) -> None:
    """Fail unless of every stage that was retried the report from before is kept: failed, at the attempt that was."""
    for item in items:
        if item.intent.action == "stage" and item.state in DONE:
            task = evidence.task(item.evidence_id or "")
            stage = task.failed_stage if task else None
            kept = stage and (stage.stage_id, stage.retry_count)
            assert kept == (item.intent.stage_id, item.intent.attempt), f"{item.task_id}: kept is {kept}"


def check_fired(fired: Iterable[Counter[Kind]], *, least: int) -> None:
    """Fail unless every kind of fault has fired so often."""
    counts = sum(fired, Counter[Kind]())
    too_few = {kind: counts[kind] for kind in KINDS if counts[kind] < least}
    assert not too_few, f"fired less than {least} times: {too_few}"


def _has_more(journal: Journal, batch_id: str) -> bool:
    counts = journal.buckets(batch_id)
    return any(counts[state] for state in ("PLANNED", "SENT", "ACCEPTED", "UNKNOWN", "NOT_SENT"))


def _wait(batches: Iterable[RetryBatch]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    for batch in batches:
        assert batch.wait(max(0.0, deadline - time.monotonic())), batch.summary

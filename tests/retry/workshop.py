"""A journal and evidence in a directory of their own, and batches that run on a ledger platform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retry_toolkit.retry.batch import RetryBatch
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.execute import execute, resume
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan import plan_retry
from retry_toolkit.retry.policy import StopRule
from retry_toolkit.retry.records import Item
from retry_toolkit.retry.states import State
from tests.live import WAIT_S
from tests.retry.ledger import QUICK, LedgerPlatform

NEVER = StopRule(unknown=None, refused=None, not_sent=None)


@dataclass(frozen=True)
class Workshop:
    """What a process has: its journal and its evidence."""

    home: Path
    journal: Journal
    evidence: Evidence

    def begin(self, platform: LedgerPlatform, tasks: Sequence[str] | None = None, **options: Any) -> RetryBatch:
        """A batch that has begun with these tasks of the platform, or all."""
        action = options.pop("action", "stage")
        ids = list(platform.records) if tasks is None else tasks
        plan = plan_retry(platform, ids, action=action, max_items=len(ids))
        values = self._values() | {"stop_after": NEVER}
        return execute(plan, **(values | options))

    def run(self, platform: LedgerPlatform, tasks: Sequence[str] | None = None, **options: Any) -> RetryBatch:
        """The same, ended."""
        return ended(self.begin(platform, tasks, **options))

    def resume(self, batch_id: str, platform: LedgerPlatform, **options: Any) -> RetryBatch:
        """Go on with a batch."""
        return resume(batch_id, platform, **(self._values() | options))

    def _values(self) -> dict[str, Any]:
        return {
            "journal": self.journal,
            "evidence": self.evidence,
            "timing": QUICK,
            "progress": False,
            "wait": False,
        }


@contextmanager
def workshop(home: Path) -> Iterator[Workshop]:
    """A workshop in a directory."""
    with Journal.open(home) as journal, Evidence.open(home) as evidence:
        yield Workshop(home, journal, evidence)


def ended(batch: RetryBatch) -> RetryBatch:
    """The batch once nothing more is to come."""
    assert batch.wait(WAIT_S), batch.summary
    return batch


def states(batch: RetryBatch) -> dict[str, State]:
    """State by task."""
    return {item.task_id: item.state for item in batch.items}


def only(batch: RetryBatch) -> Item:
    """The one item of a batch."""
    (item,) = batch.items
    return item

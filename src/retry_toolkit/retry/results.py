"""What became of batches, as frames and as text; every text of others is escaped at the last step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.schema import BATCHES, RESULTS
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan_html import html_table
from retry_toolkit.retry.progress import bucket_words, settled
from retry_toolkit.retry.records import BatchRow, Item
from retry_toolkit.retry.states import State

SHOWN = 20
"""Items that a notebook shows of what needs a look."""

_OF_THE_INTENT = frozenset({"action", "stage", "attempt", "fingerprint"})
_NEEDS_A_LOOK: tuple[State, ...] = ("UNKNOWN", "REJECTED", "NOT_SENT", "FAILED_AGAIN")


def results_frame(items: Sequence[Item]) -> pd.DataFrame:
    """One row an item, in the order of the plan; columns and dtypes of `schema.RESULTS`."""
    data = {
        column.name: [
            getattr(item.intent if column.name in _OF_THE_INTENT else item, column.name) or None
            if column.kind in {"id", "text", "category"}
            else getattr(item.intent if column.name in _OF_THE_INTENT else item, column.name)
            for item in items
        ]
        for column in RESULTS
    }
    return build_frame(RESULTS, data)


def batches_frame(journal: Journal, rows: Sequence[BatchRow]) -> pd.DataFrame:
    """One row a batch; columns and dtypes of `schema.BATCHES`."""
    unfinished = {row.batch_id for row in journal.unfinished()}
    data: dict[str, list[object]] = {column.name: [] for column in BATCHES}
    for row in rows:
        owner = journal.owner(row.batch_id)
        values = {name: getattr(row, name) for name in data if hasattr(row, name)}
        values |= {state.lower(): count for state, count in journal.buckets(row.batch_id).items()}
        values |= {
            "unfinished": row.batch_id in unfinished,
            "owner": owner and f"process {owner.pid} of {owner.actor} on {owner.host}",
        }
        for name, column in data.items():
            column.append(values[name])
    return build_frame(BATCHES, data)


def summary_text(row: BatchRow, running: bool, buckets: Mapping[State, int]) -> str:
    """The batch in a few lines: what it is, its buckets, and what they mean for the reader."""
    total = sum(buckets.values())
    lines = [
        f"Batch {row.batch_id}: {settled(buckets)} of {total} settled, {'running' if running else 'not running here'}.",
        f"{bucket_words(buckets)} = {total}",
    ]
    lines.extend(MEANINGS[state].format(count=buckets[state]) for state in MEANINGS if buckets[state])
    return "\n".join(lines)


MEANINGS: Mapping[State, str] = {
    "UNKNOWN": "{count} were sent and got no clear answer: they may have been acted on, and are never sent again by "
    "themselves. Use check_again(), mark_resolved() or send_again().",
    "NOT_SENT": "{count} could not be sent, provably: nothing happened to them. Plan them again.",
    "REJECTED": "{count} were not done: the platform refused them, or had not acted on them and was asked never to.",
    "FAILED_AGAIN": "{count} were retried and failed again.",
    "SKIPPED": "{count} were never sent; `results` says why.",
    "ACCEPTED": "{count} were accepted and have not ended: accepted is not succeeded.",
}
"""What a bucket means for whoever reads it, in the order in which it matters."""


def batch_html(row: BatchRow, running: bool, items: Sequence[Item], buckets: Mapping[State, int]) -> str:
    """The summary, and the items that need a look."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in summary_text(row, running, buckets).splitlines())
    telling = [item for state in _NEEDS_A_LOOK for item in items if item.state == state]
    if not telling:
        return lines
    cells = ((item.task_id, item.state, item.reason, item.detail[:200]) for item in telling[:SHOWN])
    rest = f"<p>… and {len(telling) - SHOWN} more, see <code>batch.results</code>.</p>" if len(telling) > SHOWN else ""
    return lines + html_table(("task", "state", "reason", "in the platform's words"), cells) + rest

"""Putting the parts of a running batch together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.platforms.base import Platform, TaskRecord
from retry_toolkit.retry.agenda import Agenda
from retry_toolkit.retry.archive import Opened
from retry_toolkit.retry.book import Book
from retry_toolkit.retry.options import Options
from retry_toolkit.retry.policy import Canary, Pace, Rows, Timing
from retry_toolkit.retry.records import Action, Item
from retry_toolkit.retry.run import Runner
from retry_toolkit.retry.sending import Sender

CHUNK = 25
"""Most items of one batch call: a lost answer leaves so many to be read back."""

READERS = 4
"""Reads at a time, of what is unclear or accepted."""


def prepare_run(
    opened: Opened,
    platform: Platform,
    book: Book,
    options: Options,
    timing: Timing,
    *,
    changed: Callable[[], None],
    seen: Callable[[TaskRecord], None],
) -> Runner:
    """A runner for the items of a book, as they are now."""
    agenda = Agenda(
        canary=Canary(options.canary),
        rows=Rows(options.stop_after),
        pace=Pace(options.concurrency, timing),
        timing=timing,
        chunk=chunk_size(platform, book.row.action),
        readers=READERS,
    )
    _fill(agenda, book.items)
    return Runner(
        platform=platform,
        book=book,
        sender=Sender(platform, book, opened.evidence, timing),
        agenda=agenda,
        workers=options.concurrency + READERS,
        changed=changed,
        seen=seen,
    )


def chunk_size(platform: Platform, action: Action) -> int:
    """How many items go into one call."""
    can = platform.capabilities
    if action != "stage" or can.batch != "per_item":
        return 1
    return CHUNK if can.max_batch is None else min(CHUNK, can.max_batch)


def _fill(agenda: Agenda, items: Sequence[Item]) -> None:
    now = time.monotonic()
    # All at once: one at a time would take milliseconds each, and a batch may have thousands.
    again = fingerprints([item.detail if item.state == "FAILED_AGAIN" else None for item in items]).to_pylist()
    for item, error in zip(items, again, strict=True):
        agenda.add(item.op_id, item.state, item.intent.fingerprint, now, error)
    agenda.start()

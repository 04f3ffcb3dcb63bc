"""Journals to test with: intents by number, batches of them, and processes that claim."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retry_toolkit.retry.journal import BatchRow, Intent, Item, Journal

ORIGIN = "http://127.0.0.1:8642"
ME = "ann@desk"
ROOT = Path(__file__).parents[2]


def intent(number: int, *, attempt: int = 0, **fields: object) -> Intent:
    """A stage retry of task `t<number>`."""
    known = {"origin": ORIGIN, "task_id": f"t{number}", "action": "stage", "stage_id": f"s{number}", "stage": "build"}
    return Intent(**(known | {"attempt": attempt} | fields))  # type: ignore[arg-type]  # fields of an intent


def planned(journal: Journal, *numbers: int, attempt: int = 0) -> BatchRow:
    """A running batch of these tasks."""
    wanted = [intent(number, attempt=attempt) for number in numbers]
    return journal.create_batch("plan-hash", ORIGIN, "stage", wanted, actor=ME)


def op(number: int, *, attempt: int = 0) -> str:
    """Name of the intent of this number."""
    return intent(number, attempt=attempt).op_id


def claimed(journal: Journal, number: int, batch: BatchRow) -> Item:
    """The item of this number, claimed for sending."""
    item = journal.claim(op(number), batch.batch_id, actor=ME)
    assert item is not None
    return item


@contextmanager
def claimant(home: Path, batch: BatchRow, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A process that opened the journal and waits for a line before it claims everything; killed at the end."""
    command = [sys.executable, "-m", "tests.retry.claimant", str(home), batch.batch_id, *options]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert next(said(process)) == "ready"
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    """Let a claimant begin."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> Iterator[str]:
    """What a claimant says, line by line."""
    assert process.stdout is not None
    for line in process.stdout:
        yield line.removesuffix("\n")

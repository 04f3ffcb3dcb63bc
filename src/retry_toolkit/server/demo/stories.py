"""What becomes of the demo's failed tasks: which are retried, how, in which round, and what is left to the visitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Act = Literal["cancel", "stop", "stage", "batch", "whole"]
MENDED_BEFORE_ROUND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One thing that is done to a task of a case.

    `cancel` is done at once, `stop` once the task runs. `of` names the task: empty for the original, else the `makes`
    of an earlier whole retry. Moves of one round are made together, and a round begins when everything of the round
    before has ended. `later` is the time since the move before it, as the history is to tell.
    """

    act: Act
    round: int
    of: str = ""
    makes: str = ""
    copy_files: bool = True
    later: timedelta = timedelta(minutes=40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause of failure: where it strikes, how the platform classes it, and how many tasks meet it."""

    name: str
    pipeline: str
    stage: str
    category: str
    count: int


CAUSES = (
    Cause(name="missing_column", pipeline="sales_report", stage="validate", category="semantic", count=8),
    Cause(name="malformed_row", pipeline="sales_report", stage="validate", category="semantic", count=9),
    Cause(name="reference_rows", pipeline="sales_report", stage="join", category="semantic", count=9),
    Cause(name="reference_column", pipeline="sales_report", stage="aggregate", category="semantic", count=6),
    Cause(name="mended_column", pipeline="sales_report", stage="aggregate", category="semantic", count=6),
    Cause(name="quality_gate", pipeline="sales_report", stage="gate", category="gate_rejected", count=4),
    Cause(name="empty_export", pipeline="sales_report", stage="gate", category="unknown", count=3),
    Cause(name="lost_scan", pipeline="archive_check", stage="collect", category="resource", count=7),
    Cause(name="exit_code", pipeline="archive_check", stage="verify", category="tool_error", count=9),
    Cause(name="rate_limit", pipeline="price_feed", stage="fetch", category="transient", count=12),
    Cause(name="cold_index", pipeline="price_feed", stage="fetch", category="transient", count=6),
    Cause(name="memory_limit", pipeline="mesh_sim", stage="mesh", category="resource", count=6),
    Cause(name="time_out", pipeline="mesh_sim", stage="solve", category="transient", count=6),
    Cause(name="divergence", pipeline="mesh_sim", stage="solve", category="tool_error", count=4),
)
SUCCEEDING = {"sales_report": 54, "archive_check": 30, "price_feed": 26, "mesh_sim": 22}
STOPPED = 4
SYMBOLS = {"rate_limit-7": 60, "rate_limit-8": 60, "rate_limit-9": 130}
FEW_SYMBOLS, MANY_SYMBOLS = 18, 40


def stage(number: int) -> Move:
    """Retry the failed stage in a round."""
    return Move(act="stage", round=number)


def batch(number: int) -> Move:
    """Retry the failed stage together with every other task that says so for that round."""
    return Move(act="batch", round=number, later=timedelta(minutes=95))


def whole(number: int, makes: str, *, of: str = "", link: bool = False) -> Move:
    """Retry the whole task in a round; the new task is called `makes` in later moves."""
    return Move(
        act="whole", round=number, of=of, makes=makes, copy_files=not link, later=timedelta(hours=2, minutes=25)
    )


TO_THE_LIMIT = (stage(1), stage(2), stage(3))
CHAIN = (whole(1, "a"), whole(2, "b", of="a", link=True), whole(3, "c", of="b"))
FORK = (whole(1, "a"), whole(2, "b", link=True))

STORIES: dict[str, tuple[Move, ...]] = {
    "missing_column-1": TO_THE_LIMIT,
    "missing_column-2": (*CHAIN, whole(4, "d", of="c", link=True)),
    "missing_column-3": (whole(1, "a", link=True),),
    "missing_column-4": (stage(1),),
    "missing_column-5": FORK,
    "malformed_row-1": TO_THE_LIMIT,
    "malformed_row-2": TO_THE_LIMIT,
    "malformed_row-3": (batch(1),),
    "malformed_row-4": (batch(1), stage(2)),
    "malformed_row-5": (batch(1),),
    "malformed_row-6": (whole(1, "a", link=True), whole(2, "b", of="a", link=True)),
    "reference_rows-1": (batch(1), batch(2), batch(3)),
    "reference_rows-2": (batch(1), batch(2), stage(3)),
    "reference_rows-3": (batch(1),),
    "reference_rows-4": (batch(1),),
    "reference_rows-5": (batch(1), whole(2, "a")),
    "reference_column-1": (whole(1, "a", link=True),),
    "reference_column-2": (stage(1), stage(2)),
    "mended_column-1": (stage(1), stage(2)),
    "mended_column-2": (stage(1), batch(2)),
    "mended_column-3": (batch(2),),
    "mended_column-4": (whole(1, "a"), whole(2, "b", of="a", link=True)),
    "mended_column-5": FORK,
    "mended_column-6": (stage(1), whole(3, "a")),
    "quality_gate-1": (stage(1),),
    "quality_gate-2": (whole(1, "a"),),
    "empty_export-1": (stage(1),),
    "lost_scan-1": TO_THE_LIMIT,
    "lost_scan-2": (whole(1, "a", link=True),),
    "lost_scan-3": (batch(1),),
    "exit_code-1": TO_THE_LIMIT,
    "exit_code-2": (whole(1, "a"), whole(2, "b", of="a", link=True)),
    "exit_code-3": (*FORK, whole(3, "c", of="a", link=True)),
    "exit_code-4": (batch(1),),
    "rate_limit-1": (stage(1),),
    "rate_limit-2": (stage(1),),
    "rate_limit-3": (batch(1),),
    "rate_limit-4": (batch(1),),
    "rate_limit-5": (whole(1, "a", link=True),),
    "rate_limit-7": (stage(1), stage(2)),
    "rate_limit-8": (stage(1),),
    "rate_limit-9": (*TO_THE_LIMIT, whole(4, "a"), whole(5, "b", of="a", link=True)),
    "cold_index-1": (stage(1),),
    "cold_index-2": (stage(1),),
    "cold_index-3": (batch(1),),
    "cold_index-4": (whole(1, "a"),),
    "memory_limit-1": TO_THE_LIMIT,
    "memory_limit-2": (whole(1, "a", link=True),),
    "memory_limit-3": (batch(1),),
    "time_out-1": (stage(1), stage(2)),
    "time_out-2": (whole(1, "a"),),
    "divergence-1": (stage(1),),
    "divergence-2": (whole(1, "a"), whole(2, "b", of="a", link=True)),
    "sales_report-3": (whole(1, "a"),),
    "archive_check-5": (whole(1, "a", link=True),),
    "stopped-2": (whole(1, "a"),),
}
# The oldest tasks: some have outlived their retention and lost their input files, others are about to.
EXPIRED = frozenset(
    {
        "missing_column-8",
        "malformed_row-9",
        "lost_scan-7",
        "exit_code-8",
        "exit_code-9",
        "divergence-4",
        "archive_check-30",
    }
)
DUE = frozenset({"reference_rows-9", "malformed_row-8", "exit_code-7", "memory_limit-6", "mesh_sim-22"})
# The newest tasks, at the top of every list: failures that nobody has touched yet, among some that went well.
FRESH = frozenset(
    {f"rate_limit-{number}" for number in (6, 10, 11, 12)}
    | {f"cold_index-{number}" for number in (5, 6)}
    | {"reference_rows-8", "reference_column-5", "malformed_row-7", "lost_scan-6", "time_out-6", "divergence-3"}
    | {f"{pipeline}-{number}" for pipeline in SUCCEEDING for number in (1, 2)}
)

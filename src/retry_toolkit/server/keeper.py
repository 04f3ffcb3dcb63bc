"""The thread that keeps tasks moving: starts what is due, takes over what dead processes left, mends what got lost."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from retry_toolkit.server.executors import Heartbeats, one_rescuer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from retry_toolkit.server.executors import ExecutorName
    from retry_toolkit.server.runs import Run, Runs
    from retry_toolkit.server.store import Store

log = logging.getLogger(__name__)

OUTBOX_S = 1.0
BEAT_S = 3.0
RESCUE_S = 3.0
MEND_S = 60.0
SWEEP_S = 3600.0
STARTS_A_ROUND = 100


@dataclass(frozen=True, slots=True)
class Executing:
    """A workflow that some process executes, or died over."""

    workflow_id: str
    executor: str


class Workflows(Protocol):
    """What the keeper needs of the workflow engine."""

    def enqueue(self, run: Run) -> None:
        """Make the workflow of a run; nothing happens if it exists."""

    def states(self, workflow_ids: Sequence[str]) -> dict[str, str]:
        """`waiting`, `executing` or `ended` of those workflows that exist."""

    def executing(self) -> list[Executing]:
        """Every workflow that some process executes."""

    def requeue(self, workflow_ids: Sequence[str]) -> None:
        """Let workflows be executed by whoever takes them next; whoever executes them now is too late."""

    def active(self) -> Collection[str]:
        """Workflows that this very process executes."""


class Keeper(threading.Thread):
    """Does each of its chores every so often, and the first at once when the bell rings.

    Args:
        store: Where runs are.
        runs: The engine's transactions.
        workflows: The workflow engine.
        executor: This process's name, or None if it executes nothing.
        sweep: Removes what retention no longer keeps.
    """

    def __init__(
        self,
        store: Store,
        runs: Runs,
        workflows: Workflows,
        executor: ExecutorName | None,
        *,
        sweep: Callable[[], object],
    ) -> None:
        super().__init__(name="retry-toolkit-keeper", daemon=True)
        self._store = store
        self._runs = runs
        self._workflows = workflows
        self._executor = executor
        self._heartbeats = Heartbeats(store)
        self._suspects: set[str] = set()
        self._bell = threading.Event()
        self._ended = threading.Event()
        self._chores: list[tuple[float, Callable[[], object]]] = [
            (OUTBOX_S, self.start_due),
            (MEND_S, self.mend),
            (SWEEP_S, sweep),
        ]
        if executor is not None:
            self._chores[:0] = [(BEAT_S, lambda: self._heartbeats.beat(executor.name)), (RESCUE_S, self.rescue)]

    def ring(self) -> None:
        """Start what is due now, not at the next round."""
        self._bell.set()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._ended.set()
        self._bell.set()
        self.join()

    def run(self) -> None:
        """Do the chores until stopped; a chore that fails is tried again in its next round."""
        due = [0.0] * len(self._chores)
        while not self._ended.is_set():
            rung = self._bell.is_set()
            self._bell.clear()
            for number, (every, chore) in enumerate(self._chores):
                if time.monotonic() >= due[number] or (rung and chore == self.start_due):
                    self._do(chore)
                    due[number] = time.monotonic() + every
            self._bell.wait(max(0.0, min(due) - time.monotonic()))

    def _do(self, chore: Callable[[], object]) -> None:
        try:
            chore()
        except Exception:
            log.exception("A chore of the platform failed; it is tried again.")

    def start_due(self) -> None:
        """Make the workflows of due runs (the outbox: their tasks are committed, their workflows may not be)."""
        due = self._runs.unstarted(limit=STARTS_A_ROUND)
        for run in due:
            self._workflows.enqueue(run)
            self._runs.started(run)
        if len(due) == STARTS_A_ROUND:
            self.ring()  # there may be more, but signs of life must not wait for them

    def rescue(self) -> None:
        """Hand on the workflows of processes that died, and of this one where it has lost them."""
        if self._lost(self._workflows.executing()):
            with one_rescuer(self._store):
                # Once more, alone: another process may have taken them over and be executing them by now.
                lost = self._lost(self._workflows.executing())
                if lost:
                    log.warning("Taking over %d interrupted tasks.", len(lost))
                    self._workflows.requeue(lost)

    def mend(self) -> None:
        """Make workflows that are missing, and fail runs whose workflow has ended without them."""
        runs = self._runs.unfinished()
        for start in range(0, len(runs), 200):
            some = runs[start : start + 200]
            states = self._workflows.states([run.workflow_id for run in some])
            for run in some:
                state = states.get(run.workflow_id)
                if state is None:
                    self._workflows.enqueue(run)
                    self._runs.started(run)
                elif state == "ended":
                    self._runs.give_up(run, "the platform could not carry this task on; its log says why")

    def _lost(self, executing: list[Executing]) -> list[str]:
        """Workflows that nobody executes although it looks so."""
        assert self._executor is not None  # noqa: S101 - only a process that executes rescues
        me, others = self._executor.name, {one.executor for one in executing}
        silent = self._heartbeats.silent(others - {me})
        dead = {name for name in others if name in silent or self._executor.is_dead(name)}
        mine = {one.workflow_id for one in executing if one.executor == me} - set(self._workflows.active())
        # A workflow that was just taken from the queue is not active yet: only what is lost twice is lost.
        lost_again, self._suspects = mine & self._suspects, mine
        return [one.workflow_id for one in executing if one.executor in dead or one.workflow_id in lost_again]

"""Running the demo's plan through the platform, round by round, and setting its clock back after each round."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retry_toolkit.errors import RetryToolkitError
from retry_toolkit.server import tables
from retry_toolkit.server.demo.clock import backdate, began
from retry_toolkit.server.demo.mending import FAULTS, mend_late, write_references
from retry_toolkit.server.demo.moves import Moves
from retry_toolkit.server.demo.places import demo_dir, read_json, write_text
from retry_toolkit.server.demo.plan import Case, demo_plan
from retry_toolkit.server.demo.stories import MENDED_BEFORE_ROUND, Move
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.ledger import UNFINISHED
from retry_toolkit.server.retention import sweep

if TYPE_CHECKING:
    from pathlib import Path

    from retry_toolkit.server.actions import Actions
    from retry_toolkit.server.demo.service import DemoService
    from retry_toolkit.server.store import Store
    from retry_toolkit.settings import Settings

Progress = Callable[[int, int], None]

POLL_S = 0.1
STUCK_S = 180.0


class DemoStuck(RetryToolkitError):
    """Demo tasks have not moved for minutes: nothing runs them."""

    advice = "Check that the platform runs tasks, then start it again: the demo goes on where it stopped."


class _Interrupted(Exception):
    """Somebody wants the seeding to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far the demo of a home directory is; `began` anchors the plan's times for good."""

    began: str
    rounds: int = 0
    finished: bool = False


def exists(settings: Settings) -> bool:
    """Whether this home directory has a demo, finished or not."""
    return _state_file(settings).exists()


def finished(settings: Settings) -> bool:
    """Whether this home directory has its whole demo."""
    return exists(settings) and _load(settings).finished


def seed(
    actions: Actions,
    store: Store,
    service: DemoService,
    settings: Settings,
    *,
    progress: Progress,
    plan: Sequence[Case] | None = None,
    stop: threading.Event | None = None,
) -> bool:
    """Run the demo's tasks, retry what its plan retries, and spread all of it over the past days.

    Goes on where an earlier call was interrupted, and does nothing once the demo is finished.

    Args:
        actions: What users can do; its engine must be running.
        store: The store behind the actions.
        service: The HTTP service that the price feed asks; must be running.
        settings: Settings of this process.
        progress: Called with how many of how many steps are done.
        plan: What to run instead of the whole demo.
        stop: Set it to interrupt the seeding.

    Returns:
        True when the demo is finished, False when it was interrupted.

    Raises:
        DemoStuck: Nothing runs the tasks.
    """
    state = _begin(settings)
    cases = plan or demo_plan(datetime.fromisoformat(state.began), retention_days=settings.retention_days)
    seeding = _Seeding(
        moves=Moves(actions, store, settings),
        store=store,
        service=service,
        settings=settings,
        cases=cases,
        progress=progress,
        stop=stop or threading.Event(),
    )
    try:
        seeding.run(state)
    except _Interrupted:
        return False
    return True


def _state_file(settings: Settings) -> Path:
    return demo_dir(settings.home) / "seeding.json"


def _begin(settings: Settings) -> State:
    """The state of the seeding; the first call of a home directory writes the reference files, faults and all."""
    if not exists(settings):
        write_references(settings.home, broken=tuple(FAULTS))
        _save(settings, State(began=datetime.now(UTC).isoformat()))
    return _load(settings)


def _load(settings: Settings) -> State:
    return State(**read_json(_state_file(settings)))


def _save(settings: Settings, state: State) -> None:
    write_text(_state_file(settings), json.dumps(asdict(state)))


class _Seeding:
    """One call of `seed`."""

    def __init__(
        self,
        *,
        moves: Moves,
        store: Store,
        service: DemoService,
        settings: Settings,
        cases: Sequence[Case],
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self._moves = moves
        self._store = store
        self._service = service
        self._settings = settings
        self._cases = cases
        self._progress = progress
        self._stop = stop
        self._rounds = 1 + max((move.round for case in cases for move in case.moves), default=0)
        self._done = 0

    def run(self, state: State) -> None:
        """Play every round that is not over yet, then let retention remove the oldest input files."""
        self._advance(sum(self._steps(number) for number in range(state.rounds)))
        for number in range(state.rounds, self._rounds):
            self._play(number)
            self._set_back(number, since=datetime.fromisoformat(state.began))
            state = replace(state, rounds=number + 1)
            _save(self._settings, state)
        if not state.finished:
            sweep(self._store, TaskFiles(self._settings))
            _save(self._settings, replace(state, finished=True))

    def _in_round(self, number: int) -> list[tuple[Case, Move]]:
        return [(case, move) for case in self._cases for move in case.moves if move.round == number]

    def _steps(self, number: int) -> int:
        """Tasks that a round waits for."""
        return len(self._in_round(number)) if number else len(self._cases)

    def _advance(self, steps: int) -> None:
        self._done += steps
        self._progress(self._done, sum(self._steps(number) for number in range(self._rounds)))

    def _play(self, number: int) -> None:
        """Start what a round starts, never much more at a time than can run, and wait until all of it has ended."""
        if number == MENDED_BEFORE_ROUND:
            mend_late(self._settings.home)
        asking = [case.params for case, _ in self._in_round(number) if case.pipeline == "price_feed"]
        self._wait_for(lambda: all(self._service.has_settled(one["account"], one.get("history")) for one in asking))
        running: list[str] = []
        starts = self._moves.make(number, self._in_round(number)) if number else self._submissions()
        for task_id in starts:
            if task_id:
                running.append(task_id)
            else:
                self._advance(1)
            self._drain(running, 2 * self._settings.concurrency + 2)
        self._drain(running, 0)

    def _submissions(self) -> Iterator[str]:
        for case in self._cases:
            task_id = self._moves.submit(case)
            for move in case.moves:
                if move.act == "stop":
                    self._wait_for_start(task_id)
                if move.round == 0:
                    self._moves.cancel(case, task_id)
            yield task_id

    def _wait_for_start(self, task_id: str) -> None:
        self._wait_for(lambda: (task := self._store.task(task_id)) is None or task.status != "pending")

    def _drain(self, running: list[str], most: int) -> None:
        """Wait until at most so many tasks run."""
        while len(running) > most:
            self._wait_for(lambda: len(self._unfinished(running)) < len(running))
            left = self._unfinished(running)
            self._advance(len(running) - len(left))
            running[:] = left

    def _unfinished(self, task_ids: Sequence[str]) -> list[str]:
        """Those of some tasks that wait or run; a task that a visitor has deleted does neither."""
        tasks = tables.tasks
        asked = sa.select(tasks.c.id).where(tasks.c.id.in_(task_ids), tasks.c.status.in_(UNFINISHED))
        with self._store.database.reading() as connection:
            return list(connection.execute(asked).scalars())

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STUCK_S
        while not condition():
            if self._stop.wait(POLL_S):
                raise _Interrupted
            if time.monotonic() > deadline:
                raise DemoStuck(f"No demo task has ended for {STUCK_S:.0f} s.")

    def _set_back(self, number: int, *, since: datetime) -> None:
        """Move what this round has done to when the plan says that it was done."""
        if number == 0:
            for case in self._cases:
                self._set_back_to(case.created, self._moves.task_id(case), since)
        for case, move in self._in_round(number):
            self._set_back_to(case.at(move), self._moves.task_id(case, move.makes or move.of), since)

    def _set_back_to(self, then: datetime, task_id: str | None, since: datetime) -> None:
        now = began(self._store, task_id, since=since) if task_id else None
        if task_id and now:
            backdate(self._store, task_id, now - then, since=since)

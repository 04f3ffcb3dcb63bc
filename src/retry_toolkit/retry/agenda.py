"""What a batch does next. Pure: it is told the time and what became of each step, and says which steps may begin."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count

from retry_toolkit.retry.classify import Verdict
from retry_toolkit.retry.policy import Canary, Group, Pace, Rows, Ruling, Timing
from retry_toolkit.retry.states import FINAL, State


@dataclass(frozen=True, slots=True)
class Send:
    """Look at these once more, then send them, together where the platform can."""

    op_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """Read an unclear item back; with `call_off`, ask the platform never to act on it if it has not."""

    op_id: str
    call_off: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """See whether an accepted item has ended."""

    op_id: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Never send these."""

    op_ids: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Never send anything more."""

    reason: str


Step = Send | Look | Watch | Skip | Stop


class Agenda:
    """The open items of a batch, and when something is to be done about each.

    Every step that `steps` returns ends with one `hear` for each of its items, except `Stop`, of which `stopped` tells.

    Args:
        canary: Which items may go first.
        rows: When to stop.
        pace: How many writes at a time.
        timing: Waits and numbers of tries.
        chunk: Most items of one `Send`.
        readers: Reads at a time.
    """

    def __init__(
        self, *, canary: Canary, rows: Rows, pace: Pace, timing: Timing, chunk: int = 1, readers: int = 4
    ) -> None:
        self._canary = canary
        self._rows = rows
        self._pace = pace
        self._timing = timing
        self._chunk = chunk
        self._readers = readers
        self._states: dict[str, State] = {}
        self._ready: deque[str] = deque()
        self._due: list[tuple[float, int, str]] = []
        self._entries: dict[str, int] = {}
        self._order = count()
        self._tries: dict[str, int] = {}
        self._reads: dict[str, int] = {}
        self._misses: dict[str, int] = {}
        self._calls: dict[str, _Call] = {}
        self._writing = 0
        self._reading: set[str] = set()
        self._pending: deque[Step] = deque()
        self._watched = 0
        self._paused = False
        self._stop_reason: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing more is to come."""
        return not self._states and not self._pending

    @property
    def idle(self) -> bool:
        """Whether no step is under way."""
        return not self._writing and not self._reading

    def add(self, op_id: str, state: State, group: Group, now: float, fingerprint: Group = None) -> None:
        """An item as the journal has it, before `start`; `fingerprint` is of its new error where it failed again."""
        if state == "SKIPPED":
            return
        if state == "PLANNED":
            self._states[op_id] = state
            self._canary.add(op_id, group)
            return
        self._canary.note_sent(op_id, group)
        if state in FINAL and state != "NOT_SENT":
            self._rule(self._canary.hear(op_id, state, fingerprint))
            return
        self._states[op_id] = state
        self._watched += state == "ACCEPTED"
        self._schedule(op_id, now)

    def start(self) -> None:
        """Let the first items go."""
        self._rule(self._canary.start())

    def pause(self) -> None:
        """Begin no more writes."""
        self._paused = True

    def go_on(self) -> None:
        """Begin writes again."""
        self._paused = False
        self._stop_reason = None

    def revisit(self, op_id: str, state: State, now: float) -> None:
        """An item that a person wants looked at again, has resolved, or wants sent again."""
        self._reads[op_id] = self._misses[op_id] = self._tries[op_id] = 0
        if op_id in self._reading or op_id in self._calls:
            # The step that is under way will tell.
            return
        before = self._states.pop(op_id, None)
        self._watched += (state == "ACCEPTED") - (before == "ACCEPTED")
        self._entries.pop(op_id, None)
        if state in FINAL:
            return
        self._states[op_id] = state
        if state == "PLANNED":
            self._ready.append(op_id)
        else:
            self._schedule(op_id, now)

    def stop(self, reason: str) -> None:
        """Begin no more writes for good; what is under way, unclear or accepted goes on."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._pending.append(Stop(reason))

    def stopped(self) -> None:
        """The journal will let nothing of this batch be sent any more: what was not sent is over."""
        for op_id in [*self._ready, *self._canary.take_waiting(), *(op_id for *_, op_id in self._due)]:
            if self._states.get(op_id) in {"PLANNED", "NOT_SENT"}:
                self._states.pop(op_id)
        self._ready.clear()

    def steps(self, now: float) -> list[Step]:
        """Steps that may begin now; they are under way from here on."""
        begun = list(self._pending)
        self._pending.clear()
        begun.extend(self._due_reads(now))
        begun.extend(self._writes(now))
        return begun

    def wake_at(self, now: float) -> float | None:
        """When to ask for steps again if nothing is heard until then, or None."""
        times = [self._due[0][0]] if self._due and len(self._reading) < self._readers else []
        held = self._pace.held_until(now)
        if held is not None and self._may_write():
            times.append(held)
        return min(times, default=None)

    def hear(self, op_id: str, verdict: Verdict, now: float) -> None:
        """What became of one item in the step that it was in."""
        call = self._end(op_id)
        if call is not None:
            self._learn(call, verdict, now)
        before = self._states.get(op_id)
        if before is None:
            return
        self._watched += (verdict.state == "ACCEPTED") - (before == "ACCEPTED")
        self._states[op_id] = verdict.state
        if verdict.state in {"PLANNED", "NOT_SENT"}:
            self._try_again(op_id, verdict, now)
        elif verdict.state in FINAL:
            self._over(op_id, verdict.fingerprint)
        else:
            self._look_again(op_id, now, begins=before != verdict.state, missed=verdict.again)

    def _look_again(self, op_id: str, now: float, *, begins: bool, missed: bool) -> None:
        """Read an unclear or accepted item again later; reads that failed count apart."""
        if begins:
            self._reads[op_id] = 0
        self._misses[op_id] = self._misses.get(op_id, 0) + 1 if missed and not begins else 0
        if missed and not begins:
            self._reads[op_id] -= 1
        unclear = self._states[op_id] == "UNKNOWN"
        if self._misses[op_id] > self._timing.misses or (unclear and self._reads[op_id] >= self._timing.looks):
            self._over(op_id, None)
        else:
            self._schedule(op_id, now)

    def _end(self, op_id: str) -> _Call | None:
        """End the step of an item; the call if it was a write."""
        self._reading.discard(op_id)
        call = self._calls.pop(op_id, None)
        if call is not None:
            call.left -= 1
            self._writing -= call.left == 0
        return call

    def _learn(self, call: _Call, verdict: Verdict, now: float) -> None:
        """Take one answer to a write into account; that of a lost batch call counts once."""
        if verdict.state == "UNKNOWN" and call.unclear:
            return
        call.unclear = call.unclear or verdict.state == "UNKNOWN"
        self._pace.hear(verdict.state, now, busy=verdict.busy, wait_s=verdict.wait_s)
        reason = self._rows.hear(verdict.state)
        if reason is not None:
            self.stop(reason)

    def _try_again(self, op_id: str, verdict: Verdict, now: float) -> None:
        tries = self._tries.get(op_id, 0)
        if verdict.state == "PLANNED" and not verdict.again and self._stop_reason is None:
            self._ready.appendleft(op_id)
        elif verdict.again and tries <= self._timing.resends and self._stop_reason is None:
            self._push(now + self._timing.resend_in(max(tries, 1)), op_id)
        elif verdict.state == "PLANNED":
            self._pending.append(Skip((op_id,), self._stop_reason or verdict.reason))
        else:
            self._over(op_id, None)

    def _over(self, op_id: str, fingerprint: Group) -> None:
        state = self._states.pop(op_id)
        self._rule(self._canary.hear(op_id, state, fingerprint))

    def _rule(self, ruling: Ruling) -> None:
        self._ready.extend(ruling.go)
        if ruling.stop:
            self._pending.append(Skip(ruling.stop, ruling.reason))

    def _schedule(self, op_id: str, now: float) -> None:
        reads = self._reads.get(op_id, 0) + self._misses.get(op_id, 0)
        match self._states[op_id]:
            case "UNKNOWN":
                wait = self._timing.look_in(reads)
            case "ACCEPTED":
                wait = self._timing.watch_in(reads, self._watched)
            case _:
                wait = 0.0
        self._push(now + wait, op_id)

    def _push(self, due: float, op_id: str) -> None:
        self._entries[op_id] = entry = next(self._order)
        heapq.heappush(self._due, (due, entry, op_id))

    def _due_reads(self, now: float) -> Iterator[Step]:
        """Read-backs and watches that are due; what is due to be sent again joins the others."""
        while self._due and self._due[0][0] <= now and len(self._reading) < self._readers:
            _, entry, op_id = heapq.heappop(self._due)
            if self._entries.get(op_id) != entry:
                continue
            match self._states.get(op_id):
                case "UNKNOWN":
                    yield self._read(op_id, Look(op_id, self._reads.get(op_id, 0) + 1 >= self._timing.call_off_at))
                case "ACCEPTED":
                    yield self._read(op_id, Watch(op_id))
                case "PLANNED" | "NOT_SENT":
                    self._ready.append(op_id)

    def _read(self, op_id: str, step: Step) -> Step:
        self._reading.add(op_id)
        self._reads[op_id] = self._reads.get(op_id, 0) + 1
        return step

    def _may_write(self) -> bool:
        return bool(self._ready) and not self._paused and self._stop_reason is None

    def _writes(self, now: float) -> Iterator[Step]:
        while self._may_write() and self._writing < self._pace.limit and self._pace.held_until(now) is None:
            share = -(-len(self._ready) // self._pace.limit)
            op_ids = tuple(self._ready.popleft() for _ in range(min(self._chunk, share)))
            self._begin(op_ids)
            yield Send(op_ids)

    def _begin(self, op_ids: Iterable[str]) -> None:
        together = tuple(op_ids)
        call = _Call(len(together))
        self._writing += 1
        for op_id in together:
            self._calls[op_id] = call
            self._tries[op_id] = self._tries.get(op_id, 0) + 1


@dataclass(slots=True)
class _Call:
    """One `Send` that is under way: how many of its items have not been heard of, and whether an answer was unclear."""

    left: int
    unclear: bool = False

"""How boldly a batch sends: canaries, when to stop, how many at a time. Pure objects that are told outcomes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from retry_toolkit.retry.reasons import say
from retry_toolkit.retry.states import State

Group = str | None
"""A fingerprint: items of one are one cause. None is the group of the items whose error is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """After how many answers of a kind in a row nothing more is sent; None for never. An accepted retry breaks a row.

    Attributes:
        unknown: Writes without a clear answer. A lost answer to a batch call counts once.
        refused: Items that the platform refused.
        not_sent: Writes that could not be sent.
    """

    unknown: int | None = 5
    refused: int | None = 20
    not_sent: int | None = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Waits, in seconds, and how often something is tried.

    Attributes:
        confirm_after_s: Waits before each look by which an answer is confirmed that is not believed at once.
        resend_first_s, resends: What was provably not sent goes again so many times, after a doubling wait.
        look_first_s, look_longest_s, looks: Read-backs of what is unclear, at doubling intervals.
        misses: Reads of one item that may fail one after the other before it is left as it is.
        call_off_at: Read-back from which on a platform that can is asked never to act on it: late enough for one
            that is still copying files.
        watch_first_s, watch_longest_s: Reads of what was accepted, at intervals that grow by half.
        watches_per_s: Most such reads a second over the whole batch.
        hold_first_s, hold_longest_s: Waits before the next write when the platform is busy or away; `Retry-After`
            counts up to the longest.
    """

    confirm_after_s: tuple[float, ...] = (0.0, 0.2, 0.8)
    resend_first_s: float = 1.0
    resends: int = 4
    look_first_s: float = 0.5
    look_longest_s: float = 60.0
    looks: int = 9
    misses: int = 60
    call_off_at: int = 8
    watch_first_s: float = 0.5
    watch_longest_s: float = 20.0
    watches_per_s: float = 100.0
    hold_first_s: float = 0.5
    hold_longest_s: float = 60.0

    def resend_in(self, tries: int) -> float:
        """Seconds before what was tried so often is sent again."""
        return self.resend_first_s * 2.0 ** (tries - 1)

    def look_in(self, looks: int) -> float:
        """Seconds before the next read-back, after so many."""
        return min(self.look_longest_s, self.look_first_s * 2.0**looks)

    def watch_in(self, watches: int, watched: int) -> float:
        """Seconds before the next look at an accepted item, after so many, when so many items are watched."""
        grown = min(self.watch_longest_s, self.watch_first_s * 1.5 ** min(watches, 30))
        return max(grown, watched / self.watches_per_s)


STOP_RULE = StopRule()
TIMING = Timing()


class Rows:
    """Counts answers of a kind in a row, and says when the rule is met."""

    def __init__(self, rule: StopRule) -> None:
        self._limits = {"UNKNOWN": rule.unknown, "REJECTED": rule.refused, "NOT_SENT": rule.not_sent}
        self._counts = dict.fromkeys(self._limits, 0)

    def hear(self, state: State) -> str | None:
        """Count one answer; the reason to stop, once the rule is met."""
        if state == "ACCEPTED":
            self._counts = dict.fromkeys(self._counts, 0)
        if state not in self._counts:
            return None
        self._counts[state] += 1
        limit = self._limits[state]
        if limit is None or self._counts[state] < limit:
            return None
        return say(_SAYINGS[state], count=self._counts[state])


_SAYINGS = {
    "UNKNOWN": "stopped_unclear",
    "REJECTED": "stopped_refused",
    "NOT_SENT": "stopped_away",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the canaries allow: items that may go now, and items that must not go, with the reason."""

    go: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    reason: str = ""


@dataclass(slots=True)
class _Flock:
    """One group: what waits, what is out, and how many more canaries must come back well."""

    needed: int
    waiting: deque[str] = field(default_factory=deque)
    out: set[str] = field(default_factory=set)


class Canary:
    """Lets the first items of each group go ahead; the rest of the group follows when they came back well.

    A canary that fails with its group's own fingerprint stops the group. One that tells nothing (refused, unclear,
    cancelled) is replaced by the next of its group. With `size` 0 everything may go at once.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._flocks: dict[Group, _Flock] = {}
        self._groups: dict[str, Group] = {}

    def add(self, op_id: str, group: Group) -> None:
        """An item that is still to be sent."""
        flock = self._flock(op_id, group)
        flock.waiting.append(op_id)

    def note_sent(self, op_id: str, group: Group) -> None:
        """An item that was sent already, by a process before this one."""
        self._flock(op_id, group).out.add(op_id)

    def start(self) -> Ruling:
        """What may go first."""
        return Ruling(go=tuple(op_id for flock in self._flocks.values() for op_id in self._next(flock)))

    def hear(self, op_id: str, state: State, fingerprint: Group = None) -> Ruling:
        """What the end of an item means for the rest of its group; `fingerprint` is that of its new error."""
        group = self._groups.get(op_id)
        flock = self._flocks.get(group)
        if flock is None or op_id not in flock.out:
            return Ruling()
        flock.out.discard(op_id)
        if state == "FAILED_AGAIN" and fingerprint == group and self._size:
            return self._stop(flock)
        if state in {"SUCCEEDED", "FAILED_AGAIN"}:
            flock.needed = max(0, flock.needed - 1)
        return Ruling(go=tuple(self._next(flock)))

    def take_waiting(self) -> tuple[str, ...]:
        """Everything that still waits; it waits no longer."""
        return tuple(op_id for flock in self._flocks.values() for op_id in _drain(flock.waiting))

    def _flock(self, op_id: str, group: Group) -> _Flock:
        self._groups[op_id] = group
        return self._flocks.setdefault(group, _Flock(needed=self._size))

    @staticmethod
    def _next(flock: _Flock) -> Iterable[str]:
        """Canaries up to the number that is still needed; everything once none is."""
        free = flock.needed - len(flock.out) if flock.needed else len(flock.waiting)
        going = [flock.waiting.popleft() for _ in range(min(max(free, 0), len(flock.waiting)))]
        flock.out.update(going)
        return going

    @staticmethod
    def _stop(flock: _Flock) -> Ruling:
        return Ruling(stop=tuple(_drain(flock.waiting)), reason=say("stopped_canary"))


def _drain(waiting: deque[str]) -> list[str]:
    taken = list(waiting)
    waiting.clear()
    return taken


class Pace:
    """How many writes may be under way: fewer when the platform is busy, slowly more when it answers well.

    Args:
        most: Never more than this.
        timing: How long to hold still.
    """

    def __init__(self, most: int, timing: Timing) -> None:
        self._most = most
        self._timing = timing
        self._limit = most
        self._well = 0
        self._troubles = 0
        self._held_until = 0.0

    @property
    def limit(self) -> int:
        """Writes that may be under way at a time."""
        return self._limit

    def held_until(self, now: float) -> float | None:
        """When the next write may begin, or None when it may now."""
        return self._held_until if self._held_until > now else None

    def hear(self, state: State, now: float, *, busy: bool = False, wait_s: float | None = None) -> None:
        """Learn from one write."""
        if busy or state == "NOT_SENT":
            self._slow_down(now, wait_s)
        elif state in {"ACCEPTED", "REJECTED"}:
            self._speed_up()

    def _slow_down(self, now: float, wait_s: float | None) -> None:
        # Answers to writes that were under way together are one trouble, not many.
        if self._held_until <= now:
            self._troubles += 1
            self._limit = max(1, self._limit // 2)
        self._well = 0
        wait = self._timing.hold_first_s * 2.0 ** min(self._troubles - 1, 20) if wait_s is None else wait_s
        self._held_until = max(self._held_until, now + min(wait, self._timing.hold_longest_s))

    def _speed_up(self) -> None:
        self._troubles = 0
        self._well += 1
        if self._well >= self._limit and self._limit < self._most:
            self._limit += 1
            self._well = 0

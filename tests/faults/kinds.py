"""The faults of a storm: what can go wrong between a client and a platform, when it does, and what is answered then.

Shared by the proxy (real sockets) and the wire (in process), so that both break the same things in the same way.
"""

from __future__ import annotations

import json
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal[
    "refuse",
    "reset_before",
    "reset_after",
    "late_request",
    "late_answer",
    "truncate",
    "duplicate",
    "html",
    "wrong_id",
    "empty",
    "408_before",
    "408_after",
    "429_before",
    "429_after",
    "500_before",
    "500_after",
    "502_before",
    "502_after",
    "503_before",
    "503_after",
    "504_before",
    "504_after",
]
"""`late_request` reaches the platform after the client gave up; `late_answer` is its answer that comes after that.

`_before` and `_after`: whether the platform is asked before somebody answers with that status. `html`, `wrong_id` and
`empty` are answers with 200, and come both with and without the platform having been asked.
"""

KINDS: tuple[Kind, ...] = get_args(Kind)
ARRIVING: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "refuse")
"""What something between client and platform can do: a refused connection never reaches it."""

_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it goes over the wire; `target` is its path with the query."""

    method: str
    target: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.method not in {"GET", "HEAD"}

    @property
    def parts(self) -> tuple[str, ...]:
        """Segments of the path below `/api/v1` or `/api`."""
        path = self.target.partition("?")[0].strip("/").split("/")
        below = path[1:] if path[:1] == ["api"] else path
        return tuple(below[1:] if below[:1] == ["v1"] else below)

    @property
    def shape(self) -> str:
        """What it asks for, whoever it is about: two calls of one shape get the same kind of answer."""
        ids_out = (part for place, part in enumerate(self.parts) if place != 1 or part == "retry-batch")
        return f"{self.method} {'/'.join(ids_out)} {len(self.parts)}"

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One complete answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: `asked` says whether the platform gets the request, `where` and `coin` (0 to 1) choose a variant."""

    kind: Kind
    asked: bool
    where: float
    coin: float


class Schedule:
    """Decides which request meets which fault, from a seed; counts what fired.

    What a request meets depends on the seed, on the request and on how often it was made before, and not on the order
    in which threads come along: a storm of the same seed is the same storm.

    Args:
        seed: Of everything.
        writes: Share of the writes that meet a fault.
        reads: Share of the reads.
        kinds: The faults to choose from.
    """

    def __init__(self, seed: int, *, writes: float, reads: float, kinds: Iterable[Kind] = KINDS) -> None:
        self.seed = seed
        self.fired: Counter[Kind] = Counter()
        self._shares = {True: writes, False: reads}
        self._kinds = tuple(kinds)
        self._seen: defaultdict[tuple[str, str, bytes], int] = defaultdict(int)
        self._lock = threading.Lock()
        self._paused = False

    def __repr__(self) -> str:
        return f"Schedule(seed={self.seed})"

    def draw(self, call: Call) -> Fault | None:
        """The fault that this request meets, or None."""
        name = (call.method, call.target, call.body)
        with self._lock:
            self._seen[name] += 1
            chance = random.Random(f"{self.seed} {self._seen[name]} {name}")
            if self._paused or chance.random() >= self._shares[call.writes]:
                return None
            fault = self._choose(chance)
            self.fired[fault.kind] += 1
            return fault

    def pause(self) -> None:
        """From now on nothing goes wrong."""
        with self._lock:
            self._paused = True

    def go_on(self) -> None:
        """From now on things go wrong again."""
        with self._lock:
            self._paused = False

    def _choose(self, chance: random.Random) -> Fault:
        kind = chance.choice(self._kinds)
        asked = chance.random() < 0.5 if kind in {"html", "wrong_id", "empty"} else not kind.endswith("_before")
        return Fault(kind=kind, asked=asked and kind != "refuse", where=chance.random(), coin=chance.random())


class Spoiler:
    """Makes the answers that lie; remembers true ones, for an answer about something else is most like the truth."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[str, Reply]] = {}
        self._lock = threading.Lock()

    def note(self, call: Call, reply: Reply) -> None:
        """Remember an answer that a platform gave."""
        if reply.status // 100 == 2:
            with self._lock:
                self._latest[call.shape] = (call.target, reply)

    def spoil(self, fault: Fault, call: Call) -> Reply:
        """What is answered in place of what the platform said, if it was asked at all."""
        match fault.kind:
            case "html":
                return Reply(status=200, body=_HTML, headers={"content-type": "text/html; charset=utf-8"})
            case "empty":
                return Reply(status=200 if fault.coin < 0.5 else 204, body=b"")
            case "wrong_id":
                return self._mixed_up(call)
            case kind:
                return _failure(int(kind[:3]), fault.coin)

    def _mixed_up(self, call: Call) -> Reply:
        with self._lock:
            target, reply = self._latest.get(call.shape, (call.target, None))
        if reply is not None and target != call.target:
            return reply
        stranger = {"id": "stranger", "task_id": "stranger", "original_task_id": "stranger", "new_task_id": "newcomer"}
        fields = {"status": "pending", "stages": [], "items": [], "total": 0, "succeeded": 0, "failed": 0}
        return Reply(status=200, body=json.dumps(stranger | fields).encode())


def _failure(status: int, coin: float) -> Reply:
    """An error by the platform itself (JSON) or by something before it (a page), with or without `Retry-After`."""
    headers = {"retry-after": "0"} if coin < 0.3 else {}
    if coin < 0.6:
        body = json.dumps({"detail": f"storm {status}"}).encode()
        return Reply(status=status, body=body, headers={"content-type": "application/json"} | headers)
    page = f"<html><body><h1>{status}</h1></body></html>".encode()
    return Reply(status=status, body=page, headers={"content-type": "text/html"} | headers)


def tasks_written(call: Call) -> tuple[str, ...]:
    """The tasks that a request asks to retry; none for every other request."""
    match call.method, call.parts:
        case "POST", ("tasks", "retry-batch"):
            return tuple(call.json().get("task_ids", ()))
        case "POST", ("tasks", task_id, "retry-from-stage" | "retry"):
            return (task_id,)
        case _:
            return ()

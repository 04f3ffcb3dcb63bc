"""The faults of a storm in process: what carries a client's requests to a handler without any socket."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from itertools import count

import httpx

from tests.faults.kinds import Call, Fault, Reply, Schedule, Spoiler

Handler = Callable[[Call], Reply]
LONGEST_LAG = 200
"""Most other requests that may overtake a late one."""


class FaultyWire(httpx.BaseTransport):
    """Carries requests to a handler, and breaks them on a schedule; may be used from several threads.

    Time is counted in requests: a late request arrives when some others have passed.

    Attributes:
        arrived: Every write that left the client, in order; refused connections are none.
    """

    def __init__(self, handler: Handler, schedule: Schedule) -> None:
        self._handler = handler
        self._schedule = schedule
        self._spoiler = Spoiler()
        self._late: list[tuple[int, int, Call]] = []
        self._lock = threading.Lock()
        self._ticks = count()
        self._order = count()
        self.arrived: list[Call] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, or what becomes of it."""
        call = _call(request)
        self._deliver_late(next(self._ticks))
        fault = self._schedule.draw(call)
        if fault is not None and fault.kind == "refuse":
            raise httpx.ConnectError("[Errno 111] Connection refused", request=request)
        if call.writes:
            self.arrived.append(call)
        return _response(self._ask(call)) if fault is None else self._break(fault, call, request)

    def settle(self) -> None:
        """Deliver whatever is still on its way."""
        self._deliver_late(None)

    def _break(self, fault: Fault, call: Call, request: httpx.Request) -> httpx.Response:
        match fault.kind:
            case "reset_before":
                raise httpx.WriteError("[Errno 104] Connection reset by peer", request=request)
            case "reset_after":
                self._ask(call)
                raise httpx.ReadError("[Errno 104] Connection reset by peer", request=request)
            case "late_request":
                self._send_late(call, fault)
                raise httpx.ReadTimeout("timed out", request=request)
            case "late_answer":
                self._ask(call)
                raise httpx.ReadTimeout("timed out", request=request)
            case "truncate":
                return _cut(self._ask(call), fault, request)
            case "duplicate":
                first, second = self._ask(call), self._ask(call)
                return _response(first if fault.coin < 0.5 else second)
            case _:
                if fault.asked:
                    self._ask(call)
                return _response(self._spoiler.spoil(fault, call))

    def _ask(self, call: Call) -> Reply:
        reply = self._handler(call)
        self._spoiler.note(call, reply)
        return reply

    def _send_late(self, call: Call, fault: Fault) -> None:
        with self._lock:
            due = next(self._ticks) + 1 + int(fault.where * LONGEST_LAG)
            heapq.heappush(self._late, (due, next(self._order), call))

    def _deliver_late(self, tick: int | None) -> None:
        """Deliver what is due at that tick; None for everything."""
        while True:
            with self._lock:
                if not self._late or (tick is not None and self._late[0][0] > tick):
                    return
                call = heapq.heappop(self._late)[2]
            self._ask(call)


class _Torn(httpx.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, part: bytes, request: httpx.Request) -> None:
        self._part = part
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        yield self._part
        raise httpx.RemoteProtocolError("peer closed connection without sending all of the body", request=self._request)


def _call(request: httpx.Request) -> Call:
    headers = {name.lower(): value for name, value in request.headers.items()}
    target = request.url.raw_path.decode("ascii")
    return Call(method=request.method, target=target, body=request.read(), headers=headers)


def _response(reply: Reply) -> httpx.Response:
    return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body)


def _cut(reply: Reply, fault: Fault, request: httpx.Request) -> httpx.Response:
    """An answer that ends in its head, in its announced body, or in a body whose length nobody announced."""
    if fault.where < 0.2:
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
    part = reply.body[: int((fault.where - 0.2) / 0.8 * len(reply.body))]
    if fault.coin < 0.5:
        return httpx.Response(reply.status, headers=dict(reply.headers), content=part)
    return httpx.Response(reply.status, headers=dict(reply.headers), stream=_Torn(part, request))

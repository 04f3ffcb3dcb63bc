"""A proxy on a real loopback socket that breaks what passes through it, on a schedule."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, Self

import httpx

from tests.faults.kinds import Call, Fault, Reply, Schedule, Spoiler

PATIENCE_S = 10.0
_RST = struct.pack("ii", 1, 0)


class FaultProxy:
    """Stands between a client and a platform; a context manager with a thread and an event loop of its own.

    One request a connection. Each goes to the platform on a connection of its own, so nothing here is ever repeated
    but what the schedule repeats on purpose.

    Args:
        upstream: Address of the platform, such as `http://127.0.0.1:8642`.
        schedule: What goes wrong, of the kinds in `ARRIVING`.
        lag_s: Longest time that a late request or a second delivery stays on its way after the client gave up.
        writes_through: Lets only so many writes through until `open_gate`; the others arrive then, though their client
            may be gone.

    Attributes:
        arrived: Every write that came in whole, in order: what left the client's machine.
    """

    def __init__(
        self, upstream: str, schedule: Schedule, *, lag_s: float = 0.2, writes_through: int | None = None
    ) -> None:
        url = httpx.URL(upstream)
        self._upstream = (url.host, url.port or 80)
        self._schedule = schedule
        self._lag_s = lag_s
        self._spoiler = Spoiler()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._under_way: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server
        self._writes_through = writes_through
        self._gate = asyncio.Event()
        self.arrived: list[Call] = []
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def settle(self) -> None:
        """Return when nothing is on its way any more, in either direction."""
        self._run(self._settled())

    def open_gate(self) -> None:
        """Let every write through, those that are held first."""
        self._loop.call_soon_threadsafe(self._gate.set)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(3 * PATIENCE_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        self._server.close()
        self._gate.set()  # a story that failed before it opened the gate must not wait for ever
        await self._settled()

    async def _settled(self) -> None:
        while pending := self._under_way - {asyncio.current_task()}:
            await asyncio.wait(pending, timeout=PATIENCE_S)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away, or the platform did: there is nobody to tell
        finally:
            writer.close()
            self._under_way.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = await _read_call(reader)
        if call.writes:
            self.arrived.append(call)
            if self._writes_through is not None and len(self.arrived) > self._writes_through:
                await self._gate.wait()
        fault = self._schedule.draw(call)
        if fault is None:
            writer.write(_wrapped(await self._ask(call)))
        else:
            await self._break(fault, call, reader, writer)
        if not writer.transport.is_closing():
            await writer.drain()

    async def _break(
        self, fault: Fault, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        match fault.kind:
            case "reset_before":
                _reset(writer)
            case "reset_after":
                await self._ask(call)
                _reset(writer)
            case "late_request":
                await _given_up(reader)
                await asyncio.sleep(fault.where * self._lag_s)
                await self._ask(call)
            case "late_answer":
                answer = _wrapped(await self._ask(call))
                await _given_up(reader)
                writer.write(answer)
            case "truncate":
                _write_part(writer, await self._ask(call), fault)
            case "duplicate":
                writer.write(_wrapped(await self._ask_twice(fault, call)))
            case _:
                if fault.asked:
                    await self._ask(call)
                writer.write(_wrapped(self._spoiler.spoil(fault, call)))

    async def _ask_twice(self, fault: Fault, call: Call) -> Reply:
        """Deliver a request twice (at once, one after the other, or with a pause); answer with either answer."""
        if fault.coin < 0.3:
            return (await asyncio.gather(self._ask(call), self._ask(call)))[1]
        first = await self._ask(call)
        if fault.coin < 0.6:
            return await self._ask(call)
        again = asyncio.create_task(self._ask_later(call, fault.where * self._lag_s))
        self._under_way.add(again)
        again.add_done_callback(self._under_way.discard)
        return first

    async def _ask_later(self, call: Call, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._ask(call)

    async def _ask(self, call: Call) -> Reply:
        """The platform's answer."""
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(_head(f"{call.method} {call.target} HTTP/1.1", call.headers, call.body))
            raw = await reader.read()
        finally:
            writer.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        reply = Reply(status=int(first.split(" ")[1]), body=body, headers=_headers(lines))
        self._spoiler.note(call, reply)
        return reply


class ClosedDoor(httpx.HTTPTransport):
    """The network, but for connections that the schedule wants refused: those go where really nobody listens."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(limits=httpx.Limits(max_connections=64, max_keepalive_connections=0))
        self._schedule = schedule
        self._closed = socket.socket()
        self._closed.bind(("127.0.0.1", 0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on, or have its connection refused by the kernel."""
        call = Call(method=request.method, target=request.url.raw_path.decode("ascii"), body=request.read())
        if self._schedule.draw(call) is not None:
            request.url = request.url.copy_with(port=self._closed.getsockname()[1])
        return super().handle_request(request)

    def close(self) -> None:
        """Close every connection."""
        super().close()
        self._closed.close()


async def _read_call(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = _headers(lines)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Call(method=method, target=target, body=body, headers=headers)


def _headers(lines: list[str]) -> dict[str, str]:
    """Headers by lower-case name, without those that belong to one connection."""
    pairs = (line.split(":", 1) for line in lines)
    found = {name.strip().lower(): value.strip() for name, value in pairs}
    return {name: value for name, value in found.items() if name not in {"connection", "keep-alive"}}


def _head(first: str, headers: Mapping[str, str], body: bytes) -> bytes:
    own = {"content-length": str(len(body)), "connection": "close"}
    lines = [first, *(f"{name}: {value}" for name, value in {**headers, **own}.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _wrapped(reply: Reply) -> bytes:
    return _head(f"HTTP/1.1 {reply.status} Storm", reply.headers, reply.body)


def _write_part(writer: asyncio.StreamWriter, reply: Reply, fault: Fault) -> None:
    """An answer up to some byte of its head or body; half of them do not announce their length."""
    raw = _wrapped(reply)
    if fault.coin < 0.5:
        raw = raw.replace(f"content-length: {len(reply.body)}\r\n".encode(), b"", 1)
    writer.write(raw[: int(fault.where * len(raw))])


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection off with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    writer.transport.abort()


async def _given_up(reader: asyncio.StreamReader) -> None:
    """Return when the client has closed its side; bounded, for a client that never gives up would hang the test."""
    async with asyncio.timeout(PATIENCE_S):
        await reader.read(1)

"""A server of raw bytes on a real socket, for faults that no HTTP framework would send."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket], None]


@dataclass
class FaultServer:
    """Accepts connections, reads one request from each, and then behaves as told.

    Attributes:
        url: Its address.
        requests: First line of every request that arrived whole.
    """

    url: str
    behaviour: Behaviour
    requests: list[str] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        """Serve until the listener is shut down."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                head = self._read_head(connection)
                self.requests.append(head.split("\r\n", 1)[0].rpartition(" ")[0])
                self.behaviour(connection)

    @staticmethod
    def _read_head(connection: socket.socket) -> str:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head.decode("latin-1")


@contextmanager
def fault_server(behaviour: Behaviour) -> Iterator[FaultServer]:
    """A server that behaves like this."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = FaultServer(f"http://127.0.0.1:{listener.getsockname()[1]}", behaviour)
        thread = threading.Thread(target=server.serve, args=(listener,), name="fault-server")
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def answer(text: str) -> Behaviour:
    """Send these bytes, then close."""
    return lambda connection: connection.sendall(text.encode())


def reset(connection: socket.socket) -> None:
    """Break the connection off with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    """Close without a word."""


def keep_silent(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    connection.recv(1)


JSON = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TRUNCATED = answer(JSON + 'Content-Length: 1000\r\n\r\n{"id": ')
CUT_CHUNK = answer(JSON + 'Transfer-Encoding: chunked\r\n\r\n40\r\n{"id"')
NOT_HTTP = answer("SSH-2.0-OpenSSH_9.6\r\n")
BAD_GZIP = answer(JSON + "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")

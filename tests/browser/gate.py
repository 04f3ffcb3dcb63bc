"""A way to a platform that can be closed for some requests: a page that the platform is slow to answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

HELD_AT_MOST_S = 120.0
_OF_ONE_CONNECTION = frozenset({"connection", "content-length", "transfer-encoding", "content-encoding", "host"})


class Gate:
    """Passes every request on to `target`; while it is closed, those of `paths` wait.

    Attributes:
        url: Where to ask instead of the target.
        waiting: Requests that wait right now.
    """

    def __init__(self, target: str, paths: Callable[[str], bool]) -> None:
        self._target = target
        self._paths = paths
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self.waiting = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Hold requests from now on."""
        self._open.clear()

    def open(self) -> None:
        """Let them through."""
        self._open.set()

    @contextmanager
    def serving(self) -> Iterator[Gate]:
        """In a thread of its own."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.open()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _hold(self, path: str) -> None:
        if not self._open.is_set() and self._paths(path):
            with self._lock:
                self.waiting += 1
            self._open.wait(HELD_AT_MOST_S)
            with self._lock:
                self.waiting -= 1

    def _pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        kept = {name: value for name, value in headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        return httpx.request(method, self._target + path, headers=kept, content=body, trust_env=False, timeout=60)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                gate._hold(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = gate._pass_on(self.command, self.path, dict(self.headers), body)
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in _OF_ONE_CONNECTION:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = handle_any  # noqa: N815 - named by the base class

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
                """Say nothing."""

        return Handler

"""A platform of the pipeline dialect that tells a generated history: `python -m benchmarks.history_server PORT COUNT`.

Pages are made when they are asked for: a million tasks of six stages would fill the memory.
"""

from __future__ import annotations

import random
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from benchmarks.generate import SEED, page, wire_task

LARGEST_PAGE = 100


class HistoryServer(ThreadingHTTPServer):
    """Tells of `count` tasks at a port of this machine; `sent` has the bytes of each answer."""

    daemon_threads = True

    def __init__(self, port: int, count: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.count = count
        self.sent: list[int] = []

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_port}/api/v1"

    def page(self, number: int, size: int) -> bytes:
        """One page, the same every time that it is asked for."""
        chance = random.Random(f"{SEED} {number} {size}")
        first = (number - 1) * size
        rows = [wire_task(chance, place, self.count) for place in range(first, min(first + size, self.count))]
        return page(rows, number, self.count, size)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HistoryServer

    def do_GET(self) -> None:
        """A page of tasks; there is nothing else here."""
        asked = urlsplit(self.path)
        known = asked.path == "/api/v1/tasks"
        body = self._page(parse_qs(asked.query)) if known else b'{"detail": "Not found"}'
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.sent.append(len(body))

    def _page(self, query: dict[str, list[str]]) -> bytes:
        size = min(int(query.get("page_size", ["20"])[0]), LARGEST_PAGE)
        return self.server.page(int(query.get("page", ["1"])[0]), size)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing."""


if __name__ == "__main__":
    HistoryServer(int(sys.argv[1]), int(sys.argv[2])).serve_forever()

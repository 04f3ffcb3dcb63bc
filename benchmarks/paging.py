"""A platform that takes 200 ms to answer: pages one after the other, against eight in flight."""

from __future__ import annotations

import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
from pandas.testing import assert_frame_equal

from benchmarks.generate import pages
from benchmarks.rows import AtLeast, Row, Scale, Side
from retry_toolkit.frames.load import load_tasks
from retry_toolkit.platforms.bulk import MOST_IN_FLIGHT
from retry_toolkit.platforms.pipeline import PipelinePlatform
from retry_toolkit.platforms.transport import Transport

LATENCY_S = 0.2
EMPTY = b'{"items": []}'
MOST_TASKS = 4_000
"""Forty pages: enough to tell, and not a minute of waiting."""


class SlowServer(ThreadingHTTPServer):
    """Serves pages from memory, each after the latency of a far-away platform."""

    daemon_threads = True

    def __init__(self, bodies: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies = bodies


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SlowServer

    def do_GET(self) -> None:
        """One page, or none."""
        asked = urlsplit(self.path)
        number = int(parse_qs(asked.query).get("page", ["0"])[0])
        known = asked.path == "/api/v1/tasks"
        time.sleep(LATENCY_S)
        body = self.server.bodies[number - 1] if known and number <= len(self.server.bodies) else EMPTY
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing."""


def serve(folder: Path, scale: Scale) -> str:
    """The address of a slow platform, which serves until this process ends."""
    del folder
    server = SlowServer(list(pages(min(scale.history, MOST_TASKS))))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def read(address: str, *, in_flight: int) -> pd.DataFrame:
    """All tasks of the platform."""
    with PipelinePlatform(Transport(address)) as platform:
        return load_tasks(platform, in_flight=in_flight, progress=False)


ROWS = (
    Row(
        name="paging",
        what="8 pages in flight at 200 ms latency",
        measure="wall",
        baseline=Side("one page after the other", load=serve, run=partial(read, in_flight=1)),
        ours=Side("8 in flight", load=serve, run=partial(read, in_flight=MOST_IN_FLIGHT)),
        same=assert_frame_equal,
        gate=AtLeast(3, aim=4.5),
    ),
)

"""A small local HTTP service of prices, with a budget of calls per account and indexes that are built on first use.

It stands for the vendor that everybody depends on: it refuses with 429 when an account has used up its calls, and the
first question about a market waits for an index that takes longer to build than a client cares to wait. Both are over
after a while, whoever asks again.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from retry_toolkit.server.demo.places import demo_dir, service_file, write_text
from retry_toolkit.settings import Settings

CALLS = 24
WINDOW_S = 3.0
INDEX_S = 2.5
WAIT_S = 30.0


@dataclass
class Budget:
    """Calls that each account may make in a window, which opens with its first call."""

    calls: int = CALLS
    window_s: float = WINDOW_S
    clock: Callable[[], float] = time.monotonic
    _windows: dict[str, tuple[float, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, account: str) -> float | None:
        """Spend one call: None if it is granted, else the seconds until the account may call again."""
        with self._lock:
            now = self.clock()
            opened, used = self._windows.get(account, (now, 0))
            if now - opened >= self.window_s:
                opened, used = now, 0
            if used >= self.calls:
                return opened + self.window_s - now
            self._windows[account] = (opened, used + 1)
            return None

    def is_whole(self, account: str) -> bool:
        """Whether an account can make all its calls now."""
        with self._lock:
            opened, used = self._windows.get(account, (float("-inf"), 0))
            return not used or self.clock() - opened >= self.window_s


class Indexes:
    """Indexes of markets: built once, in the background, by the first question; kept on disk, as are the questions."""

    def __init__(self, settings: Settings, build_s: float) -> None:
        self._folder = demo_dir(settings.home) / "indexes"
        self._build_s = build_s
        self._lock = threading.Lock()
        self._building: dict[str, threading.Event] = {}
        self._stopped = threading.Event()

    def ask(self, market: str) -> dict[str, Any] | None:
        """The index of a market, waiting while it is built; None if that takes too long or the service stops."""
        path = self._path(market)
        if not path.exists():
            write_text(path.with_suffix(".wanted"), market)
            self._built(market).wait(WAIT_S)
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def is_building(self, market: str) -> bool:
        """Whether the index of a market is being built."""
        with self._lock:
            return market in self._building

    def resume(self) -> None:
        """Build what was asked for before the service stopped."""
        for wanted in self._folder.glob("*.wanted"):
            self._built(wanted.read_text(encoding="utf-8"))

    def stop(self) -> None:
        """Leave what is being built for the next start, and let everybody who waits go."""
        self._stopped.set()
        with self._lock:
            for event in self._building.values():
                event.set()

    def _path(self, market: str) -> Path:
        return self._folder / f"{hashlib.sha256(market.encode()).hexdigest()[:16]}.json"

    def _built(self, market: str) -> threading.Event:
        """An event that is set when the index is there."""
        with self._lock:
            if market not in self._building:
                self._building[market] = threading.Event()
                threading.Thread(target=self._build, args=(market,), daemon=True).start()
            return self._building[market]

    def _build(self, market: str) -> None:
        if not self._stopped.wait(self._build_s):
            days = {f"2026-{month:02}-01": _price(market, f"2026-{month:02}") for month in range(1, 13)}
            path = self._path(market)
            write_text(path, json.dumps({"market": market, "days": days}))
            path.with_suffix(".wanted").unlink(missing_ok=True)
        with self._lock:
            self._building.pop(market).set()


class DemoService:
    """The service on a free loopback port; its address is in `service.json` of the demo while it runs."""

    def __init__(self, settings: Settings, *, budget: Budget | None = None, index_s: float = INDEX_S) -> None:
        self.budget = budget or Budget()
        self.indexes = Indexes(settings, index_s)
        self._address_file = service_file(settings.home)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Address, such as `http://127.0.0.1:40321`.

        Raises:
            RuntimeError: It is not running.
        """
        if self._server is None:
            raise RuntimeError("the demo's service is not running")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Answer from a thread of this process."""
        self.indexes.resume()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), daemon=True, name="demo-service"
        )
        self._thread.start()
        write_text(self._address_file, json.dumps({"url": self.url}))

    def stop(self) -> None:
        """Stop answering; stopping twice does nothing."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        self._address_file.unlink(missing_ok=True)
        self.indexes.stop()
        server.shutdown()
        server.server_close()
        self._thread.join()

    def has_settled(self, account: str, market: str | None = None) -> bool:
        """Whether an account has its whole budget again, and the index of a market is not being built."""
        return self.budget.is_whole(account) and not (market and self.indexes.is_building(market))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: DemoService) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no error of the service."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answer one question."""
        address = urlsplit(self.path)
        match [unquote(part) for part in address.path.split("/")[1:]]:
            case ["health"]:
                self._answer(HTTPStatus.OK, {"status": "ok"})
            case ["prices", symbol]:
                self._answer_price(symbol, parse_qs(address.query).get("day", [""])[0])
            case ["history", market]:
                self._answer_history(market)
            case _:
                self._answer(HTTPStatus.NOT_FOUND, {"detail": f"Nothing at {address.path}"})

    def _answer_price(self, symbol: str, day: str) -> None:
        account = self.headers.get("X-Account", "")
        wait = self.server.service.budget.take(account)
        if wait is None:
            self._answer(HTTPStatus.OK, {"symbol": symbol, "day": day, "price": _price(symbol, day)})
            return
        detail = f"account {account!r} has used up its {self.server.service.budget.calls} calls"
        self._answer(HTTPStatus.TOO_MANY_REQUESTS, {"detail": detail}, {"Retry-After": str(int(wait) + 1)})

    def _answer_history(self, market: str) -> None:
        index = self.server.service.indexes.ask(market)
        if index is None:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"detail": f"the index of {market} is not ready"})
        else:
            self._answer(HTTPStatus.OK, index)

    def _answer(self, status: HTTPStatus, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is given by the base class
        """Say nothing: the platform's own log is for its own requests."""


def _price(symbol: str, day: str) -> float:
    """A price that depends on the symbol and the day alone."""
    digest = hashlib.sha256(f"{symbol}/{day}".encode()).digest()
    return round(int.from_bytes(digest[:3], "big") / 1000 + 1, 2)

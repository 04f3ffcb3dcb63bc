"""The only place that opens sockets: one pinned origin, bounded answers, reads repeated a little, writes sent once."""

from __future__ import annotations

import ipaddress
import json
import random
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from retry_toolkit.errors import (
    BadAnswer,
    NotFound,
    NotSent,
    PlatformError,
    ReadOnly,
    RetryToolkitError,
    Unavailable,
    UnclearOutcome,
)
from retry_toolkit.platforms.answers import Answer, read_body, read_value, write_value
from retry_toolkit.platforms.budget import BUDGET, RetryBudget

Wire: TypeAlias = httpx.BaseTransport
"""What carries requests; tests pass their own."""

Params: TypeAlias = Mapping[str, str | int | None]

_FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_WORTH_REPEATING = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_SEGMENT = 4_000
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long and how large an exchange may get; seconds and bytes. `total_s` covers a read with all its repeats."""

    connect_s: float = 5.0
    silence_s: float = 30.0
    total_s: float = 120.0
    max_bytes: int = 64 * 1024 * 1024
    tries: int = 3
    first_wait_s: float = 0.25
    longest_wait_s: float = 10.0
    redirects: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Time and chance, to be replaced in tests."""

    elapsed: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class _Bearer(httpx.Auth):
    """Puts the token in at the last moment, so that no frame of ours ever holds it."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        yield request


class _TooLarge(Exception):
    """The answer is larger than the bound."""


class _TooSlow(Exception):
    """The answer takes longer than the bound."""


class Transport:
    """JSON over HTTP with one platform.

    Args:
        base: Scheme, host, port and any path before `/api`.
        token: Sent as a bearer token, and shown nowhere.
        read_only: Refuse everything that writes.
        bounds: Limits of time and size.
        wire: Replaces the network in tests.
        clock: Replaces time in tests.
        budget: Repeats of reads that this process may still make.
    """

    def __init__(
        self,
        base: str,
        *,
        token: SecretStr | None = None,
        read_only: bool = False,
        bounds: Bounds = Bounds(),
        wire: Wire | None = None,
        clock: Clock = Clock(),
        budget: RetryBudget = BUDGET,
    ) -> None:
        self._base = httpx.URL(base.rstrip("/"))
        self._read_only = read_only
        self._bounds = bounds
        self._clock = clock
        self._budget = budget
        auth = None if token is None else _Bearer(token)
        self._reader = _client(self._base, auth, bounds, wire, keep_alive=True)
        # A kept connection may be closed by the other side while a write is on its way: that outcome would be unclear.
        self._writer = _client(self._base, auth, bounds, wire, keep_alive=False)

    def __repr__(self) -> str:
        return f"Transport({self.origin!r}, read_only={self._read_only})"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return _origin(self._base)

    @property
    def host(self) -> str:
        """Host and port."""
        return self._base.netloc.decode("ascii")

    @property
    def read_only(self) -> bool:
        """Whether everything that writes is refused."""
        return self._read_only

    def close(self) -> None:
        """Release the connections."""
        self._reader.close()
        self._writer.close()

    def read(self, path: str, params: Params | None = None) -> Any:
        """The JSON value at a path, asked for up to three times.

        Raises:
            Unavailable: No complete answer came, or a server error, also when asked again.
            BadAnswer: The answer is no JSON, too large, or leads to another origin.
            NotJson: The answer is a web page.
            Unauthorized, PermissionDenied, NotFound, Refused: The platform said no.
        """
        return read_value(self._answer(path, params), origin=self.origin)

    def read_body(self, path: str, params: Params | None = None) -> bytes:
        """As `read`, but the bytes as they came: whoever asks decodes them, and finds out whether they are JSON."""
        return read_body(self._answer(path, params), origin=self.origin)

    def write(
        self,
        method: Literal["POST", "DELETE"],
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        files: Sequence[Path] = (),
        key: str | None = None,
    ) -> Any:
        """Send a write exactly once; its JSON answer, or None for an empty one.

        With `files` the body goes as a form: its objects as JSON text, the files as parts named `files`.

        Raises:
            ReadOnly: This connection refuses writes.
            NotSent: It provably never left.
            UnclearOutcome: It left, and no clear answer came back.
            Unauthorized, PermissionDenied, NotFound, Refused: The platform said no.
        """
        self.require_writable()
        headers = {} if key is None else {"Idempotency-Key": key}
        with ExitStack() as opened:
            if files:
                form = {name: _form_text(value) for name, value in (body or {}).items() if value is not None}
                parts = [("files", (file.name, opened.enter_context(file.open("rb")))) for file in files]
                content: dict[str, Any] = {"data": form, "files": parts}
            elif body is not None:
                headers["Content-Type"] = "application/json"
                content = {"content": json.dumps(body).encode("ascii")}
            else:
                content = {}
            answer = self._send_once(method, self._address(path), headers, content)
        return write_value(answer, origin=self.origin, now=self._clock.now())

    def require_writable(self) -> None:
        """Refuse here what would write.

        Raises:
            ReadOnly: This connection refuses writes.
        """
        if self._read_only:
            raise ReadOnly("This connection is read-only.")

    def _address(self, path: str) -> str:
        if not path.startswith("/") or path.startswith("//"):
            raise BadAnswer(f"An address outside {self.origin} is refused.")
        return f"{self._base}{path}"

    def _answer(self, path: str, params: Params | None) -> Answer:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            request = self._reader.build_request("GET", self._address(path), params=given or None)
        except httpx.InvalidURL as error:
            raise _read_failure(error) from _bare(error)
        return self._read_patiently(request)

    def _read_patiently(self, request: httpx.Request) -> Answer:
        deadline = self._clock.elapsed() + self._bounds.total_s
        self._budget.begin()
        for left in reversed(range(self._bounds.tries)):
            asked = answer = None
            try:
                answer = self._follow(request, deadline)
            except httpx.TransportError as error:
                if not left or not self._may_repeat(deadline):
                    raise _read_failure(error) from _bare(error)
            except (*_FAILURES, _TooLarge, _TooSlow) as error:
                raise _read_failure(error) from _bare(error)
            if answer is not None:
                if answer.status not in _WORTH_REPEATING:
                    self._budget.answered()
                    return answer
                if not left or not self._may_repeat(deadline):
                    return answer
                asked = answer.retry_after(self._clock.now())
            self._wait(self._bounds.tries - left, asked)
        raise AssertionError("unreachable: the last try returns or raises")

    def _may_repeat(self, deadline: float) -> bool:
        return self._clock.elapsed() < deadline and self._budget.take()

    def _wait(self, failures: int, asked: float | None) -> None:
        """Full jitter over a doubling span, or what the platform asks for, capped."""
        longest = self._bounds.longest_wait_s
        span = min(longest, self._bounds.first_wait_s * 2 ** (failures - 1))
        self._clock.sleep(self._clock.chance() * span if asked is None else min(asked, longest))

    def _follow(self, request: httpx.Request, deadline: float) -> Answer:
        """The answer to a read, behind redirects that stay at this origin."""
        for _ in range(self._bounds.redirects + 1):
            answer = self._exchange(self._reader, request, deadline)
            target = answer.headers.get("location")
            if answer.status not in _REDIRECTS or target is None:
                return answer
            url = request.url.join(target)
            if _origin(url) != self.origin:
                raise BadAnswer(
                    f"The platform at {self.origin} sends readers to {_origin(url)}.",
                    status=answer.status,
                    advice="Connect to that address if it is the right one.",
                )
            request = self._reader.build_request("GET", url)
        raise BadAnswer(f"The platform redirects more than {self._bounds.redirects} times.", status=answer.status)

    def _send_once(self, method: str, url: str, headers: dict[str, str], content: dict[str, Any]) -> Answer:
        try:
            request = self._writer.build_request(method, url, headers=headers, **content)
            return self._exchange(self._writer, request, self._clock.elapsed() + self._bounds.total_s)
        except _NEVER_LEFT as error:
            raise NotSent(f"The platform at {self.origin} cannot be reached: {_words(error)}.") from _bare(error)
        except (*_FAILURES, _TooLarge, _TooSlow) as error:
            raise UnclearOutcome(f"The request was sent, then {_words(error)}.") from _bare(error)

    def _exchange(self, client: httpx.Client, request: httpx.Request, deadline: float) -> Answer:
        if client.is_closed:
            raise httpx.UnsupportedProtocol("this connection has been closed", request=request)
        response = client.send(request, stream=True, follow_redirects=False)
        try:
            return self._receive(response, deadline)
        finally:
            response.close()

    def _receive(self, response: httpx.Response, deadline: float) -> Answer:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self._bounds.max_bytes:
                raise _TooLarge(f"the answer was larger than {self._bounds.max_bytes // 1024} KiB")
            if self._clock.elapsed() > deadline:
                raise _TooSlow(f"the answer took longer than {self._bounds.total_s:g} seconds")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=bytes(body))


def _form_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def segment(text: str, *, what: str = "task") -> str:
    """An id as one path segment.

    Raises:
        NotFound: No id looks like this: it is empty, very long, climbs the path, or cannot be encoded.
    """
    try:
        quoted = quote(text, safe="")
    except UnicodeEncodeError:
        quoted = ""
    if quoted in {"", ".", ".."} or len(quoted) > _LONGEST_SEGMENT:
        raise NotFound(f"{text[:80]!r} cannot be the id of a {what}.")
    return quoted


def _client(
    base: httpx.URL, auth: httpx.Auth | None, bounds: Bounds, wire: Wire | None, *, keep_alive: bool
) -> httpx.Client:
    return httpx.Client(
        auth=auth,
        headers={"Accept": "application/json", "User-Agent": "retry-toolkit"},
        timeout=httpx.Timeout(bounds.silence_s, connect=bounds.connect_s),
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=8 if keep_alive else 0),
        transport=wire,
        # A proxy of the environment must not get between this machine and itself.
        trust_env=not _is_loopback(base.host),
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _read_failure(error: Exception) -> RetryToolkitError:
    if isinstance(error, PlatformError):
        return error
    if isinstance(error, _TooLarge):
        return BadAnswer(f"Too much at once: {error}.", advice="Ask for fewer rows.")
    kind = Unavailable if isinstance(error, httpx.TransportError | _TooSlow) else BadAnswer
    return kind(f"No answer from the platform: {_words(error)}.")


def _words(error: Exception) -> str:
    """What happened, in a few words that hold no secret."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer came in time"
    return str(error).rstrip(".") or type(error).__name__


def _bare(error: BaseException) -> BaseException:
    """The error and its causes without their frames: those of the HTTP library hold raw headers, and so the token."""
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error

"""What every request passes before an endpoint sees it (host, origin, token, size), and what every answer carries."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from retry_toolkit.server.auth import Access, is_loopback
from retry_toolkit.server.wire.answers import JsonAnswer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from retry_toolkit.settings import Settings

log = logging.getLogger("retry_toolkit.server")

MAX_JSON = 16 * 2**20
MAX_UPLOAD = 2 * 2**30
UPLOAD_PATH = "/api/v1/tasks"
PUBLIC_PATHS = frozenset({"/health", "/docs", "/docs.css", "/openapi.json"})
READS = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_TOO_LARGE = "Content too large"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request goes no further."""

    status: int
    detail: str
    headers: dict[str, str] | None = None


class Guard:
    """ASGI middleware around the whole application: whatever it does not allow never reaches an endpoint."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._access = Access.of(settings)
        self._local_only = is_loopback(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request here, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        if refused := self._refusal(scope, exchange.headers):
            answer = JsonAnswer({"detail": refused.detail}, refused.status, refused.headers)
            await answer(scope, receive, exchange.send)
            return
        try:
            await self._app(scope, _limited(receive, _limit(scope, exchange.headers)), exchange.send)
        except Exception:
            if exchange.started:
                raise
            log.exception("Request %s failed: %s %r", exchange.request_id, scope["method"], scope["path"])
            failure = JsonAnswer({"detail": "Internal error", "request_id": exchange.request_id}, 500)
            await failure(scope, receive, exchange.send)

    def _refusal(self, scope: Scope, headers: Headers) -> Refused | None:
        return (
            self._refuse_host(headers)
            or _refuse_foreign_origin(scope, headers)
            or self._refuse_caller(scope, headers)
            or _refuse_body(scope, headers)
        )

    def _refuse_host(self, headers: Headers) -> Refused | None:
        """Against DNS rebinding: a page whose name now points to this machine still sends its own name."""
        if not self._local_only or _is_local_name(headers.get("host", "")):
            return None
        return Refused(403, "Host not allowed: this platform answers on localhost only")

    def _refuse_caller(self, scope: Scope, headers: Headers) -> Refused | None:
        role = self._access.role(headers.get("authorization"))
        scope.setdefault("state", {})["role"] = role
        if scope["path"] in PUBLIC_PATHS and scope["method"] in READS:
            return None
        if role is None:
            detail = "Invalid token" if headers.get("authorization") else "Not authenticated"
            return Refused(401, detail, {"WWW-Authenticate": "Bearer"})
        if role == "viewer" and scope["method"] not in READS:
            return Refused(403, "Permission denied: this token may only read")
        return None


class _Exchange:
    """One request and its answer: gives the answer its id and its headers."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.headers = Headers(scope=scope)
        given = self.headers.get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        self.started = False
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _is_local_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return name is not None and is_loopback(name)


def _refuse_foreign_origin(scope: Scope, headers: Headers) -> Refused | None:
    """Against other sites that make a browser write: browsers tell where such a request comes from."""
    if scope["method"] in READS:
        return None
    origin = headers.get("origin")
    foreign = origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()
    if foreign or headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return Refused(403, "Origin not allowed: another site may not write here")
    return None


def _refuse_body(scope: Scope, headers: Headers) -> Refused | None:
    if scope["method"] in READS or not _has_body(headers):
        return None
    if not (_is_json(headers) or _is_upload(scope, headers)):
        return Refused(415, "Content type not allowed: send application/json")
    if int(headers.get("content-length", "0")) > _limit(scope, headers):
        return Refused(413, CONTENT_TOO_LARGE)
    return None


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(headers: Headers) -> bool:
    return _media_type(headers) == "application/json"


def _is_upload(scope: Scope, headers: Headers) -> bool:
    return scope["path"] == UPLOAD_PATH and _media_type(headers) == "multipart/form-data"


def _limit(scope: Scope, headers: Headers) -> int:
    return MAX_UPLOAD if _is_upload(scope, headers) else MAX_JSON


def _limited(receive: Receive, limit: int) -> Receive:
    """The same messages, until the body is larger than it may be: a chunked body does not announce its size."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, CONTENT_TOO_LARGE)
        return message

    return receive_limited

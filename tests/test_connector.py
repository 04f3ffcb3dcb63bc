"""Connecting: who answers at an address, and what is said when nobody useful does."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from retry_toolkit import connect, errors
from retry_toolkit.platforms.embedded import EmbeddedPlatform
from retry_toolkit.platforms.pipeline import PipelinePlatform
from retry_toolkit.platforms.queue import QueuePlatform
from retry_toolkit.settings import load_settings
from tests.platforms.faults import answer, fault_server
from tests.platforms.test_embedded import TOLD
from tests.platforms.wires import BASE, Recorder, listing, routes, wire_job, wire_task

EMBEDDED = {"GET /api/v1/capabilities": TOLD, "GET /api/v1/tasks": listing([]), "GET /api/tasks": listing([])}
PIPELINE = {"GET /api/v1/tasks": listing([wire_task()])}
QUEUE = {"GET /api/tasks": listing([wire_job()])}
PAGE = httpx.Response(200, html="<!doctype html><title>Dashboard</title>")


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (EMBEDDED, EmbeddedPlatform),
        (PIPELINE, PipelinePlatform),
        (QUEUE, QueuePlatform),
        ({"GET /api/v1/tasks": listing([])}, PipelinePlatform),
        ({"GET /api/tasks": []}, QueuePlatform),
        ({"GET /api/v1/capabilities": {"other": 1}, **PIPELINE}, PipelinePlatform),
        ({"GET /api/v1/capabilities": PAGE, "GET /api/v1/tasks": PAGE, **QUEUE}, QueuePlatform),
        ({"GET /api/v1/tasks": listing([wire_job()]), **QUEUE}, QueuePlatform),
        ({"GET /api/v1/capabilities": httpx.Response(405), **PIPELINE}, PipelinePlatform),
    ],
)
def test_the_dialect_is_found_by_asking(table: dict[str, Any], kind: type) -> None:
    """The embedded platform first, then the pipeline dialect, then the queue's; nothing but reads."""
    recorder = Recorder(routes(table))
    with connect(BASE, transport=recorder.wire) as platform:
        assert type(platform) is kind
    assert recorder.writes == []


@pytest.mark.parametrize(
    "url",
    [BASE, f"{BASE}/", f"{BASE}/api", f"{BASE}/api/", f"{BASE}/api/v1", f"{BASE}/api/v1/", f"  {BASE}\t"],
)
def test_the_path_of_the_api_may_be_given_or_not(url: str) -> None:
    """All name the same platform."""
    recorder = Recorder(routes(EMBEDDED))
    with connect(url, transport=recorder.wire) as platform:
        assert platform.origin == BASE
    assert recorder.lines == ["GET /api/v1/capabilities"]


@pytest.mark.parametrize("path", ["/tools/tasks", "/tools/tasks/api/v1"])
def test_a_path_before_the_api_is_kept(path: str) -> None:
    """Platforms stand behind proxies."""
    recorder = Recorder(routes({"GET /tools/tasks/api/v1/capabilities": TOLD}))
    with connect(BASE + path, transport=recorder.wire) as platform:
        assert platform.origin == BASE


@pytest.mark.parametrize(
    ("dialect", "kind"), [("embedded", EmbeddedPlatform), ("pipeline", PipelinePlatform), ("queue", QueuePlatform)]
)
def test_a_dialect_can_be_asked_for(dialect: Any, kind: type) -> None:
    """The embedded platform serves as each of them."""
    with connect(BASE, dialect=dialect, transport=Recorder(routes(EMBEDDED)).wire) as platform:
        assert type(platform) is kind


@pytest.mark.parametrize("dialect", ["embedded", "pipeline"])
def test_a_dialect_that_is_not_spoken_is_told(dialect: Any) -> None:
    """Asking for one does not mean getting another."""
    with pytest.raises(errors.NotOurApi, match=dialect):
        connect(BASE, dialect=dialect, transport=Recorder(routes(QUEUE)).wire)


def test_an_unknown_dialect_is_a_mistake_of_the_caller() -> None:
    """The known ones are listed."""
    with pytest.raises(ValueError, match="auto, embedded, pipeline, queue"):
        connect(BASE, dialect="airflow")  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("127.0.0.1:8642", "no scheme|cannot be read"),
        ("localhost:8642", "cannot be read"),
        ("platform.test", "cannot be read"),
        ("http://", "cannot be read"),
        ("http://[::1", "cannot be read"),
        ("http://host:port", "cannot be read"),
        ("http://host:99999", "cannot be read"),
        ("http://ho st/", "cannot be read"),
        ("http://host/\nx", "cannot be read"),
        ("ftp://host", "no address of an API"),
        ("file:///etc/passwd", "cannot be read"),
        ("http://user:pw@host", "user name or password"),
        ("http://user@host", "user name or password"),
        ("http://host/?token=x", "'\\?' or '#'"),
        ("http://host/#x", "'\\?' or '#'"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused_with_advice(url: str, words: str) -> None:
    """Before anything is sent, and without repeating what may be secret."""
    recorder = Recorder(routes(EMBEDDED))
    with pytest.raises(errors.ConnectError, match=words) as caught:
        connect(url, transport=recorder.wire)
    assert caught.value.advice
    assert "pw" not in str(caught.value)
    assert "token=x" not in f"{caught.value} {caught.value.url}"
    assert recorder.requests == []


def test_where_nothing_answers_is_unreachable() -> None:
    """The advice names the command that starts the embedded platform."""

    def fail(request: httpx.Request) -> Any:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    with pytest.raises(errors.Unreachable, match="retry-toolkit up") as caught:
        connect(BASE, transport=Recorder(fail).wire)
    assert caught.value.url == BASE
    assert "refused" in caught.value.message


def test_a_web_page_is_not_json() -> None:
    """Such as the dashboard's own address, or a login form."""
    with pytest.raises(errors.NotJson, match="address of the API itself"):
        connect(BASE, transport=Recorder(lambda request: httpx.Response(200, html="<html>")).wire)


@pytest.mark.parametrize(
    "script",
    [
        routes({}),
        lambda request: {"hello": "world"},
        lambda request: httpx.Response(200, text="hello"),
        lambda request: httpx.Response(400, json={"detail": "no"}),
        lambda request: listing([{"name": "neither"}]),
        lambda request: httpx.Response(403, html="<title>403: Forbidden"),
    ],
)
def test_something_else_is_not_our_api(script: Any) -> None:
    """404s, other JSON, other text, other rows."""
    with pytest.raises(errors.NotOurApi, match="Check the port"):
        connect(BASE, transport=Recorder(script).wire)


def test_a_missing_token_is_told_apart() -> None:
    """401 says what to pass; 403 is about permissions."""
    with pytest.raises(errors.Unauthorized, match=r"token=\.\.\."):
        connect(BASE, transport=Recorder(lambda request: httpx.Response(401, json={"detail": "no token"})).wire)
    with pytest.raises(errors.PermissionDenied):
        connect(BASE, transport=Recorder(lambda request: httpx.Response(403, json={"detail": "no"})).wire)


def test_a_redirect_to_another_address_names_it() -> None:
    """Such as http to https, or a login elsewhere."""
    away = httpx.Response(302, headers={"Location": "https://login.test/?ticket=secret"})
    with pytest.raises(errors.ConnectError, match=r"https://login\.test\.") as caught:
        connect(BASE, transport=Recorder(lambda request: away).wire)
    assert "secret" not in str(caught.value)


def test_a_sick_platform_is_unavailable() -> None:
    """It is there, but cannot tell who it is."""
    with fault_server(answer("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n")) as server:
        with pytest.raises(errors.Unavailable):
            connect(server.url)
        assert len(server.requests) == 3


def test_without_an_address_it_is_the_platform_of_the_settings() -> None:
    """`RETRY_TOOLKIT_URL` where set, else the embedded platform of this machine."""
    recorder = Recorder(routes(EMBEDDED))
    with connect(transport=recorder.wire, settings=load_settings(api_port=8701)) as platform:
        assert platform.origin == "http://127.0.0.1:8701"
    with connect(transport=recorder.wire, settings=load_settings(url="http://tasks.test/api")) as platform:
        assert platform.origin == "http://tasks.test"


@pytest.mark.parametrize(
    ("url", "sent"),
    [(None, True), ("http://tasks.test/api/v1", True), ("http://other.test", False)],
)
def test_the_token_of_the_settings_goes_to_their_platform_only(url: str | None, sent: bool) -> None:
    """A token must not leak to another address that somebody types."""
    recorder = Recorder(routes(EMBEDDED))
    settings = load_settings(url="http://tasks.test", token="of-settings")
    connect(url, transport=recorder.wire, settings=settings).close()
    assert ("Authorization" in recorder.requests[0].headers) is sent


def test_a_token_that_is_given_wins() -> None:
    """Plain or wrapped."""
    recorder = Recorder(routes(EMBEDDED))
    settings = load_settings(token="of-settings")
    for token in ("given", SecretStr("given")):
        connect(BASE, token=token, transport=recorder.wire, settings=settings).close()
    assert {request.headers["Authorization"] for request in recorder.requests} == {"Bearer given"}


@pytest.mark.parametrize(("argument", "setting"), [(True, False), (False, True), (True, True)])
def test_read_only_comes_from_either_side(argument: bool, setting: bool) -> None:
    """A read-only setting cannot be undone by an argument's default."""
    settings = load_settings(read_only=setting)
    with connect(BASE, read_only=argument, transport=Recorder(routes(EMBEDDED)).wire, settings=settings) as platform:
        assert platform.read_only
        with pytest.raises(errors.ReadOnly):
            platform.cancel("t1")


def test_a_failed_connection_leaves_nothing_open() -> None:
    """The transport is closed before the error reaches the caller."""
    closed = []

    class Wire(httpx.MockTransport):
        def close(self) -> None:
            closed.append(True)

    with pytest.raises(errors.NotOurApi):
        connect(BASE, transport=Wire(Recorder(routes({}))))
    assert closed

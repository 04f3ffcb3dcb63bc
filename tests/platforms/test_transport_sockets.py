"""The transport on real sockets: what a broken network does to reads and writes."""

from __future__ import annotations

import socket

import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.budget import RetryBudget
from retry_toolkit.platforms.transport import Bounds, Transport
from tests.platforms.faults import (
    BAD_GZIP,
    CUT_CHUNK,
    JSON,
    NOT_HTTP,
    TRUNCATED,
    Behaviour,
    answer,
    fault_server,
    hang_up,
    keep_silent,
    reset,
)
from tests.platforms.wires import FakeTime

QUICK = Bounds(connect_s=1.0, silence_s=0.2)

FAULTS = {
    "reset": reset,
    "hang up": hang_up,
    "silence": keep_silent,
    "truncated": TRUNCATED,
    "cut chunk": CUT_CHUNK,
    "not http": NOT_HTTP,
    "bad gzip": BAD_GZIP,
}


def connect_to(url: str) -> Transport:
    """A transport that does not wait long."""
    return Transport(url, bounds=QUICK, clock=FakeTime().clock, budget=RetryBudget())


def unused_address() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("behaviour", FAULTS.values(), ids=FAULTS.keys())
def test_a_write_is_sent_once_whatever_the_network_does(behaviour: Behaviour) -> None:
    """After the request has left, every fault leaves the outcome unclear, and nothing is sent again."""
    with fault_server(behaviour) as server:
        link = connect_to(server.url)
        with pytest.raises(errors.UnclearOutcome):
            link.write("POST", "/api/tasks/1/retry", {"copy_files": True})
        link.close()
    assert server.requests == ["POST /api/tasks/1/retry"]


@pytest.mark.parametrize("behaviour", FAULTS.values(), ids=FAULTS.keys())
def test_a_broken_read_is_our_error(behaviour: Behaviour) -> None:
    """Passing faults are asked for three times; an answer that cannot be unpacked only once."""
    with fault_server(behaviour) as server:
        link = connect_to(server.url)
        with pytest.raises(errors.PlatformError):
            link.read("/api/tasks")
        link.close()
    assert len(server.requests) == (1 if behaviour is BAD_GZIP else 3)


def test_a_refused_connection_sends_nothing() -> None:
    """Where nobody listens a write provably never left, and a read is unavailable."""
    link = connect_to(unused_address())
    with pytest.raises(errors.NotSent, match="cannot be reached"):
        link.write("POST", "/x", {})
    with pytest.raises(errors.Unavailable, match="refused"):
        link.read("/x")
    link.close()


def test_writes_use_a_connection_of_their_own() -> None:
    """A kept connection that the server closes meanwhile would make an outcome unclear for no reason."""
    with fault_server(answer(JSON + "Content-Length: 2\r\n\r\n{}")) as server:
        link = connect_to(server.url)
        assert [link.write("POST", "/x", {}) for _ in range(3)] == [{}, {}, {}]
        link.close()
    assert server.requests == ["POST /x"] * 3


def test_a_proxy_of_the_environment_is_not_asked_about_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to this machine reach it although the environment names a proxy."""
    monkeypatch.setenv("HTTP_PROXY", unused_address())
    monkeypatch.setenv("ALL_PROXY", unused_address())
    with fault_server(answer(JSON + "Content-Length: 2\r\n\r\n{}")) as server:
        link = connect_to(server.url)
        assert link.read("/x") == {}
        link.close()

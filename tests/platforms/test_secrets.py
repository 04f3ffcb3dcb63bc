"""Tokens are sent, and shown nowhere."""

from __future__ import annotations

import logging
import pickle
import socket
import traceback
from collections.abc import Callable
from functools import partial

import httpx
import pytest
from pydantic import SecretStr

from retry_toolkit.connector import connect
from retry_toolkit.errors import RetryToolkitError
from retry_toolkit.platforms.base import Platform
from tests.platforms.faults import TRUNCATED, fault_server, hang_up
from tests.platforms.wires import BASE, Recorder, listing, routes

TOKEN = "tok-" + "5ecre7" * 4
PASSWORD_ADDRESS = "http://admin:pa55word@platform.test"
QUERY_ADDRESS = "http://platform.test/?key=pa55word"


def failing(error: type[Exception]) -> Recorder:
    """A platform whose first page is fine and everything else fails deep in the network."""

    def script(request: httpx.Request) -> object:
        if request.url.path == "/api/v1/tasks" and request.method == "GET" and b"page_size=1" in request.url.query[:12]:
            return listing([])
        raise error("broken")

    return Recorder(script)


def full_traceback(call: Callable[[], object]) -> str:
    """What a traceback tool with local variables shows of a failing call."""
    try:
        call()
    except RetryToolkitError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(report.format(chain=True)) + repr(error) + str(error) + repr(error.__dict__)
    raise AssertionError("the call did not fail")


def secret() -> SecretStr:
    """The token, wrapped outside the frames that are looked at."""
    return SecretStr(TOKEN)


@pytest.fixture
def plain() -> Platform:
    """A platform whose writes and reads fail."""
    return connect(BASE, token=secret(), dialect="pipeline", transport=failing(httpx.ConnectError).wire)


def test_the_token_is_sent_as_a_bearer() -> None:
    """Otherwise the tests below would prove nothing."""
    recorder = Recorder(routes({"GET /api/v1/tasks": listing([])}))
    connect(BASE, token=TOKEN, dialect="pipeline", transport=recorder.wire)
    assert recorder.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_no_token_is_sent_without_one() -> None:
    """No header rather than an empty one."""
    recorder = Recorder(routes({"GET /api/v1/tasks": listing([])}))
    connect(BASE, dialect="pipeline", transport=recorder.wire)
    assert "Authorization" not in recorder.requests[0].headers


def test_representations_hold_no_token(plain: Platform) -> None:
    """Names, origins and representations can be shown."""
    shown = [repr(plain), str(plain), plain.name, plain.origin, repr(vars(plain)), repr(plain.capabilities)]
    assert TOKEN not in "".join(shown)


def test_tracebacks_with_local_variables_hold_no_token(plain: Platform) -> None:
    """Failing reads and writes, mocked and on real sockets, with every local of every frame."""
    shown = full_traceback(lambda: plain.task("t1"))
    shown += full_traceback(lambda: plain.cancel("t1"))
    for behaviour in (hang_up, TRUNCATED):
        with fault_server(behaviour) as server:
            shown += full_traceback(partial(connect, server.url, token=secret()))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    shown += full_traceback(partial(connect, nobody, token=secret()))
    assert "transport.py" in shown
    assert TOKEN not in shown


def test_tokens_that_cannot_be_sent_are_refused_without_repeating_them() -> None:
    """A token with a line break or a letter beyond ASCII is named, not shown."""
    for end in ("\n", " x", "é", "\x00"):
        shown = full_traceback(partial(connect, BASE, token=SecretStr(TOKEN + end)))
        assert "cannot be sent" in shown
        assert TOKEN not in shown


def test_logs_hold_no_token(caplog: pytest.LogCaptureFixture) -> None:
    """Not even the debug logs of the HTTP library, on a real socket."""
    with caplog.at_level(logging.DEBUG), fault_server(hang_up) as server:
        full_traceback(partial(connect, server.url, token=secret()))
    assert caplog.records
    assert TOKEN not in caplog.text


def test_credentials_in_an_address_are_refused_without_repeating_them() -> None:
    """The password of an address is not shown either, not even by local variables."""
    shown = full_traceback(lambda: connect(PASSWORD_ADDRESS)) + full_traceback(lambda: connect(QUERY_ADDRESS))
    assert "connector.py" in shown
    assert "pa55word" not in shown


def test_errors_can_be_pickled_without_the_token(plain: Platform) -> None:
    """Errors cross process borders in notebooks; they carry no connection along."""
    with pytest.raises(RetryToolkitError) as caught:
        plain.task("t1")
    assert TOKEN.encode() not in pickle.dumps(caught.value.__dict__)

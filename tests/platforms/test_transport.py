"""The transport: what it refuses, what it repeats, and what its errors say."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from pydantic import SecretStr

from retry_toolkit import errors
from retry_toolkit.platforms.transport import Bounds, Transport, segment
from tests.platforms.wires import BASE, FakeTime, Recorder, transport

SENT_NOTHING = {
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
}


def exception_tree() -> list[type[Exception]]:
    """Every exception class of httpx."""
    return [kind for _, kind in inspect.getmembers(httpx, inspect.isclass) if issubclass(kind, Exception)]


def make(kind: type[Exception]) -> Exception:
    """An exception of this class, whatever its constructor wants."""
    request = httpx.Request("GET", BASE)
    wanted: tuple[dict[str, Any], ...] = (
        {"request": request},
        {"request": request, "response": httpx.Response(200)},
        {},
    )
    for options in wanted:
        for words in (("broken",), ()):
            with contextlib.suppress(TypeError):
                return kind(*words, **options)
    raise AssertionError(f"cannot make {kind}")


def raiser(kind: type[Exception]) -> Callable[[httpx.Request], Any]:
    """A script that fails in this way."""

    def fail(request: httpx.Request) -> Any:
        raise make(kind)

    return fail


def body(status: int, **options: Any) -> Recorder:
    """A recorder that always gives this answer."""
    return Recorder(lambda request: httpx.Response(status, **options))


@pytest.mark.parametrize("kind", exception_tree(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_http_library_is_translated_for_reads(kind: type[Exception]) -> None:
    """No read raises anything but our errors, and each keeps its cause."""
    with pytest.raises(errors.PlatformError) as caught:
        transport(Recorder(raiser(kind))).read("/api/tasks")
    assert isinstance(caught.value, errors.Unavailable | errors.BadAnswer)
    assert isinstance(caught.value.__cause__, kind)


@pytest.mark.parametrize("kind", exception_tree(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_http_library_is_translated_for_writes(kind: type[Exception]) -> None:
    """A write that provably never left is NotSent; after any other failure its outcome is unclear; it is sent once."""
    recorder = Recorder(raiser(kind))
    expected = errors.NotSent if any(issubclass(kind, sure) for sure in SENT_NOTHING) else errors.UnclearOutcome
    with pytest.raises(expected) as caught:
        transport(recorder).write("POST", "/api/tasks/1/retry", {})
    assert isinstance(caught.value.__cause__, kind)
    assert len(recorder.requests) == 1


def test_exception_tree_is_the_whole_tree() -> None:
    """The walk above sees the leaves that matter."""
    names = {kind.__name__ for kind in exception_tree()}
    assert {"ConnectError", "ReadTimeout", "RemoteProtocolError", "DecodingError", "InvalidURL", "StreamError"} <= names


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.Refused),
        (401, errors.Unauthorized),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (405, errors.Refused),
        (409, errors.Refused),
        (410, errors.FilesGone),
        (422, errors.Refused),
        (507, errors.Refused),
    ],
)
def test_a_clear_no_is_clear_for_reads_and_writes(status: int, error: type[Exception]) -> None:
    """Documented refusals are the same error for both, with the platform's own words."""
    recorder = body(status, json={"detail": "because"}, headers={"X-Request-ID": "r-1"})
    calls: tuple[Callable[[Transport], Any], ...] = (
        lambda link: link.read("/x"),
        lambda link: link.write("POST", "/x"),
    )
    for call in calls:
        with pytest.raises(error, match="because") as caught:
            call(transport(recorder))
        if isinstance(caught.value, errors.PlatformError):
            assert (caught.value.status, caught.value.detail, caught.value.request_id) == (status, "because", "r-1")


def test_an_empty_answer_to_a_write_is_none() -> None:
    """204 after a DELETE is a clear yes."""
    assert transport(body(204)).write("DELETE", "/x") is None


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_reads_are_asked_for_three_times(status: int) -> None:
    """A passing server error costs two waits with full jitter over a doubling span, then it is Unavailable."""
    recorder, time = body(status), FakeTime(chance=0.5)
    with pytest.raises(errors.Unavailable):
        transport(recorder, time=time).read("/x")
    assert len(recorder.requests) == 3
    assert time.slept == [0.125, 0.25]


def test_a_read_that_recovers_gives_its_value() -> None:
    """The second answer counts."""
    answers: Iterator[Any] = iter([httpx.Response(503), {"ok": True}])
    assert transport(Recorder(lambda request: next(answers))).read("/x") == {"ok": True}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 501, 507])
def test_a_clear_no_is_not_asked_for_again(status: int) -> None:
    """Only what may pass is repeated."""
    recorder = body(status)
    with pytest.raises(errors.RetryToolkitError):
        transport(recorder).read("/x")
    assert len(recorder.requests) == 1


@pytest.mark.parametrize(
    ("header", "waits"),
    [
        ("3", [3.0, 3.0]),
        ("86400", [10.0, 10.0]),
        (format_datetime(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=4)), [4.0, 0.0]),
        ("Mon, 01 Jan 1990 00:00:00 GMT", [0.0, 0.0]),
        ("soon", [0.25, 0.5]),
    ],
)
def test_retry_after_is_honoured_and_capped(header: str, waits: list[float]) -> None:
    """Seconds or a date; never more than ten seconds."""
    time = FakeTime()
    with pytest.raises(errors.Unavailable):
        transport(body(503, headers={"Retry-After": header}), time=time).read("/x")
    assert time.slept == waits


def test_repeats_end_with_the_time_allowed() -> None:
    """A read with all its repeats has one deadline."""
    time = FakeTime()
    recorder = body(503, headers={"Retry-After": "5"})
    with pytest.raises(errors.Unavailable):
        transport(recorder, time=time, bounds=Bounds(total_s=4)).read("/x")
    assert len(recorder.requests) == 2


@pytest.mark.parametrize("path", ["http://evil.test/x", "//evil.test/x", "evil", ""])
def test_the_origin_is_pinned(path: str) -> None:
    """Absolute addresses are refused before anything leaves."""
    recorder = body(200, json={})
    with pytest.raises(errors.BadAnswer, match="outside"):
        transport(recorder).read(path)
    with pytest.raises(errors.BadAnswer, match="outside"):
        transport(recorder).write("POST", path, {})
    assert recorder.requests == []


@pytest.mark.parametrize("path", ["/\\evil.test/x", "/@evil.test/", "/..//evil.test"])
def test_no_path_leaves_the_origin(path: str) -> None:
    """Whatever a path holds, it is asked of the same host."""
    recorder = body(200, json={})
    transport(recorder).read(path)
    assert {request.url.host for request in recorder.requests} == {"platform.test"}


def test_reads_follow_redirects_at_home_only() -> None:
    """A redirect within the origin is followed, one that leads away is told, a circle ends."""

    def answer(request: httpx.Request) -> Any:
        target = {"/a": "/b", "/away": "https://login.test/?next=secret", "/circle": "/circle"}.get(request.url.path)
        return {"at": request.url.path} if target is None else httpx.Response(307, headers={"Location": target})

    recorder = Recorder(answer)
    assert transport(recorder).read("/a") == {"at": "/b"}
    with pytest.raises(errors.BadAnswer, match=r"sends readers to https://login.test\. Connect") as caught:
        transport(recorder).read("/away")
    assert "secret" not in str(caught.value)
    with pytest.raises(errors.BadAnswer, match="redirects more than 5 times"):
        transport(recorder).read("/circle")
    assert {request.url.host for request in recorder.requests} == {"platform.test"}


def test_html_and_other_text_are_told_apart() -> None:
    """A web page is NotJson, other text a BadAnswer; JSON counts whatever its content type."""
    with pytest.raises(errors.NotJson):
        transport(body(200, html="<!doctype html><p>hello")).read("/x")
    with pytest.raises(errors.NotJson):
        transport(body(200, text="  <html>")).read("/x")
    with pytest.raises(errors.BadAnswer):
        transport(body(200, text="hello")).read("/x")
    assert transport(body(200, text='{"a": 1}')).read("/x") == {"a": 1}


def test_an_answer_that_is_too_large_is_refused_while_it_arrives() -> None:
    """The bound holds for the unpacked size, and the rest is not read."""
    sent = []

    def stream() -> Iterator[bytes]:
        for number in range(1000):
            sent.append(number)
            yield b"x" * 1024

    recorder = Recorder(lambda request: httpx.Response(200, content=stream()))
    with pytest.raises(errors.BadAnswer, match="larger than 4 KiB"):
        transport(recorder, bounds=Bounds(max_bytes=4096)).read("/x")
    assert len(sent) < 10
    assert len(recorder.requests) == 1
    with pytest.raises(errors.UnclearOutcome, match="larger"):
        transport(recorder, bounds=Bounds(max_bytes=4096)).write("POST", "/x", {})


def test_an_answer_that_trickles_has_a_deadline() -> None:
    """A server that keeps sending a little is left in the end."""
    time = FakeTime()

    def stream() -> Iterator[bytes]:
        while True:
            time.now += 10
            yield b" "

    with pytest.raises(errors.Unavailable, match="longer than 60 seconds"):
        transport(
            Recorder(lambda request: httpx.Response(200, content=stream())), time=time, bounds=Bounds(total_s=60)
        ).read("/x")


def test_read_only_refuses_every_write_before_anything_leaves() -> None:
    """The wire sees nothing."""
    recorder = body(200, json={})
    link = transport(recorder, read_only=True)
    methods: tuple[Literal["POST", "DELETE"], ...] = ("POST", "DELETE")
    for method in methods:
        with pytest.raises(errors.ReadOnly):
            link.write(method, "/x", {})
    assert recorder.requests == []
    assert link.read("/x") == {}


def test_bodies_are_plain_json_and_keys_are_headers() -> None:
    """Text beyond ASCII is escaped, so that even lone surrogates can be sent."""
    recorder = body(200, json={})
    transport(recorder).write("POST", "/x", {"name": "重试 \ud800"}, key="k-1")
    request = recorder.requests[0]
    assert request.content == b'{"name": "\\u91cd\\u8bd5 \\ud800"}'
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "k-1"


def test_files_go_as_a_form(tmp_path: Path) -> None:
    """Objects of the body become JSON text beside the parts."""
    (tmp_path / "a.csv").write_bytes(b"1,2")
    recorder = body(200, json={})
    transport(recorder).write(
        "POST", "/x", {"title": "t", "params": {"k": 1}, "none": None}, files=[tmp_path / "a.csv"]
    )
    request = recorder.requests[0]
    sent = request.read()
    assert request.headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="files"; filename="a.csv"' in sent
    assert b'{"k": 1}' in sent
    assert b'name="none"' not in sent


def test_missing_parameters_are_left_out() -> None:
    """None is no parameter; text is encoded."""
    recorder = body(200, json={})
    transport(recorder).read("/x", {"title": "a&b 中", "status": None, "page": 1})
    assert recorder.requests[0].url.query == b"title=a%26b+%E4%B8%AD&page=1"


def test_a_parameter_without_end_is_our_error() -> None:
    """What the HTTP library refuses to send is translated too."""
    with pytest.raises(errors.BadAnswer):
        transport(body(200, json={})).read("/x", {"title": "x" * 70_000})


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("00123", "00123"),
        ("a/b", "a%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("%2e%2e", "%252e%252e"),
        ("任务 1", "%E4%BB%BB%E5%8A%A1%201"),
        ("...", "..."),
    ],
)
def test_ids_are_single_segments_on_the_wire(text: str, path: str) -> None:
    """The request line holds the id as one segment, encoded once."""
    recorder = body(200, json={})
    transport(recorder).read(f"/api/tasks/{segment(text)}/detail")
    assert recorder.lines == [f"GET /api/tasks/{path}/detail"]


@pytest.mark.parametrize("text", ["", ".", "..", "\ud800", "x" * 5000])
def test_what_cannot_be_an_id_is_not_asked_for(text: str) -> None:
    """Ids that would name another path are NotFound here."""
    with pytest.raises(errors.NotFound):
        segment(text)


def test_a_closed_connection_says_so() -> None:
    """Using it again is our error, not the library's."""
    link = transport(body(200, json={}))
    link.close()
    with pytest.raises(errors.PlatformError, match="has been closed"):
        link.read("/x")
    with pytest.raises(errors.NotSent, match="has been closed"):
        link.write("POST", "/x")


@pytest.mark.parametrize(
    ("base", "trusts"),
    [
        ("http://127.0.0.1:1", False),
        ("http://localhost:1", False),
        ("http://[::1]:1", False),
        ("http://api.localhost", False),
        ("https://platform.test", True),
    ],
)
def test_proxies_of_the_environment_never_stand_before_loopback(base: str, trusts: bool) -> None:
    """Only other machines are reached as the environment says."""
    link = Transport(base)
    assert link._reader.trust_env is trusts
    assert link._writer.trust_env is trusts
    link.close()


def test_origin_and_representation_hold_no_token() -> None:
    """What names a connection can be shown anywhere."""
    link = transport(body(200), token=SecretStr("s3cret"), base="http://Platform.test:80/prefix/")
    assert link.origin == "http://platform.test"
    assert link.host == "platform.test"
    assert repr(link) == "Transport('http://platform.test', read_only=False)"

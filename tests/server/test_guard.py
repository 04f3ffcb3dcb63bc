"""What every request passes, and what every answer carries."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from retry_toolkit.server.guard import MAX_JSON, Guard
from retry_toolkit.server.records import Task
from retry_toolkit.settings import load_settings
from tests.live import LivePlatform, free_port, serving

RETRY = "/api/v1/tasks/any/retry-from-stage"
JSON = {"Content-Type": "application/json"}


def test_every_answer_has_an_id(api: httpx.Client) -> None:
    """Successes, refusals and unknown paths carry an id, each its own."""
    ids = [api.get(path).headers["x-request-id"] for path in ("/health", "/api/v1/tasks/nope", "/none")]
    assert len(set(ids)) == 3
    assert all(len(one) == 32 for one in ids)


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123_X.y", True), ("x" * 65, False), ("new line", False), ("", False)]
)
def test_a_caller_may_name_its_request(api: httpx.Client, given: str, kept: bool) -> None:
    """A plain id of the caller is kept, anything else replaced."""
    assert (api.get("/health", headers={"X-Request-ID": given}).headers["x-request-id"] == given) is kept


@pytest.mark.parametrize("path", ["/health", "/docs", "/api/v1/tasks", "/none", "/api/v1/task-logs"])
def test_every_answer_has_security_headers(api: httpx.Client, path: str) -> None:
    """No sniffing, no frames, no scripts, no referrer, no cache."""
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "localhost.evil.example", "[", "", "169.254.1.1"]
)
def test_other_host_names_are_refused(api: httpx.Client, host: str) -> None:
    """A page whose name was pointed at this machine reads nothing."""
    answer = api.get("/api/v1/tasks", headers={"Host": host})
    assert answer.status_code == 403
    assert "Host not allowed" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:99", "[::1]:80"])
def test_names_of_this_machine_are_accepted(api: httpx.Client, host: str) -> None:
    """Every way to say loopback works, behind any forwarded port."""
    assert api.get("/api/v1/tasks", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_do_not_write(
    api: httpx.Client, platform: LivePlatform, failed: Task, headers: dict[str, str]
) -> None:
    """A write that a browser was made to send is refused, and nothing happens."""
    answer = api.post(f"/api/tasks/{failed.id}/retry", headers=headers)
    assert answer.status_code == 403
    assert "Origin not allowed" in answer.json()["detail"]
    assert platform.task(failed.id) == failed


def test_the_same_origin_writes(api: httpx.Client, platform: LivePlatform) -> None:
    """A page of the platform itself may write."""
    headers = {"Origin": platform.url, "Sec-Fetch-Site": "same-origin"}
    assert api.post("/api/tasks/nope/retry", headers=headers).status_code == 404


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_bodies_must_be_json(api: httpx.Client, content_type: str) -> None:
    """What a form can send without asking is a 415."""
    headers = {"Content-Type": content_type} if content_type else {}
    answer = api.post(RETRY, content=b'{"stage_id": "x"}', headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_is_recognised(api: httpx.Client, content_type: str) -> None:
    """Parameters and case of the content type do not matter."""
    answer = api.post(RETRY, content=b'{"stage_id": "x"}', headers={"Content-Type": content_type})
    assert answer.status_code == 404


def test_announced_large_bodies_are_refused(api: httpx.Client) -> None:
    """More than 16 MiB of JSON is a 413 before it is read."""
    body = b'{"stage_id": "' + b"x" * MAX_JSON + b'"}'
    answer = api.post(RETRY, content=body, headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (413, "Content too large")


def test_unannounced_large_bodies_are_refused(api: httpx.Client) -> None:
    """A chunked body is cut off when it grows too large."""

    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_JSON // 2**20 + 2):
            yield b" " * 2**20

    answer = api.post(RETRY, content=chunks(), headers=JSON)
    assert (answer.status_code, answer.json()["detail"]) == (413, "Content too large")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{'stage_id': 'x'}",
        b"\xff\xfe",
        b'{"stage_id": null}',
        b'{"stage_id": 5}',
        b'{"stage_id": ""}',
        b'{"stage_id": "\\ud800"}',
        b'{"stage_id": "a\\u0000b"}',
        b'{"stage_id": "x", "expected_retry_count": -1}',
        b'{"stage_id": "x", "expected_retry_count": 99999999999999999999999}',
        b'{"stage_id": "x", "expected_retry_count": NaN}',
        b'{"stage_id": "x", "expected_retry_count": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"stage_id": "' + b"x" * 10_000 + b'"}',
    ],
)
def test_bad_bodies_are_the_callers_fault(api: httpx.Client, body: bytes) -> None:
    """Whatever a body holds, the answer is a 4xx with a detail."""
    answer = api.post(RETRY, content=body, headers=JSON)
    assert answer.status_code in {400, 422}
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        *("/api/v1/tasks?title=%00", "/api/v1/tasks?title=%ff%fe", "/api/v1/tasks?project_id=%00"),
        *(
            "/api/v1/tasks?page=1&page=2",
            "/api/v1/tasks?%00=%00",
            "/api/tasks?status=%00",
            "/api/tasks?title=" + "x" * 600,
        ),
        *(
            "/api/v1/task-logs?task=%00",
            "/api/v1/gates?task_id=%00",
            "/%00",
            "/..%2f",
            "//",
            "/api/v1/audit/logs?page=-",
        ),
    ],
)
def test_bad_addresses_are_the_callers_fault(api: httpx.Client, path: str) -> None:
    """Whatever an address holds, the answer is JSON and no 5xx."""
    answer = api.get(path)
    assert answer.status_code < 500
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/v1/tasks/\xff\xfe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /api/v1/tasks HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\r\nConnection: close\r\n\r\n",
        b"POST /api/tasks/x/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
        b"POST /api/tasks/x/retry HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: \xe9\r\nConnection: close\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_raw_nonsense_is_answered(platform: LivePlatform, request_bytes: bytes) -> None:
    """Bytes that no client library would send get an answer that is no 5xx, and the server stays up."""
    address = urlsplit(platform.url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request_bytes)
        status_line = connection.makefile("rb").readline()
    assert status_line.startswith(b"HTTP/1.1 ")
    assert int(status_line.split()[1]) < 500
    assert httpx.get(f"{platform.url}/health", trust_env=False).status_code == 200


def test_unknown_methods_and_paths_are_json(api: httpx.Client) -> None:
    """405 and 404 have a detail like every other refusal."""
    for method, path, status in (("PUT", "/api/v1/tasks", 405), ("GET", "/api/v2", 404), ("GET", "/", 404)):
        answer = api.request(method, path)
        assert answer.status_code == status
        assert answer.json()["detail"]


@pytest.fixture
def broken_app() -> Iterator[str]:
    """An application behind the guard whose one endpoint fails, at a real address."""
    app = FastAPI()
    app.add_middleware(Guard, settings=load_settings())

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("the cause, with a s3cret")

    with serving(app, load_settings(api_port=free_port())) as url:
        yield url


def test_unexpected_errors_are_logged_under_the_id(broken_app: str, caplog: pytest.LogCaptureFixture) -> None:
    """The caller learns the id and nothing of the cause; the log has both."""
    with caplog.at_level(logging.ERROR, logger="retry_toolkit.server"):
        answer = httpx.get(f"{broken_app}/broken", trust_env=False)
    assert answer.status_code == 500
    assert answer.json() == {"detail": "Internal error", "request_id": answer.headers["x-request-id"]}
    assert "s3cret" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text
    assert "RuntimeError: the cause" in caplog.text


def test_answers_are_strict_json(platform: LivePlatform, api: httpx.Client) -> None:
    """Text that is hard to send arrives as valid UTF-8 JSON that a strict reader takes."""
    task = platform.run("noisy", "completed", params={"text": "line\u2028sep </script> \x7f 🌍"})
    answer = api.get(f"/api/v1/tasks/{task.id}")
    assert answer.headers["content-type"] == "application/json"
    strict = json.loads(answer.content.decode("utf-8"), parse_constant=pytest.fail)
    assert strict["params"]["text"] == "line\u2028sep </script> \x7f 🌍"
    assert strict["stages"][0]["output_summary"] == "said <b>all</b>"

"""Answers to writes that do not say whether they happened."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from retry_toolkit import errors
from tests.platforms.wires import Recorder, transport


def body(status: int, **options: Any) -> Recorder:
    """A recorder that always gives this answer."""
    return Recorder(lambda request: httpx.Response(status, **options))


@pytest.mark.parametrize("status", [302, 303, 307, 408, 429, 500, 502, 503, 504])
def test_a_write_with_a_vague_answer_is_unclear_and_sent_once(status: int) -> None:
    """Server errors, redirects and pleas for patience do not say whether the write happened."""
    recorder = body(status, json={"detail": "oops"}, headers={"Location": "/elsewhere", "Retry-After": "7"})
    with pytest.raises(errors.UnclearOutcome, match="oops") as caught:
        transport(recorder).write("POST", "/api/tasks/1/retry", {"copy_files": True})
    assert (caught.value.status, caught.value.retry_after_s) == (status, 7.0)
    assert recorder.lines == ["POST /api/tasks/1/retry"]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422, 507])
@pytest.mark.parametrize(
    "answer",
    [
        {"text": '{"detail": "Task not fo'},
        {"html": "<h1>Forbidden</h1>"},
        {"json": ["detail"]},
        {"json": {}},
        {"text": ""},
    ],
)
def test_a_refusal_that_is_not_in_the_contracts_form_is_unclear(status: int, answer: dict[str, Any]) -> None:
    """Somebody else on the way may have written it, or cut it, after the platform acted."""
    with pytest.raises(errors.UnclearOutcome):
        transport(body(status, **answer)).write("POST", "/x")


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<html><body>done</body></html>", "headers": {"Content-Type": "text/html"}},
        {"text": "done"},
        {"text": '{"id": '},
        {"content": b"\xff\xfe\x00"},
        {"text": "[" * 100_000},
    ],
)
def test_a_write_with_a_garbled_answer_is_unclear(answer: dict[str, Any]) -> None:
    """200 with something else than JSON does not say what happened."""
    with pytest.raises(errors.UnclearOutcome):
        transport(body(200, **answer)).write("POST", "/x", {})

"""Answers: the platform's own words, and which error they stand for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit import errors
from retry_toolkit.platforms.answers import MAX_DETAIL, Answer, read_value, refusal

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def answer(status: int, value: Any = None, *, body: bytes | None = None, **headers: str) -> Answer:
    """An answer with this JSON, or these bytes."""
    return Answer(status=status, headers=headers, body=json.dumps(value).encode() if body is None else body)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"detail": "Task not found"}, "Task not found"),
        ({"message": "网络错误"}, "网络错误"),
        ({"detail": None, "message": "second"}, "second"),
        (
            {"detail": [{"loc": ["body", "stage_id"], "msg": "Field required", "type": "missing"}]},
            "stage_id: Field required",
        ),
        (
            {"detail": [{"loc": ["query", "page"], "msg": "bad"}, {"loc": ["body"], "msg": "also bad"}]},
            "query.page: bad; also bad",
        ),
        (
            {"detail": {"message": "Not enough space", "bytes_needed": 10, "bytes_free": 3}},
            "Not enough space (bytes_needed: 10, bytes_free: 3)",
        ),
        ({"detail": {"code": 7}}, "code: 7"),
        ({"detail": "Internal error", "request_id": "r-1"}, "Internal error"),
        (["one", "two"], "one; two"),
        ("plain", "plain"),
        ({}, ""),
        (None, ""),
        (42, "42"),
    ],
)
def test_error_bodies_become_readable_text(value: object, words: str) -> None:
    """Strings, lists of fields and objects are all known forms."""
    assert answer(400, value).detail() == words


def test_text_that_is_no_json_is_kept_and_html_is_not() -> None:
    """A proxy's sentence helps, its page does not."""
    assert answer(502, body=b"upstream timed out\n").detail() == "upstream timed out"
    assert answer(502, body=b"<html><h1>Bad Gateway</h1></html>").detail() == ""
    assert answer(502, body=b"oops", **{"content-type": "text/html; charset=utf-8"}).detail() == ""


def test_endless_words_are_cut() -> None:
    """Errors stay printable."""
    assert len(answer(400, {"detail": "x" * 10_000_000}).detail()) == MAX_DETAIL


def test_words_and_advice_read_as_sentences() -> None:
    """Whatever punctuation the platform uses."""
    missing = refusal(answer(404, {"detail": "Task not found"}), origin="http://x")
    assert str(missing) == "Task not found. Refresh: it may have been deleted."
    refused = refusal(answer(400, {"detail": "不行。"}), origin="http://x")
    assert str(refused) == "不行。"
    closed = refusal(answer(401, {"detail": "Token expired."}), origin="http://x")
    assert str(closed).startswith("The platform asks for a valid token: Token expired. Pass a valid token")


@given(JSON_VALUES)
def test_every_error_body_has_words(value: object) -> None:
    """No body breaks the error that reports it."""
    for status in (400, 401, 403, 404, 410, 422, 500, 302):
        error = refusal(answer(status, value), origin="http://x")
        assert isinstance(error, errors.RetryToolkitError)
        assert str(error)


@given(JSON_VALUES)
def test_values_come_back_as_they_were_sent(value: object) -> None:
    """Reading changes nothing that can be encoded: ids, huge numbers and astral characters survive."""
    assert read_value(answer(200, value), origin="http://x") == value


def test_what_json_cannot_hold_is_mended() -> None:
    """NaN and infinities are unknown, lone surrogates and broken UTF-8 are U+FFFD, a BOM is nothing."""
    assert answer(200, body=b'[NaN, Infinity, -Infinity, 1e999, "x\\ud800y", "\\ud83d\\ude00"]').json() == [
        None,
        None,
        None,
        float("inf"),
        "x\ufffdy",
        "😀",
    ]
    assert answer(200, body=b'{"\\udfff": ["\\ud800"]}').json() == {"\ufffd": ["\ufffd"]}
    assert answer(200, body=b'"\xff"').json() == "\ufffd"
    assert answer(200, body=b"\xef\xbb\xbf{}").json() == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"1" * 5000, b"nope"])
def test_nonsense_is_no_json(body: bytes) -> None:
    """Whatever the reason, it is one kind of error."""
    with pytest.raises(errors.BadAnswer, match="not JSON"):
        read_value(answer(200, body=body), origin="http://x")


@pytest.mark.parametrize(
    ("status", "detail", "gone"),
    [
        (410, "whatever", True),
        (400, "原任务文件已被清理，无法重试", True),
        (409, "Input files of the original task are gone", True),
        (404, "File was removed by retention", True),
        (404, "任务不存在或已被删除", False),
        (404, "Task not found", False),
        (400, "task status is running", False),
        (400, "Retry limit reached (2/3)", False),
        (422, "files: Field required", False),
    ],
)
def test_gone_files_are_recognised(status: int, detail: str, gone: bool) -> None:
    """410, or any 4xx whose words say so."""
    error = refusal(answer(status, {"detail": detail}), origin="http://x")
    assert isinstance(error, errors.FilesGone) is gone
    assert isinstance(error, errors.PlatformError)
    assert error.detail == detail
    assert error.message == f"{detail}."

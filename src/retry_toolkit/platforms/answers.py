"""What an HTTP answer means: its JSON, or the error that it stands for. Pure; the transport does the talking."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from retry_toolkit.errors import (
    BadAnswer,
    FilesGone,
    NotFound,
    NotJson,
    PermissionDenied,
    PlatformError,
    Refused,
    RetryToolkitError,
    Unauthorized,
    Unavailable,
    UnclearOutcome,
)

MAX_DETAIL = 2_000
"""Most characters of a platform's own words that an error repeats."""

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_FILES_GONE = re.compile(
    r"文件.{0,12}(?:清理|不存在|丢失|删除)"
    r"|files?\b.{0,40}\b(?:gone|cleaned|purged|removed|deleted|missing|no longer|expired)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete HTTP answer; `headers` has lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the platform did what it was asked."""
        return self.status // 100 == HTTPStatus.OK // 100

    @property
    def is_html(self) -> bool:
        """Whether this is a web page."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind in {"text/html", "application/xhtml+xml"} or self.body[:200].lstrip()[:1] == b"<"

    @property
    def request_id(self) -> str | None:
        """The platform's id for the request, where it sent one."""
        return self.headers.get("x-request-id")

    def json(self) -> Any:
        """The JSON value; NaN and infinities are null, broken UTF-8 and lone surrogates become U+FFFD.

        Raises:
            ValueError: It is not JSON, or nested too deeply.
        """
        return tolerant_json(self.body)

    @property
    def in_contract_form(self) -> bool:
        """Whether this is an error as both dialects promise them: an object with `detail` or `message`."""
        try:
            body = self.json()
        except ValueError:
            return False
        return isinstance(body, dict) and bool({"detail", "message"} & body.keys())

    def detail(self) -> str:
        """The platform's own words in an error answer, as one readable text, or an empty string."""
        if self.is_html:
            return ""
        try:
            body = self.json()
        except ValueError:
            body = self.body[: 4 * MAX_DETAIL].decode("utf-8", "replace").strip()
        return readable(body)[:MAX_DETAIL]

    def retry_after(self, now: datetime) -> float | None:
        """Seconds that the platform asks to wait, or None."""
        value = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return max(0.0, (moment - now).total_seconds())


def tolerant_json(body: bytes) -> Any:
    """A JSON value; NaN and infinities are null, broken UTF-8 and lone surrogates become U+FFFD.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    text = body.decode("utf-8-sig", "replace")
    try:
        value = json.loads(text, parse_constant=lambda _: None)
        return _encodable(value) if _ESCAPED_SURROGATE.search(text) else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _encodable(value: Any) -> Any:
    """The value with text that every later step can encode."""
    match value:
        case str():
            return _LONE_SURROGATE.sub("\ufffd", value)
        case list():
            return [_encodable(item) for item in value]
        case dict():
            return {_encodable(key): _encodable(item) for key, item in value.items()}
        case _:
            return value


def readable(body: Any) -> str:
    """Text of an error body: its `detail` or `message`; lists as `loc: msg`, objects as words and figures."""
    match body:
        case str():
            return body
        case list():
            return "; ".join(filter(None, map(_readable_item, body)))
        case dict():
            return _readable_object(body)
        case None:
            return ""
        case _:
            return str(body)


def _readable_object(body: dict[Any, Any]) -> str:
    for key in ("detail", "message", "msg", "error"):
        if words := readable(body.get(key)):
            figures = _figures({name: value for name, value in body.items() if name not in {key, "request_id"}})
            return f"{words} ({figures})" if figures else words
    return _figures(body)


def _readable_item(item: Any) -> str:
    match item:
        case {"loc": list() as place, "msg": message}:
            path = ".".join(str(part) for part in place if part != "body")
            return f"{path}: {message}" if path else str(message)
        case _:
            return readable(item)


def _figures(body: dict[Any, Any]) -> str:
    return ", ".join(f"{key}: {readable(value)}" for key, value in body.items() if value not in (None, "", [], {}))


def read_body(answer: Answer, *, origin: str) -> bytes:
    """The body of an answer to a read, which may be JSON.

    Raises:
        RetryToolkitError: The answer is an error or a web page.
    """
    if not answer.ok:
        raise refusal(answer, origin=origin)
    if answer.is_html:
        raise NotJson("The platform answers with a web page instead of JSON.", url=origin)
    return answer.body


def read_value(answer: Answer, *, origin: str) -> Any:
    """The JSON value of an answer to a read.

    Raises:
        RetryToolkitError: The answer is an error, a web page, or not JSON.
    """
    read_body(answer, origin=origin)
    try:
        return answer.json()
    except ValueError as error:
        raise BadAnswer(f"The answer is not JSON: {error}.", status=answer.status) from None


def write_value(answer: Answer, *, origin: str, now: datetime) -> Any:
    """The JSON value of an answer to a write, or None for an empty one.

    A 4xx is a refusal in the contract's form only: a page or a torn text comes from somebody on the way.

    Raises:
        UnclearOutcome: The platform failed after the request was sent, or its answer cannot be read.
        RetryToolkitError: The platform said no.
    """
    if _is_unclear(answer):
        raise UnclearOutcome(
            f"The platform answered with HTTP {answer.status}{_quoted(answer.detail())}.",
            status=answer.status,
            retry_after_s=answer.retry_after(now),
        )
    if not answer.ok:
        raise refusal(answer, origin=origin)
    if not answer.body.strip():
        return None
    if answer.is_html:
        raise UnclearOutcome("The platform answered with a web page instead of JSON.", status=answer.status)
    try:
        return answer.json()
    except ValueError as error:
        raise UnclearOutcome(f"The platform's answer is not JSON: {error}.", status=answer.status) from None


def _is_unclear(answer: Answer) -> bool:
    """Whether an answer to a write leaves open if it happened; without room for the copies (507) it did not."""
    match answer.status:
        case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_MANY_REQUESTS:
            return True
        case HTTPStatus.UNAUTHORIZED:
            return False
        case HTTPStatus.INSUFFICIENT_STORAGE:
            return not answer.in_contract_form
        case status if status // 100 == HTTPStatus.BAD_REQUEST // 100:
            return not answer.in_contract_form
        case _:
            return not answer.ok


def refusal(answer: Answer, *, origin: str) -> RetryToolkitError:
    """The error that a status other than 2xx stands for."""
    detail = answer.detail()
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(f"The platform asks for a valid token{_quoted(detail)}.", url=origin)
    message = _sentence(detail) if detail else f"The platform answered with HTTP {answer.status}."
    return _kind(answer.status, detail)(message, status=answer.status, detail=detail, request_id=answer.request_id)


def _kind(status: int, detail: str) -> type[PlatformError]:  # noqa: PLR0911 - one line a meaning reads best
    match status:
        case HTTPStatus.GONE:
            return FilesGone
        case HTTPStatus.FORBIDDEN:
            return PermissionDenied
        case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.TOO_MANY_REQUESTS:
            return Unavailable
        case HTTPStatus.INSUFFICIENT_STORAGE:
            return Refused
    match status // 100:
        case 4 if _FILES_GONE.search(detail):
            return FilesGone
        case 4:
            return NotFound if status == HTTPStatus.NOT_FOUND else Refused
        case 5:
            return Unavailable
        case _:
            return BadAnswer


def _quoted(detail: str) -> str:
    return f": {detail.rstrip('.')}" if detail else ""


def _sentence(words: str) -> str:
    """The words, ready to be followed by an advice."""
    return words if words.endswith((".", "!", "?", "。", "！", "？")) else f"{words}."

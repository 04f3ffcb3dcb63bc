"""Lines of logs and errors as they are shown: control characters made visible, and what each line looks like."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from retry_toolkit.platforms.base import LogRecord

KEPT_LINES: Final = 50_000
KEPT_CHARS: Final = 16_000_000

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_VISIBLE: Final = (
    {code: chr(0x2400 + code) for code in range(0x20) if code != ord("\t")}
    | {0x7F: "\u2421"}
    | {code: f"⟨U+{code:04X}⟩" for code in (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # no encoding takes half a surrogate pair
)

_ERROR = re.compile(
    r"Traceback \(most recent call last\)|^\s*(?:Caused by|Exception in thread)\b"
    r"|(?:^|[\s\[|(<\"'=])(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC)(?=$|[\s\]|:)>\"',])"
    r"|^\s*(?:[Ee]rror|[Ff]atal|[Pp]anic)(?: error)?\s*[:\[(]|\[(?:[Ee]rror|[Ff]atal)\]"
    r"|\blevel[\"']?\s*[=:]\s*[\"']?(?:error|fatal|critical)\b"
    r"|^\s*[\w.]*(?:Error|Exception)(?:$|:)"
    r"|(?:^|[\s\[【])(?:错误|致命|异常)(?=$|[\s\]】:：])"
)
_WARNING = re.compile(
    r"(?:^|[\s\[|(<\"'=])(?:WARN|WARNING)(?=$|[\s\]|:)>\"',])|^\s*[Ww]arning\s*:|\[[Ww]arn(?:ing)?\]|\w+Warning:"
    r"|\blevel[\"']?\s*[=:]\s*[\"']?warn(?:ing)?\b|(?:^|[\s\[【])警告(?=$|[\s\]】:：])"
)
_LOOKED_AT: Final = 400


class Line(NamedTuple):
    """One line; `mark` is `error` or `warning` where it looks like one, else where it came from."""

    text: str
    mark: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class LogBook:
    """The end of a log: `records` as they came, `lines` as they are shown.

    `skipped` lines came before and are not kept; `codes` of a terminal were left out. The latest attempt begins at the
    line `latest`.
    """

    records: tuple[LogRecord, ...] = ()
    lines: tuple[Line, ...] = ()
    skipped: int = 0
    codes: int = 0
    latest: int = 0


def read_book(records: Iterable[LogRecord], *, since: datetime | None = None) -> LogBook:
    """The end of a log, as much of it as a page keeps; `since` tells when the latest of several attempts began."""
    kept: deque[LogRecord] = deque()
    chars = skipped = 0
    for record in records:
        kept.append(record)
        chars += len(record.text)
        while len(kept) > KEPT_LINES or (chars > KEPT_CHARS and len(kept) > 1):
            dropped = kept.popleft()
            chars -= len(dropped.text)
            skipped += dropped.text.count("\n") + 1
    lines: list[Line] = []
    codes, latest = 0, None if since is not None else 0
    for record in kept:
        if latest is None and since is not None and record.time is not None and record.time >= since:
            latest = len(lines)
        shown, left_out = lines_of(record.text, kind=record.kind, cut=record.truncated)
        lines += shown
        codes += left_out
    return LogBook(tuple(kept), tuple(lines), skipped, codes, latest or 0)


def lines_of(text: str, *, kind: str = "", cut: bool = False) -> tuple[list[Line], int]:
    """The lines of a text, and how many codes of a terminal were left out of them."""
    plain, codes = printable(text)
    source = kind if kind in {"", "stdout", "stderr"} else "event"
    parts = plain.split("\n")
    return [Line(part, level_of(part) or source, cut and part is parts[-1]) for part in parts], codes


def printable(text: str) -> tuple[str, int]:
    """`text` without the codes of a terminal, of which it says how many, and with control characters made visible."""
    if text.isprintable():
        return text, 0
    plain, codes = _TERMINAL.subn("", text.replace("\r\n", "\n").removesuffix("\r"))
    return "\n".join(line if line.isprintable() else line.translate(_VISIBLE) for line in plain.split("\n")), codes


def level_of(text: str) -> str:
    """`error` or `warning` where a line looks like one."""
    start = text[:_LOOKED_AT]
    if _ERROR.search(start):
        return "error"
    return "warning" if _WARNING.search(start) else ""

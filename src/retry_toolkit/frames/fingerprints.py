"""Fingerprints: error messages without their variable parts, so that one cause has one name.

Numbers, names with numbers, times, addresses, paths and quoted values become `*`; error codes stay, for exit 137 is not
exit 139 and HTTP 500 is not HTTP 503. The patterns run in RE2 (`pyarrow.compute`) over the distinct messages only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_CHARS = 300
"""Longest fingerprint, in characters."""

_HEAD, _TAIL = 8_000, 16_000
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOISE = r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f\x{E000}]"

# The line after the frames of the last traceback: messages can go on for lines, and the last of a chain was raised.
_TRACED = "Traceback (most recent call last)"
_RAISED = r'(?s)(?:.*\n|^)  File "[^\n]*(?:\n[ \t][^\n]*)*\n(?P<line>[^\n]+)'
_LAST = r"(?s)(?:.*\n|^)(?P<line>[^\n]*\S[^\n]*)"
_FIRST = r"(?:^|\n)(?P<line>[^\n]*\p{L}[^\n]*)"

# Codes are put between marks; what lies between two marks stays as it is.
_MARK = "\ue000"
_CODE_WORDS = (
    r"(?i:\b(?:exit(?:ed)?(?: with)?(?:[ _-]?(?:code|status))?|return[ _]?code|rc|(?:status|error|err)[ _]?code"
    r"|code|status|errno|winerror|signal|sqlstate|http(?:/\d(?:\.\d)?)?(?: status| error)?(?: code)?))"
    r"|退出码|退出代码|退出状态|返回码|返回值|状态码|错误码|错误代码|错误号|信号"
)
_PHRASES = (
    r"bad request|unauthorized|forbidden|not found|method not allowed|request time-?out|conflict|gone|unprocessable"
    r"|too many requests|internal server error|not implemented|bad gateway|service unavailable|gateway time-?out"
)
_CODE = (
    rf"(?:{_CODE_WORDS})[\s:=#(\[，：（]{{0,3}}-?\d{{1,6}}|(?i:\berror) [#(]?\d{{1,6}}"
    r"|\b(?:ORA|PLS|TNS|SQL|ERR|E)[-_]?\d{3,6}"
    rf"|\b[1-5]\d\d\s(?i:{_PHRASES})"
)

_SEGMENT = r"[^\s/\\'\"`:;,|<>()\[\]{}\x{E000}，。；：、（）《》“”‘’「」]+"
_BEFORE = r"(^|[\s=:;,(\[{<>|，：；、（]|\p{Han})"
# RE2 looks neither ahead nor behind: what stands before is captured and given back, which is slow, so only here.
_PATHS = rf"~?(?:/{_SEGMENT})+/?|[\w.~-]+(?:/{_SEGMENT})+\.[A-Za-z][A-Za-z0-9]{{0,7}}\b"
_APART = rf"{_BEFORE}(?:'[^'\x{{E000}}]*'|{_PATHS})"
_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{4}年\d{1,2}月\d{1,2}日"
_URL = r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>，。；）]+"
_QUOTED = r"\"[^\"]*\"|`[^`]*`|“[^”]*”|‘[^’]*’|「[^」]*」|『[^』]*』|《[^》]*》"
_REST = "|".join((
    rf"\b[A-Za-z]:[\\/](?:{_SEGMENT}[\\/]?)*|\\\\{_SEGMENT}(?:\\{_SEGMENT})+",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b",
    r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    r"\b0[xX][0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|\b[0-9a-fA-F]{1,4}(?::{1,2}[0-9a-fA-F]{1,4}){2,7}\b",
    rf"(?:{_DAY})(?:[T ]\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?",
    r"\w*\d\w*(?:[._/-]\w+)+|\w+(?:[._/-]\w+)*[._/-]\w*\d\w*|\b[A-Z]\d+\b",
    r"\p{Nd}+(?:[.,:]\p{Nd}+)*(?:[eE][+-]?\d+)?",
))  # fmt: skip
_VARIABLE = f"{_URL}|{_QUOTED}|{_REST}"

# The same where what is quoted stays: a path may stand right behind a quote.
_APART_UNQUOTED = rf"(^|[\s=:;,(\[{{<>|'\"`“‘「『《，：；、（]|\p{{Han}})(?:{_PATHS})"
_VARIABLE_UNQUOTED = f"{_URL}|{_REST}"


def fingerprint(text: str | None) -> str | None:
    """Fingerprint of one error message; None for a missing or blank one."""
    return None if text is None else fingerprints([text])[0].as_py()


def fingerprints(messages: Iterable[str | None]) -> Any:
    """Fingerprints of many messages, as a `pyarrow` array of strings in the same order, null for missing and blank."""
    encoded = _encode(messages)
    return pc.take(_of_distinct(encoded.dictionary), encoded.indices)


def raised_line(message: str) -> str | None:
    """The line of a Python traceback that says what was raised; None where the message has no traceback."""
    if _TRACED not in message:
        return None
    tail = pa.array([_SURROGATES.sub("\ufffd", message[-_TAIL:])], type=pa.large_string())
    line: str | None = _raised_line(tail)[0].as_py()
    return line


def masked(lines: Iterable[str]) -> list[str]:
    """Each line whole, with its numbers, ids, times, addresses and paths removed; codes and what is quoted stay.

    Lines that are equal then differ in nothing but what differs each time.
    """
    encoded = _encode(lines)
    quiet = _replaced(encoded.dictionary, _NOISE, "")
    holed = _holed(quiet, _APART_UNQUOTED, _VARIABLE_UNQUOTED)
    found: list[str] = pc.take(holed, encoded.indices).to_pylist()
    return found


def _encode(messages: Iterable[str | None]) -> Any:
    if isinstance(messages, pa.ChunkedArray):
        return messages.combine_chunks().dictionary_encode()
    try:
        array = pa.array(messages, type=pa.large_string(), from_pandas=True)
    except UnicodeEncodeError:
        clean = [text and _SURROGATES.sub("\ufffd", text) for text in messages]
        array = pa.array(clean, type=pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.dictionary_encode()


def _of_distinct(messages: Any) -> Any:
    holed = _holed(_telling_line(messages), _APART, _VARIABLE)
    short = pc.utf8_rtrim_whitespace(pc.utf8_slice_codeunits(holed, 0, MAX_CHARS))
    return pc.if_else(pc.equal(short, ""), pa.scalar(None, short.type), short)


def _holed(texts: Any, apart: str, variable: str) -> Any:
    """Texts with a star for each run of variable parts, and single spaces."""
    marked = _replaced(texts, _CODE, rf"{_MARK}\0{_MARK}")
    holed = _between_marks(_replaced(marked, apart, r"\1*"), variable)
    once = _replaced(holed, r"\*(?:[\s,;/._+-]*\*)+", "*")
    return pc.utf8_trim_whitespace(_replaced(once, r"\s{2,}|[^\S ]", " "))


def _between_marks(marked: Any, variable: str) -> Any:
    """Variable parts removed from all but the codes: of the parts between marks, every second is one."""
    parts = pc.split_pattern(marked, _MARK)
    starts = parts.offsets.to_numpy()
    texts = parts.flatten()
    odd = (np.arange(len(texts)) - np.repeat(starts[:-1], np.diff(starts))) % 2 == 1
    kept = pc.if_else(pa.array(odd), texts, _replaced(texts, variable, "*"))
    return pc.binary_join(pa.ListArray.from_arrays(parts.offsets, kept), pa.scalar("", kept.type))


def _telling_line(messages: Any) -> Any:
    """The line that says what broke: of a Python traceback what was raised, else the first with a letter in it."""
    traced = pc.match_substring(messages, _TRACED)
    return _where(traced, _first_line(messages), lambda: _raised_line(messages.filter(traced)))


def _first_line(messages: Any) -> Any:
    head = _replaced(pc.utf8_slice_codeunits(messages, 0, _HEAD), _NOISE, "")
    several = pc.match_substring(head, "\n")
    return _where(several, head, lambda: _line(head.filter(several), _FIRST, _LAST))


def _raised_line(messages: Any) -> Any:
    return _line(_replaced(pc.utf8_slice_codeunits(messages, -_TAIL), _NOISE, ""), _RAISED, _LAST)


def _line(messages: Any, pattern: str, otherwise: str) -> Any:
    line = pc.struct_field(pc.extract_regex(messages, pattern), "line")
    missing = line.is_null()
    return _where(missing, line, lambda: pc.struct_field(pc.extract_regex(messages.filter(missing), otherwise), "line"))


def _replaced(texts: Any, pattern: str, by: str) -> Any:
    """Every match replaced; texts without one are only looked at, which is several times as fast."""
    found = pc.match_substring_regex(texts, pattern)
    return _where(found, texts, lambda: pc.replace_substring_regex(texts.filter(found), pattern, by))


def _where(mask: Any, texts: Any, changed: Callable[[], Any]) -> Any:
    """The texts with those that the mask marks changed."""
    mask = mask.fill_null(False)
    return pc.replace_with_mask(texts, mask, changed()) if pc.any(mask).as_py() else texts

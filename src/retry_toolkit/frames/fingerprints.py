"""Fingerprints: error messages without their variable parts, so that one cause has one name.

Numbers, names with numbers, times, addresses, paths and quoted values become `*`; error codes stay, for exit 137 is not
exit 139 and HTTP 500 is not HTTP 503. The patterns run in RE2 (`pyarrow.compute`) over the distinct messages only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

MAX_CHARS = 300
"""Longest fingerprint, in characters."""

_HEAD, _TAIL = 8_000, 16_000
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOISE = r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f\x{E000}]"

# The line after the frames of the last traceback: messages can go on for lines, and the last of a chain was raised.
_RAISED = r'(?s)(?:.*\n|^)  File "[^\n]*(?:\n[ \t][^\n]*)*\n(?P<line>[^\n]+)'
_LAST = r"(?s)(?:.*\n|^)(?P<line>[^\n]*\S[^\n]*)"
_FIRST = r"(?:^|\n)(?P<line>[^\n]*\p{L}[^\n]*)"

# RE2 looks neither ahead nor behind: a code gets a mark first, and digits that end in the mark are given back as is.
_MARK = "\ue000"
_CODE_WORDS = (
    r"(?i:\b(?:exit(?:ed)?(?: with)?(?: code| status)?|return ?code|(?:status|error|err)[ _]?code|code|status|errno"
    r"|signal|sqlstate|http(?:/\d(?:\.\d)?)?(?: status| error)?(?: code)?))"
    r"|退出码|退出代码|退出状态|返回码|返回值|状态码|错误码|错误代码|错误号|信号"
)
_PHRASES = (
    r"bad request|unauthorized|forbidden|not found|method not allowed|request time-?out|conflict|gone|unprocessable"
    r"|too many requests|internal server error|not implemented|bad gateway|service unavailable|gateway time-?out"
)
_CODE = (
    rf"((?:{_CODE_WORDS})[\s:=#(\[，：（]{{0,3}}-?\d{{1,6}}|(?i:\berror) [#(]?\d{{1,6}}"
    r"|\b(?:ORA|PLS|TNS|SQL|ERR|E)[-_]?\d{3,6})"
    rf"|(\b[1-5]\d\d)(\s(?i:{_PHRASES}))"
)

_SEGMENT = r"[^\s/\\'\"`:;,|<>()\[\]{}\x{E000}，。；：、（）《》“”‘’「」]+"
_BEFORE = r"(^|[\s=:;,(\[{<>|，：；、（]|\p{Han})"
_DAY = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{4}年\d{1,2}月\d{1,2}日"
_VARIABLE = "|".join((
    r"([\w./:=-]*\d\x{E000})",
    r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>，。；）]+",
    r"\"[^\"\x{E000}]*\"|`[^`\x{E000}]*`|“[^”\x{E000}]*”|‘[^’\x{E000}]*’",
    r"「[^」\x{E000}]*」|『[^』\x{E000}]*』|《[^》\x{E000}]*》",
    rf"{_BEFORE}(?:'[^'\x{{E000}}]*'|~?(?:/{_SEGMENT})+/?|[\w.~-]+(?:/{_SEGMENT})+\.[A-Za-z][A-Za-z0-9]{{0,7}}\b)",
    rf"\b[A-Za-z]:[\\/](?:{_SEGMENT}[\\/]?)*|\\\\{_SEGMENT}(?:\\{_SEGMENT})+",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b",
    r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    r"\b0[xX][0-9a-fA-F]+\b|\b[0-9a-fA-F]{8,}\b|\b[0-9a-fA-F]{1,4}(?::{1,2}[0-9a-fA-F]{1,4}){2,7}\b",
    rf"(?:{_DAY})(?:[T ]\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?",
    r"\w*\d\w*(?:[._/-]\w+)+|\w+(?:[._/-]\w+)*[._/-]\w*\d\w*|\b[A-Z]\d+\b",
    r"\p{Nd}+(?:[.,:]\p{Nd}+)*(?:[eE][+-]?\d+)?",
))  # fmt: skip


def fingerprint(text: str | None) -> str | None:
    """Fingerprint of one error message; None for a missing or blank one."""
    return None if text is None else fingerprints([text])[0].as_py()


def fingerprints(messages: Iterable[str | None]) -> Any:
    """Fingerprints of many messages, as a `pyarrow` array of strings in the same order, null for missing and blank."""
    encoded = _encode(messages)
    return pc.take(_of_distinct(encoded.dictionary), encoded.indices)


def _encode(messages: Iterable[str | None]) -> Any:
    try:
        array = pa.array(messages, type=pa.large_string(), from_pandas=True)
    except UnicodeEncodeError:
        clean = [text and _SURROGATES.sub("\ufffd", text) for text in messages]
        array = pa.array(clean, type=pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.dictionary_encode()


def _of_distinct(messages: Any) -> Any:
    line = _telling_line(messages)
    marked = pc.replace_substring_regex(line, _CODE, rf"\1\2{_MARK}\3")
    holed = pc.replace_substring_regex(marked, _VARIABLE, r"\1\2*")
    plain = pc.replace_substring(pc.replace_substring(holed, f"{_MARK}*", ""), _MARK, "")
    once = pc.replace_substring_regex(plain, r"\*(?:[\s,;/._+-]*\*)+", "*")
    even = pc.utf8_trim_whitespace(pc.replace_substring_regex(once, r"\s+", " "))
    short = pc.utf8_rtrim_whitespace(pc.utf8_slice_codeunits(even, 0, MAX_CHARS))
    return pc.if_else(pc.equal(short, ""), pa.scalar(None, short.type), short)


def _telling_line(messages: Any) -> Any:
    """The line that says what broke: of a Python traceback what was raised, else the first with a letter in it."""
    head = _clean(pc.utf8_slice_codeunits(messages, 0, _HEAD))
    tail = _clean(pc.utf8_slice_codeunits(messages, -_TAIL))
    raised = pc.coalesce(_line(tail, _RAISED), _line(tail, _LAST))
    traced = pc.match_substring(messages, "Traceback (most recent call last)")
    return pc.if_else(traced, raised, pc.coalesce(_line(head, _FIRST), _line(head, _LAST)))


def _clean(messages: Any) -> Any:
    return pc.replace_substring_regex(messages, _NOISE, "")


def _line(messages: Any, pattern: str) -> Any:
    return pc.struct_field(pc.extract_regex(messages, pattern), "line")

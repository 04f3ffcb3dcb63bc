"""Fingerprints of error messages, against what is usually written: each message through one pattern after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from benchmarks.generate import messages
from benchmarks.rows import AtLeast, Row, Scale, Side
from retry_toolkit.frames.fingerprints import fingerprints

_CODES = re.compile(
    r"((?:退出码|状态码|错误码|\b(?:exit code|status code|errno|signal|http)\b)[\s:=]{0,2})(\d{1,6})", re.IGNORECASE
)
_KEPT = str.maketrans("0123456789", "".join(chr(0xE000 + digit) for digit in range(10)))
_GIVEN_BACK = {kept: digit for digit, kept in _KEPT.items()}
_CHAIN = tuple(
    re.compile(pattern)
    for pattern in (
        r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>，。；）]+",
        r"\"[^\"]*\"|`[^`]*`|“[^”]*”",
        r"(?<!\w)'[^']*'",
        r"(?<![\w/])~?(?:/[^\s/\\'\"`:;,，。；：]+)+/?",
        r"\b[A-Za-z]:\\[^\s'\"]*",
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}",
        r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b",
        r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
        r"\b0[xX][0-9a-fA-F]+\b",
        r"\b[0-9a-fA-F]{8,}\b",
        r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?",
        r"[A-Za-z]\w*_\d+\b",
        r"\d+(?:[.,:]\d+)*",
        r"\*(?:[\s,;]*\*)+",
    )
)
_BLANKS = re.compile(r"\s+")


def write_messages(folder: Path, scale: Scale) -> None:
    """As many messages as there are rows, of which a fifth are distinct."""
    table = pa.table({"message": messages(scale.million)})
    with pa.OSFile(str(folder / "messages.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def column(folder: Path, scale: Scale) -> pa.Array:
    """The messages as a frame holds them."""
    del scale
    with pa.OSFile(str(folder / "messages.arrow")) as source:
        return pa.ipc.open_file(source).read_all()["message"].combine_chunks()


def chained(texts: list[str]) -> list[str]:
    """Every message by itself, pattern by pattern."""
    return [_chained(text) for text in texts]


def _chained(text: str) -> str:
    lines = text.strip().splitlines()
    line = _CODES.sub(lambda found: found[1] + found[2].translate(_KEPT), lines[-1] if len(lines) > 1 else lines[0])
    for pattern in _CHAIN:
        line = pattern.sub("*", line)
    return _BLANKS.sub(" ", line).strip().translate(_GIVEN_BACK)


def same_groups(baseline: list[str], ours: pa.Array) -> None:
    """Both find the same causes."""
    pairs = set(zip(baseline, ours.to_pylist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs}) > 1


ROWS = (
    Row(
        name="fingerprints",
        what="fingerprints, 1 M messages, a fifth distinct",
        prepare=write_messages,
        baseline=Side("chain of Python re", load=lambda *at: column(*at).to_pylist(), run=chained),
        ours=Side("fingerprints", load=column, run=fingerprints),
        same=same_groups,
        gate=AtLeast(9, aim=13),
    ),
)

"""Outcomes as a table, on the terminal and in the documents."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.harness import Outcome

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
HEADINGS = ("what", "baseline", "measured", "baseline takes", "ours takes", "ratio", "gate", "spread", "peak", "date")
_MEGABYTE = 1024 * 1024


def cells(outcome: Outcome) -> tuple[str, ...]:
    """One line of the table."""
    row = outcome.row
    return (
        row.what,
        row.baseline.label,
        {"cpu": "CPU", "wall": "time", "peak": "peak memory", "kept": "memory kept"}[row.measure],
        _value(outcome, outcome.baseline),
        _value(outcome, outcome.ours),
        f"**{outcome.ratio:.2f}**" + ("" if outcome.holds else " ✗"),
        str(row.gate),
        f"{outcome.spread:.0%}",
        " / ".join(f"{peak / _MEGABYTE:.0f}" for peak in outcome.peaks) + " MB",
        f"{datetime.now(UTC):%Y-%m-%d}",
    )


def table(lines: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    return grid([HEADINGS, *lines])


def grid(lines: Sequence[tuple[str, ...]]) -> str:
    """Lines as a table of a document, the first one above the others."""
    heading, *rest = lines
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, ("---",) * len(heading), *rest))


def machine() -> str:
    """What it was measured on, in one line."""
    parts = ("pandas", "pyarrow", "numpy", "msgspec", "orjson")
    versions = ", ".join(f"{name} {version(name)}" for name in parts)
    return f"{_processor()}, {os.cpu_count()} cores, {_memory()}; Python {platform.python_version()}, {versions}"


def write(outcomes: Iterable[Outcome], order: Iterable[str], document: Path = DOCUMENT) -> None:
    """Put outcomes into the marked section of the document; lines of rows that were not measured stay."""
    text = document.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    lines = {line[0]: line for line in _lines(old)} | {line[0]: line for line in map(cells, outcomes)}
    known = [lines[what] for what in order if what in lines]
    section = f"{BEGIN}\n{table(known)}\n\nLast measured on {machine()}.\n{END}"
    document.write_text(f"{before}{section}{after}", encoding="utf-8")


def write_section(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put a text between the marks of that name, with the machine that it was measured on."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = document.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    section = f"{begin}\n{text}\n\nLast measured on {machine()}.\n{end}"
    document.write_text(f"{before}{section}{after}", encoding="utf-8")


def _lines(section: str) -> list[tuple[str, ...]]:
    rows = [tuple(line.strip("|").split("|")) for line in section.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in row) for row in rows[2:]]


def _value(outcome: Outcome, value: float) -> str:
    if outcome.row.measure in {"peak", "kept"}:
        return f"{value / _MEGABYTE:.0f} MB"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def _processor() -> str:
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1024**3:.0f} GB"

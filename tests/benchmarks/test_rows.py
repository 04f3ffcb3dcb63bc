"""Benchmarks compare like with like: both sides of every row give the same answer. Speed is not tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.catalogue import all_rows
from benchmarks.gauge import gauge
from benchmarks.harness import Outcome
from benchmarks.rows import SCALES, AtLeast, AtMost, Gate, Row, check


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where rows keep their inputs."""
    return tmp_path_factory.mktemp("benchmarks")


@pytest.mark.parametrize("name", all_rows())
def test_both_sides_agree(name: str, inputs: Path) -> None:
    """On a tiny input, whatever they take."""
    check(all_rows()[name], inputs, SCALES["tiny"])


@pytest.mark.parametrize(
    ("gate", "ratio", "enough", "not_enough"),
    [(AtLeast(4, aim=6), 4.0, 4.0, 3.9), (AtMost(0.3, aim=0.2), 0.25, 0.3, 0.31)],
)
def test_gates_know_which_way_is_better(gate: Gate, ratio: float, enough: float, not_enough: float) -> None:
    """A factor must be reached, a share must not be exceeded."""
    assert gate.ratio(8.0, 2.0) == ratio
    assert gate.holds(enough)
    assert not gate.holds(not_enough)


def test_a_run_is_gauged() -> None:
    """What it keeps and what it takes for a while are told apart."""
    blocks = 64 * 1024 * 1024

    def run(size: int) -> bytes:
        passing = bytearray(b"x" * size)
        return bytes(passing[: size // 4])

    reading = gauge(run, blocks)
    assert reading.cpu > 0
    assert reading.peak > blocks > reading.kept


def test_the_document_keeps_what_was_not_measured_again(tmp_path: Path) -> None:
    """Lines are replaced by name and stay in their order; what is around the section stays."""
    first, second = list(all_rows().values())[:2]
    document = tmp_path / "performance.md"
    document.write_text(f"before\n{report.BEGIN}\n{report.END}\nafter\n", encoding="utf-8")
    order = [first.what, second.what]

    def outcome(row: Row, ours: float) -> Outcome:
        return Outcome(row=row, baseline=8.0, ours=ours, spread=0.1, peaks=(1.0, 1.0))

    report.write([outcome(second, 1.0)], order, document)
    report.write([outcome(first, 2.0)], order, document)
    report.write([outcome(second, 4.0)], order, document)
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == order
    assert ["4.00 s" in line for line in lines] == [False, True]

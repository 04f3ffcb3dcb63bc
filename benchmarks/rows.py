"""What a benchmark is: one row of the table, declared by the module that holds its two sides.

    ROWS = (
        Row(
            name="lineage-deep",
            what="lineage, 1 M tasks, depth 51",
            prepare=write_links,  # once: files that both sides read
            baseline=Side("memoised Python", load=read_lists, run=walk),
            ours=Side("build_lineage", load=read_frame, run=build_lineage),
            same=same_roots,  # raises AssertionError where the two answers differ
            gate=AtLeast(5, aim=8),
        ),
    )

`python -m benchmarks` finds every module of this package that has `ROWS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Measure = Literal["cpu", "wall", "peak", "kept"]
"""Seconds of processor time, seconds, bytes at the most while it runs, or bytes that its result occupies."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the inputs are."""

    name: str
    history: int
    """Tasks of six stages each."""
    million: int
    """Rows where a claim is about a million."""


SCALES = {
    "tiny": Scale("tiny", 250, 2_000),
    "small": Scale("small", 10_000, 100_000),
    "full": Scale("full", 100_000, 1_000_000),
}


class Gate(Protocol):
    """What a ratio must keep to."""

    def ratio(self, baseline: float, ours: float) -> float:
        """The ratio that is shown."""

    def holds(self, ratio: float) -> bool:
        """Whether the claim is kept."""


@dataclass(frozen=True, slots=True)
class AtLeast:
    """Ours is so many times better than the baseline."""

    factor: float
    aim: float

    def ratio(self, baseline: float, ours: float) -> float:
        """How many times less ours takes."""
        return baseline / ours

    def holds(self, ratio: float) -> bool:
        """Whether it is enough."""
        return ratio >= self.factor

    def __str__(self) -> str:
        return f"≥ {self.factor:g} (aim {self.aim:g})"


@dataclass(frozen=True, slots=True)
class AtMost:
    """Ours takes at most this share of what the baseline takes."""

    share: float
    aim: float

    def ratio(self, baseline: float, ours: float) -> float:
        """The share that ours takes."""
        return ours / baseline

    def holds(self, ratio: float) -> bool:
        """Whether it is little enough."""
        return ratio <= self.share

    def __str__(self) -> str:
        return f"≤ {self.share:g} (aim {self.aim:g})"


def _untouched(folder: Path, scale: Scale) -> None:
    """Nothing to prepare."""


@dataclass(frozen=True, slots=True)
class Side:
    """One way to do it. `load` reads the input and is not measured; `run` is."""

    label: str
    run: Callable[[Any], Any]
    load: Callable[[Path, Scale], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim.

    Attributes:
        name: What it is called on the command line.
        what: What it is called in the table.
        baseline: The named other way.
        ours: Our way.
        same: Raises AssertionError where the answers of `baseline` and `ours` differ in what they should share.
        gate: What their ratio must keep to.
        measure: What is compared.
        prepare: Writes inputs to an empty folder, once for all rows that name the same function.
        repeat: Runs within one process, of which the median counts: for what takes milliseconds.
    """

    name: str
    what: str
    baseline: Side
    ours: Side
    same: Callable[[Any, Any], None]
    gate: Gate
    measure: Measure = "cpu"
    prepare: Callable[[Path, Scale], None] = _untouched
    repeat: int = 1

    @property
    def sides(self) -> dict[str, Side]:
        """Both sides by name."""
        return {"baseline": self.baseline, "ours": self.ours}


def prepared(row: Row, root: Path, scale: Scale) -> Path:
    """The folder with the inputs of a row, written when it is first asked for."""
    folder = root / f"{row.prepare.__module__}.{row.prepare.__name__}.{scale.name}"
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True)
        row.prepare(unfinished, scale)
        unfinished.rename(folder)
    return folder


def check(row: Row, root: Path, scale: Scale) -> None:
    """Run both sides and compare their answers.

    Raises:
        AssertionError: They differ.
    """
    folder = prepared(row, root, scale)
    answers = [side.run(side.load(folder, scale)) for side in (row.baseline, row.ours)]
    row.same(*answers)

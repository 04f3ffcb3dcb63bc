"""Measures rows: each side in fresh processes, in turns, and of the runs the median."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gauge import Reading
from benchmarks.rows import SCALES, Row, Scale, check, prepared

RUNS = 5
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A measured row; `spread` is how far runs lay apart, as a share of their median."""

    row: Row
    baseline: float
    ours: float
    spread: float
    peaks: tuple[float, float]

    @property
    def ratio(self) -> float:
        """Baseline against ours, as the gate counts it."""
        return self.row.gate.ratio(self.baseline, self.ours)

    @property
    def holds(self) -> bool:
        """Whether the gate is kept."""
        return self.row.gate.holds(self.ratio)


def measure(row: Row, root: Path, scale: Scale, *, runs: int = RUNS) -> Outcome:
    """Compare the answers of both sides on a small input, then measure both on the whole.

    Raises:
        AssertionError: The answers differ.
    """
    check(row, root, SCALES["tiny"])
    folder = prepared(row, root, scale)
    readings: dict[str, list[Reading]] = {side: [] for side in row.sides}
    for _ in range(runs):
        for side, found in readings.items():
            found.append(_measured(row.name, side, folder, scale))
    values = {side: [getattr(reading, row.measure) for reading in found] for side, found in readings.items()}
    middle = {side: statistics.median(found) for side, found in values.items()}
    return Outcome(
        row=row,
        baseline=middle["baseline"],
        ours=middle["ours"],
        spread=max((max(found) - min(found)) / max(middle[side], 1e-9) for side, found in values.items()),
        peaks=(_peak(readings["baseline"]), _peak(readings["ours"])),
    )


def _measured(name: str, side: str, folder: Path, scale: Scale) -> Reading:
    command = [sys.executable, "-m", "benchmarks.worker", name, side, str(folder), scale.name]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return Reading(**json.loads(run.stdout))


def _peak(readings: list[Reading]) -> float:
    return statistics.median(reading.peak for reading in readings)

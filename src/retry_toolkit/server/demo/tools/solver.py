"""Solve for the temperature of a plate; run as a command line of the `mesh_sim` pipeline.

A steady state is found by successive over-relaxation. A transient takes as many time steps as its duration asks for, in
step with a test bench that gives a sample every millisecond. It goes on until it is done: how long that may take is the
platform's business. Exit status: 0 solved, 3 diverged.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SIDE = 18
DIVERGED = 3
HOPELESS = 1e12
REPORT_EVERY = 20
SAMPLE_S = 0.001


def main() -> int:
    """Read `domain.json` of the stage `prepare`, write `solution.json` here."""
    domain = json.loads((Path(os.environ["RT_OUTPUTS"]) / "prepare" / "domain.json").read_text(encoding="utf-8"))
    reference = Path(os.environ["RT_INPUTS"]).parents[2] / "demo" / "reference" / "solver.json"
    control = json.loads(reference.read_text(encoding="utf-8"))
    field = plate(domain["edges"])
    solve = march if domain["duration_s"] else relax
    iterations, residual = solve(field, domain, control)
    if not residual < HOPELESS:
        say(f"error: the solution diverged at iteration {iterations} (residual {residual:.3e})", error=True)
        say("hint: a relaxation of 2 or more never converges", error=True)
        return DIVERGED
    solution = {"field": field, "iterations": iterations, "residual": residual}
    Path("solution.json").write_text(json.dumps(solution), encoding="utf-8")
    say(f"solved in {iterations} iterations")
    return 0


def relax(field: list[list[float]], domain: dict[str, Any], control: dict[str, float]) -> tuple[int, float]:
    """Iterate until the largest change is below the tolerance, or beyond all hope."""
    say(f"steady state, relaxation {domain['relaxation']}, tolerance {control['tolerance']:g}")
    iterations, residual = 0, 0.0
    while iterations == 0 or control["tolerance"] < residual < HOPELESS:
        residual = sweep(field, domain["relaxation"])
        iterations += 1
        if iterations % REPORT_EVERY == 1:
            say(f"iteration {iterations:>6}  residual {residual:.3e}")
    return iterations, residual


def march(field: list[list[float]], domain: dict[str, Any], control: dict[str, float]) -> tuple[int, float]:
    """Take one step after the other until the duration is over."""
    steps = round(domain["duration_s"] / control["time_step_s"])
    say(f"transient of {domain['duration_s']} s, {steps} steps of {control['time_step_s']:g} s")
    residual = 0.0
    for step in range(steps):
        time.sleep(SAMPLE_S)
        residual = sweep(field, min(1.0, control["time_step_s"]))
        if step % (REPORT_EVERY * 10) == 0:
            say(f"step {step:>9} of {steps}  change {residual:.3e} K")
    return steps, residual


def plate(edges: list[float]) -> list[list[float]]:
    """A plate at 0 with the temperatures of its four edges: top, right, bottom, left."""
    top, right, bottom, left = edges
    inner = [[left, *[0.0] * (SIDE - 2), right] for _ in range(SIDE - 2)]
    return [[top] * SIDE, *inner, [bottom] * SIDE]


def sweep(field: list[list[float]], relaxation: float) -> float:
    """One iteration over all inner nodes; returns the largest change."""
    largest = 0.0
    for y in range(1, SIDE - 1):
        above, row, below = field[y - 1], field[y], field[y + 1]
        for x in range(1, SIDE - 1):
            change = relaxation * ((above[x] + below[x] + row[x - 1] + row[x + 1]) / 4 - row[x])
            row[x] += change
            largest = max(largest, abs(change))
    return largest


def say(text: str, *, error: bool = False) -> None:
    """Write a line to the log."""
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())

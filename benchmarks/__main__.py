"""`python -m benchmarks [ROW ...]`: measure, print the table, and fail where a gate is not kept."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import harness, report
from benchmarks.catalogue import all_rows
from benchmarks.rows import SCALES, Row


def main() -> int:
    """0 where every gate is kept."""
    rows = all_rows()
    options = _options(rows)
    if options.list:
        sys.stdout.write("".join(f"{row.name:24} {row.what}\n" for row in rows.values()))
        return 0
    chosen = [rows[name] for name in options.rows or rows]
    with tempfile.TemporaryDirectory(prefix="retry-toolkit-bench-") as root:
        outcomes = [_measured(row, Path(root), options) for row in chosen]
    sys.stdout.write(f"\n{report.table(map(report.cells, outcomes))}\n\n{report.machine()}\n")
    if options.write:
        report.write(outcomes, [row.what for row in rows.values()])
    return 0 if all(outcome.holds for outcome in outcomes) else 1


def _measured(row: Row, root: Path, options: argparse.Namespace) -> harness.Outcome:
    sys.stderr.write(f"{row.name}: ")
    sys.stderr.flush()
    outcome = harness.measure(row, root, SCALES[options.size], runs=options.runs)
    sys.stderr.write(f"{outcome.ratio:.2f}, gate {row.gate}{'' if outcome.holds else ': NOT KEPT'}\n")
    return outcome


def _options(rows: dict[str, Row]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure against the named baselines.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="what to measure; everything if none is named")
    parser.add_argument("--size", choices=SCALES, default="full", help="how large the inputs are")
    parser.add_argument("--runs", type=int, default=harness.RUNS, help="processes for each side")
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    parser.add_argument("--list", action="store_true", help="list what there is")
    options = parser.parse_args()
    if unknown := set(options.rows) - rows.keys():
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())

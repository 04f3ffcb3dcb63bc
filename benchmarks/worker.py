"""One measurement in a process of its own: `python -m benchmarks.worker ROW SIDE FOLDER SCALE` prints it as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.catalogue import all_rows
from benchmarks.gauge import gauge
from benchmarks.rows import SCALES


def main() -> None:
    """Measure one side of one row."""
    name, which, folder, scale = sys.argv[1:]
    row = all_rows()[name]
    side = row.sides[which]
    given = side.load(Path(folder), SCALES[scale])
    sys.stdout.write(json.dumps(asdict(gauge(side.run, given, repeat=row.repeat))))


if __name__ == "__main__":
    main()

"""What a history costs that no memory would hold: `python -m benchmarks.beyond [--tasks N ...]`, over a real socket.

A generator tells a history of N tasks, of six stages each, while a fresh process loads it into Parquet parts and reads
three columns back. The making of the history is not counted: a platform does that.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from benchmarks import report
from benchmarks.gauge import gauge
from benchmarks.history_server import HistoryServer
from retry_toolkit import connect, load_tasks, open_snapshot

SIZES = (20_000, 100_000, 5_000_000)
COLUMNS = ["status", "template", "duration_s"]
DOCUMENT_SECTION = "beyond"
_HEADINGS = ("tasks", "processor time", "peak memory", "on disk", "on the wire", "three columns read", "measured")
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Seconds of processor time, bytes of memory beyond what was there before, and seconds to read some columns."""

    cpu: float
    peak: float
    read_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A load of so many tasks, bytes of the parts, and bytes that the platform sent."""

    tasks: int
    load: Load
    disk: int
    sent: int


def main() -> None:
    """Load histories of the sizes asked for and print what each cost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beyond", description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=SIZES, help="tasks of each history")
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    parser.add_argument("--load", nargs=2, metavar=("URL", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        url, folder = options.load
        sys.stdout.write(json.dumps(asdict(load(url, Path(folder)))))
        return
    text = table(map(cost, options.tasks))
    sys.stdout.write(f"{text}\n")
    if options.write:
        report.write_section(DOCUMENT_SECTION, text)


def cost(tasks: int) -> Cost:
    """What a history of so many tasks costs, loaded by a process of its own."""
    with tempfile.TemporaryDirectory(prefix="retry-toolkit-bench-") as home, HistoryServer(0, tasks) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        folder = Path(home) / "history"
        command = [sys.executable, "-m", "benchmarks.beyond", "--load", server.url, str(folder)]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        server.shutdown()
        disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Cost(tasks=tasks, load=Load(**told), disk=disk, sent=sum(server.sent))


def load(url: str, folder: Path) -> Load:
    """Load what the platform there has into the folder; read some columns back."""
    with connect(url) as platform:
        writing = gauge(lambda into: load_tasks(platform, into=into, in_flight=8, progress=False), folder)
    reading = gauge(lambda path: open_snapshot(path).tasks(COLUMNS), folder)
    return Load(cpu=writing.cpu, peak=writing.peak, read_s=reading.wall)


def table(costs: Iterable[Cost]) -> str:
    """A line a history."""
    return report.grid([_HEADINGS, *map(_line, costs)])


def _line(each: Cost) -> tuple[str, ...]:
    return (
        f"{each.tasks:,}",
        f"{each.load.cpu:.1f} s",
        _size(each.load.peak),
        _size(each.disk),
        _size(each.sent),
        f"{each.load.read_s:.2f} s",
        f"{datetime.now(UTC):%Y-%m-%d}",
    )


def _size(size: float) -> str:
    return f"{size / _MEGABYTE:,.0f} MB" if size >= 10 * _MEGABYTE else f"{size / _MEGABYTE:.1f} MB"


if __name__ == "__main__":
    main()

"""What one run takes: processor time, time, and memory beyond what was there before."""

from __future__ import annotations

import ctypes
import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds and bytes of one run."""

    cpu: float
    wall: float
    peak: float
    kept: float


def gauge(run: Callable[[Any], Any], given: Any, *, repeat: int = 1) -> Reading:
    """What `run(given)` takes; times are the median of `repeat` runs, memory is of the first."""
    _settle()
    before = _memory("VmRSS")
    with suppress(OSError):
        _CLEAR_REFS.write_text(_RESET_PEAK)
    times, result = [], None
    peak = kept = 0.0
    for turn in range(repeat):
        result = None
        cpu, wall = time.process_time(), time.perf_counter()
        result = run(given)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
        if turn == 0:
            peak = _memory("VmHWM") - before
            _settle()
            kept = _memory("VmRSS") - before
    del result
    return Reading(statistics.median(cpu for cpu, _ in times), statistics.median(wall for _, wall in times), peak, kept)


def _settle() -> None:
    """Give back what nobody uses, so that what is left is what is held."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def _memory(name: str) -> float:
    """Bytes; without /proc only the highest use since the process began is known."""
    if not _STATUS.exists():
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return float(line.split()[1]) * 1024

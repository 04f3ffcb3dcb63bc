"""How large the storms are: `make test` runs the small ones, `make test-long` the large ones, by the same code."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SEED = int(os.environ.get("STORM_SEED", "20261122"))
"""Of every storm; a failing one prints it, and `STORM_SEED=... pytest ...` runs it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Numbers of operations, kills, targets, files; `fired` is how often each kind of fault must have fired."""

    socket: int
    wire: int
    fired: int
    killed_batch: int
    kills: int
    raced: int
    racers: int
    torn: int
    timeout_s: float


_SIZES = {
    "mutation": Sizes(
        socket=250, wire=1_500, fired=1, killed_batch=120, kills=8, raced=60, racers=4, torn=20, timeout_s=170
    ),
    "": Sizes(
        socket=2_000, wire=20_000, fired=100, killed_batch=300, kills=15, raced=100, racers=4, torn=40, timeout_s=600
    ),
    "long": Sizes(
        socket=10_000,
        wire=100_000,
        fired=500,
        killed_batch=10_000,
        kills=1_000,
        raced=2_000,
        racers=8,
        torn=200,
        timeout_s=7_200,
    ),
}
SIZES = _SIZES[os.environ.get("STORM_SIZE", "")]


@contextmanager
def fast_home() -> Iterator[Path]:
    """A home directory in memory where there is such a place: a storm syncs tens of thousands of times."""
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(prefix="storm-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield home
    finally:
        shutil.rmtree(home)

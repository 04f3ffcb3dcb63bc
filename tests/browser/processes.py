"""Real processes for tests: started with a log, waited for, and ended with everything that they started."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

POLL_S = 0.05
STOP_S = 10.0
LOG_TAIL = 4000


def wait_for(what: str, condition: Callable[[], T | None], *, timeout_s: float = 30.0) -> T:
    """The first truthy value of `condition`; fails, naming `what`, when none comes in time."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain for {what}"
        time.sleep(POLL_S)
    return value


def clean_environment(home: Path) -> dict[str, str]:
    """This process's environment without settings of the toolkit, and with a home directory that holds nothing."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("RETRY_TOOLKIT_", "JUPYTER", "XDG_"))
    }
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    log: Path,
    ready: Callable[[], bool],
    timeout_s: float = 60.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ready; it and all its descendants are gone afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )

    def is_ready() -> bool:
        code = process.poll()
        assert code is None, f"{command[2:4]} ended with {code}:\n{log.read_text('utf-8', 'replace')[-LOG_TAIL:]}"
        return ready()

    try:
        wait_for(f"{command[2:4]} (log: {log})", is_ready, timeout_s=timeout_s)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process and every descendant that outlives it."""
    family: list[psutil.Process] = []
    if process.poll() is None:
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for survivor in psutil.wait_procs(family, timeout=STOP_S)[1]:
        survivor.kill()

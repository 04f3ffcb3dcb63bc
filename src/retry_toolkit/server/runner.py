"""The process that guards one stage: `python -P runner.py`, started by the platform with the job on its standard input.

It forks the stage and then does nothing but watch two things: the stage's end, and its own standard input. When that
closes (the platform wants the stage stopped, or the platform is dead, kill -9 included), it kills the stage with
everything that the stage started, processes that left the group included. So no stage outlives its platform.

The stage's result comes through a pipe and is handed on with the way the stage ended: four bytes of wait status, then
JSON. This process imports little, because every stage waits for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import sys
import time

TYPE_CHECKING = False  # `typing` costs every stage several milliseconds
if TYPE_CHECKING:
    from typing import Any, NoReturn

STATUS = struct.Struct("<i")
LENGTH = struct.Struct("<Q")
PR_SET_CHILD_SUBREAPER = 36
REAP_S = 5.0
_CHUNK = 1 << 16


def main(result: int) -> NoReturn:
    """Run the job that standard input brings; the result goes to the descriptor `result`."""
    job = _read_job()
    inner, report = os.pipe()
    ready, guarded = os.pipe()
    stage = os.fork()
    if stage == 0:
        _become_stage(job, report, ready, (result, inner, guarded))
    os.close(report)
    os.close(ready)
    _adopt_orphans()
    os.close(guarded)
    status, reported = _watch(stage, inner)
    _kill_all()
    _write(result, STATUS.pack(status) + reported)
    if not sys.platform.startswith("linux"):
        os.killpg(0, signal.SIGKILL)  # no orphans to adopt there: what shares the group goes, this process too
    os._exit(0)


def _read_job() -> dict[str, Any]:
    (length,) = LENGTH.unpack(_read_exactly(LENGTH.size))
    job: dict[str, Any] = json.loads(_read_exactly(length))
    return job


def _read_exactly(count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = os.read(0, count - len(data))
        if not chunk:
            os._exit(1)  # the platform died before it had told what to do
        data += chunk
    return data


def _become_stage(job: dict[str, Any], report: int, ready: int, others: tuple[int, ...]) -> NoReturn:
    """Turn this process into the stage: without the guard's descriptors, with an empty standard input."""
    for descriptor in others:
        os.close(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    from retry_toolkit.server import stage_process  # noqa: PLC0415 - the guard needs none of it

    stage_process.run(job, report, ready)


def _adopt_orphans() -> None:
    """Become the parent of whatever the stage leaves behind, so that it can be found and killed."""
    if sys.platform.startswith("linux"):
        import ctypes  # noqa: PLC0415 - slow to load, and the stage runs meanwhile

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _watch(stage: int, inner: int) -> tuple[int, bytes]:
    """Wait for the stage, killing it when standard input closes; its wait status, and what it reported."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    reported: list[bytes] = []
    watched = [0, inner, woken]
    while True:
        ended, status = os.waitpid(stage, os.WNOHANG)
        if ended:
            _drain(inner, reported)
            return status, b"".join(reported)
        for ready in select.select(watched, [], [])[0]:
            data = os.read(ready, _CHUNK)
            if ready == inner and data:
                reported.append(data)
            elif ready == inner:
                watched.remove(inner)
            elif ready == 0 and not data:
                watched.remove(0)
                os.kill(stage, signal.SIGKILL)


def _drain(inner: int, reported: list[bytes]) -> None:
    """Read what is in the pipe; children of the stage may hold its other end, so never wait for its end."""
    os.set_blocking(inner, False)
    with contextlib.suppress(BlockingIOError):
        while data := os.read(inner, _CHUNK):
            reported.append(data)


def _kill_all() -> None:
    """Kill and reap every process that is still below this one."""
    deadline = time.monotonic() + REAP_S
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) != (0, 0):
                continue
        except ChildProcessError:
            return
        for child in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        select.select([], [], [], 0.002)


def _children() -> list[int]:
    """Ids of this process's children."""
    from pathlib import Path  # noqa: PLC0415 - slow to load, and few stages leave anything behind

    me, children = os.getpid(), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == me:
            children.append(int(stat.parent.name))
    return children


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    with contextlib.suppress(BrokenPipeError):  # nobody is left to tell
        while view:
            view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main(int(sys.argv[1]))

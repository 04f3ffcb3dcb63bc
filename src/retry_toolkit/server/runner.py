"""The process that guards stages: `python -P runner.py FD`, started by the platform with one end of a socket.

It takes one job after another. For each it forks the stage, from a process that has loaded what every stage needs, and
then does nothing but watch: the stage's end, and the socket. When a byte comes (the platform wants the stage stopped)
or the socket closes (the platform is dead, kill -9 included), it kills the stage. After every job it kills whatever is
still below it, processes that left the group included. So no stage and nothing of a stage outlives its platform.

A job is a length, two descriptors for the stage's output, and JSON. The answer is the way the stage ended, a length,
and what the stage reported as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

from retry_toolkit.server import stage_process

TYPE_CHECKING = False  # `typing` costs the start of every guard several milliseconds
if TYPE_CHECKING:
    from typing import Any, NoReturn

LENGTH = struct.Struct("<Q")
ANSWER = struct.Struct("<iQ")
PR_SET_CHILD_SUBREAPER = 36
REAP_S = 5.0
ADOPTS = sys.platform.startswith("linux")
_CHUNK = 1 << 16


def main(descriptor: int) -> NoReturn:
    """Do jobs until the socket closes."""
    control = socket.socket(fileno=descriptor)
    if ADOPTS:
        # Whatever a stage leaves behind becomes this process's child, so that it can be found and killed.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while (received := _receive(control)) is not None:
        job, outputs = received
        status, reported = _run(job, outputs, control, woken)
        clean = _kill_all()
        with contextlib.suppress(OSError):  # nobody is left to tell
            control.sendall(ANSWER.pack(status, len(reported)) + reported)
        if not ADOPTS:
            os.killpg(0, signal.SIGKILL)  # orphans cannot be found there: what shares the group goes, this one too
        if not clean:
            break
    os._exit(0)


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next job and the descriptors of its output, or None when the platform is gone."""
    header, outputs, _, _ = socket.recv_fds(control, LENGTH.size, 2)
    if len(header) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(header)
    text = bytearray()
    while len(text) < length:
        chunk = control.recv(min(_CHUNK, length - len(text)))
        if not chunk:
            return None
        text += chunk
    return json.loads(text), outputs


def _run(job: dict[str, Any], outputs: list[int], control: socket.socket, woken: int) -> tuple[int, bytes]:
    """Run a stage to its end; its wait status, and what it reported."""
    inner, report = os.pipe()
    stage = os.fork()
    if stage == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _become_stage(job, report, outputs, (control.fileno(), inner, woken))
    for descriptor in (report, *outputs):
        os.close(descriptor)
    try:
        return _watch(stage, inner, control, woken)
    finally:
        os.close(inner)


def _become_stage(job: dict[str, Any], report: int, outputs: list[int], others: tuple[int, ...]) -> NoReturn:
    """Turn this process into the stage: with its own output, an empty input, and none of the guard's descriptors."""
    with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor is wanted
        for source, target in zip((nothing.fileno(), *outputs), (0, 1, 2), strict=True):
            os.dup2(source, target)
    for descriptor in (*outputs, *others):
        os.close(descriptor)
    stage_process.run(job, report)


def _watch(stage: int, inner: int, control: socket.socket, woken: int) -> tuple[int, bytes]:
    """Wait for the stage, killing it on a sign from the socket."""
    reported: list[bytes] = []
    watched = [control.fileno(), inner, woken]
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
            elif ready == control.fileno():
                os.kill(stage, signal.SIGKILL)
                if not data:
                    watched.remove(ready)


def _drain(inner: int, reported: list[bytes]) -> None:
    """Read what is in the pipe; children of the stage may hold its other end, so never wait for its end."""
    os.set_blocking(inner, False)
    with contextlib.suppress(BlockingIOError):
        while data := os.read(inner, _CHUNK):
            reported.append(data)


def _kill_all() -> bool:
    """Kill and reap every process that is still below this one; whether none is left."""
    deadline = time.monotonic() + REAP_S
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG) != (0, 0):
                continue
        except ChildProcessError:
            return True
        for child in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    return False


def _children() -> list[int]:
    """Ids of this process's children."""
    me, children = os.getpid(), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == me:
            children.append(int(stat.parent.name))
    return children


if __name__ == "__main__":
    main(int(sys.argv[1]))

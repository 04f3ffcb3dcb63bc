"""The platform's side of the guard processes (see `runner`): a pool of them, each with one stage at a time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from retry_toolkit.server import runner

if TYPE_CHECKING:
    from collections.abc import Sequence

WAIT_S = 2.0
_SECRETS = frozenset(f"RETRY_TOOLKIT_{name}" for name in ("DATABASE_URL", "TOKEN", "VIEWER_TOKEN", "OPERATOR_TOKEN"))


class Guard:
    """One guard process.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-P", runner.__file__, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                    env=stage_environment(),
                )
            except OSError:
                self.control.close()
                raise

    @property
    def is_alive(self) -> bool:
        """Whether it can take a job."""
        return self._process.poll() is None

    def start(self, job: dict[str, Any], outputs: Sequence[int]) -> None:
        """Give it a job, with the descriptors of the stage's standard output and standard error.

        Raises:
            OSError: It is gone.
        """
        text = json.dumps(job).encode()
        self.control.setblocking(True)  # a job may be longer than the socket's buffer; whoever watches it reads on
        socket.send_fds(self.control, [runner.LENGTH.pack(len(text))], outputs)
        self.control.sendall(text)

    def kill_stage(self) -> None:
        """Have the stage of its job killed with everything below it."""
        with suppress(OSError):
            self.control.send(b"K")

    def dispose(self) -> None:
        """End it with everything below it."""
        self.control.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(WAIT_S)
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that is gone
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Guards:
    """Guards that are free, kept for the next stage: starting one takes longer than most stages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[Guard] = []

    def take(self) -> Guard:
        """A guard of one's own, until it is given back.

        Raises:
            OSError: No process can be started.
        """
        with self._lock:
            while self._free:
                guard = self._free.pop()
                if guard.is_alive:
                    return guard
                guard.dispose()
        return Guard()

    def give_back(self, guard: Guard) -> None:
        """Keep a guard whose job has ended."""
        with self._lock:
            self._free.append(guard)

    def close(self) -> None:
        """End every guard that is free."""
        with self._lock:
            free, self._free = self._free, []
        for guard in free:
            guard.dispose()


def stage_environment() -> dict[str, str]:
    """The platform's environment without its secrets; what is printed comes at once and as UTF-8."""
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}

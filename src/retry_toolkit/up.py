"""Bring the embedded platform and the dashboard up together, watch both, and stop both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from retry_toolkit.dashboard import (
    dashboard_answers,
    dashboard_command,
    dashboard_environment,
    dashboard_url,
    stop_signals,
)
from retry_toolkit.errors import RetryToolkitError, SettingsError
from retry_toolkit.ports import check_port
from retry_toolkit.settings import Settings

Say = Callable[[str], None]

MIN_FREE_BYTES = 500 * 1024**2
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.2
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StartError(RetryToolkitError):
    """A process ended before it was ready, or was not ready in time."""


@dataclass
class Supervisor:
    """Child processes in the order of their start; stopping goes the other way round."""

    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a child in a process group of its own, so that Ctrl-C reaches it only through `stop`."""
        self.children[name] = subprocess.Popen(  # noqa: S603 - our own command lines
            command, env=environment, start_new_session=True, stdin=subprocess.DEVNULL
        )

    def ended(self) -> tuple[str, int] | None:
        """Name and exit code of the first child that has ended, or None while all run."""
        for name, child in self.children.items():
            if (code := child.poll()) is not None:
                return name, code
        return None

    def stop(self) -> None:
        """End every child: ask, wait, then kill what is left of its group."""
        for child in reversed(self.children.values()):
            _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for child in reversed(self.children.values()):
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(child, signal.SIGKILL)
                child.wait()


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if child.poll() is None:
        os.killpg(child.pid, number)


def run_up(settings: Settings, *, demo: bool, say: Say) -> None:
    """Start platform and dashboard, say the dashboard's address when it answers, return when told to stop.

    Raises:
        SettingsError: A port is taken, the disk is full, or this home is already up.
        StartError: A process did not come up, or ended by itself.
    """
    check_disk(settings)
    with _only_one(settings), _stopped_by_signals() as stop_requested:
        check_port(settings.host, settings.api_port, "API_PORT")
        check_port("127.0.0.1", settings.dashboard_port, "DASHBOARD_PORT")
        supervisor = Supervisor()
        try:
            _run(settings, supervisor, demo=demo, say=say, stop_requested=stop_requested)
        finally:
            supervisor.stop()
            say("Stopped.")


def _run(
    settings: Settings, supervisor: Supervisor, *, demo: bool, say: Say, stop_requested: Callable[[], bool]
) -> None:
    def wait_for(ready: Callable[[], bool], what: str, timeout_s: float) -> None:
        _wait(ready, what, timeout_s, supervisor=supervisor, stop_requested=stop_requested)

    say(f"Starting the platform at {settings.api_url} (state in {settings.home}) ...")
    supervisor.start("platform", platform_command(settings, demo=demo), os.environ)
    wait_for(lambda: _get_json(f"{settings.api_url}/health") is not None, "the platform", START_TIMEOUT_S)
    supervisor.start("dashboard", dashboard_command(settings), dashboard_environment(settings))
    if demo:
        wait_for(_demo_watch(settings, say), "the demo tasks", 20 * 60.0)
    wait_for(lambda: dashboard_answers(settings), "the dashboard", START_TIMEOUT_S)
    if stop_requested():
        return
    say(f"\n  Dashboard   {dashboard_url(settings)}\n  API docs    {settings.api_url}/docs\n\nCtrl-C stops both.")
    _wait(lambda: False, "the end", float("inf"), supervisor=supervisor, stop_requested=stop_requested)


def _wait(
    ready: Callable[[], bool],
    what: str,
    timeout_s: float,
    *,
    supervisor: Supervisor,
    stop_requested: Callable[[], bool],
) -> None:
    deadline = time.monotonic() + timeout_s
    while not stop_requested() and not ready():
        if (ended := supervisor.ended()) is not None:
            name, code = ended
            raise StartError(f"The {name} ended by itself with exit code {code}.", advice="Its last lines are above.")
        if time.monotonic() > deadline:
            raise StartError(f"Waited {timeout_s:.0f} s for {what}, in vain.", advice="Try again; see its lines above.")
        time.sleep(POLL_S)


def platform_command(settings: Settings, *, demo: bool) -> list[str]:
    """Command line of the platform process; everything else reaches it through the environment."""
    command = [
        sys.executable,
        "-m",
        "retry_toolkit",
        "serve",
        "--host",
        settings.host,
        "--port",
        str(settings.api_port),
    ]
    for path in settings.pipelines:
        command += ["--pipelines", str(path)]
    return [*command, "--demo"] if demo else command


def _free_bytes(path: Path) -> int:
    return shutil.disk_usage(path).free


def check_disk(settings: Settings, free_bytes: Callable[[Path], int] = _free_bytes) -> None:
    """Refuse to start where the home directory cannot be written or has no room."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        free = free_bytes(settings.home)
    except OSError as error:
        raise SettingsError(
            f"{settings.home} cannot be used: {error.strerror}.",
            advice="Set RETRY_TOOLKIT_HOME to a directory of yours.",
        ) from error
    if free < MIN_FREE_BYTES:
        raise SettingsError(
            f"The disk of {settings.home} is full: {free >> 20} MB are free, {MIN_FREE_BYTES >> 20} MB are needed.",
            advice="Free some space, or set RETRY_TOOLKIT_HOME to another disk.",
        )


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    lock = FileLock(settings.home / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingsError(
            f"{settings.home} is already up; its dashboard is {dashboard_url(settings)} unless its port was changed.",
            advice="Use that one, or set RETRY_TOOLKIT_HOME and both ports for a second.",
        ) from None
    with lock:
        yield


@contextmanager
def _stopped_by_signals() -> Iterator[Callable[[], bool]]:
    """Turn signals into an answer to "shall we stop?", so that children are always stopped in order."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda signum, _frame: received.append(signum)) for number in stop_signals()
    }
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _demo_watch(settings: Settings, say: Say) -> Callable[[], bool]:
    """Ask the platform how far the demo is; says so each time another tenth is done."""
    said = -1
    headers = _authorization(settings)

    def finished() -> bool:
        nonlocal said
        progress = _get_json(f"{settings.api_url}/api/v1/demo", headers) or {}
        total, done = int(progress.get("total") or 0), int(progress.get("done") or 0)
        if total and not progress.get("finished") and (tenth := 10 * done // total) > said:
            said = tenth
            say(f"Running the demo tasks, once: {done} of {total} ...")
        return bool(progress.get("finished"))

    return finished


def _authorization(settings: Settings) -> dict[str, str]:
    token = settings.viewer_token or settings.operator_token
    return {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}


def _get_json(url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    """The JSON object at a loopback address, or None while there is none."""
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310 - our own address
    try:
        with NO_PROXY.open(request, timeout=5) as answer:
            body = json.load(answer)
    except (OSError, ValueError):
        return None
    return body if isinstance(body, dict) else None

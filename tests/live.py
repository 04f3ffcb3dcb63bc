"""A real platform for tests: real sockets, real stages, a home directory of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from retry_toolkit.server.actions import Actions
from retry_toolkit.server.app import create_app
from retry_toolkit.server.engine import Engine
from retry_toolkit.server.pipelines import Pipeline
from retry_toolkit.server.records import Stage, Task
from retry_toolkit.server.serve import ApiServer, bound_socket, running_platform
from retry_toolkit.server.store import Store
from retry_toolkit.settings import Settings, load_settings

SAMPLE_PIPELINES = Path(__file__).with_name("sample_pipelines.py")
WAIT_S = 60.0
POLL_S = 0.02


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
    """Return when the condition holds; fail, naming `what`, when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(POLL_S)


def _ports() -> Iterator[int]:
    """Ports in an order of this process's own, out of a range that systems never give to a connection going out."""
    rest = list(range(20_000, 32_000))
    random.Random(os.getpid()).shuffle(rest)
    yield from rest


_untried = _ports()


def free_port() -> int:
    """A loopback port that nothing uses, each time another one; nobody comes upon it by chance before it is used."""
    for port in _untried:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port is in use")


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePlatform:
    """A platform that answers at `url`, with the pipelines of `tests/sample_pipelines.py`; its parts are the real ones.

    Every task gets the parameters `gate` and `release`: paths of files that are its own and do not exist yet.
    """

    url: str
    settings: Settings
    store: Store
    engine: Engine
    actions: Actions
    pipelines: Mapping[str, Pipeline]

    @property
    def home(self) -> Path:
        """The platform's home directory."""
        return self.settings.home

    def client(self, token: str | None = None) -> httpx.Client:
        """A raw HTTP client of this platform; without certificates, whose loading takes longer than most tests."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=WAIT_S, trust_env=False, verify=False)

    def submit(
        self,
        pipeline: str,
        *,
        title: str | None = None,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, bytes] | None = None,
        project_id: str | None = None,
        token: str | None = None,
    ) -> str:
        """Submit a task over HTTP; its id."""
        name = uuid4().hex
        switches = {"gate": str(self.home / f"gate-{name}"), "release": str(self.home / f"release-{name}")}
        body: dict[str, Any] = {"pipeline": pipeline, "params": {**switches, **(params or {})}}
        body |= {key: value for key, value in (("title", title), ("project_id", project_id)) if value is not None}
        with self.client(token) as client:
            if files:
                form = {**body, "params": json.dumps(body["params"])}
                parts = [("files", (file, content)) for file, content in files.items()]
                answer = client.post("/api/v1/tasks", data=form, files=parts)
            else:
                answer = client.post("/api/v1/tasks", json=body)
        assert answer.status_code == 201, answer.text
        task_id: str = answer.json()["id"]
        return task_id

    def task(self, task_id: str) -> Task:
        """The task as the store has it."""
        task = self.store.task(task_id)
        assert task is not None, f"no task {task_id}"
        return task

    def stage(self, task_id: str, name: str) -> Stage:
        """One stage of a task, by name."""
        return next(stage for stage in self.task(task_id).stages if stage.name == name)

    def wait(self, task_id: str, status: str, timeout_s: float = WAIT_S) -> Task:
        """The task once it has that status; fails when it ends with another, or not in time."""
        finished = {"completed", "failed", "cancelled"}

        def arrived() -> bool:
            now = self.task(task_id)
            ended_otherwise = now.status in finished and now.status != status and status in finished
            assert not ended_otherwise, f"task {task_id} is {now.status}, not {status}: {now.stages}"
            return now.status == status

        wait_until(arrived, f"task {task_id} to be {status}", timeout_s)
        return self.task(task_id)

    def wait_for_line(self, task_id: str, line: str) -> None:
        """Return when a stage of the task has printed that line."""
        with self.client() as client:

            def printed() -> bool:
                rows = client.get("/api/v1/task-logs", params={"task": task_id}).json()["items"]
                return any(row["result"] == line for row in rows)

            wait_until(printed, f"task {task_id} to print {line!r}")

    def run(self, pipeline: str, status: str, **submission: Any) -> Task:
        """Submit a task and wait until it has that status; arguments as of `submit`."""
        return self.wait(self.submit(pipeline, **submission), status)

    def failed(self, **submission: Any) -> Task:
        """A task of `gated` that has failed at its second stage, `check`; `mend` lets a retry of it succeed."""
        return self.run("gated", "failed", **submission)

    def mend(self, task_id: str) -> None:
        """Mend what lets a task of `gated` fail."""
        Path(self.task(task_id).params["gate"]).touch()

    def release(self, task_id: str) -> None:
        """Let a task of `slow` end."""
        Path(self.task(task_id).params["release"]).touch()


def sample_settings(home: Path, **overrides: object) -> Settings:
    """Settings of a test platform: its own home and port, the sample pipelines."""
    values: dict[str, object] = {"api_port": free_port(), "pipelines": (SAMPLE_PIPELINES,), "concurrency": 4}
    return load_settings(home=home, **(values | overrides))


@contextmanager
def serving(app: FastAPI, settings: Settings) -> Iterator[str]:
    """Serve an application in a thread; yields its address."""
    answering = threading.Event()
    with bound_socket(settings) as listener:
        server = ApiServer(app, ready=answering.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="test-server")
        thread.start()
        try:
            assert answering.wait(WAIT_S), "the server did not start"
            yield settings.api_url
        finally:
            server.should_exit = True
            thread.join(WAIT_S)
            assert not thread.is_alive(), "the server did not stop"


@contextmanager
def live_platform(home: Path, **overrides: object) -> Iterator[LivePlatform]:
    """A platform in this process. Its engine is a singleton: one at a time."""
    settings = sample_settings(home, **overrides)
    with running_platform(settings) as parts, serving(parts.app, settings) as url:
        yield LivePlatform(
            url=url,
            settings=settings,
            store=parts.store,
            engine=parts.engine,
            actions=parts.actions,
            pipelines=parts.pipelines,
        )


@contextmanager
def second_door(platform: LivePlatform, **overrides: object) -> Iterator[LivePlatform]:
    """The same platform, tasks and engine at a second address, with other settings such as tokens."""
    values = platform.settings.model_dump() | {"api_port": free_port()} | overrides
    settings = load_settings(**values)
    app = create_app(platform.store, platform.actions, platform.pipelines, settings)
    with serving(app, settings) as url:
        yield LivePlatform(
            url=url,
            settings=settings,
            store=platform.store,
            engine=platform.engine,
            actions=platform.actions,
            pipelines=platform.pipelines,
        )


class ServerProcess:
    """A platform in a process of its own, as `retry-toolkit serve` (or `worker`) runs it; any number at a time.

    Attributes:
        url: Its address.
        process: The process.
    """

    def __init__(self, settings: Settings, *arguments: str, command: str = "serve") -> None:
        self.url = settings.api_url
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RETRY_TOOLKIT_")}
        environment |= {
            "RETRY_TOOLKIT_HOME": str(settings.home),
            "RETRY_TOOLKIT_HOST": settings.host,
            "RETRY_TOOLKIT_API_PORT": str(settings.api_port),
            "RETRY_TOOLKIT_PIPELINES": os.pathsep.join(map(str, settings.pipelines)),
            "RETRY_TOOLKIT_CONCURRENCY": str(settings.concurrency),
        }
        for name in ("viewer_token", "operator_token"):
            if (secret := getattr(settings, name)) is not None:
                environment[f"RETRY_TOOLKIT_{name.upper()}"] = secret.get_secret_value()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "retry_toolkit", command, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_ready(self, timeout_s: float = WAIT_S) -> None:
        """Return when it answers."""
        wait_until(self._answers, f"{self.url} to answer", timeout_s)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send it a signal; its exit code and everything that it printed."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Its exit code and everything that it printed, once it has ended."""
        output, _ = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, output

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"the platform ended by itself: {self.ended()}"
        try:
            return httpx.get(f"{self.url}/health", trust_env=False, verify=False).status_code == 200
        except httpx.TransportError:
            return False

"""One real platform, seen as each dialect.

`client` is connected by each dialect in turn; `stagewise` and `taskwise` by those that retry stages or whole tasks.
Tasks that tests only look at are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from retry_toolkit import connect
from retry_toolkit.platforms.base import Platform
from retry_toolkit.server.records import Task
from tests.live import LivePlatform

Connect = Callable[..., Platform]


class WatchedWire(httpx.BaseTransport):
    """The real network, with every request line kept."""

    def __init__(self) -> None:
        self._network = httpx.HTTPTransport()
        self.lines: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Note the request and send it."""
        self.lines.append(f"{request.method} {request.url.path}")
        return self._network.handle_request(request)

    def close(self) -> None:
        """Close the network."""
        self._network.close()

    @property
    def writes(self) -> list[str]:
        """The lines of everything but reads."""
        return [line for line in self.lines if not line.startswith("GET ")]


@pytest.fixture
def wire() -> WatchedWire:
    """What goes over the network, for `connected`."""
    return WatchedWire()


@pytest.fixture
def connected(platform: LivePlatform, wire: WatchedWire) -> Iterator[Connect]:
    """Connects to the platform by a dialect; all connections are closed in the end."""
    made: list[Platform] = []

    def open_platform(dialect: Any, **options: Any) -> Platform:
        made.append(connect(platform.url, dialect=dialect, transport=wire, **options))
        return made[-1]

    yield open_platform
    for each in made:
        each.close()


@pytest.fixture(params=["embedded", "pipeline", "queue"])
def client(request: pytest.FixtureRequest, connected: Connect) -> Platform:
    """The platform as each dialect."""
    return connected(request.param)


@pytest.fixture(params=["embedded", "pipeline"])
def stagewise(request: pytest.FixtureRequest, connected: Connect) -> Platform:
    """The platform as each dialect that retries stages."""
    return connected(request.param)


@pytest.fixture(params=["embedded", "queue"])
def taskwise(request: pytest.FixtureRequest, connected: Connect) -> Platform:
    """The platform as each dialect that retries whole tasks."""
    return connected(request.param)


@pytest.fixture(scope="session")
def seen_failed(platform: LivePlatform) -> Task:
    """A failed task with files, only to be looked at."""
    files = {"订单.csv": b"1,2\n3,4\n", "b.bin": b"\x00" * 1000}
    return platform.failed(title="日报 NA 50%", files=files, project_id="conformance-看")


@pytest.fixture(scope="session")
def seen_done(platform: LivePlatform) -> Task:
    """A task that succeeded, only to be looked at."""
    return platform.run("ok", "completed", title="Daily DONE", project_id="conformance-看")


@pytest.fixture(scope="session")
def seen_spent(platform: LivePlatform) -> Task:
    """A failed task at its retry limit, only to be looked at."""
    task = platform.run("broken", "failed")
    with platform.client() as raw:
        for count in (1, 2):
            answer = raw.post(f"/api/v1/tasks/{task.id}/retry-from-stage", json={"stage_id": task.stages[1].id})
            assert answer.status_code == 200, answer.text
            assert platform.wait(task.id, "failed").stages[1].retry_count == count
    return platform.task(task.id)


@pytest.fixture
def running(platform: LivePlatform) -> Iterator[Task]:
    """A task that runs until the test is over."""
    task_id = platform.submit("slow")
    yield platform.wait(task_id, "running")
    platform.release(task_id)

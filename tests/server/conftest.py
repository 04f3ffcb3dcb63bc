"""Fixtures of the server's tests: raw HTTP clients, one a caller, and tasks to look at."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from retry_toolkit.server.records import Task
from tests.conftest import OPERATOR, VIEWER
from tests.live import LivePlatform


@pytest.fixture
def api(platform: LivePlatform) -> Iterator[httpx.Client]:
    """A client of the platform without tokens."""
    with platform.client() as client:
        yield client


@pytest.fixture
def stranger(guarded_platform: LivePlatform) -> Iterator[httpx.Client]:
    """A client without a token where one is needed."""
    with guarded_platform.client() as client:
        yield client


@pytest.fixture
def viewer(guarded_platform: LivePlatform) -> Iterator[httpx.Client]:
    """A client that may read."""
    with guarded_platform.client(VIEWER) as client:
        yield client


@pytest.fixture
def operator(guarded_platform: LivePlatform) -> Iterator[httpx.Client]:
    """A client that may read and act."""
    with guarded_platform.client(OPERATOR) as client:
        yield client


@pytest.fixture(scope="session")
def completed(platform: LivePlatform) -> Task:
    """A task of `ok` that has completed; only to look at."""
    return platform.run("ok", "completed", files={"a.csv": b"id,value\n1,2\n", "数据.bin": bytes(range(256))})


@pytest.fixture(scope="session")
def failed(platform: LivePlatform) -> Task:
    """A task of `gated` that has failed at `check`; only to look at, and to be refused."""
    return platform.failed(title="夜间作业", params={"answer": 42})

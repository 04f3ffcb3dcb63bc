"""Fixtures of the server's tests: raw HTTP clients, one a caller."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

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

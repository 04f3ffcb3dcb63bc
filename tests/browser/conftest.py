"""A real platform, a real dashboard and a real browser for the stories."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from retry_toolkit.settings import Settings
from tests.browser.chromium import TIMEOUT_MS, Guard, Profiles, launch
from tests.browser.ledger import Ledger
from tests.browser.stack import make_settings, run_dashboard, run_platform


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the platform and dashboard that the stories share."""
    return make_settings(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The platform that the stories share; each story brings its own tasks."""
    with run_platform(settings) as ledger:
        yield ledger


@pytest.fixture(scope="session")
def dashboard(settings: Settings, ledger: Ledger) -> Iterator[str]:
    """Address of the dashboard on that platform."""
    with run_dashboard(settings) as url:
        yield url


# Not for the session: its event loop stays in the main thread, where tests of other packages want one of their own.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for these tests."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def guard() -> Iterator[Guard]:
    """What every page of the test does; fails when a request leaves this machine or an error was logged."""
    guard = Guard()
    yield guard
    assert guard.outside() == []
    assert guard.unexpected() == []


@pytest.fixture
def own() -> Iterator[ExitStack]:
    """Platforms and dashboards of one test: they end after its pages, so that no page sees them go."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def profiles(chromium: Browser, guard: Guard, own: ExitStack) -> Iterator[Profiles]:
    """Opens addresses, each in a browser profile of its own."""
    profiles = Profiles(chromium, guard)
    yield profiles
    profiles.close()

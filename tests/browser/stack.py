"""A real platform and a real dashboard, each as its own process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from retry_toolkit.dashboard import Launcher, dashboard_answers, dashboard_command, dashboard_environment, dashboard_url
from retry_toolkit.settings import Settings
from tests.browser.ledger import Ledger
from tests.browser.processes import clean_environment, free_port, running

PIPELINES = Path(__file__).with_name("pipelines.py")


def make_settings(home: Path) -> Settings:
    """Settings of a platform and a dashboard of their own."""
    return Settings(home=home, api_port=free_port(), dashboard_port=free_port(), pipelines=(PIPELINES,))


@contextmanager
def run_platform(settings: Settings) -> Iterator[Ledger]:
    """The embedded platform as its own process."""
    environment = clean_environment(settings.home) | {"RETRY_TOOLKIT_HOME": str(settings.home)}
    command = [
        sys.executable,
        "-m",
        "retry_toolkit",
        "serve",
        "--port",
        str(settings.api_port),
        "--pipelines",
        str(PIPELINES),
    ]

    def ready() -> bool:
        try:
            return httpx.get(f"{settings.api_url}/health", trust_env=False).is_success
        except httpx.TransportError:
            return False

    with running(command, environment, log=settings.home / "platform.log", ready=ready):
        yield Ledger(settings.api_url)


@contextmanager
def run_dashboard(settings: Settings, launcher: Launcher | None = None) -> Iterator[str]:
    """The dashboard as its own process; yields its address."""
    environment = dashboard_environment(settings, clean_environment(settings.home))
    command = dashboard_command(settings, launcher)
    with running(command, environment, log=settings.home / "dashboard.log", ready=lambda: dashboard_answers(settings)):
        yield dashboard_url(settings)

"""A real platform and a real dashboard, each as its own process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from retry_toolkit.dashboard import Launcher, dashboard_answers, dashboard_command, dashboard_environment, dashboard_url
from retry_toolkit.settings import Settings
from tests.browser.ledger import Ledger
from tests.browser.processes import clean_environment, running
from tests.live import free_port

PIPELINES = Path(__file__).with_name("pipelines.py")


def make_settings(home: Path) -> Settings:
    """Settings of a platform and a dashboard of their own."""
    return Settings(home=home, api_port=free_port(), dashboard_port=free_port(), pipelines=(PIPELINES,))


@contextmanager
def run_platform(settings: Settings) -> Iterator[Ledger]:
    """The embedded platform as its own process."""
    secrets = {"VIEWER_TOKEN": settings.viewer_token, "OPERATOR_TOKEN": settings.operator_token}
    environment = clean_environment(settings.home) | {"RETRY_TOOLKIT_HOME": str(settings.home)}
    environment |= {f"RETRY_TOOLKIT_{name}": secret.get_secret_value() for name, secret in secrets.items() if secret}
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
    health = f"{settings.api_url}/health"
    with running(command, environment, log=settings.home / "platform.log", ready=lambda: _answers(health)):
        yield Ledger(settings.api_url, settings.operator_token.get_secret_value() if settings.operator_token else None)


@contextmanager
def run_dashboard(
    settings: Settings, launcher: Launcher | None = None, *, options: Sequence[str] = ()
) -> Iterator[str]:
    """The dashboard as its own process, with further options of Voilà; yields its address."""
    environment = dashboard_environment(settings, clean_environment(settings.home))
    command = [*dashboard_command(settings, launcher), *options]
    with running(command, environment, log=settings.home / "dashboard.log", ready=lambda: dashboard_answers(settings)):
        yield dashboard_url(settings)


@contextmanager
def run_lab(settings: Settings, directory: Path) -> Iterator[str]:
    """JupyterLab on a directory, without a token: for tests only; yields its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/lab"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={directory}",
        # What would ask other hosts, or the user.
        "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    environment = dashboard_environment(settings, clean_environment(settings.home))
    with running(command, environment, log=settings.home / "lab.log", ready=lambda: _answers(url)):
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False

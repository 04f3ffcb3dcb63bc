"""Fixtures of the whole suite.

`platform` is a real platform on a real socket (`tests.live.LivePlatform`), one for the whole session of a test process:
tests share it, so they make tasks of their own (`platform.submit`, `platform.failed`) and never count what others made.

`guarded_platform` is the same platform at a second address that asks for tokens (`VIEWER`, `OPERATOR`).

`server_process` starts platforms in processes of their own, for tests that stop or kill them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from retry_toolkit.settings import Settings
from tests.live import LivePlatform, ServerProcess, live_platform, second_door

VIEWER = "viewer-token-for-tests"
OPERATOR = "operator-token-for-tests"


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis run beside a live platform, whose engine draws random numbers in threads of its own.

    How long an example takes says nothing on a machine that runs other things too: there is no deadline.
    """
    hypothesis.settings.register_profile("retry_toolkit", deadline=None)
    hypothesis.settings.load_profile("retry_toolkit")
    config.addinivalue_line(
        "filterwarnings", "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
    )
    # That warning names the strategy in full, also where its texts are huge on purpose.
    config.addinivalue_line("filterwarnings", "ignore:Generating overly large repr:hypothesis.errors.HypothesisWarning")


@pytest.fixture(scope="session", autouse=True)
def _settings_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads the settings or touches the state of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RETRY_TOOLKIT_")]:
            patch.delenv(name)
        patch.setenv("RETRY_TOOLKIT_HOME", str(tmp_path_factory.mktemp("nobody")))
        yield


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """A running platform without tokens, shared by the session."""
    with live_platform(tmp_path_factory.mktemp("platform")) as live:
        yield live


@pytest.fixture(scope="session")
def guarded_platform(platform: LivePlatform) -> Iterator[LivePlatform]:
    """The same platform at an address that asks for the tokens `VIEWER` and `OPERATOR`."""
    with second_door(platform, viewer_token=VIEWER, operator_token=OPERATOR) as live:
        yield live


@pytest.fixture
def server_process() -> Iterator[Callable[..., ServerProcess]]:
    """Starts a `ServerProcess` with its arguments; whatever still runs is killed in the end."""
    started: list[ServerProcess] = []

    def start(settings: Settings, *arguments: str, command: str = "serve") -> ServerProcess:
        started.append(ServerProcess(settings, *arguments, command=command))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory for one test."""
    return tmp_path / "home"

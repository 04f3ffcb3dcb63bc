"""Start the dashboard: a Voilà process on the launcher notebook, on loopback only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from retry_toolkit.errors import RetryToolkitError, SettingsError
from retry_toolkit.ports import check_port
from retry_toolkit.settings import Settings

HOST = "127.0.0.1"
NOTEBOOK = "failure_desk.ipynb"
START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.1
PROBE_PATH = "voila/templates/retry_toolkit/static/page.js"
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# What a kernel of the dashboard needs to call `connect()`. Everything else stays behind: a kernel runs for a viewer.
PASSED_ON = ("home", "host", "api_port", "url", "language")


class DashboardError(RetryToolkitError):
    """The dashboard did not come up, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Launcher:
    """Where the files of the dashboard are.

    Attributes:
        notebook: The notebook that Voilà shows.
        config: The directory of `voila.json`.
        data: A Jupyter data directory with our template, or None where Jupyter finds it by itself.
    """

    notebook: Path
    config: Path
    data: Path | None = None


def find_launcher(checkout: Path = Path(__file__).parents[2], installed: Sequence[Path] | None = None) -> Launcher:
    """The launcher of a source checkout, else the one that a wheel has put into a Jupyter data directory.

    Args:
        checkout: Where the checkout is, if this is one.
        installed: Directories that may hold an installed launcher; those of this Jupyter by default.

    Raises:
        DashboardError: Neither is there.
    """
    candidates = [Launcher(checkout / "notebooks" / NOTEBOOK, checkout, checkout / "share" / "jupyter")]
    candidates += [Launcher(path / NOTEBOOK, path) for path in (_installed() if installed is None else installed)]
    for launcher in candidates:
        if launcher.notebook.is_file() and (launcher.config / "voila.json").is_file():
            return launcher
    raise DashboardError(f"The notebook {NOTEBOOK} is missing.", advice="Install retry-toolkit again.")


def _installed() -> list[Path]:
    from jupyter_core.paths import jupyter_path  # noqa: PLC0415 - part of the dashboard extra, loaded only for it

    return [Path(path) for path in jupyter_path("retry_toolkit")]


def dashboard_url(settings: Settings) -> str:
    """Address of the dashboard."""
    return f"http://{HOST}:{settings.dashboard_port}/"


def dashboard_command(settings: Settings, launcher: Launcher | None = None) -> list[str]:
    """Command line of the dashboard process; it holds no secret, for every user of a machine can read it.

    Args:
        settings: On which port.
        launcher: What to show instead of the failure desk.

    Raises:
        SettingsError: Voilà is not installed.
        DashboardError: The launcher notebook is missing.
    """
    if find_spec("voila") is None:
        raise SettingsError("Voilà is not installed.", advice="Run: pip install 'retry-toolkit[dashboard]'")
    launcher = launcher or find_launcher()
    return [
        sys.executable,
        "-m",
        "voila",
        str(launcher.notebook),
        f"--port={settings.dashboard_port}",
        # Ours alone: a voila.json in the user's own Jupyter directory must not loosen ours.
        f"--Voila.config_file_paths={launcher.config}",
    ]


def dashboard_environment(settings: Settings, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The whole environment of the dashboard process: `base`, with the settings that its kernels may know.

    The operator token and the database's URL are never among them. Where the platform of this machine has a viewer
    token, the page reads with that token and is read-only.
    """
    environment = {name: value for name, value in base.items() if not name.upper().startswith("RETRY_TOOLKIT_")}
    token = settings.token
    read_only = settings.read_only
    if token is None and settings.url is None and settings.viewer_token is not None:
        token, read_only = settings.viewer_token, True
    given = {name: getattr(settings, name) for name in PASSED_ON} | {
        "read_only": str(read_only).lower(),
        "token": token.get_secret_value() if token else None,
    }
    environment |= {f"RETRY_TOOLKIT_{name.upper()}": str(value) for name, value in given.items() if value is not None}
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    if (data := find_launcher().data) is not None:
        environment["JUPYTER_PATH"] = os.pathsep.join(filter(None, (str(data), base.get("JUPYTER_PATH"))))
    return environment


def dashboard_answers(settings: Settings) -> bool:
    """Whether our dashboard answers at its address; asks for a static file, because the page itself starts a kernel."""
    try:
        with NO_PROXY.open(dashboard_url(settings) + PROBE_PATH, timeout=5) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP OK
    except (urllib.error.URLError, OSError):
        return False


def wait_until_ready(
    settings: Settings, process: subprocess.Popen[bytes], *, timeout_s: float = START_TIMEOUT_S
) -> None:
    """Return when the dashboard answers.

    Raises:
        DashboardError: The process ended, or did not answer within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not dashboard_answers(settings):
        if (code := process.poll()) is not None:
            raise DashboardError(
                f"The dashboard ended by itself with exit code {code}.",
                advice="Its last lines are above.",
            )
        if time.monotonic() > deadline:
            raise DashboardError(f"The dashboard did not answer within {timeout_s:.0f} s.", advice="Try again.")
        time.sleep(POLL_S)


def stop_signals() -> list[signal.Signals]:
    """The signals that ask this process to stop; a hangup that it was told to ignore (`nohup`) does not."""
    outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if outlives_terminal else [signal.SIGHUP])]


def stop_dashboard(process: subprocess.Popen[bytes]) -> None:
    """Ask the dashboard to stop with its kernels, and end it if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_dashboard(settings: Settings, *, ready: Callable[[str], None] = print) -> int:
    """Run the dashboard in the foreground until it ends or is told to stop; returns its exit code, 0 when told.

    Args:
        settings: What to show, and on which port.
        ready: Called with the dashboard's address as soon as it answers.

    Raises:
        DashboardError: The dashboard did not come up.
        SettingsError: The port is taken, or Voilà is not installed.
    """
    check_port(HOST, settings.dashboard_port, "DASHBOARD_PORT")
    process = subprocess.Popen(  # noqa: S603 - our own command line
        dashboard_command(settings),
        env=dashboard_environment(settings),
        stdin=subprocess.DEVNULL,
        # Ctrl-C of a terminal goes to the whole group: alone in its own, Voilà is stopped by us, once.
        start_new_session=True,
    )
    try:
        with _interrupted_by_signals():
            wait_until_ready(settings, process)
            ready(dashboard_url(settings))
            return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop_dashboard(process)


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Let every signal that asks to stop arrive as Ctrl-C does: each stops Voilà with its kernels."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The dashboard's command line and environment: what its process gets, and what it must never get."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from retry_toolkit.dashboard import (
    DashboardError,
    Launcher,
    dashboard_answers,
    dashboard_command,
    dashboard_environment,
    dashboard_url,
    find_launcher,
    stop_signals,
    wait_until_ready,
)
from retry_toolkit.settings import Settings
from tests.browser.processes import clean_environment
from tests.live import free_port


def make_settings(home: Path, **given: Any) -> Settings:
    """Settings with the two secrets that must stay in the platform."""
    database = SecretStr("postgresql://db-secret")
    return Settings(home=home, operator_token=SecretStr("op-secret"), database_url=database, **given)


def test_the_command_line_holds_no_secret(tmp_path: Path) -> None:
    """Every user of a machine can read a command line."""
    settings = make_settings(tmp_path, token=SecretStr("my-secret"), viewer_token=SecretStr("view-secret"))
    assert "secret" not in " ".join(dashboard_command(settings))


def test_kernels_never_get_the_operator_token(tmp_path: Path) -> None:
    """Neither from the settings nor from the environment that the dashboard was started in."""
    settings = make_settings(tmp_path)
    base = {"RETRY_TOOLKIT_OPERATOR_TOKEN": "op-secret", "RETRY_TOOLKIT_DATABASE_URL": "db-secret", "PATH": "/bin"}
    environment = dashboard_environment(settings, base)
    assert "secret" not in " ".join(environment.values())
    assert environment["PATH"] == "/bin"
    assert environment["RETRY_TOOLKIT_HOME"] == str(tmp_path)


def test_a_viewer_token_makes_the_page_read_only(tmp_path: Path) -> None:
    """A published page of this machine's platform reads, and refuses every write by itself too."""
    environment = dashboard_environment(make_settings(tmp_path, viewer_token=SecretStr("view-secret")), {})
    assert environment["RETRY_TOOLKIT_TOKEN"] == "view-secret"
    assert environment["RETRY_TOOLKIT_READ_ONLY"] == "true"


def test_a_viewer_token_stays_away_from_another_platform(tmp_path: Path) -> None:
    """The token of this machine's platform is not sent to an address that the user names."""
    settings = Settings(home=tmp_path, url="http://127.0.0.1:9", viewer_token=SecretStr("view-secret"))
    environment = dashboard_environment(settings, {})
    assert "secret" not in " ".join(environment.values())
    assert environment["RETRY_TOOLKIT_URL"] == "http://127.0.0.1:9"
    assert environment["RETRY_TOOLKIT_READ_ONLY"] == "false"


def test_the_user_s_own_token_is_passed_on(tmp_path: Path) -> None:
    """`connect()` in the kernel sends the token that the user set for it."""
    environment = dashboard_environment(Settings(home=tmp_path, token=SecretStr("my-secret")), {})
    assert environment["RETRY_TOOLKIT_TOKEN"] == "my-secret"


def test_what_is_passed_on_gives_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel reads from its environment what the dashboard was told."""
    told = Settings(home=tmp_path, api_port=8651, token=SecretStr("my-secret"), read_only=True, language="zh")
    for name, value in dashboard_environment(told, {}).items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert (read.home, read.api_url, read.token, read.read_only, read.language) == (
        told.home,
        told.api_url,
        told.token,
        told.read_only,
        told.language,
    )


def test_a_checkout_shows_its_own_files() -> None:
    """An editable installation shows the notebook and template that are being edited."""
    root = Path(__file__).parents[1]
    launcher = find_launcher()
    assert launcher.config == root
    assert launcher.data == root / "share" / "jupyter"


def test_an_installed_launcher_is_found(tmp_path: Path) -> None:
    """Without a checkout, the files that the wheel has put into Jupyter's data directory are taken."""
    installed = tmp_path / "share" / "jupyter" / "retry_toolkit"
    installed.mkdir(parents=True)
    for name in ("failure_desk.ipynb", "voila.json"):
        (installed / name).write_text("{}", "utf-8")
    launcher = find_launcher(tmp_path, [tmp_path / "nothing", installed])
    assert launcher == Launcher(installed / "failure_desk.ipynb", installed)


def test_a_missing_launcher_is_one_clear_line(tmp_path: Path) -> None:
    """A broken installation is named as such."""
    with pytest.raises(DashboardError, match=r"failure_desk\.ipynb is missing"):
        find_launcher(tmp_path, [])


def test_a_dashboard_that_ends_is_reported(tmp_path: Path) -> None:
    """Waiting stops as soon as the process is gone, and says with which code."""
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(DashboardError, match="exit code 3"):
        wait_until_ready(Settings(home=tmp_path, dashboard_port=9), process)


def test_nothing_answers_where_no_dashboard_is(tmp_path: Path) -> None:
    """Asking for readiness is no error."""
    settings = Settings(home=tmp_path, dashboard_port=9)
    assert dashboard_url(settings) == "http://127.0.0.1:9/"
    assert not dashboard_answers(settings)


def test_the_published_settings_are_the_careful_ones() -> None:
    """Nobody can change the template by the address, see a traceback, or be served by a kernel of somebody else."""
    config = json.loads((Path(__file__).parents[1] / "voila.json").read_text("utf-8"))
    voila = config["VoilaConfiguration"]
    assert (voila["allow_template_override"], voila["allow_theme_override"]) == ("NO", "NO")
    assert (voila["show_tracebacks"], voila["strip_sources"], voila["preheat_kernel"]) == (False, True, False)
    assert voila["file_allowlist"] == []
    assert config["MappingKernelManager"]["cull_idle_timeout"] > 0
    assert config["MappingKernelManager"]["cull_connected"] is False
    policy = config["Voila"]["tornado_settings"]["headers"]["Content-Security-Policy"]
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "'unsafe-eval'" not in policy


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_the_dashboard_stops_with_its_command(tmp_path: Path, number: signal.Signals) -> None:
    """`retry-toolkit dashboard` says where it is; however it is told to stop, nothing of it stays."""
    command = [sys.executable, "-m", "retry_toolkit", "dashboard", "--port", str(free_port())]
    # Whoever runs the tests may have them ignored: a shell's background job does, and nohup.
    heard = ["env", "--default-signal=HUP,INT"]
    process = subprocess.Popen([*heard, *command], env=clean_environment(tmp_path), stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().strip() == f"http://127.0.0.1:{command[-1]}/"
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(number)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert children
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_nohup_is_obeyed() -> None:
    """A hangup that was to be ignored when the process began stops nothing; every other signal does."""
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        assert stop_signals() == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert stop_signals() == [signal.SIGINT, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """Another program on the port is one clear line with what to do, and no stack."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "retry_toolkit", "dashboard", "--port", str(port)]
        run = subprocess.run(
            command, env=clean_environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
        )
    assert run.returncode != 0
    assert len(run.stderr.strip().splitlines()) == 1
    assert str(port) in run.stderr
    assert "RETRY_TOOLKIT_DASHBOARD_PORT" in run.stderr
    assert "Traceback" not in run.stderr

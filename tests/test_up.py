"""`retry-toolkit up` as a user runs it: a real process, real ports, Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from retry_toolkit.errors import SettingsError
from retry_toolkit.ports import check_port
from retry_toolkit.settings import Settings
from retry_toolkit.up import check_disk
from tests.live import free_port


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with a home and ports of its own."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("RETRY_TOOLKIT_")},
        "RETRY_TOOLKIT_HOME": str(tmp_path / "home"),
        "RETRY_TOOLKIT_API_PORT": str(free_port()),
        "RETRY_TOOLKIT_DASHBOARD_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def up(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """`up --no-demo`, ended with everything that it started whatever the test does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "retry_toolkit", "up", "--no-demo"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        yield process
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        for child in children:
            child.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Lines of the process up to the one that holds `text`; the whole output if it ends before."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            break
    return "".join(lines)


def test_up_shows_the_dashboard_and_ctrl_c_stops_everything(
    up: subprocess.Popen[str], environment: dict[str, str]
) -> None:
    """The printed address answers; a second `up` is refused in one line; after Ctrl-C no process of it is left."""
    said = read_until(up, "Ctrl-C stops both")
    address = f"http://127.0.0.1:{environment['RETRY_TOOLKIT_DASHBOARD_PORT']}/"
    assert address in said
    with urllib.request.urlopen(f"http://127.0.0.1:{environment['RETRY_TOOLKIT_API_PORT']}/health") as answer:
        assert answer.read() == b'{"status":"ok"}'

    second = subprocess.run(
        [sys.executable, "-m", "retry_toolkit", "up"],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "already up" in second.stderr

    children = psutil.Process(up.pid).children(recursive=True)
    assert len(children) >= 2
    up.send_signal(signal.SIGINT)
    assert "Stopped." in read_until(up, "Stopped.")
    assert up.wait(30) == 0
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def test_a_taken_port_is_one_clear_line(environment: dict[str, str]) -> None:
    """It names the port and the setting, and nothing has been started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["RETRY_TOOLKIT_DASHBOARD_PORT"])))
        taken.listen()
        run = subprocess.run(
            [sys.executable, "-m", "retry_toolkit", "up", "--no-demo"],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert run.returncode == 1
    assert environment["RETRY_TOOLKIT_DASHBOARD_PORT"] in run.stderr
    assert "RETRY_TOOLKIT_DASHBOARD_PORT" in run.stderr
    assert run.stderr.count("\n") == 1
    assert "Starting" not in run.stdout


def test_a_free_port_is_accepted() -> None:
    """The check leaves the port free."""
    port = free_port()
    check_port("127.0.0.1", port, "API_PORT")
    check_port("127.0.0.1", port, "API_PORT")


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The error names the path and the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="RETRY_TOOLKIT_HOME"):
        check_disk(Settings(home=tmp_path / "file"))


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    """Too little free space is said in megabytes before anything is written."""
    with pytest.raises(SettingsError, match="499 MB are free, 500 MB are needed"):
        check_disk(Settings(home=tmp_path), free_bytes=lambda _path: 500 * 1024**2 - 1)

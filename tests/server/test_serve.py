"""The platform's processes, as a user starts and stops them."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from retry_toolkit.errors import SettingsError
from retry_toolkit.server.actions import Actions, Intent
from retry_toolkit.server.files import TaskFiles
from retry_toolkit.server.pipelines import load_pipelines
from retry_toolkit.server.routes.context import DemoProgress
from retry_toolkit.server.serve import bound_socket, serve
from retry_toolkit.server.store import Store
from retry_toolkit.settings import Settings
from tests.conftest import OPERATOR
from tests.live import ServerProcess, free_port, sample_settings, wait_until

Start = Callable[..., ServerProcess]


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings of a platform that does not run yet."""
    return sample_settings(home)


def test_it_stops_cleanly_and_goes_on(server_process: Start, settings: Settings) -> None:
    """SIGTERM and SIGINT end it with exit code 0 and no stack; the stage that a stop interrupted runs again."""
    release = settings.home / "release"
    body = {"pipeline": "slow", "params": {"release": str(release)}}
    first = server_process(settings)
    first.wait_ready()
    with httpx.Client(base_url=settings.api_url, trust_env=False) as client:
        task = f"/api/v1/tasks/{client.post('/api/v1/tasks', json=body).json()['id']}"
        wait_until(lambda: client.get(task).json()["status"] == "running", "the task to run")
        stopped = first.stop(signal.SIGTERM)
        release.touch()
        second = server_process(settings)
        second.wait_ready()
        wait_until(lambda: client.get(task).json()["status"] == "completed", "the task to complete")
        attempts = client.get(f"{task}/attempts").json()["items"]
    assert [(one["stage_name"], one["attempt"]) for one in attempts] == [("wait", 1), ("close", 1)]
    for code, output in (stopped, second.stop(signal.SIGINT)):
        assert code == 0, output
        assert output == f"The platform answers at {settings.api_url} (docs at /docs).\n"


class Asleep:
    """No engine: nothing that is submitted is started."""

    def wake(self, task_id: str) -> None:
        """Do nothing."""

    def cancel(self, task_id: str) -> None:
        """Do nothing."""


def test_a_worker_runs_what_waits(server_process: Start, settings: Settings) -> None:
    """A process without a port runs the tasks of its home directory, and stops like the other."""
    pipelines = load_pipelines(settings.pipelines)
    with closing(Store.open(settings)) as store:
        actions = Actions(store, Asleep(), TaskFiles(settings), pipelines, settings)
        answer = actions.submit("ok", intent=Intent("test"), render=lambda task: {"id": task.id})
        worker = server_process(settings, command="worker")

        def completed() -> bool:
            task = store.task(answer.body["id"])
            return task is not None and task.status == "completed"

        wait_until(completed, "the worker to run the task")
    assert worker.stop() == (0, "")


def test_a_demo_is_made_while_serving(server_process: Start, home: Path) -> None:
    """Its progress is told while it is made, its pipelines are there, and a stop in the middle is clean."""
    server = server_process(sample_settings(home, pipelines=()), "--demo")
    server.wait_ready()
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        wait_until(lambda: client.get("/api/v1/demo").json()["done"] > 0, "the first demo task")
        progress = client.get("/api/v1/demo").json()
        names = {item["name"] for item in client.get("/api/v1/templates").json()["items"]}
    assert not progress["finished"]
    assert progress["total"] > 200
    assert "sales_report" in names
    code, output = server.stop()
    assert code == 0, output
    assert "Traceback" not in output


def test_a_demo_that_cannot_be_made_is_given_up(server_process: Start, home: Path) -> None:
    """The platform serves on and says why there is no demo; the log has the cause."""
    (home / "demo").mkdir(parents=True)
    (home / "demo" / "seeding.json").write_text("{")
    server = server_process(sample_settings(home), "--demo")
    server.wait_ready()
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        wait_until(lambda: client.get("/api/v1/demo").json()["finished"], "the demo to be given up")
        assert client.get("/api/v1/demo").json()["error"]
        assert client.get("/api/v1/tasks").status_code == 200
    code, output = server.stop()
    assert code == 0
    assert "The demo was given up" in output


def test_a_taken_port_is_one_clear_line(server_process: Start, settings: Settings) -> None:
    """It names the port and the setting, and starts nothing."""
    with bound_socket(settings) as listener:
        listener.listen()
        code, output = server_process(settings).ended()
    assert code != 0
    assert str(settings.api_port) in output
    assert "RETRY_TOOLKIT_API_PORT" in output
    assert "Traceback" not in output
    assert not (settings.home / "tasks").exists()


def test_an_open_host_without_tokens_is_refused(home: Path) -> None:
    """Nothing is bound and nothing is made."""
    with pytest.raises(SettingsError, match="RETRY_TOOLKIT_OPERATOR_TOKEN"):
        serve(sample_settings(home, host="0.0.0.0"))
    assert not home.exists()


def test_an_open_host_with_tokens_is_served(server_process: Start, home: Path) -> None:
    """It answers under any host name, and only to tokens."""
    server = server_process(sample_settings(home, host="0.0.0.0", operator_token=OPERATOR))
    server.wait_ready()
    url, host = f"{server.url}/api/v1/tasks", {"Host": "retry.example"}
    assert httpx.get(url, headers=host, trust_env=False).status_code == 401
    allowed = httpx.get(url, headers={**host, "Authorization": f"Bearer {OPERATOR}"}, trust_env=False)
    assert allowed.status_code == 200
    assert OPERATOR not in server.stop()[1]


def test_unknown_hosts_are_one_clear_line(home: Path) -> None:
    """A name that is no address of this machine is a settings error."""
    settings = sample_settings(home, host="no-such-host.invalid")
    with pytest.raises(SettingsError, match="no-such-host"), bound_socket(settings):
        pytest.fail("bound to a host that does not exist")


def test_a_broken_pipeline_file_is_one_clear_line(server_process: Start, home: Path, tmp_path: Path) -> None:
    """It names file and line, without a stack."""
    file = tmp_path / "broken_pipelines.py"
    file.write_text("x = 1\ny = undefined_name\n")
    code, output = server_process(sample_settings(home, pipelines=(file,))).ended()
    assert code != 0
    assert f"{file}:2" in output
    assert "Traceback" not in output


def test_ipv6_loopback_is_served(home: Path) -> None:
    """`::1` binds, where the machine has it."""
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with bound_socket(sample_settings(home, host="::1", api_port=free_port())) as listener:
        assert listener.getsockname()[0] == "::1"


def test_without_a_demo_its_progress_is_over(api: httpx.Client) -> None:
    """Whoever waits for the demo waits for nothing."""
    assert api.get("/api/v1/demo").json() == {"total": 0, "done": 0, "finished": True, "error": None}


def test_progress_is_told_as_it_stands() -> None:
    """Steps done, steps in all."""
    progress = DemoProgress(finished=False)
    progress.update(3, 250)
    assert progress.state() == {"total": 250, "done": 3, "finished": False, "error": None}

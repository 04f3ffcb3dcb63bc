"""Every notebook of the project runs, from its first cell to its last, against a real platform with a failed task."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from retry_toolkit.dashboard import dashboard_environment
from tests.browser.processes import clean_environment
from tests.browser.stack import make_settings, run_platform

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a kernel that `connect()` leads to a platform with one failed task."""
    settings = make_settings(tmp_path_factory.mktemp("home"))
    with run_platform(settings) as ledger:
        ledger.failed("Daily report", params={"good_from": 9})
        yield dashboard_environment(settings, clean_environment(settings.home))


def test_there_are_notebooks() -> None:
    """The tests below would pass on an empty directory."""
    assert [path.name for path in NOTEBOOKS if path.name == "failure_desk.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_keeps_no_output(path: Path) -> None:
    """What one user saw is not shipped to all others; any Python kernel will do."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat is untyped
    nbformat.validate(notebook)
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(path: Path, environment: dict[str, str]) -> None:
    """No cell raises or complains, and a launcher ends with its panels."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat is untyped
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": path.parent}})
    client.execute(env=environment)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.output_type in {"error", "stream"}] == []
    assert WIDGET in outputs[-1].data


def test_nbval_accepts_every_notebook(environment: dict[str, str]) -> None:
    """The same by the tool that contributors run by hand: `pytest --nbval-lax notebooks` beside a running platform."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", str(ROOT / "notebooks")]
    run = subprocess.run(command, check=False, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout

"""The package itself: its names, and what importing it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from types import ModuleType

import pytest

import retry_toolkit

NAMES = [
    "Capabilities",
    "Filters",
    "IncompleteLoad",
    "Platform",
    "RejectedRows",
    "RetryBatch",
    "RetryPlan",
    "Settings",
    "Snapshot",
    "TaskQuery",
    "allocated_bytes",
    "batches",
    "build_lineage",
    "connect",
    "cost_ledger",
    "disk_by",
    "disk_by_root",
    "disk_cost",
    "draw_lineage",
    "errors",
    "execute",
    "expiring",
    "filter_tasks",
    "fingerprint",
    "forecast_disk",
    "group_failures",
    "load_attempts",
    "load_disk",
    "load_history",
    "load_lineage",
    "load_logs",
    "load_settings",
    "load_stages",
    "load_tasks",
    "open_batch",
    "open_snapshot",
    "plan_retry",
    "recovery_rates",
    "refresh_tasks",
    "resume",
    "spending",
    "verify_audit",
]


def modules_after(statement: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after a statement."""
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


def test_the_public_names_are_these() -> None:
    """Changing them is a decision; they are sorted."""
    assert retry_toolkit.__all__ == NAMES == sorted(NAMES, key=lambda name: (name.islower(), name))
    assert dir(retry_toolkit) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name: str) -> None:
    """Each is loaded when it is first used; only `errors` is a module."""
    assert isinstance(getattr(retry_toolkit, name), ModuleType) is (name == "errors")


def test_other_names_are_not() -> None:
    """A slip of the pen is an AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'retry_everything'"):
        retry_toolkit.retry_everything  # noqa: B018 - what is tested


def test_no_submodule_takes_the_place_of_a_name() -> None:
    """Importing the modules directly leaves `retry_toolkit.connect` a function."""
    direct = "import retry_toolkit, retry_toolkit.connector, retry_toolkit.frames.load"
    assert "retry_toolkit.connector" in modules_after(f"{direct}\nassert callable(retry_toolkit.connect)")


def test_importing_the_package_is_cheap() -> None:
    """It loads neither ipywidgets nor pandas, and fewer than twice the modules that pandas does."""
    ours = modules_after("import retry_toolkit")
    assert not {"ipywidgets", "pandas", "httpx", "pydantic"} & ours
    assert len(ours) < 2 * len(modules_after("import pandas"))


def test_using_every_name_loads_no_widgets() -> None:
    """The whole public surface works without ipywidgets, and stays within twice the modules of pandas."""
    everything = modules_after("from retry_toolkit import *")
    assert "pandas" in everything
    assert not {"ipywidgets", "anywidget", "bqplot"} & everything
    assert len(everything) < 2 * len(modules_after("import pandas, pyarrow"))

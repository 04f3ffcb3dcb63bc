"""The examples of docs/panels.md run as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from retry_toolkit import panels
from retry_toolkit.retry.batch import RetryBatch
from tests.analysis.test_examples import Connecting
from tests.live import LivePlatform, wait_until

DOCUMENT = Path(__file__).parents[2] / "docs" / "panels.md"
BLOCKS = re.findall(r"^```python\n(.+?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@contextmanager
def closed_behind(names: dict[str, Any]) -> Iterator[None]:
    """Close what the examples have left open."""
    try:
        yield
    finally:
        for value in names.values():
            if hasattr(value, "widget") and hasattr(value, "close"):
                value.close()
            elif isinstance(value, RetryBatch):
                value.close(30)


def test_every_example_runs(
    platform: LivePlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a platform that has a failed task, one after the other."""
    monkeypatch.setenv("RETRY_TOOLKIT_HOME", str(tmp_path))
    platform.failed()
    names: dict[str, Any] = {}
    with ExitStack() as open_connections, closed_behind(names):
        names["rt"] = Connecting(platform.url, open_connections)
        for block in BLOCKS:
            exec(block.replace("import retry_toolkit as rt\n", ""), names)
            # Whoever reads on has seen the tasks come.
            wait_until(lambda: names["triage"].state.catalog.catalog is not None, "the tasks")
        assert names["batch"].wait(60)
        assert names["batch"].buckets["SUCCEEDED"] + names["batch"].buckets["FAILED_AGAIN"] == 1
    assert "selected" in capsys.readouterr().out


def test_every_panel_is_described() -> None:
    """What the package exports stands in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in panels.__all__:
        assert f"`{name}`" in text or f"{name}(" in text or name == "open_desk"

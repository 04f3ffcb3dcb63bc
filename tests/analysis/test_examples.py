"""The examples of the document run as they stand there."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import retry_toolkit as rt
from tests.live import LivePlatform

DOCUMENT = Path(__file__).parents[2] / "docs" / "analysis.md"
BLOCKS = re.findall(r"^```python\n(.+?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


class Connecting:
    """The package, whose `connect` leads to a platform of the tests and is closed behind them."""

    def __init__(self, url: str, opened: ExitStack) -> None:
        self._url = url
        self._opened = opened

    def connect(self) -> rt.Platform:
        """A connection to that platform."""
        return self._opened.enter_context(rt.connect(self._url))

    def __getattr__(self, name: str) -> Any:
        return getattr(rt, name)


def test_every_example_runs(platform: LivePlatform, capsys: pytest.CaptureFixture[str]) -> None:
    """On a platform that has a failed task, one after the other."""
    platform.failed()
    with ExitStack() as open_connections:
        names = {"rt": Connecting(platform.url, open_connections)}
        for block in BLOCKS:
            exec(block.replace("import retry_toolkit as rt\n", ""), names)
    assert isinstance(names["causes"], pd.DataFrame)
    assert capsys.readouterr().out.startswith("tasks[\n")


def test_every_function_of_the_package_that_it_names_is_there() -> None:
    """Also those outside of the examples."""
    for name in re.findall(r"`rt\.(\w+)", DOCUMENT.read_text(encoding="utf-8")):
        assert name in rt.__all__

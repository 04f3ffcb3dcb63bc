"""Where the demo keeps its files in the home directory; stage processes import this, so it imports next to nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

TYPE_CHECKING = False  # `typing` costs every stage process several milliseconds
if TYPE_CHECKING:
    from typing import Any


def stage_home(inputs: Path) -> Path:
    """The home directory of the platform that runs a stage, whose input files lie in `<home>/tasks/<task>/inputs`."""
    return inputs.parents[2]


def demo_dir(home: Path) -> Path:
    """Everything of the demo that is not in the store."""
    return home / "demo"


def reference_dir(home: Path) -> Path:
    """Reference files that the pipelines read: what `demo mend` mends."""
    return demo_dir(home) / "reference"


def drop_dir(home: Path) -> Path:
    """A shared directory of scans with a retention of its own."""
    return demo_dir(home) / "drop"


def service_file(home: Path) -> Path:
    """Where the local HTTP service writes its address."""
    return demo_dir(home) / "service.json"


def read_json(path: Path) -> Any:
    """The JSON value of a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step, so that a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)

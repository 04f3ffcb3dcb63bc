"""Files of tasks: input files, work directories, retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from retry_toolkit.settings import Settings


class TaskFiles:
    """The directories of tasks under the home directory."""

    def __init__(self, settings: Settings, *, free_bytes: Callable[[Path], int] | None = None) -> None:
        raise NotImplementedError

    def inputs(self, task_id: str) -> Path:
        """Directory of a task's input files."""
        raise NotImplementedError

"""Runs tasks as durable workflows; the only importer of dbos."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.server.store import Store
    from retry_toolkit.settings import Settings


class Engine:
    """Runs the stages of tasks; one live engine a process."""

    def __init__(
        self, store: Store, pipelines: Mapping[str, Pipeline], settings: Settings, *, execute: bool = True
    ) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Recover what a stopped process left, and begin to run tasks."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop running tasks; what is interrupted goes on at the next start."""
        raise NotImplementedError

    def wake(self, task_id: str) -> None:
        """Enqueue the current run of a pending task; repeating it does nothing."""
        raise NotImplementedError

    def cancel(self, task_id: str) -> None:
        """Kill what runs of a task whose cancellation was requested."""
        raise NotImplementedError

"""What users may do to tasks; every write is one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from retry_toolkit.server.records import Answer, Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from retry_toolkit.server.engine import Engine
    from retry_toolkit.server.files import TaskFiles
    from retry_toolkit.server.pipelines import Pipeline
    from retry_toolkit.server.store import Store
    from retry_toolkit.settings import Settings

Render = Callable[[Task], dict[str, Any]]
NO_FILES: Mapping[str, Path] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Intent:
    """Who asks, and under which idempotency key; `fingerprint` is a hash of method, path and body."""

    actor: str
    key: str | None = None
    fingerprint: str = ""


class ActionRefused(Exception):
    """The platform says no; nothing was done.

    Attributes:
        status: HTTP status.
        detail: What the caller is told.
    """

    def __init__(self, status: int, detail: str | dict[str, Any]) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Actions:
    """Submit, retry, clone, cancel and delete."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        files: TaskFiles,
        pipelines: Mapping[str, Pipeline],
        settings: Settings,
    ) -> None:
        raise NotImplementedError

    def submit(
        self,
        pipeline: str,
        *,
        title: str | None = None,
        params: Mapping[str, Any] | None = None,
        files: Mapping[str, Path] = NO_FILES,
        project_id: str | None = None,
        submitter: str | None = None,
        intent: Intent,
        render: Render,
    ) -> Answer:
        """Make a task; 201. `files` maps names in the input directory to files that are copied in."""
        raise NotImplementedError

    def retry_stage(
        self, task_id: str, stage_id: str, *, expected_retry_count: int | None = None, intent: Intent, render: Render
    ) -> Answer:
        """Reset one failed stage."""
        raise NotImplementedError

    def retry_failed_stages(self, task_id: str, *, intent: Intent, render: Render) -> Answer:
        """Reset every failed stage."""
        raise NotImplementedError

    def retry_batch(
        self,
        task_ids: Sequence[str],
        *,
        expected_retry_counts: Mapping[str, int] | None = None,
        intent: Intent,
        render: Render,
    ) -> Answer:
        """Reset the earliest failed stage of each task that is under its limit."""
        raise NotImplementedError

    def retry_task(
        self,
        task_id: str,
        *,
        copy_files: bool = True,
        submitter: str | None = None,
        display_name: str | None = None,
        expected_retry_count: int | None = None,
        intent: Intent,
    ) -> Answer:
        """Make a new task with the same parameters and copied or linked input files."""
        raise NotImplementedError

    def clone(self, task_id: str, *, intent: Intent, render: Render) -> Answer:
        """Make a new task without lineage; 201."""
        raise NotImplementedError

    def cancel(self, task_id: str, *, intent: Intent, render: Render) -> Answer:
        """Cancel a queued or running task."""
        raise NotImplementedError

    def delete(self, task_id: str, *, intent: Intent) -> Answer:
        """Remove a task that is not running, with its files; the audit trail stays."""
        raise NotImplementedError

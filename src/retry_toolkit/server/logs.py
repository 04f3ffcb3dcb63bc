"""Logs of stages: JSON lines beside each attempt, written while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retry_toolkit.server.store import Store
    from retry_toolkit.settings import Settings


class TaskLogs:
    """Pages of log rows in the pipeline dialect's format."""

    def __init__(self, store: Store, settings: Settings) -> None:
        raise NotImplementedError

    def rows(
        self,
        task_id: str,
        *,
        stage_name: str | None = None,
        event_source: str | None = None,
        page: int,
        page_size: int,
    ) -> tuple[list[dict[str, Any]], int]:
        """One page of log rows in order, and how many there are in all.

        A row's `event_type` is `stdout`, `stderr` or `event`, its `event_source` `stage` or `platform`, its `result` the
        line; `event_seq` counts from 1 within the task, `output_truncated` says whether the line was cut.
        """
        raise NotImplementedError

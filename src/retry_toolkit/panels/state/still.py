"""Tasks that were read once, in the place of a platform: they can be looked at, and nothing can be retried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn, Self

from retry_toolkit.errors import NotFound, ReadOnly
from retry_toolkit.platforms.base import (
    EVERY_TASK,
    AttemptRecord,
    Capabilities,
    LogRecord,
    TaskFiles,
    TaskPage,
    TaskQuery,
    TaskRecord,
)

PAGE_TASKS: Final = 2_000

NOTHING: Final = Capabilities(stage_retry="none", whole_retry="none", batch="none")
"""What can be done with tasks of which there is no platform."""


class StillPlatform:
    """Keeps the protocol of a platform over records in memory.

    Args:
        tasks: Newest first, or by their ids.
        files: Their input files, where they are known.
        name: What users read.
        capabilities: What is told; writes are refused whatever it says.
    """

    read_only = True
    origin = "memory:"

    def __init__(
        self,
        tasks: Iterable[TaskRecord] | Mapping[str, TaskRecord],
        *,
        files: Mapping[str, TaskFiles] | None = None,
        name: str,
        capabilities: Capabilities = NOTHING,
    ) -> None:
        self.name = name
        self.capabilities = capabilities
        self._tasks = tasks if isinstance(tasks, Mapping) else {task.task_id: task for task in tasks}
        self._files = files or {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def tasks(self, query: TaskQuery = EVERY_TASK) -> Iterator[TaskPage]:
        """Pages of the tasks that the query lets through."""
        rows = [task for task in self._tasks.values() if _meant(query, task)][: query.limit]
        for number, first in enumerate(range(0, max(len(rows), 1), PAGE_TASKS), start=1):
            yield TaskPage(number=number, tasks=tuple(rows[first : first + PAGE_TASKS]), total=len(rows))

    def task(self, task_id: str) -> TaskRecord:
        """One task as it was read.

        Raises:
            NotFound: It is not among them.
        """
        if task_id not in self._tasks:
            raise NotFound(f"There is no task {task_id!r} here.", status=404)
        return self._tasks[task_id]

    def logs(self, task_id: str, stage: str | None = None) -> Iterator[LogRecord]:  # noqa: ARG002 - the protocol's
        """None: logs stay on the platform."""
        return iter(())

    def attempts(self, task_id: str) -> tuple[AttemptRecord, ...]:  # noqa: ARG002 - the protocol's
        """None: attempts stay on the platform."""
        return ()

    def files(self, task_id: str) -> TaskFiles | None:
        """Input files, where they are known."""
        return self._files.get(task_id)

    def retry_stage(self, task_id: str, stage_id: str, **_: Any) -> NoReturn:
        """Refused."""
        self._refuse(task_id, stage_id)

    def retry_batch(self, task_ids: Sequence[str], **_: Any) -> NoReturn:
        """Refused."""
        self._refuse(*task_ids)

    def retry_task(self, task_id: str, **_: Any) -> NoReturn:
        """Refused."""
        self._refuse(task_id)

    def cancel(self, task_id: str) -> NoReturn:
        """Refused."""
        self._refuse(task_id)

    def close(self) -> None:
        """There is nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _refuse(self, *what: str) -> NoReturn:
        raise ReadOnly(f"{self.name} is no platform: nothing of {', '.join(what)} can be sent.")


def _meant(query: TaskQuery, task: TaskRecord) -> bool:
    return (
        query.status in {None, task.status}
        and query.project in {None, task.project}
        and (query.title is None or query.title.casefold() in (task.name or "").casefold())
        and (query.since is None or task.created_at is None or task.created_at >= query.since)
    )

"""Output files of tasks: what the latest execution of each completed stage left in its work directory."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retry_toolkit.server import copying
from retry_toolkit.server.files import NotAFile, check_name
from retry_toolkit.server.tables import executions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retry_toolkit.server.records import Task
    from retry_toolkit.server.store import Store

MAX_LISTED = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """One output file; `name` is `<stage>/<path in the work directory>`."""

    name: str
    stage: str
    size_bytes: int


class TaskOutputs:
    """Finds output files by descriptor, never following a link out of a work directory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def base_dir(self, task: Task) -> Path:
        """Directory under which all work directories of a task lie."""
        return self._store.layout.task(task.id) / "stages"

    def find(self, task: Task) -> list[OutputFile]:
        """The first `MAX_LISTED` regular files with printable names, by stage, then name."""
        found: list[OutputFile] = []
        for stage, directory in self._work_directories(task).items():
            for name, size in _regular_files(directory):
                if len(found) == MAX_LISTED:
                    return found
                found.append(OutputFile(name=f"{stage}/{name}", stage=stage, size_bytes=size))
        return found

    @contextmanager
    def open(self, task: Task, name: str) -> Iterator[int]:
        """Descriptor of the output file of that name.

        Raises:
            FileNotFoundError: There is none, or it is nothing that may be sent.
        """
        stage, _, path = name.partition("/")
        try:
            check_name(path)
            directory = self._work_directories(task)[stage]
            with copying.open_directory(directory) as work, copying.open_beneath(work, path) as (descriptor, _, _):
                yield descriptor
        except (KeyError, NotAFile, copying.NotRegular, NotADirectoryError) as error:
            raise FileNotFoundError(name) from error

    def _work_directories(self, task: Task) -> dict[str, Path]:
        query = (
            sa.select(executions.c.stage_id, executions.c.directory)
            .where(executions.c.task_id == task.id)
            .order_by(executions.c.attempt, executions.c.number)
        )
        with self._store.database.reading() as connection:
            latest = {row.stage_id: row.directory for row in connection.execute(query)}
        return {
            stage.name: self._store.layout.execution(task.id, latest[stage.id]) / "work"
            for stage in task.stages
            if stage.status == "completed" and stage.id in latest
        }


def _regular_files(directory: Path) -> Iterator[tuple[str, int]]:
    """Names and sizes in bytes of the regular files below a directory, sorted; none if it is gone."""
    for root, directories, files, descriptor in os.fwalk(directory, follow_symlinks=False):
        directories.sort()
        for file in sorted(files):
            name = os.path.relpath(os.path.join(root, file), directory)  # noqa: PTH118 - a string walk stays strings
            size = _size(file, descriptor)
            if size is not None and _is_sendable(name):
                yield name, size


def _size(name: str, directory: int) -> int | None:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _is_sendable(name: str) -> bool:
    try:
        check_name(name)
    except (NotAFile, UnicodeEncodeError):
        return False
    return True

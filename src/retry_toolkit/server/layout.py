"""Where the files of tasks lie under the home directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one home directory.

    `tasks/<task>/inputs` holds the input files, `tasks/<task>/stages/<stage>/<attempt>-<execution>` one execution of a
    stage: its `work` directory, its `outputs` directory of links to earlier stages, and its `log.jsonl`.
    """

    home: Path

    @property
    def tasks(self) -> Path:
        """Directory of all tasks."""
        return self.home / "tasks"

    @property
    def locks(self) -> Path:
        """Directory of the locks that processes hold while they live."""
        return self.home / "locks"

    def task(self, task_id: str) -> Path:
        """Directory of one task."""
        return self.tasks / task_id

    def inputs(self, task_id: str) -> Path:
        """Directory of a task's input files."""
        return self.task(task_id) / "inputs"

    def execution(self, task_id: str, directory: str) -> Path:
        """Directory of one execution, by the name that the store keeps."""
        return self.task(task_id) / directory

    def make(self) -> None:
        """Make the directories; only their owner may look into them.

        Raises:
            OSError: They cannot be made.
        """
        for path in (self.home, self.tasks, self.locks):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

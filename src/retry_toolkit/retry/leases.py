"""Who runs a batch right now: one process at a time, known to be dead the moment that it dies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that runs a batch: its id and machine, its user, and since when."""

    pid: int
    host: str
    actor: str
    since: datetime | None


class Lease:
    """The right to run one batch; ends with `release()` or with the process, whatever ends it."""

    batch_id: str

    def release(self) -> None:
        """Give the batch free; harmless when repeated."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

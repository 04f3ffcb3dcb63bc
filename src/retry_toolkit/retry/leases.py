"""Who runs a batch right now: one process at a time, known to be dead the moment that it dies.

A lease is a lock of the kernel on a file of the batch. There is no heartbeat to miss and no process id to be reused:
the lock ends with the process, whatever ends it.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import weakref
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from retry_toolkit.errors import JournalError
from retry_toolkit.sqlite import locked


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that runs a batch: its id and machine, its user, and since when (ISO 8601, UTC)."""

    pid: int
    host: str
    actor: str
    since: str


class Lease:
    """The right to run one batch; ends with `release()` or with the process, whatever ends it."""

    def __init__(self, batch_id: str, path: Path, gate: Path, descriptor: int) -> None:
        self.batch_id = batch_id
        self._path = path
        self._gate = gate
        self._descriptor: int | None = descriptor
        _held.add(self)

    @property
    def held(self) -> bool:
        """Whether it has not been released."""
        return self._descriptor is not None

    def release(self) -> None:
        """Give the batch free; harmless when repeated."""
        with locked(self._gate):
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                self._path.unlink(missing_ok=True)
                # Said aloud: a child that was forked meanwhile may hold the same lock.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)

    def _forget(self) -> None:
        """In a forked child: the lease stays the parent's, and must not outlive it here."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


class Leases:
    """The leases of a home directory: one file a batch, and one gate through which all changes go."""

    def __init__(self, directory: Path, *, gate: Path) -> None:
        self._directory = directory
        self._gate = gate
        self._taken: list[Lease] = []

    def take(self, batch_id: str, *, actor: str) -> Lease | None:
        """The lease of this batch, or None while somebody has it.

        Raises:
            JournalError: The directory cannot be used.
        """
        owner = Owner(pid=os.getpid(), host=platform.node(), actor=actor, since=datetime.now(UTC).isoformat())
        path = self._path(batch_id)
        try:
            self._directory.mkdir(exist_ok=True)
            with locked(self._gate):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                if not _lock(descriptor):
                    os.close(descriptor)
                    return None
                os.truncate(descriptor, 0)
                os.write(descriptor, json.dumps(asdict(owner)).encode("ascii"))
        except OSError as error:
            raise JournalError(f"{path} cannot be used: {error.strerror}.", advice="Check the disk.") from error
        lease = Lease(batch_id, path, self._gate, descriptor)
        self._taken.append(lease)
        return lease

    def owner(self, batch_id: str) -> Owner | None:
        """Who has the lease of this batch, or None when nobody alive has."""
        with locked(self._gate):
            try:
                descriptor = os.open(self._path(batch_id), os.O_RDWR)
            except FileNotFoundError:
                return None
            try:
                return None if _lock(descriptor) else Owner(**json.loads(os.pread(descriptor, 4096, 0)))
            finally:
                os.close(descriptor)

    def release_all(self) -> None:
        """Give every batch free that was taken here."""
        while self._taken:
            self._taken.pop().release()

    def _path(self, batch_id: str) -> Path:
        return self._directory / f"{batch_id}.lock"


_held: weakref.WeakSet[Lease] = weakref.WeakSet()


def _lock(descriptor: int) -> bool:
    """Whether the lock was free; it then belongs to this descriptor until that is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forget_all() -> None:
    for lease in list(_held):
        lease._forget()


os.register_at_fork(after_in_child=_forget_all)

"""Which processes run tasks: one name each, held by a file lock, and signs of life that the others watch."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from filelock import FileLock, Timeout

from retry_toolkit.server.tables import executors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retry_toolkit.server.layout import Layout
    from retry_toolkit.server.store import Store

DEAD_AFTER_S = 20.0


class ExecutorName:
    """The name of this process: the first one of its home directory that no living process holds.

    Names are used again after a restart, so that a process goes on with what its predecessor left; two living processes
    never have the same one, because each holds the lock of its name until it dies.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._node = _node_of(layout)
        number = 0
        while (lock := _try_lock(layout, f"{self._node}-{number}")) is None:
            number += 1
        self._lock = lock
        self.name = f"{self._node}-{number}"

    def release(self) -> None:
        """Leave the name to the next process."""
        self._lock.release()

    def is_dead(self, name: str) -> bool:
        """Whether a name of this home directory is held by nobody; False for other machines' names."""
        if name == self.name or not name.startswith(f"{self._node}-"):
            return False
        lock = _try_lock(self._layout, name)
        if lock is None:
            return False
        lock.release()
        return True


class Heartbeats:
    """Signs of life, counted in the store and timed by whoever watches: no clocks are compared."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = store.database
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    def beat(self, executor: str) -> None:
        """Say that this process lives."""
        with self._database.writing() as connection:
            row = executors.c.id == executor
            if not connection.execute(executors.update().where(row).values(beats=executors.c.beats + 1)).rowcount:
                connection.execute(executors.insert().values(id=executor, beats=1))

    def silent(self, names: set[str]) -> set[str]:
        """Those of some processes that have not been heard of for a while."""
        with self._database.reading() as connection:
            beats = {row.id: row.beats for row in connection.execute(sa.select(executors))}
        now = self._clock()
        for name in names:
            count = beats.get(name, 0)
            if self._seen.get(name, (-1, 0.0))[0] != count:
                self._seen[name] = (count, now)
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        return {name for name in names if now - self._seen[name][1] >= DEAD_AFTER_S}


@contextmanager
def one_rescuer(store: Store) -> Iterator[None]:
    """Let one process at a time take over what dead ones left."""
    with store.database.writing() as connection:
        store.database.hold(connection, "rescue")
        yield


def _node_of(layout: Layout) -> str:
    """A name for this home directory, so that processes of several machines on one database differ."""
    path = layout.locks / "node"
    with FileLock(layout.locks / "node.lock"):
        if not path.exists():
            path.write_text(secrets.token_hex(4))
        return path.read_text()


def _try_lock(layout: Layout, name: str) -> FileLock | None:
    lock = FileLock(layout.locks / f"executor-{name}.lock", timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock

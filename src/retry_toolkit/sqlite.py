"""The one way to open a SQLite file of ours: a driver that loses nothing, or settings under which it does not."""

from __future__ import annotations

import importlib
from types import ModuleType

Version = tuple[int, int, int]

# The WAL-reset bug (sqlite.org/wal.html#walresetbug): two connections can lose a commit or corrupt the file.
_FIRST_BROKEN: Version = (3, 7, 0)
_FIXED: Version = (3, 51, 3)
_BACKPORTS: tuple[Version, ...] = ((3, 44, 6), (3, 50, 7))


def loses_commits(version: Version) -> bool:
    """Whether this SQLite version has the WAL-reset bug."""
    if not _FIRST_BROKEN <= version < _FIXED:
        return False
    return not any(version[:2] == fixed[:2] and version >= fixed for fixed in _BACKPORTS)


def sqlite_driver() -> ModuleType:
    """The SQLite driver: pysqlite3, which bundles a recent SQLite, else Python's own."""
    try:
        return importlib.import_module("pysqlite3")
    except ImportError:
        return importlib.import_module("sqlite3")

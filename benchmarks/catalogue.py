"""Every row that a module of this package declares."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import benchmarks
from benchmarks.rows import Row


def all_rows() -> dict[str, Row]:
    """Rows by name, in the order of their modules."""
    modules = sorted(info.name for info in pkgutil.iter_modules(benchmarks.__path__))
    rows = [row for name in modules if name != "__main__" for row in _rows(name)]
    found = {row.name: row for row in rows}
    if len(found) < len(rows):
        raise ValueError("Two rows have the same name.")
    return found


def _rows(module: str) -> tuple[Row, ...]:
    found: tuple[Row, ...] = getattr(import_module(f"benchmarks.{module}"), "ROWS", ())
    return found

"""Docstrings of loaders: their column tables come from the schema, so that neither can go stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from retry_toolkit.frames.schema import Column, Columns, Kind

Loader = TypeVar("Loader", bound=Callable[..., Any])

UNITS: dict[Kind, str] = {"time": "UTC", "seconds": "seconds", "bytes": "bytes"}


def describes(columns: Columns) -> Callable[[Loader], Loader]:
    """Put the table of these columns in place of `{columns}` in a function's docstring."""
    table = "\n        ".join(_line(column) for column in columns)

    def fill(loader: Loader) -> Loader:
        if loader.__doc__ is not None:  # python -OO strips docstrings
            loader.__doc__ = loader.__doc__.replace("{columns}", table)
        return loader

    return fill


def _line(column: Column) -> str:
    unit = UNITS.get(column.kind)
    return f"{column.name} ({column.dtype}): {column.meaning}{f', in {unit}' if unit else ''}"

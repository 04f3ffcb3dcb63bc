"""Panels for notebooks and dashboards; the only part of the toolkit that loads ipywidgets, and only when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retry_toolkit.panels.desk import FailureDesk
    from retry_toolkit.panels.opening import open_desk

__all__ = ["FailureDesk", "open_desk"]

_HOMES = {"FailureDesk": "retry_toolkit.panels.desk", "open_desk": "retry_toolkit.panels.opening"}


def __getattr__(name: str) -> Any:
    # The states are imported through this package too, and must not load a widget.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

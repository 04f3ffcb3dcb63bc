"""Panels for notebooks and dashboards; the only part of the toolkit that loads ipywidgets, and only when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retry_toolkit.panels.desk import FailureDesk

__all__ = ["FailureDesk"]


def __getattr__(name: str) -> Any:
    # The states are imported through this package too, and must not load a widget.
    if name == "FailureDesk":
        from retry_toolkit.panels.desk import FailureDesk  # noqa: PLC0415 - see above

        return FailureDesk
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

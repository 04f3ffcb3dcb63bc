"""Panels for notebooks and dashboards; the only part of the toolkit that loads ipywidgets, and only when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retry_toolkit.panels.alone.batch import BatchPanel
    from retry_toolkit.panels.alone.disk import DiskCostPanel
    from retry_toolkit.panels.alone.lineage import LineagePanel
    from retry_toolkit.panels.alone.plan import RetryPanel
    from retry_toolkit.panels.alone.report import StageReportPanel
    from retry_toolkit.panels.alone.triage import TriagePanel
    from retry_toolkit.panels.desk import FailureDesk
    from retry_toolkit.panels.opening import open_desk

__all__ = [
    "BatchPanel",
    "DiskCostPanel",
    "FailureDesk",
    "LineagePanel",
    "RetryPanel",
    "StageReportPanel",
    "TriagePanel",
    "open_desk",
]

_HOMES = {
    "BatchPanel": "alone.batch",
    "DiskCostPanel": "alone.disk",
    "FailureDesk": "desk",
    "LineagePanel": "alone.lineage",
    "RetryPanel": "alone.plan",
    "StageReportPanel": "alone.report",
    "TriagePanel": "alone.triage",
    "open_desk": "opening",
}


def __getattr__(name: str) -> Any:
    # The states are imported through this package too, and must not load a widget.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

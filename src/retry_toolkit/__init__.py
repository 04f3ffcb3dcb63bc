"""Find failed tasks, read what broke, and retry exactly the failed part at most once, from Jupyter.

Names are loaded when they are first used: importing this package loads neither pandas nor ipywidgets.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # every stage process imports this package, and `typing` would cost it several milliseconds
if TYPE_CHECKING:
    from retry_toolkit import errors
    from retry_toolkit.analysis.blocks import allocated_bytes
    from retry_toolkit.analysis.disk import disk_cost, load_disk
    from retry_toolkit.analysis.disk_sums import disk_by, disk_by_root, expiring, forecast_disk
    from retry_toolkit.analysis.failures import group_failures
    from retry_toolkit.analysis.ledger import cost_ledger, spending
    from retry_toolkit.analysis.lineage import build_lineage, load_lineage
    from retry_toolkit.analysis.recovery import recovery_rates
    from retry_toolkit.connector import connect
    from retry_toolkit.drawing import draw_lineage
    from retry_toolkit.frames.filters import Filters, filter_tasks
    from retry_toolkit.frames.fingerprints import fingerprint
    from retry_toolkit.frames.load import IncompleteLoad, RejectedRows, load_history, load_logs, load_stages, load_tasks
    from retry_toolkit.frames.refresh import refresh_tasks
    from retry_toolkit.frames.snapshot import Snapshot, open_snapshot
    from retry_toolkit.platforms.base import Capabilities, Platform, TaskQuery
    from retry_toolkit.retry.attempts import load_attempts
    from retry_toolkit.retry.batch import RetryBatch
    from retry_toolkit.retry.execute import batches, execute, open_batch, resume, verify_audit
    from retry_toolkit.retry.plan import RetryPlan, plan_retry
    from retry_toolkit.settings import Settings, load_settings

__all__ = [
    "Capabilities",
    "Filters",
    "IncompleteLoad",
    "Platform",
    "RejectedRows",
    "RetryBatch",
    "RetryPlan",
    "Settings",
    "Snapshot",
    "TaskQuery",
    "allocated_bytes",
    "batches",
    "build_lineage",
    "connect",
    "cost_ledger",
    "disk_by",
    "disk_by_root",
    "disk_cost",
    "draw_lineage",
    "errors",
    "execute",
    "expiring",
    "filter_tasks",
    "fingerprint",
    "forecast_disk",
    "group_failures",
    "load_attempts",
    "load_disk",
    "load_history",
    "load_lineage",
    "load_logs",
    "load_settings",
    "load_stages",
    "load_tasks",
    "open_batch",
    "open_snapshot",
    "plan_retry",
    "recovery_rates",
    "refresh_tasks",
    "resume",
    "spending",
    "verify_audit",
]

# No module may bear the name of one of these functions: importing it would put the module in the function's place.
_HOMES = {
    "Capabilities": "platforms.base",
    "Filters": "frames.filters",
    "IncompleteLoad": "frames.load",
    "Platform": "platforms.base",
    "RejectedRows": "frames.load",
    "RetryBatch": "retry.batch",
    "RetryPlan": "retry.plan",
    "Settings": "settings",
    "Snapshot": "frames.snapshot",
    "TaskQuery": "platforms.base",
    "allocated_bytes": "analysis.blocks",
    "batches": "retry.execute",
    "build_lineage": "analysis.lineage",
    "connect": "connector",
    "cost_ledger": "analysis.ledger",
    "disk_by": "analysis.disk_sums",
    "disk_by_root": "analysis.disk_sums",
    "disk_cost": "analysis.disk",
    "draw_lineage": "drawing",
    "execute": "retry.execute",
    "expiring": "analysis.disk_sums",
    "filter_tasks": "frames.filters",
    "fingerprint": "frames.fingerprints",
    "forecast_disk": "analysis.disk_sums",
    "group_failures": "analysis.failures",
    "load_attempts": "retry.attempts",
    "load_disk": "analysis.disk",
    "load_history": "frames.load",
    "load_lineage": "analysis.lineage",
    "load_logs": "frames.load",
    "load_settings": "settings",
    "load_stages": "frames.load",
    "load_tasks": "frames.load",
    "open_batch": "retry.execute",
    "open_snapshot": "frames.snapshot",
    "plan_retry": "retry.plan",
    "recovery_rates": "analysis.recovery",
    "refresh_tasks": "frames.refresh",
    "resume": "retry.execute",
    "spending": "analysis.ledger",
    "verify_audit": "retry.execute",
}


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module(f"{__name__}.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

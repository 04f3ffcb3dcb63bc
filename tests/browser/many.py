"""A desk on a platform in memory, with more kinds of tasks than the real one of the stories runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from retry_toolkit.dashboard import Launcher, find_launcher
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.retry.archive import Archive
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.journal import Journal
from tests.browser.stack import make_settings, run_dashboard
from tests.panels.memory import MemoryPlatform, make_task

ROOT = Path(__file__).parents[2]
OWNERS = ("anna.berg", "li.wei", "omar.haddad", "王芳")
PROJECTS = ("sales", "pricing", "archive", "wind tunnel & flow")
TEMPLATES = ("sales_report", "price_feed", "archive_check", "mesh_sim")
ERRORS = (
    "HTTP 429 at https://rates.example.org/v1/day/{number}: too many requests, retry after {number} s",
    "KeyError: column 'amount' is missing in sales_{number}.csv",
    "Traceback (most recent call last):\n  File 'mesh.py', line {number}, in solve\n"
    "FloatingPointError: residual 1e{number} diverges",
    '=HYPERLINK("http://evil.example", "row {number}")',
    "磁盘空间不足：需要 {number} GB",
)
STATUSES = ("failed", "failed", "failed", "succeeded", "running", "pending", "cancelled", "failed")


def platform(count: int = 400) -> MemoryPlatform:
    """So many tasks of the last twenty days, half of them failed."""
    return MemoryPlatform.of(*(_task(number) for number in range(count)), page_size=1000)


def desk(home: Path) -> object:
    """The desk that the page shows."""
    from retry_toolkit.panels import FailureDesk  # noqa: PLC0415 - only in the kernel of the page

    archive = Archive(journal=Journal.open(home), evidence=Evidence.open(home))
    return FailureDesk(platform(), archive=archive)


@contextmanager
def run_desk(home: Path) -> Iterator[str]:
    """That desk as a dashboard of its own; yields its address."""
    with run_dashboard(make_settings(home), _launcher(home)) as url:
        yield url


def _task(number: int) -> TaskRecord:
    status = STATUSES[number % len(STATUSES)]
    created = datetime.now(UTC) - timedelta(minutes=11 + number * 73)
    error = ERRORS[number % len(ERRORS)].format(number=number % 37)
    return make_task(
        f"task-{number:04d}",
        status=status,  # type: ignore[arg-type]  # one of them
        failed_at=number % 4,
        retry_count=number % 5 % 4,
        error=error,
        name=f"{('Sales report', 'Prices', '归档检查', 'Mesh')[number % 4]} {number:03d}",
        created_at=created,
        finished_at=created + timedelta(minutes=4) if status not in {"running", "pending"} else None,
        duration_s=float(number * 13 % 5000) or None,
        owner=OWNERS[number % len(OWNERS)] if number % 9 else None,
        project=PROJECTS[number // 3 % len(PROJECTS)],
        template=TEMPLATES[number % len(TEMPLATES)],
        tokens=number * 997 if number % 3 else None,
        cost=number * 0.37 if number % 3 else None,
    )


def _launcher(home: Path) -> Launcher:
    lines = ["import sys", "from pathlib import Path", f"sys.path.insert(0, {str(ROOT)!r})"]
    lines += ["from tests.browser.many import desk", f"desk(Path({str(home)!r}))"]
    cell: dict[str, Any] = {"cell_type": "code", "id": "only", "metadata": {}, "outputs": [], "execution_count": None}
    cell["source"] = "\n".join(lines)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": [cell],
        "metadata": {"kernelspec": kernel, "title": "Many"},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = home / "many.ipynb"
    path.write_text(json.dumps(notebook), "utf-8")
    return replace(find_launcher(), notebook=path)

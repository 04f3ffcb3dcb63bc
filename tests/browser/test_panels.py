"""Panels alone in JupyterLab: linked by their state, and a plan that is asked about in a cell."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from retry_toolkit.settings import Settings
from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import FIRST_ROWS_MS, Desk
from tests.browser.ledger import Ledger
from tests.browser.stack import run_lab

pytestmark = pytest.mark.browser

CELLS = (
    "import retry_toolkit as rt\n"
    "from retry_toolkit.panels import RetryPanel, StageReportPanel, TriagePanel\n"
    "platform = rt.connect()\n"
    "triage = TriagePanel(platform)\n"
    "triage",
    "StageReportPanel(state=triage.state)",
    "RetryPanel(rt.plan_retry(platform, ['{task_id}']))",
)


def write_notebook(path: Path, cells: tuple[str, ...]) -> None:
    """A notebook of these cells."""
    made: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for number, source in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(
        json.dumps({"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}), "utf-8"
    )


def test_panels_in_cells_of_jupyterlab(
    settings: Settings, ledger: Ledger, own: ExitStack, profiles: Profiles, tmp_path: Path
) -> None:
    """A row that is clicked in one cell opens in the next; a yes in the third retries once."""
    shown, planned = ledger.failed("Shown in a cell"), ledger.failed("Planned in a cell")
    write_notebook(tmp_path / "panels.ipynb", (*CELLS[:2], CELLS[2].format(task_id=planned)))
    url = own.enter_context(run_lab(settings, tmp_path))
    page = profiles.open(f"{url}/tree/panels.ipynb?reset", size=(1400, 3600))
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=FIRST_ROWS_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    desk = Desk(page).wait()
    expect(page.get_by_text("No task is open. Choose one")).to_be_visible()
    desk.search("Shown in a cell")
    desk.open("Shown in a cell")
    desk.press("Retry this stage")
    expect(desk.outcome).to_contain_text("Recovered")
    snapshot(page, "panels-in-lab")
    assert ledger.retries(planned)["check"] == 1
    assert ledger.retries(shown)["check"] == 0

"""The same desk in JupyterLab."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect

from retry_toolkit.dashboard import find_launcher
from retry_toolkit.settings import Settings
from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import FIRST_ROWS_MS, Desk
from tests.browser.ledger import Ledger
from tests.browser.stack import run_lab

pytestmark = pytest.mark.browser


def test_the_desk_works_in_a_notebook(
    settings: Settings, ledger: Ledger, own: ExitStack, profiles: Profiles, tmp_path: Path
) -> None:
    """Run the launcher's cells in JupyterLab, then retry a stage there."""
    task = ledger.failed("In a notebook")
    shutil.copy(find_launcher().notebook, tmp_path / "desk.ipynb")
    url = own.enter_context(run_lab(settings, tmp_path))
    page = profiles.open(f"{url}/tree/desk.ipynb?reset", size=(1680, 1050))
    expect(page.get_by_text("| Idle")).to_be_visible(timeout=FIRST_ROWS_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    desk = Desk(page).wait()
    address = page.url
    desk.search("In a notebook")
    expect(page.get_by_role("listitem").filter(has_text="Search: In a notebook")).to_be_visible()
    # The address is JupyterLab's own here: nothing is written there, and there is no link to copy.
    assert page.url == address
    expect(page.get_by_role("button", name="Copy as pandas")).to_be_visible()
    expect(page.get_by_role("button", name="Copy link")).to_have_count(0)
    desk.open("In a notebook")
    desk.press("Retry stage check…")
    desk.confirm("Retry stage check?", answer="Retry this stage")
    expect(desk.outcome).to_contain_text("Recovered")
    snapshot(page, "lab-recovered")
    assert ledger.retries(task)["check"] == 1

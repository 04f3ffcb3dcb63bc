"""Many viewers at once, a platform that is slow to answer, and kernels whose page is gone."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import FIRST_ROWS_MS, Desk
from tests.browser.gate import Gate
from tests.browser.ledger import Ledger
from tests.browser.processes import wait_for
from tests.browser.stack import make_settings, run_dashboard, run_platform

pytestmark = pytest.mark.browser

VIEWERS = 4
# Long enough for a page on a busy machine to come up: its kernel is idle until it is connected.
CULLING = ("--MappingKernelManager.cull_idle_timeout=10", "--MappingKernelManager.cull_interval=1")


def kernels(port: int) -> list[psutil.Process]:
    """Kernels of the dashboard on this port."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            dashboard = process.parent()
            ours = dashboard is not None and f"--port={port}" in dashboard.cmdline()
            if ours and "ipykernel_launcher" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def test_four_viewers_open_the_page_at_once(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Each gets the rows and a kernel of its own: what one filters, selects and speaks, no other sees."""
    for number in range(VIEWERS):
        ledger.failed(f"For viewer {number}", params={"good_from": 9})
    desks = [Desk(profiles.open(dashboard)) for _ in range(VIEWERS)]
    for desk in desks:
        desk.wait()
    for number, desk in enumerate(desks):
        desk.search(f"For viewer {number}")
    desks[0].press("中文")
    for number, desk in enumerate(desks):
        rows = desk.page.get_by_role("grid").get_by_role("row")
        expect(rows).to_have_count(2)
        expect(rows.nth(1)).to_contain_text(f"For viewer {number}")
    expect(desks[1].page.get_by_role("heading", name="Failed tasks")).to_be_visible()


def test_a_slow_platform_freezes_no_other_panel(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """While the list is being read for long, filters answer and reports open; another viewer waits alone."""
    settings = make_settings(tmp_path)
    ledger = own.enter_context(run_platform(settings))
    gate = own.enter_context(Gate(ledger.url, lambda path: path.startswith("/api/v1/tasks?")).serving())
    url = own.enter_context(run_dashboard(settings.model_copy(update={"url": f"{gate.url}/api/v1"})))
    for name in ("Slow one", "Slow two"):
        ledger.failed(name, params={"good_from": 9})
    page = profiles.open(url)
    desk = Desk(page).wait()
    gate.close()
    late = Desk(profiles.open(url))
    expect(late.page.locator(".fd-figure .fd-grey").first).to_be_visible(timeout=FIRST_ROWS_MS)
    desk.press("Refresh")
    expect(page.get_by_role("status").filter(has_text="Loading…")).to_be_visible()
    wait_for("both pages to be held", lambda: gate.waiting >= 2)

    desk.search("Slow two")
    expect(desk.row("Slow one")).to_have_count(0)
    desk.open("Slow two")
    expect(desk.stage("check", "Failed")).to_be_visible()
    expect(page.get_by_text("attempt 1: checking 3 rows")).to_be_visible()
    desk.select("Slow two")
    expect(page.get_by_text("1 selected", exact=True)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Loading…")).to_be_visible()
    snapshot(page, "viewers-slow")
    snapshot(late.page, "viewers-late")

    gate.open()
    expect(page.get_by_role("status").filter(has_text="Loading…")).to_have_count(0)
    expect(late.wait().row("Slow one")).to_be_visible()


def test_a_closed_page_frees_its_kernel(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """Also one that refreshed itself: who is gone asks for nothing. The kernel of a page that is open stays."""
    settings = make_settings(tmp_path)
    ledger = own.enter_context(run_platform(settings))
    url = own.enter_context(run_dashboard(settings, options=CULLING))
    ledger.failed("Left alone", params={"good_from": 9})
    stays, goes = (profiles.open(url) for _ in range(2))
    desks = [Desk(page).wait() for page in (stays, goes)]
    assert len(kernels(settings.dashboard_port)) == 2
    goes.get_by_label("Refresh by itself").select_option("Auto: 10 s")
    expect(goes.get_by_label("Refresh by itself")).to_have_value("10")
    goes.close()
    wait_for("the kernel to end", lambda: len(kernels(settings.dashboard_port)) == 1, timeout_s=60)
    desks[0].search("nothing is called so")
    expect(desks[0].row("Left alone")).to_have_count(0)

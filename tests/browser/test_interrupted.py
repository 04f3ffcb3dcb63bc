"""Batches that do not go smoothly: killed in the middle, held, without a clear answer. The page tells, and goes on."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from retry_toolkit.retry.audit import verify
from retry_toolkit.retry.launch import CHUNK
from tests.browser.chromium import Guard, Profiles, snapshot
from tests.browser.desk import FIRST_ROWS_MS, Desk
from tests.browser.ledger import Ledger
from tests.browser.processes import wait_for
from tests.browser.stack import make_settings, run_dashboard, run_platform
from tests.faults.kinds import Schedule
from tests.faults.proxy import FaultProxy
from tests.faults.still import StillPlatform, still_platform, task_ids

pytestmark = pytest.mark.browser

MANY = 500
AT_ONCE = 4
CALLS = 4
"""Calls that get through before a story goes on: however fast the machine, a batch is in its middle then."""
LONG_MS = 120_000


def kernels(home: Path) -> list[psutil.Process]:
    """Kernels that run with this home directory."""
    return [process for process in psutil.Process().children(recursive=True) if _is_kernel(process, home)]


def _is_kernel(process: psutil.Process, home: Path) -> bool:
    try:
        words, environment = process.cmdline(), process.environ()
    except psutil.NoSuchProcess:
        return False
    return "ipykernel_launcher" in " ".join(words) and environment.get("RETRY_TOOLKIT_HOME") == str(home)


def count_of(card: Locator, state: str) -> int:
    """How many items the bucket of that name has."""
    bucket = card.get_by_role("button", name=state)
    words = bucket.inner_text() if bucket.count() else "0"
    return int("".join(char for char in words if char.isdigit()))


def begin_all(page: Page) -> Desk:
    """Retry every task of the page."""
    desk = Desk(page).wait()
    desk.press(f"Select all {MANY} that match")
    desk.press(f"Retry {MANY} selected…")
    question = page.get_by_role("region", name=f"Retry {MANY} tasks?")
    expect(question).to_contain_text(f"{MANY} will be retried", timeout=LONG_MS)
    yes = question.get_by_role("button", name="Retry them", exact=True)
    expect(yes).to_be_disabled()
    question.get_by_label(f"Type {MANY} to confirm:").fill(str(MANY))
    expect(yes).to_be_enabled()
    snapshot(page, "interrupted-1-question")
    yes.click()
    return desk


def gated(still: StillPlatform) -> FaultProxy:
    """A way to the platform that lets only the first calls through, each of many retries, until it is opened."""
    return FaultProxy(still.url, Schedule(1, writes=0.0, reads=0.0), writes_through=CALLS)


def check_ledger(still: StillPlatform) -> None:
    """Every task was retried, each exactly once."""
    assert Counter(act.task_id for act in still.acts()) == Counter(task_ids(MANY))


def test_a_batch_outlives_its_kernel(tmp_path: Path, own: ExitStack, guard: Guard, profiles: Profiles) -> None:
    """Kill -9 in the middle of five hundred: the desk that opens next offers to go on, and each is retried once."""
    guard.tolerate("WebSocket|Failed to load|kernel|Connection lost|status of 404")
    still = own.enter_context(still_platform(tmp_path / "platform", MANY))
    proxy = own.enter_context(gated(still))
    settings = make_settings(tmp_path).model_copy(update={"url": proxy.url})
    dashboard = own.enter_context(run_dashboard(settings))
    page = profiles.open(dashboard)
    desk = begin_all(page)
    expect(desk.outcome.get_by_role("progressbar")).to_be_visible()
    wait_for("the first results", lambda: count_of(desk.outcome, "Recovered"), timeout_s=60)
    wait_for("the calls that are held", lambda: len(proxy.arrived) == CALLS + AT_ONCE, timeout_s=60)
    snapshot(page, "interrupted-2-running")
    for kernel in kernels(settings.home):
        kernel.kill()
    page.close()
    proxy.open_gate()
    proxy.settle()

    page = profiles.open(dashboard)
    desk = Desk(page)
    expect(desk.outcome).to_contain_text("Interrupted", timeout=FIRST_ROWS_MS)
    expect(desk.outcome).to_contain_text(f"= {MANY}")
    assert count_of(desk.outcome, "Waiting") == MANY - CHUNK * (CALLS + AT_ONCE)
    snapshot(page, "interrupted-3-offered")
    desk.outcome.get_by_role("button", name="Go on", exact=True).click()
    expect(desk.outcome).to_contain_text(f"{MANY} of {MANY} settled", timeout=LONG_MS)
    snapshot(page, "interrupted-4-over")
    assert count_of(desk.outcome, "Recovered") + count_of(desk.outcome, "Failed again") == MANY
    check_ledger(still)
    assert verify(settings.home).ok


def test_a_closed_page_leaves_its_batch_to_the_next(
    tmp_path: Path, own: ExitStack, guard: Guard, profiles: Profiles
) -> None:
    """Held, closed, opened again: nothing was sent meanwhile; cancelling leaves out what was never sent."""
    guard.tolerate("WebSocket|Failed to load|kernel|Connection lost|status of 404")
    still = own.enter_context(still_platform(tmp_path / "platform", MANY))
    proxy = own.enter_context(gated(still))
    settings = make_settings(tmp_path).model_copy(update={"url": proxy.url})
    dashboard = own.enter_context(run_dashboard(settings))
    page = profiles.open(dashboard)
    desk = begin_all(page)
    desk.outcome.get_by_role("button", name="Pause", exact=True).click()
    expect(desk.outcome).to_contain_text("Paused")
    proxy.open_gate()
    snapshot(page, "held-1-paused")
    page.close()
    for kernel in kernels(settings.home):
        kernel.kill()
    proxy.settle()
    done = len(still.acts())

    page = profiles.open(dashboard)
    desk = Desk(page)
    expect(desk.outcome).to_contain_text("Interrupted", timeout=FIRST_ROWS_MS)
    desk.outcome.get_by_role("button", name="Cancel what is not sent", exact=True).click()
    expect(desk.outcome).to_contain_text(f"{MANY} of {MANY} settled", timeout=LONG_MS)
    expect(desk.outcome).to_contain_text("Cancelled")
    snapshot(page, "held-2-cancelled")
    assert len(still.acts()) == done
    assert count_of(desk.outcome, "Left out") == MANY - done


def test_unclear_answers_wait_for_a_person(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """The words say what is known; one is sent again after its id was typed, of the other a person says it was not."""
    settings = make_settings(tmp_path)
    ledger: Ledger = own.enter_context(run_platform(settings))
    first, second = ledger.failed("Unclear one"), ledger.failed("Unclear two")
    broken = Schedule(1, writes=1.0, reads=0.0, kinds=("reset_before",))
    proxy = own.enter_context(FaultProxy(ledger.url, broken))
    dashboard = own.enter_context(run_dashboard(settings.model_copy(update={"url": proxy.url})))
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    desk.select("Unclear one", "Unclear two")
    desk.press("Retry 2 selected…")
    desk.confirm("Retry 2 tasks?", answer="Retry them")
    expect(desk.outcome).to_contain_text("2 were sent and got no clear answer: they may have been done")
    snapshot(page, "unclear-1-offered")
    broken.pause()

    one = desk.outcome.get_by_role("listitem").filter(has_text="Unclear one")
    one.get_by_role("button", name="Send it again…").click()
    one.get_by_role("textbox").fill("something else")
    one.get_by_role("button", name="Send again", exact=True).click()
    told = page.get_by_role("status").filter(has_text="What was typed is not the task's id")
    expect(told).to_be_visible()
    one.get_by_role("textbox").fill(first)
    snapshot(page, "unclear-2-typed")
    one.get_by_role("button", name="Send again", exact=True).click()
    expect(one).to_contain_text("Recovered", timeout=LONG_MS)

    other = desk.outcome.get_by_role("listitem").filter(has_text="Unclear two")
    other.get_by_role("button", name="It was not done").click()
    expect(other).to_contain_text("Somebody looked, and found that it was not done.")
    snapshot(page, "unclear-3-settled")
    assert ledger.retries(first)["check"] == 1
    assert ledger.retries(second)["check"] == 0

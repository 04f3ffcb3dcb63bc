"""The six questions of the desk without a mouse: everything is reached by keys, and it is always seen where one is."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import Desk
from tests.browser.ledger import Ledger

pytestmark = pytest.mark.browser

STOPS = 90
HAS_FOCUS = "(element) => element.contains(document.activeElement)"
SEEN = """() => {
  const element = document.activeElement;
  if (element === document.body) return "";
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const { width, height, top, bottom } = element.getBoundingClientRect();
  const drawn = outlineStyle !== "none" && parseFloat(outlineWidth) > 0;
  const here = width > 0 && height > 0 && bottom > 0 && top < innerHeight;
  return drawn && here ? "" : element.outerHTML.slice(0, 200);
}"""


def tab_to(page: Page, target: Locator, *, key: str = "Tab") -> None:
    """Press Tab until the focus is there; wherever it comes by, it is seen."""
    for _ in range(STOPS):
        page.keyboard.press(key)
        assert page.evaluate(SEEN) == ""
        if target.count() and target.first.evaluate(HAS_FOCUS):
            return
    raise AssertionError(f"{STOPS} times {key} do not lead to {target}")


def test_a_batch_is_retried_by_keys_alone(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Filter, select, ask, take back, ask again, confirm, read the outcome."""
    first, second = ledger.failed("Keys one"), ledger.failed("Keys two")
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    retry = page.get_by_role("button", name="Retry 2 selected…", exact=True)
    question = page.get_by_role("region", name="Retry 2 tasks?")

    tab_to(page, page.get_by_role("textbox", name="Search", exact=True))
    page.keyboard.type("keys")
    page.keyboard.press("Enter")
    expect(desk.table.get_by_role("checkbox")).to_have_count(3)
    tab_to(page, desk.row("Keys two"))
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    expect(retry).to_be_enabled()

    tab_to(page, retry, key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(question).to_be_focused()
    snapshot(page, "keyboard-question")
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(retry).to_be_focused()

    page.keyboard.press("Enter")
    expect(question).to_be_focused()
    tab_to(page, question.get_by_role("button", name="Retry them", exact=True))
    page.keyboard.press("Enter")
    expect(desk.outcome).to_be_focused()
    expect(desk.outcome).to_contain_text("2 of 2 settled")
    expect(desk.outcome).to_be_focused()
    for task in (first, second):
        assert ledger.retries(task)["check"] == 1

    summary = page.get_by_role("button", name="2 recovered", exact=True)
    tab_to(page, summary, key="Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 chosen tasks").first).to_be_visible()


def test_a_report_is_read_and_acted_on_by_keys_alone(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """A figure, a cause, a task, its report, the retry of its stage, and what it all costs."""
    task = ledger.failed("Keys alone", params={"error": "keys are stuck"})
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    figure = page.get_by_role("button", name="Retryable").and_(page.locator(".fd-figure"))
    tab_to(page, figure)
    page.keyboard.press("Enter")
    expect(figure).to_have_attribute("aria-pressed", "true")
    cause = page.get_by_role("button", name="keys are stuck", exact=True)
    tab_to(page, cause)
    page.keyboard.press("Enter")
    expect(cause).to_have_attribute("aria-pressed", "true")

    tab_to(page, desk.row("Keys alone"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keys alone", exact=True)).to_be_visible()
    stage = page.get_by_role("button", name="Retry stage check…", exact=True)
    tab_to(page, stage)
    page.keyboard.press("Enter")
    question = page.get_by_role("region", name="Retry stage check?")
    expect(question).to_be_focused()
    tab_to(page, question.get_by_role("button", name="Retry this stage", exact=True))
    page.keyboard.press("Enter")
    expect(desk.outcome).to_be_focused()
    expect(desk.outcome).to_contain_text("Recovered")
    assert ledger.retries(task)["check"] == 1

    tabs = page.locator(".fd-costs").get_by_role("tab")
    tab_to(page, tabs.nth(0))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    snapshot(page, "keyboard-costs")

"""What axe-core says of the real desk: as it comes, with a question open, after a retry, away, read-only."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect
from pydantic import SecretStr

from tests.browser.axe import grave_findings
from tests.browser.chromium import Guard, Profiles, snapshot
from tests.browser.desk import FIRST_ROWS_MS, Desk
from tests.browser.ledger import Ledger
from tests.browser.stack import make_settings, run_dashboard, run_platform

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_desk_from_question_to_outcome(
    scheme: Literal["light", "dark"], dashboard: str, ledger: Ledger, profiles: Profiles
) -> None:
    """Nothing serious in any step, in English."""
    name = f"Read by everybody, {scheme}"
    ledger.failed(name)
    page = profiles.open(dashboard, scheme=scheme, size=(1680, 1050))
    desk = Desk(page).wait()
    assert grave_findings(page) == []
    desk.open(name)
    desk.press("Retry stage check…")
    expect(page.get_by_role("region", name="Retry stage check?")).to_be_visible()
    assert grave_findings(page) == []
    desk.press("Retry this stage")
    expect(desk.outcome).to_contain_text("Recovered")
    assert grave_findings(page) == []
    snapshot(page, f"accessible-{scheme}")


def test_the_desk_in_chinese_and_narrow(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """The same rules, where everything stands in one column."""
    ledger.failed("给所有人看")
    page = profiles.open(dashboard, scheme="dark", locale="zh-CN", size=(800, 1000))
    expect(page.get_by_role("grid", name="任务").get_by_role("checkbox").nth(1)).to_be_visible(timeout=60_000)
    page.get_by_text("给所有人看", exact=True).first.click()
    expect(page.get_by_role("heading", name="给所有人看")).to_be_visible()
    assert grave_findings(page) == []
    snapshot(page, "accessible-zh-800")


@pytest.mark.parametrize("look", [("light", "en-US"), ("light", "zh-CN"), ("dark", "en-US"), ("dark", "zh-CN")])
def test_all_that_can_be_opened(
    look: tuple[Literal["light", "dark"], str], dashboard: str, ledger: Ledger, profiles: Profiles, tmp_path: Path
) -> None:
    """Attempts side by side, each cost, all filters, the choice of columns, and a batch that runs."""
    scheme, locale = look
    gate = tmp_path / "gate"
    gate.touch()
    name = f"Opened {scheme} {locale}"
    told = {"lines": 30, "good_from": 9, "by_attempt": True, "gate": str(gate)}
    tasks = [ledger.failed(name, pipeline="chatty", params=told) for _ in range(2)]
    ledger.retry_stage(tasks[0], "work")
    ledger.wait(tasks[0], "failed")
    ledger.wait(ledger.retry_task(tasks[1]), "failed")
    gate.unlink()

    page = profiles.open(dashboard, scheme=scheme, locale=locale, size=(1680, 1050))
    boxes = page.get_by_role("grid").get_by_role("checkbox")
    expect(boxes.nth(1)).to_be_visible(timeout=FIRST_ROWS_MS)
    page.locator(".fd-filters input").first.fill(name)
    page.locator(".fd-filters input").first.press("Enter")
    expect(page.get_by_role("grid").get_by_text(tasks[0], exact=True)).to_be_visible()
    page.get_by_role("grid").get_by_text(tasks[0], exact=True).click()
    expect(page.locator(".fd-compare .fd-diff")).to_be_visible()
    assert grave_findings(page) == []

    tabs = page.locator(".fd-costs").get_by_role("tab")
    for number in range(3):
        tabs.nth(number).click()
        expect(tabs.nth(number)).to_have_attribute("aria-selected", "true")
        expect(page.locator(".fd-costs .fd-forest:visible, .fd-costs .bqplot:visible").first).to_be_visible()
        expect(page.locator(".fd-costs .fd-waiting")).to_have_count(0)
        assert grave_findings(page) == []

    page.locator(".fd-filters [aria-expanded=false]").first.click()
    page.locator(".fd-table [aria-expanded=false]").first.click()
    assert grave_findings(page) == []
    snapshot(page, f"accessible-opened-{scheme}-{locale[:2]}")
    page.keyboard.press("Escape")

    boxes.first.click()
    page.locator(".fd-bar .fd-primary").click()
    page.locator(".fd-confirm .fd-primary").click()
    expect(page.locator(".fd-outcome progress")).to_be_visible()
    assert grave_findings(page) == []
    snapshot(page, f"accessible-running-{scheme}-{locale[:2]}")
    gate.touch()
    expect(page.locator(".fd-outcome progress")).to_have_count(0)


def test_a_page_that_only_reads_and_one_without_its_platform(
    tmp_path: Path, own: ExitStack, profiles: Profiles, guard: Guard
) -> None:
    """The token field, and the words when nothing answers."""
    tokens = {"viewer_token": SecretStr("viewer-token"), "operator_token": SecretStr("operator-token")}
    settings = make_settings(tmp_path).model_copy(update=tokens)
    url = own.enter_context(run_dashboard(settings))
    with run_platform(settings) as ledger:
        ledger.failed("Only read")
        page = profiles.open(url)
        desk = Desk(page).wait()
        expect(page.get_by_label("Operator token")).to_be_visible()
        assert grave_findings(page) == []
    desk.press("Refresh")
    expect(page.get_by_role("alert").filter(has_text="does not answer").first).to_be_visible()
    assert grave_findings(page) == []
    assert guard.errors == []

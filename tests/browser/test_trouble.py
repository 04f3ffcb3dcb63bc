"""What the page does when the platform is away, and when the page may only read."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import expect
from pydantic import SecretStr

from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import FIRST_ROWS_MS, Desk
from tests.browser.stack import make_settings, run_dashboard, run_platform

pytestmark = pytest.mark.browser

VIEWER, OPERATOR = "viewer-token-of-the-story", "operator-token-of-the-story"


def test_a_platform_that_stops_takes_nothing_off_the_page(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """The page says that the platform is away, keeps what it shows, sends nothing, and goes on when it is back."""
    settings = make_settings(tmp_path)
    url = own.enter_context(run_dashboard(settings))
    with run_platform(settings) as ledger:
        task = ledger.failed("Survives the break")
        page = profiles.open(url)
        desk = Desk(page).wait()
        desk.open("Survives the break")
        expect(desk.stage("check", "Failed")).to_be_visible()
        desk.press("Retry stage check…")
        expect(page.get_by_role("region", name="Retry stage check?")).to_be_visible()
    desk.press("Retry this stage")
    expect(desk.outcome).to_contain_text("Not retried")
    expect(desk.outcome).to_contain_text("Not sent: It could not be read")
    page.get_by_role("button", name="Refresh", exact=True).first.click()
    away = page.get_by_role("alert").filter(has_text="The platform does not answer.")
    expect(away.first).to_be_visible()
    expect(desk.row("Survives the break")).to_be_visible()
    expect(desk.stage("check", "Failed")).to_be_visible()
    snapshot(page, "trouble-1-away")
    with run_platform(settings) as ledger:
        assert ledger.retries(task)["check"] == 0
        desk.press("Retry stage check…")
        desk.press("Retry this stage")
        expect(desk.outcome).to_contain_text("Recovered")
        assert ledger.retries(task)["check"] == 1
        snapshot(page, "trouble-2-back")


def test_a_page_without_a_platform_says_what_to_do(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """Opened before the platform is up, the page explains itself and works once the platform is there."""
    settings = make_settings(tmp_path)
    page = profiles.open(own.enter_context(run_dashboard(settings)))
    expect(page.get_by_role("alert").filter(has_text="retry-toolkit up")).to_be_visible(timeout=FIRST_ROWS_MS)
    snapshot(page, "trouble-3-no-platform")
    ledger = own.enter_context(run_platform(settings))
    ledger.failed("Here after all")
    page.get_by_role("button", name="Try again").click()
    expect(Desk(page).wait().row("Here after all")).to_be_visible()


def test_a_published_page_reads_until_a_viewer_brings_a_token(
    tmp_path: Path, own: ExitStack, profiles: Profiles
) -> None:
    """With the viewer's token nothing can be retried; the operator's, typed in, opens it and appears nowhere."""
    tokens = {"viewer_token": SecretStr(VIEWER), "operator_token": SecretStr(OPERATOR)}
    settings = make_settings(tmp_path).model_copy(update=tokens)
    ledger = own.enter_context(run_platform(settings))
    task = ledger.failed("Read me")
    page = profiles.open(own.enter_context(run_dashboard(settings)))
    desk = Desk(page).wait()
    desk.open("Read me")
    expect(page.get_by_text("Read only", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Retry stage check…")).to_be_disabled()

    page.get_by_label("Operator token").fill("not-the-token")
    desk.press("Act with this token")
    expect(page.get_by_role("alert").filter(has_text="valid token")).to_be_visible()
    snapshot(page, "published-1-refused")

    page.get_by_label("Operator token").fill(OPERATOR)
    desk.press("Act with this token")
    expect(page.get_by_text("Acting with your token", exact=True)).to_be_visible()
    desk.press("Retry stage check…")
    desk.press("Retry this stage")
    expect(desk.outcome).to_contain_text("Recovered")
    snapshot(page, "published-2-acting")
    assert ledger.retries(task)["check"] == 1
    assert OPERATOR not in page.content()

    page.reload(wait_until="commit")
    expect(page.get_by_text("Read only", exact=True)).to_be_visible(timeout=FIRST_ROWS_MS)

"""Why did it fail? The stage report in a browser: strip, error, log, attempts side by side, what is near."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import Desk
from tests.browser.ledger import Ledger

pytestmark = pytest.mark.browser


def open_report(page: Page, title: str) -> Desk:
    """The desk with the report of that task."""
    desk = Desk(page).wait()
    desk.search(title)
    desk.open(title)
    return desk


def reader(page: Page, name: str) -> Locator:
    """The error or the log."""
    return page.locator("section.fd-reader").filter(has=page.get_by_role("heading", name=name, exact=True))


def lines(page: Page, name: str) -> Locator:
    """The lines of error or log, as a box that scrolls."""
    return reader(page, name).get_by_role("region", name=name)


def in_sight(box: Locator, line: Locator) -> None:
    """Wait until a line stands inside its box."""
    expect(line).to_be_visible()
    script = "([box, line]) => line.top >= box.top - 2 && line.bottom <= box.bottom + 2"
    box.page.wait_for_function(
        f"([box, line]) => ({script})([box.getBoundingClientRect(), line.getBoundingClientRect()])",
        arg=[box.element_handle(), line.element_handle()],
    )


def test_a_long_log_is_searched(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """From its end backwards, to the first error, and to every line that has a text, however far away."""
    ledger.failed("Log of many lines", pipeline="chatty", params={"good_from": 9, "lines": 2500})
    page = profiles.open(dashboard)
    open_report(page, "Log of many lines")
    log, box = reader(page, "Log"), lines(page, "Log")
    in_sight(box, box.get_by_text("failed (semantic)"))
    expect(box.locator(".fd-line")).to_have_count(1000)

    seen = box.get_by_text("row 1600 of batch")
    seen.evaluate("(line) => (line.parentElement.scrollTop = line.offsetTop)")
    log.get_by_role("button", name="Load earlier lines").click()
    expect(box.locator(".fd-line")).to_have_count(2000)
    in_sight(box, seen)

    log.get_by_role("button", name="First error").click()
    error = box.locator(".fd-line-error").first
    expect(error).to_have_text("ERROR the 1. row is torn; it is left out")
    in_sight(box, error)
    expect(log).to_contain_text("2 colour codes of a terminal are left out.")
    snapshot(page, "report-1-first-error")

    search = log.get_by_role("textbox", name="Search: Log")
    search.fill("ROW 7")
    expect(log.get_by_role("status").first).to_have_text("12 of 111")
    expect(box.locator("[aria-current]")).to_contain_text("row 700 of batch")
    search.press("Enter")
    expect(log.get_by_role("status").first).to_have_text("13 of 111")
    expect(box.locator("[aria-current] mark")).to_have_text("row 7")
    search.press("Shift+Enter")
    expect(log.get_by_role("status").first).to_have_text("12 of 111")
    search.press("Shift+Enter")
    expect(box.locator("[aria-current]")).to_contain_text("row 79 of batch")
    in_sight(box, box.locator("[aria-current]"))
    snapshot(page, "report-2-found")
    search.press("Escape")
    expect(box.locator("mark")).to_have_count(0)
    with page.expect_download() as download:
        log.get_by_role("button", name="Download").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert download.value.suggested_filename.endswith("-work-log.txt")
    assert text.count("\n") == 2501
    log.get_by_role("button", name="To the end").click()
    in_sight(box, box.get_by_text("failed (semantic)"))


def test_a_running_log_is_followed(dashboard: str, ledger: Ledger, profiles: Profiles, tmp_path: Path) -> None:
    """New lines come by themselves; who scrolls up stays where he is until he follows again."""
    gate = tmp_path / "gate"
    ledger.failed("Ended already")
    task = ledger.submit("Still running", pipeline="chatty", params={"lines": 200, "gate": str(gate), "good_from": 1})
    ledger.wait(task, "running")
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    page.get_by_role("button", name="In progress").first.click()
    desk.search("Still running")
    desk.open("Still running")
    log, box = reader(page, "Log"), lines(page, "Log")
    follow = log.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    waiting = box.get_by_text("waiting, ")
    before = waiting.count()
    expect(waiting.nth(before + 1)).to_be_visible()
    in_sight(box, box.locator(".fd-line").last)

    first = box.get_by_text("row 0 of batch")
    first.evaluate("(line) => (line.parentElement.scrollTop = 0)")
    expect(follow).to_have_attribute("aria-pressed", "false")
    before = waiting.count()
    expect(waiting.nth(before + 1)).to_be_attached()
    in_sight(box, first)
    snapshot(page, "report-3-left")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    in_sight(box, box.locator(".fd-line").last)
    gate.touch()
    expect(desk.stage("work", "Succeeded")).to_be_visible()
    expect(box.get_by_text("completed")).to_be_visible()


def test_attempts_are_compared(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """What differs is marked, what always differs is not, and other attempts can be chosen."""
    error = "\n".join(["much was read", *(f"  part {number}" for number in range(60)), "the last part is torn"])
    params = {"good_from": 9, "lines": 40, "by_attempt": True, "error": error}
    task = ledger.failed("Tried thrice", pipeline="chatty", params=params)
    for _ in range(2):
        ledger.retry_stage(task, "work")
        ledger.wait(task, "failed")
    page = profiles.open(dashboard)
    desk = open_report(page, "Tried thrice")
    # Of a traceback the end is in sight: it says what was raised.
    in_sight(lines(page, "Error"), lines(page, "Error").get_by_text("the last part is torn"))
    reader(page, "Error").get_by_role("button", name="Show all").click()
    expect(reader(page, "Error").get_by_role("button", name="Show less")).to_be_visible()
    expect(page.get_by_role("heading", name="Attempt 2 and attempt 3")).to_be_visible()
    expect(page.get_by_text("No difference but times and numbers.", exact=True)).to_be_visible()
    page.get_by_role("radio", name="Compare attempt 1 as A").check()
    expect(page.get_by_role("heading", name="Attempt 1 and attempt 3")).to_be_visible()
    expect(page.get_by_text("They differ in: log.")).to_be_visible()
    difference = page.get_by_role("region", name="Log:")
    expect(difference.locator(".fd-diff-part")).to_have_text(["old", "new"])
    in_sight(difference, difference.get_by_text("First difference"))
    expect(page.get_by_role("radio", name="Compare attempt 3 as A")).to_be_disabled()
    snapshot(page, "report-4-compared")
    page.set_viewport_size({"width": 800, "height": 900})
    desk.press("中文")
    expect(page.get_by_text("差异在于：日志。")).to_be_visible()
    snapshot(page, "report-5-compared-zh")


def test_thirty_stages_are_walked_by_arrows(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Where it stopped is said and in sight; arrows move, Enter chooses, and Tab passes them in one step."""
    ledger.failed("Thirty stages", pipeline="long")
    page = profiles.open(dashboard, scheme="dark", size=(1680, 1000))
    desk = open_report(page, "Thirty stages")
    expect(page.get_by_text("Stopped at step-18, stage 18 of 30.")).to_be_visible()
    strip = page.get_by_role("list", name="Stages")
    in_sight(strip, desk.stage("step-18", "Failed"))
    expect(strip.locator("[tabindex='0']")).to_have_count(1)
    desk.stage("step-18", "Failed").focus()
    page.keyboard.press("ArrowLeft")
    expect(desk.stage("step-17", "Succeeded")).to_be_focused()
    page.keyboard.press("Home")
    expect(desk.stage("step-01", "Succeeded")).to_be_focused()
    page.keyboard.press("Enter")
    expect(desk.stage("step-01", "Succeeded")).to_have_attribute("aria-pressed", "true")
    expect(reader(page, "Error")).to_be_hidden()
    snapshot(page, "report-6-thirty")


def test_output_is_read_and_folding_is_remembered(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Facts and a tree; what a stage says is never markup; a part that was folded stays so in other tasks."""
    ledger.failed("Folded one", pipeline="chatty", params={"good_from": 9, "lines": 3})
    ledger.failed("Folded two", pipeline="chatty", params={"good_from": 9, "lines": 3})
    page = profiles.open(dashboard)
    desk = open_report(page, "Folded one")
    desk.stage("prepare", "Succeeded").click()
    expect(page.locator(".fd-report").get_by_text("<img src=x onerror=window.ran=1>", exact=True)).to_be_visible()
    page.get_by_text("deep", exact=True).click()
    expect(page.get_by_text("level 11")).to_be_visible()
    snapshot(page, "report-7-output")
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src='x']").count() == 0
    page.get_by_role("heading", name="Log", exact=True).click()
    page.get_by_role("heading", name="Output", exact=True).click()
    expect(page.get_by_text("sources.json")).to_be_hidden()

    desk.search("Folded two")
    desk.open("Folded two")
    desk.stage("prepare", "Succeeded").click()
    expect(page.get_by_role("heading", name="Output", exact=True)).to_be_visible()
    expect(page.get_by_text("sources.json")).to_be_hidden()
    expect(lines(page, "Log")).to_be_hidden()


def test_the_way_to_what_is_near(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Other tasks of the same cause, one by one and all of them, and the last success of the stage."""
    for number in range(3):
        ledger.failed(f"Comet {number}", params={"error": f"comet {number} is in the way", "good_from": 9})
    well = ledger.failed("Comet gone", params={"error": "the last comet"})
    ledger.retry_stage(well, "check")
    ledger.wait(well, "completed")
    page = profiles.open(dashboard)
    desk = open_report(page, "Comet 0")
    expect(page.get_by_role("button", name="Comet 2", exact=True)).to_be_visible()
    last = page.get_by_text("Stage check last succeeded in")
    expect(last).to_contain_text("Comet gone")
    page.get_by_role("button", name="2 other failed tasks have the same cause").click()
    expect(page.get_by_role("button", name="Reset filters")).to_be_visible()
    page.get_by_role("button", name="Comet 2", exact=True).click()
    expect(page.get_by_role("heading", name="Comet 2", exact=True)).to_be_visible()
    last.get_by_role("button", name="Comet gone").click()
    expect(page.get_by_role("heading", name="Comet gone", exact=True)).to_be_visible()
    expect(desk.stage("check", "Succeeded")).to_be_visible()

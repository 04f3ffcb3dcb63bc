"""The main job on the dashboard: find what failed, read why, retry it, see it recover. Screen and ledger must agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import Desk
from tests.browser.ledger import Ledger

pytestmark = pytest.mark.browser

ERROR = "column 'amount' is missing in sales.csv"


def test_a_stage_is_retried_and_recovers(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Open, filter, select, read the report, retry the stage, see it recover."""
    task = ledger.failed("Sales of March", params={"error": ERROR})
    ledger.failed("Purchases of March")
    count = ledger.count()
    desk = Desk(profiles.open(dashboard)).wait()
    snapshot(desk.page, "stage-1-open")

    desk.search("sales of")
    expect(desk.row("Sales of March")).to_be_visible()
    expect(desk.row("Purchases of March")).to_have_count(0)

    desk.open("Sales of March")
    expect(desk.stage("read", "Succeeded")).to_be_visible()
    expect(desk.stage("check", "Failed")).to_be_visible()
    expect(desk.page.get_by_text(ERROR, exact=True).first).to_be_visible()
    expect(desk.page.get_by_text("attempt 1: checking 3 rows")).to_be_visible()
    snapshot(desk.page, "stage-2-report")

    desk.press("Retry stage check…")
    assert ledger.retries(task) == {"read": 0, "check": 0, "write": 0}
    snapshot(desk.page, "stage-3-confirm")
    desk.confirm(
        "Retry stage check?",
        "Stays as it is: read.",
        "Runs after it: write.",
        "retry 1 of 3",
        answer="Retry this stage",
    )

    expect(desk.outcome).to_contain_text("The stage was submitted again")
    expect(desk.outcome).to_contain_text("Recovered")
    expect(desk.stage("check", "Succeeded")).to_be_visible()
    expect(desk.stage("write", "Succeeded")).to_be_visible()
    snapshot(desk.page, "stage-4-recovered")
    assert ledger.task(task)["status"] == "completed"
    assert ledger.retries(task) == {"read": 0, "check": 1, "write": 0}
    assert ledger.count() == count


def test_a_double_click_sends_once(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """However fast the confirmation is pressed, the stage is retried exactly once; here it fails again, and says so."""
    task = ledger.failed("Pressed twice", params={"good_from": 9})
    desk = Desk(profiles.open(dashboard)).wait()
    desk.search("Pressed twice")
    desk.open("Pressed twice")
    desk.press("Retry stage check…")
    desk.page.get_by_role("button", name="Retry this stage", exact=True).dblclick()
    expect(desk.outcome).to_contain_text("Failed again")
    assert ledger.retries(task)["check"] == 1


def test_a_batch_tells_each_result(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """One recovers, one fails again, one is left out because its limit is reached: each is told, and each is so."""
    recovers = ledger.failed("Batch one")
    fails = ledger.failed("Batch two", params={"good_from": 9})
    limited = ledger.failed("Batch three", pipeline="once")
    count = ledger.count()
    desk = Desk(profiles.open(dashboard)).wait()
    desk.search("Batch")
    desk.select("Batch one", "Batch two", "Batch three")
    expect(desk.page.get_by_text("3 selected", exact=True)).to_be_visible()

    desk.press("Retry 3 selected…")
    snapshot(desk.page, "batch-1-confirm")
    desk.confirm("Retry 2 tasks?", "2 will be retried", "1 is left out: at its retry limit", answer="Retry them")
    expect(desk.outcome).to_contain_text("2 of 2 settled")
    expect(desk.outcome.get_by_role("listitem").filter(has_text="Batch one")).to_contain_text("Recovered")
    expect(desk.outcome.get_by_role("listitem").filter(has_text="Batch two")).to_contain_text("Failed again")
    snapshot(desk.page, "batch-2-outcome")
    assert ledger.task(recovers)["status"] == "completed"
    assert ledger.retries(recovers)["check"] == 1
    assert ledger.retries(fails)["check"] == 1
    assert ledger.retries(limited) == {"send": 0}
    assert ledger.count() == count


def test_a_batch_taken_off_the_page_goes_on(dashboard: str, ledger: Ledger, profiles: Profiles, tmp_path: Path) -> None:
    """One line stays of it, which a refresh leaves as it is; the batch comes back by itself when it is over."""
    gate = tmp_path / "gate"
    gate.touch()
    quick = {"lines": 3, "good_from": 2}
    held = ledger.failed("Away one", pipeline="chatty", params=quick | {"gate": str(gate)})
    tasks = (held, ledger.failed("Away two", pipeline="chatty", params=quick))
    gate.unlink()
    desk = Desk(profiles.open(dashboard)).wait()
    desk.search("Away")
    desk.select("Away one", "Away two")
    desk.press("Retry 2 selected…")
    desk.confirm("Retry 2 tasks?", answer="Retry them")
    running = desk.outcome.get_by_role("progressbar")
    expect(running).to_be_visible()
    take_away = desk.outcome.get_by_role("button", name="Dismiss", exact=True)
    take_away.click()
    line = desk.page.get_by_role("status").filter(has_text="1 batch runs in the background.")
    expect(line).to_be_visible()
    expect(running).to_have_count(0)
    snapshot(desk.page, "away-1-line")
    ledger.failed("Away meanwhile")
    desk.press("Refresh")
    expect(desk.row("Away meanwhile")).to_be_visible()
    expect(line).to_be_visible()
    desk.press("Show")
    expect(running).to_be_visible()
    expect(line).to_have_count(0)
    take_away.click()
    expect(line).to_be_visible()

    gate.touch()
    expect(desk.outcome).to_contain_text("2 of 2 settled")
    expect(desk.outcome).to_contain_text("Recovered")
    expect(line).to_have_count(0)
    snapshot(desk.page, "away-2-over")
    assert [ledger.retries(task)["work"] for task in tasks] == [1, 1]


def test_what_changed_meanwhile_is_left_out(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Somebody else retries one of two tasks between question and answer: that one is not sent, the other is."""
    mine = ledger.failed("Rivals one")
    theirs = ledger.failed("Rivals two")
    desk = Desk(profiles.open(dashboard)).wait()
    desk.search("Rivals")
    desk.select("Rivals one", "Rivals two")
    desk.press("Retry 2 selected…")
    expect(desk.page.get_by_role("region", name="Retry 2 tasks?")).to_be_visible()
    ledger.retry_stage(theirs, "check")
    ledger.wait(theirs, "completed")
    desk.confirm("Retry 2 tasks?", answer="Retry them")
    left = desk.outcome.get_by_role("listitem").filter(has_text="Rivals two")
    expect(left).to_contain_text("Left out")
    expect(left).to_contain_text("Its attempt number has moved from 0 to 1: somebody else has retried it.")
    expect(desk.outcome.get_by_role("listitem").filter(has_text="Rivals one")).to_contain_text("Recovered")
    snapshot(desk.page, "batch-3-left-out")
    assert ledger.retries(mine)["check"] == 1
    assert ledger.retries(theirs)["check"] == 1


def test_a_whole_retry_with_links_stands_on_top(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """A new task with linked files, named as whose retry it is, on top of the table; also after a reload."""
    task = ledger.failed("Whole story", params={"good_from": 9})
    count = ledger.count()
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    desk.search("Whole story")
    desk.open("Whole story")
    desk.press("Run again as a new task…")
    page.get_by_role("radio", name="Link 1 file").click()
    snapshot(page, "whole-1-confirm")
    desk.confirm("Run this task again as a new one?", "same parameters", answer="Submit the new task")
    expect(desk.outcome).to_contain_text("The task was submitted again")
    expect(desk.outcome).to_contain_text("1 file linked")

    new = ledger.newest()
    assert ledger.count() == count + 1
    assert new["parent_task_id"] == task
    assert [file["method"] for file in ledger.files(new["id"])] == ["linked"]
    assert ledger.retries(task)["check"] == 0
    expect(desk.outcome).to_contain_text(new["id"])
    top = desk.table.get_by_role("row").nth(1)
    expect(top).to_contain_text("Whole story (重试)")
    expect(top).to_contain_text(f"Retry of {task}")
    expect(top).to_contain_text("Retry 1")
    expect(desk.row("Whole story")).to_contain_text("Retried once")
    snapshot(page, "whole-2-on-top")

    # A page that is left while its kernel still talks logs what it could not deliver.
    expect(desk.outcome).to_contain_text("Failed again")
    page.reload(wait_until="commit")
    desk.wait()
    desk.search("Whole story")
    expect(top).to_contain_text(f"Retry of {task}")
    assert ledger.count() == count + 1


def test_a_cause_shows_its_tasks(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """What failed for one reason is one line with its number; choosing it shows just these tasks, again all."""
    for number in (1, 2):
        ledger.failed(f"Moon {number}", params={"error": f"the moon stands in the way of row {number}", "good_from": 9})
    ledger.failed("Sun", params={"error": "the sun is too bright", "good_from": 9})
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    more = page.get_by_role("button", name="causes")
    if more.count():
        more.click()
    cause = page.get_by_role("row").filter(has=page.get_by_role("button", name="the moon stands in the way of row *"))
    expect(cause.get_by_role("cell").first).to_have_text("2")
    cause.get_by_role("button").click()
    expect(desk.table.get_by_role("row")).to_have_count(3)
    expect(desk.row("Moon 1")).to_be_visible()
    expect(desk.row("Sun")).to_have_count(0)
    snapshot(page, "cause-chosen")
    cause.get_by_role("button").click()
    expect(desk.row("Sun")).to_be_visible()


def test_the_language_changes_at_once(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Every word of ours changes, the tasks' own words and the place where the user is do not."""
    task = ledger.failed("语言 Language", params={"good_from": 9})
    new = ledger.retry_task(task)
    ledger.wait(new, "failed")
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    desk.search("语言")
    desk.open("语言 Language (重试)")
    desk.press("中文")
    expect(page.get_by_role("heading", name="失败任务")).to_be_visible()
    expect(page.get_by_role("heading", name="语言 Language (重试)", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="重试阶段 check…")).to_be_enabled()
    retry = page.get_by_role("grid").get_by_role("row").filter(has_text="(重试)")
    expect(retry).to_contain_text(f"重试自 {task}")
    expect(retry).to_contain_text("第 1 次重试")
    snapshot(page, "language-zh")
    desk.press("EN")
    expect(page.get_by_role("heading", name="Failed tasks")).to_be_visible()
    expect(page.get_by_role("button", name="Retry stage check…")).to_be_enabled()


def test_a_chinese_browser_gets_a_chinese_desk(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """The language `auto` is the browser's."""
    ledger.failed("自动")
    page = profiles.open(dashboard, locale="zh-CN")
    expect(page.get_by_role("heading", name="失败任务")).to_be_visible(timeout=40_000)


def test_words_of_a_task_stay_words(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """Markup in a name, an error and a lineage is shown letter by letter and never becomes an element."""
    name = "<img src=x onerror=window.ran=1><script>window.ran=1</script> {{7*7}} $e=mc^2$"
    error = "<b>bold</b> </pre><iframe src=javascript:window.ran=1></iframe> & &amp; %s {0}"
    task = ledger.failed(name, params={"good_from": 9, "error": error})
    ledger.wait(ledger.retry_task(task), "failed")
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    desk.search("onerror")
    desk.open(name)
    expect(page.get_by_text(error, exact=True).first).to_be_visible()
    page.get_by_role("tab", name="Lineage", exact=True).click()
    expect(page.locator(".fd-report").get_by_role("treeitem")).to_have_count(2)
    snapshot(page, "hostile-lineage")
    page.get_by_role("tab", name="Report").click()
    desk.press("Retry stage check…")
    snapshot(page, "hostile-confirm")
    desk.confirm("Retry stage check?", answer="Retry this stage")
    expect(desk.outcome).to_contain_text("Failed again")
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src='x'], iframe").count() == 0

"""What the desk says about time and outcome: how fresh, what is new, what became of what was begun."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Locator, Page, WebSocket, expect

from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import FIRST_ROWS_MS, Desk
from tests.browser.gate import Gate
from tests.browser.ledger import Ledger
from tests.browser.stack import make_settings, run_dashboard, run_platform

pytestmark = pytest.mark.browser

# A page cannot be made to go out of sight from outside: it is told that it has.
OUT_OF_SIGHT = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def figure(page: Page, name: str) -> Locator:
    """The card of a figure, by the word on it."""
    return page.get_by_role("button").filter(has=page.get_by_text(name, exact=True)).and_(page.locator(".fd-figure"))


def hide(page: Page, *, hidden: bool = True) -> None:
    """Let the page go out of sight, or come back."""
    page.evaluate(OUT_OF_SIGHT, hidden)


@pytest.mark.parametrize(
    "look",
    [
        ((1280, 900), "light", "en-US"),
        ((1280, 900), "dark", "zh-CN"),
        ((1680, 1050), "light", "zh-CN"),
        ((800, 900), "light", "en-US"),
        ((800, 900), "dark", "zh-CN"),
    ],
)
def test_seven_figures_stand_in_full_rows(
    dashboard: str, ledger: Ledger, profiles: Profiles, look: tuple[tuple[int, int], Literal["light", "dark"], str]
) -> None:
    """None is cut, all of a row are of one height, and the row has no hole, in both languages and any width."""
    size, scheme, locale = look
    task = ledger.failed("Figures", params={"good_from": 9})
    ledger.wait(ledger.retry_task(task), "failed")
    page = profiles.open(dashboard, size=size, scheme=scheme, locale=locale)
    cards = page.locator(".fd-figure")
    expect(page.locator(".fd-figure .fd-grey")).to_have_count(0, timeout=FIRST_ROWS_MS)
    expect(cards).to_have_count(7)
    cut = "(all) => all.filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent)"
    assert page.locator(".fd-figure > span").evaluate_all(cut) == []
    boxes: list[Any] = cards.evaluate_all("(all) => all.map((node) => node.getBoundingClientRect().toJSON())")
    rows = {round(box["top"]): [other for other in boxes if round(other["top"]) == round(box["top"])] for box in boxes}
    assert {(round(row[0]["left"]), round(row[-1]["right"])) for row in rows.values()} == {
        (round(boxes[0]["left"]), round(boxes[-1]["right"]))
    }
    assert all(len({round(box["height"]) for box in row}) == 1 for row in rows.values())
    snapshot(page, f"fresh-figures-{size[0]}-{scheme}-{locale[:2]}")


def test_nothing_moves_when_the_list_comes(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """Figures, causes and the list stand where they will be, however long the platform takes to answer."""
    settings = make_settings(tmp_path)
    ledger = own.enter_context(run_platform(settings))
    for word in ("late", "torn", "lost", "void", "mute"):
        ledger.failed("Moves", params={"error": f"the file is {word}"})
    gate = own.enter_context(Gate(ledger.url, lambda path: path.startswith("/api/v1/tasks?")).serving())
    gate.close()
    url = own.enter_context(run_dashboard(settings.model_copy(update={"url": f"{gate.url}/api/v1"})))
    page = profiles.open(url)
    expect(page.locator(".fd-groups .fd-grey").first).to_be_visible(timeout=FIRST_ROWS_MS)
    places = "(all) => all.map((node) => Math.round(node.getBoundingClientRect().top))"
    cards = page.locator(".fd-figures, .fd-groups, .fd-list")
    before = cards.evaluate_all(places)
    snapshot(page, "fresh-loading")
    page.emulate_media(color_scheme="dark")
    snapshot(page, "fresh-loading-dark")
    gate.open()
    expect(page.locator(".fd-grey")).to_have_count(0, timeout=FIRST_ROWS_MS)
    assert cards.evaluate_all(places) == before


def test_what_failed_since_this_browser_left_is_new(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """A first visit knows no other; the next shows what has failed since, and a refresh does not move that moment."""
    ledger.failed("Seen before", params={"good_from": 9})
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    expect(figure(page, "New")).to_contain_text("first visit")
    expect(figure(page, "New")).to_be_disabled()
    page.goto("about:blank")
    ledger.failed("Came at night", params={"good_from": 9})
    page.goto(dashboard, wait_until="commit")
    desk.wait()
    expect(figure(page, "New")).to_contain_text(re.compile(r"New\s*1\s*since \d\d:\d\d"))
    figure(page, "New").click()
    expect(desk.table.get_by_role("row")).to_have_count(2)
    expect(desk.row("Came at night")).to_be_visible()
    expect(figure(page, "New")).to_have_attribute("aria-pressed", "true")
    snapshot(page, "fresh-new-since")
    ledger.failed("Came while open", params={"good_from": 9})
    desk.press("Refresh")
    expect(desk.row("Came while open")).to_be_visible()
    expect(figure(page, "New")).to_contain_text(re.compile(r"New\s*2\s*since"))


@pytest.mark.parametrize("kept", ["<img src=x onerror=alert(1)>", "-5", "1e300", "99999999999999", "{}", ""])
def test_whatever_the_browser_keeps_is_no_trouble(
    dashboard: str, ledger: Ledger, profiles: Profiles, kept: str
) -> None:
    """What is no time of the past is no visit."""
    ledger.failed("Hostile store", params={"good_from": 9})
    page = profiles.open(dashboard)
    page.evaluate("([key, kept]) => localStorage.setItem(key, kept)", [f"retry_toolkit.left {ledger.url}", kept])
    Desk(page).wait()
    expect(figure(page, "New")).to_contain_text("first visit")


def test_a_page_grows_stale_and_fresh_again(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """The platform goes: the rows stay, and the page says since when they may be wrong, and why; until it is back."""
    settings = make_settings(tmp_path)
    url = own.enter_context(run_dashboard(settings))
    with run_platform(settings) as ledger:
        ledger.failed("Stays in sight")
        page = profiles.open(url)
        desk = Desk(page).wait()
        expect(page.get_by_text("Loaded just now")).to_be_visible()
    desk.press("Refresh")
    badge = page.get_by_text(re.compile(r"^Stale since \d\d:\d\d$"))
    expect(badge).to_be_visible()
    expect(page.get_by_role("status").filter(has=badge)).to_contain_text("The platform does not answer.")
    expect(desk.row("Stays in sight")).to_be_visible()
    snapshot(page, "fresh-stale-en")
    desk.press("中文")
    expect(page.get_by_text(re.compile(r"^数据停留在 \d\d:\d\d$"))).to_be_visible()
    snapshot(page, "fresh-stale-zh")
    page.set_viewport_size({"width": 800, "height": 900})
    snapshot(page, "fresh-stale-zh-800")
    desk.press("EN")
    ledger = own.enter_context(run_platform(settings))
    ledger.failed("Came meanwhile")
    desk.press("Refresh")
    expect(desk.row("Came meanwhile")).to_be_visible()
    expect(badge).to_have_count(0)
    expect(desk.row("Stays in sight")).to_be_visible()


def test_time_passes_on_the_page_by_itself(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """The kernel says nothing, and the page knows that two minutes are gone; the exact time is the tooltip."""
    ledger.failed("Old news", params={"good_from": 9})
    page = profiles.open("about:blank")
    page.clock.install()
    page.goto(dashboard, wait_until="commit")
    Desk(page).wait()
    loaded = page.get_by_text("Loaded", exact=False).filter(has=page.get_by_role("time"))
    expect(loaded).to_have_text("Loaded just now")
    page.clock.fast_forward("02:30")
    expect(loaded).to_have_text("Loaded 2 min. ago")
    expect(loaded.get_by_role("time")).to_have_attribute("title", re.compile(r"\d\d:\d\d:\d\d UTC$"))


def test_a_page_that_refreshes_itself_disturbs_nobody(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """New rows come in; selection, focus and place stay."""
    for number in range(12):
        ledger.failed(f"Quiet {number}", params={"good_from": 9})
    page = profiles.open(dashboard, size=(1280, 600))
    desk = Desk(page).wait()
    desk.search("Quiet")
    desk.select("Quiet 11")
    page.get_by_label("Refresh by itself").select_option("Auto: 10 s")
    page.get_by_role("row").filter(has_text="Quiet 9").focus()
    page.evaluate("window.scrollTo(0, 240)")
    ledger.failed("Quiet and new", params={"good_from": 9})
    expect(desk.row("Quiet and new")).to_be_visible()
    assert page.evaluate("window.scrollY") == 240
    assert "Quiet 9" in page.evaluate("document.activeElement.textContent")
    expect(page.get_by_text("1 selected", exact=True)).to_be_visible()
    snapshot(page, "fresh-auto")


def is_beat(frame: str | bytes) -> bool:
    """Whether the browser says that it is time to refresh."""
    return b'"beat"' in (frame.encode() if isinstance(frame, str) else frame)


def test_out_of_sight_nothing_is_asked_for(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """A minute in a hidden tab is silent; coming back into sight refreshes at once."""
    ledger.failed("Unseen", params={"good_from": 9})
    page = profiles.open("about:blank")
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - takes no method of a list
    page.clock.install()
    page.goto(dashboard, wait_until="commit")
    Desk(page).wait()
    beats: list[str | bytes] = []
    for socket in sockets:
        socket.on("framesent", lambda frame: beats.append(frame) if is_beat(frame) else None)
    page.get_by_label("Refresh by itself").select_option("Auto: 10 s")
    with sockets[-1].expect_event("framesent", is_beat):
        page.clock.fast_forward("00:11")
    hide(page)
    beats.clear()
    page.clock.fast_forward("01:00")
    expect(figure(page, "Failed")).to_be_visible()
    with sockets[-1].expect_event("framesent", is_beat):
        assert beats == []
        hide(page, hidden=False)


def test_the_outcome_is_told_in_one_sentence(dashboard: str, ledger: Ledger, profiles: Profiles) -> None:
    """How many recovered and how many did not, each a way to the tasks; the tab tells who looks elsewhere."""
    for number in (1, 2):
        ledger.failed(f"Aftermath {number}")
    ledger.failed("Aftermath 3", params={"good_from": 9})
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    title = page.title()
    desk.search("Aftermath")
    desk.select("Aftermath 1", "Aftermath 2", "Aftermath 3")
    desk.press("Retry 3 selected…")
    hide(page)
    desk.confirm("Retry 3 tasks?", answer="Retry them")
    told = page.get_by_role("status").filter(has_text="Since you acted:")
    expect(told).to_have_text("Since you acted: 2 recovered, 1 failed again with the same cause.")
    expect(page).to_have_title("✓ 2 · ✗ 1 Failed tasks")
    away = page.get_by_role("status").filter(has_text="your retry of 3 tasks ended: 2 recovered, 1 did not.")
    expect(away).to_be_visible()
    snapshot(page, "fresh-aftermath")
    hide(page, hidden=False)
    expect(page).to_have_title(title)
    told.get_by_role("button", name="1 failed again with the same cause").click()
    expect(desk.table.get_by_role("row")).to_have_count(2)
    expect(desk.row("Aftermath 3")).to_be_visible()
    told.get_by_role("button", name="2 recovered").click()
    expect(desk.table.get_by_role("row")).to_have_count(3)
    desk.press("中文")
    expect(page.get_by_role("status").filter(has_text="本次操作以来")).to_contain_text("2 个已恢复")
    snapshot(page, "fresh-aftermath-zh")

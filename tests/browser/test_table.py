"""Which ones: filters, links, columns, order and selection, as a user with a mouse and one with a keyboard has them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import Desk
from tests.browser.many import run_desk

pytestmark = pytest.mark.browser

SIZES = ((1280, 900), (1680, 1050), (800, 1000))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a desk of 400 tasks, 200 of them failed."""
    with run_desk(tmp_path_factory.mktemp("many")) as url:
        yield url


def pasted(page: Page) -> str:
    """What is on the clipboard."""
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def let_copy(context: BrowserContext) -> None:
    """Let the page's clipboard be read."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])


def chips(page: Page) -> Locator:
    """Filters that are on."""
    return page.get_by_role("list", name="Filters that are on").get_by_role("listitem")


def header(page: Page, name: str) -> Locator:
    """The button in the header of a column."""
    return page.get_by_role("columnheader").get_by_role("button", name=re.compile(f"^{name}"))


def columns(page: Page) -> list[str]:
    """Names of the columns that are seen, in order."""
    return [name for name in page.locator("th .fd-sort-name").all_inner_texts() if name]


def names(page: Page) -> list[str]:
    """Names of the tasks on the page."""
    return page.locator(".fd-name").all_inner_texts()


def count(page: Page, text: str) -> None:
    """Expect so many rows to match, as the pager tells."""
    expect(page.locator(".fd-range")).to_have_text(re.compile(rf"of {text}$"))


def test_a_click_is_not_lost_when_rows_change_meanwhile(many: str, profiles: Profiles) -> None:
    """Between the press and the release of the button another row changes, and so does this one."""
    page = profiles.open(many)
    Desk(page).wait()
    rows = page.locator("tr[data-id]")
    boxes = rows.locator("input[type=checkbox]")

    def toggle(row: int, wanted: str) -> None:
        boxes.nth(row).evaluate("(box) => box.click()")
        expect(rows.nth(row)).to_have_attribute("aria-selected", wanted)

    boxes.nth(0).hover()
    page.mouse.down()
    toggle(2, "true")
    page.mouse.up()
    expect(rows.nth(0)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("2 selected", exact=True)).to_be_visible()

    rows.nth(0).locator(".fd-name").hover()
    page.mouse.down()
    toggle(0, "false")
    toggle(2, "false")
    page.mouse.up()
    expect(rows.nth(0)).to_have_attribute("aria-current", "true")

    further = page.locator(".fd-next")
    further.hover()
    page.mouse.down()
    toggle(1, "true")
    page.mouse.up()
    expect(page.locator(".fd-range")).to_have_text(re.compile("^11–20 of"))


def test_filters_are_chips_and_travel_in_the_address(many: str, profiles: Profiles) -> None:
    """Whatever is chosen is a chip, is in the address, and opens in another browser; each chip goes by its cross."""
    page = profiles.open(many)
    let_copy(page.context)
    desk = Desk(page).wait()
    count(page, "200")
    expect(chips(page)).to_have_text(["Status: Failed×"])
    expect(page.get_by_role("button", name="Reset filters")).to_have_count(0)

    page.get_by_label("Failed stage").select_option("=clean")
    count(page, "50")
    more = page.get_by_role("button", name="More filters")
    expect(more).to_have_attribute("aria-expanded", "false")
    more.click()
    page.get_by_label("Project", exact=True).select_option("=wind tunnel & flow")
    desk.search("sales_")
    expect(chips(page)).to_have_count(4)
    header(page, "Duration").click()
    expect(page).to_have_url(
        re.compile(r"#status=failed&project=wind\+tunnel\+%26\+flow&stage=clean&text=sales_&sort=-duration_s$")
    )
    shown = names(page)
    assert shown
    snapshot(page, "table-1-filters")

    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    other = profiles.open(pasted(page), size=(1680, 1050), scheme="dark")
    Desk(other).wait()
    expect(chips(other)).to_have_count(4)
    expect(other.locator(".fd-name")).to_have_text(shown)
    expect(other.get_by_role("textbox", name="Search", exact=True)).to_have_value("sales_")
    snapshot(other, "table-2-link-opened")

    page.get_by_role("button", name="Drop the filter Failed stage: clean").press("Enter")
    expect(chips(page)).to_have_count(3)
    page.get_by_role("button", name="Reset filters").click()
    count(page, "200")
    expect(page).to_have_url(many)


def test_an_address_that_makes_no_sense_is_told_once(many: str, profiles: Profiles) -> None:
    """What is understood is done, the rest is named in one message, as words."""
    hostile = "%3Cimg%20src=x%20onerror=window.ran=1%3E"
    page = profiles.open(
        f"{many}#status=failed&owner=li.wei&sort=__class__&status=nonsense&{hostile}=1&last=1e9&text=%FF"
    )
    Desk(page).wait()
    expect(chips(page)).to_have_text(["Status: Failed×", "Owner: li.wei×"])
    notice = page.get_by_role("status").filter(has_text="Not understood in this page's address")
    expect(notice).to_contain_text("sort=__class__, status=nonsense")
    expect(notice.locator(".fd-notice-card")).to_have_count(1)
    expect(page).to_have_url(f"{many}#status=failed&owner=li.wei")
    assert page.evaluate("window.ran") is None
    snapshot(page, "table-3-address-not-understood")


def test_a_changed_address_is_followed(many: str, profiles: Profiles) -> None:
    """A link pasted into the same tab shows what it names, without loading the page again."""
    page = profiles.open(many)
    Desk(page).wait()
    page.evaluate("window.same = 1; location.hash = 'status=cancelled'")
    expect(chips(page)).to_have_text(["Status: Cancelled×"])
    count(page, "50")
    assert page.evaluate("window.same") == 1


def test_times_are_the_viewer_s(many: str, profiles: Profiles) -> None:
    """What is typed into a time is local; the address has it in UTC, and it comes back as it was typed."""
    page = profiles.open(many)
    Desk(page).wait()
    page.get_by_label("Created", exact=True).select_option("=24h")
    expect(chips(page)).to_have_text(["Status: Failed×", "Created: Last 24 hours×"])
    page.get_by_label("Created", exact=True).select_option("=custom")
    since = page.get_by_role("textbox", name="Created from")
    expect(since).to_be_focused()
    since.fill("2026-11-10T08:30")
    offset = page.evaluate("new Date('2026-11-10T08:30').toISOString().slice(0, 19)")
    expect(page).to_have_url(f"{many}#status=failed&from={offset}Z")
    expect(page.get_by_label("Created", exact=True)).to_have_value("=custom")
    expect(chips(page).nth(1)).to_have_text(re.compile("^Created from Nov 10, 08:30×$"))
    page.reload(wait_until="commit")
    Desk(page).wait()
    page.get_by_role("button", name="More filters").click()
    expect(page.get_by_role("textbox", name="Created from")).to_have_value("2026-11-10T08:30")


def test_columns_are_chosen_moved_sized_and_remembered(many: str, profiles: Profiles) -> None:
    """By menu, mouse and keyboard; a reload keeps them, and one button brings the usual ones back."""
    page = profiles.open(many, size=(1680, 1050))
    Desk(page).wait()
    usual = columns(page)
    menu = page.get_by_role("button", name="Columns", exact=True)
    menu.click()
    page.get_by_role("checkbox", name="Cost").check()
    page.get_by_role("checkbox", name="Category").uncheck()
    page.get_by_role("checkbox", name="Times as").check()
    expect(page.locator("th .fd-sort-name")).to_have_text([*(name for name in usual if name != "Category"), "Cost"])
    expect(page.locator("td.fd-col-created_at time").first).to_have_text(re.compile("ago$"))
    expect(page.get_by_role("checkbox", name="Times as")).to_be_focused()
    snapshot(page, "table-4-columns")
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()

    header(page, "Cost").focus()
    for _ in range(8):
        page.keyboard.press("Alt+ArrowLeft")
    expect(page.locator("th .fd-sort-name").first).to_have_text("Cost")
    expect(header(page, "Cost")).to_be_focused()
    header(page, "Owner").drag_to(header(page, "Task"), target_position={"x": 2, "y": 5})
    expect(page.locator("th .fd-sort-name").nth(2)).to_have_text("Owner")

    cell = page.locator("th[data-key=name]")
    before = cell.bounding_box()
    assert before is not None
    header(page, "Task").focus()
    page.keyboard.press("Shift+ArrowRight")
    assert cell.evaluate("cell => cell.offsetWidth") == pytest.approx(before["width"] + 16, abs=1)
    box = cell.locator(".fd-edge").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + 64, box["y"] + 4, steps=4)
    page.mouse.up()
    wide = cell.evaluate("cell => cell.offsetWidth")
    assert wide == pytest.approx(before["width"] + 76, abs=2)
    assert page.locator("th[aria-sort=descending]").get_attribute("data-key") == "created_at"
    cell.locator(".fd-edge").dblclick()
    assert cell.evaluate("cell => cell.offsetWidth") < wide
    snapshot(page, "table-5-columns-moved")

    own = columns(page)
    page.reload(wait_until="commit")
    Desk(page).wait()
    expect(page.locator("th .fd-sort-name")).to_have_text(own)
    menu.click()
    page.get_by_role("button", name="Reset columns").click()
    expect(page.locator("th .fd-sort-name")).to_have_text(usual)


def test_nonsense_in_the_browser_s_memory_is_ignored(many: str, profiles: Profiles) -> None:
    """Whoever wrote it there."""
    page = profiles.open(many, size=(1680, 1050))
    Desk(page).wait()
    usual = columns(page)
    for stored in (
        "{",
        '{"columns": ["__class__", "cost", 7, "cost"], "widths": {"name": 1e9, "x": "y"}}',
        "[1]",
        "null",
    ):
        page.evaluate("text => localStorage.setItem('retry_toolkit.table', text)", stored)
        page.reload(wait_until="commit")
        Desk(page).wait()
        expected = ["Task", "Cost"] if "cost" in stored else usual
        expect(page.locator("th .fd-sort-name")).to_have_text(expected)


def test_several_columns_sort(many: str, profiles: Profiles) -> None:
    """Shift adds a column, with the mouse and the keyboard; the marks say in which order; once more takes it away."""
    page = profiles.open(many)
    Desk(page).wait()
    header(page, "Failed stage").click()
    header(page, "Retries").click(modifiers=["Shift"])
    expect(page.locator("th[data-key=retry_count] .fd-sort-place")).to_have_text("2")
    header(page, "Error").focus()
    page.keyboard.press("Shift+Enter")
    expect(page).to_have_url(re.compile("sort=failed_stage,-retry_count,error$"))
    expect(page.locator("th[data-key=failed_stage]")).to_have_attribute("aria-sort", "ascending")
    expect(header(page, "Retries")).to_contain_text("sorted, number 2")
    snapshot(page, "table-6-sorted")
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(page).to_have_url(re.compile("sort=failed_stage,-retry_count$"))
    assert page.locator("td.fd-col-failed_stage").first.inner_text() == "clean"


def test_a_selection_reaches_over_pages_and_comes_back(many: str, profiles: Profiles) -> None:
    """Ranges over pages, exactly all that match, undone and cleared; by keyboard too."""
    page = profiles.open(many)
    desk = Desk(page).wait()
    first = names(page)[2]
    desk.select(first)
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".fd-page")).to_have_text("2 / 20")
    page.locator("tr[data-id]").nth(1).click(modifiers=["Shift"])
    expect(page.get_by_text("10 selected", exact=True)).to_be_visible()
    desk.press("Select all 200 that match")
    expect(page.get_by_text("200 selected", exact=True)).to_be_visible()
    desk.press("Undo")
    expect(page.get_by_text("10 selected", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    desk.press("Clear selection")
    desk.press("Undo")
    expect(page.get_by_text("10 selected", exact=True)).to_be_visible()
    desk.press("Clear selection")
    expect(page.get_by_text("0 selected", exact=True)).to_be_visible()
    snapshot(page, "table-7-cleared")

    page.reload(wait_until="commit")
    desk.wait()
    page.locator("tr[data-id]").nth(3).focus()
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_text("3 selected", exact=True)).to_be_visible()
    page.keyboard.press("Control+a")
    expect(page.get_by_text("10 selected", exact=True)).to_be_visible()


def test_what_is_copied_is_no_formula(many: str, profiles: Profiles) -> None:
    """A row as cells for a spreadsheet, an error in full, the filters as code."""
    page = profiles.open(many, size=(1680, 1050))
    let_copy(page.context)
    desk = Desk(page).wait()
    desk.search("HYPERLINK")
    count(page, "40")
    page.locator("tr[data-id]").first.focus()
    page.keyboard.press("Control+c")
    expect(page.get_by_role("status").filter(has_text="Row copied")).to_have_count(1)
    cells = pasted(page).split("\t")
    assert cells[0] == "Failed"
    assert cells[2].startswith("task-")
    assert any(cell.startswith("'=HYPERLINK(") for cell in cells)
    assert not any(cell.startswith("=") for cell in cells)

    desk.search("residual")
    row = desk.table.get_by_role("row").filter(has_text="FloatingPointError").first
    row.hover()
    row.get_by_role("button", name="Copy the whole error").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('Traceback')")
    assert "in solve" in pasted(page)

    desk.press("Copy as pandas")
    expect(page.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    assert pasted(page).startswith("tasks[\n    (tasks[\"status\"] == 'failed')")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits(many: str, profiles: Profiles, scheme: str, locale: str) -> None:
    """At every width the page is no wider than the window, and the filters take two rows at most on a usual screen."""
    page = profiles.open(f"{many}#status=failed&last=30d&stage=clean&project=sales", scheme=scheme, locale=locale)  # type: ignore[arg-type]  # a colour scheme
    expect(page.locator("tr[data-id]").first).to_be_visible(timeout=60_000)
    page.locator(".fd-more").click()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width >= 1280:
            tops = page.locator(".fd-filters .fd-field").evaluate_all("fields => fields.map(field => field.offsetTop)")
            assert len(set(tops)) == 2
        snapshot(page, f"table-fits-{width}-{scheme}-{locale}")

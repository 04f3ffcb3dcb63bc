"""What does it cost? Lineages, disk, tokens and money: drawn, told in words, and the way from each bar to its tasks."""

from __future__ import annotations

import base64
import json
import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Locator, Page, expect

from retry_toolkit.dashboard import find_launcher
from retry_toolkit.drawing import WIDTH
from tests.browser.chromium import Profiles, snapshot
from tests.browser.desk import Desk
from tests.browser.ledger import Ledger
from tests.browser.stack import make_settings, run_dashboard

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.ran=1><script>window.ran=1</script> & \"quoted\" '销售'"


def costs(page: Page) -> Locator:
    """The card."""
    return page.locator(".fd-costs")


def row(page: Page, name: str) -> Locator:
    """The row of a task in the forest; of several with the name, all."""
    return costs(page).get_by_role("treeitem", name=re.compile(f"^{re.escape(name)},"))


@pytest.fixture(scope="module")
def lineages(ledger: Ledger) -> dict[str, str]:
    """A lineage of three that never recovers, one that did, and one whose names are markup; ids by name."""
    lost = ledger.failed("Costs lost", params={"good_from": 9})
    again = ledger.retry_task(lost)
    ledger.wait(again, "failed")
    last = ledger.retry_task(again)
    ledger.wait(last, "failed")
    hostile = ledger.failed(HOSTILE, params={"good_from": 9})
    ledger.wait(ledger.retry_task(hostile), "failed")
    fine = ledger.submit("Costs fine", params={"good_from": 1})
    ledger.wait(fine, "completed")
    ledger.wait(ledger.retry_task(fine), "completed")
    return {"lost": lost, "again": again, "last": last, "hostile": hostile, "fine": fine}


def test_lineages_are_read_with_the_keyboard(dashboard: str, lineages: dict[str, str], profiles: Profiles) -> None:
    """Arrows move, Left and Right fold and go up and down, Enter opens the report; a click does too."""
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    root = row(page, "Costs lost")
    expect(root).to_have_attribute("aria-expanded", "true")
    expect(root).to_have_attribute("aria-level", "1")
    expect(row(page, "Costs lost (重试)")).to_have_attribute("aria-level", "2")
    expect(row(page, "Costs lost (重试) (重试)")).to_have_attribute("aria-level", "3")
    expect(root).to_have_accessible_name(re.compile("Costs lost, Failed, original, .*s"))
    snapshot(page, "costs-1-lineages")

    root.focus()
    page.keyboard.press("ArrowDown")
    expect(row(page, "Costs lost (重试)")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(row(page, "Costs lost (重试)")).to_have_attribute("aria-expanded", "false")
    expect(row(page, "Costs lost (重试) (重试)")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(root).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(row(page, "Costs lost (重试) (重试)")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".fd-report").get_by_text(lineages["last"], exact=True).first).to_be_visible()
    expect(row(page, "Costs lost (重试) (重试)")).to_have_attribute("aria-selected", "true")
    row(page, "Costs fine").click()
    expect(page.get_by_role("heading", name="Costs fine", exact=True)).to_be_visible()
    snapshot(page, "costs-2-beside-the-report")
    assert desk.page.evaluate("window.ran") is None


def test_lineages_are_chosen_by_outcome_and_filters(
    dashboard: str, lineages: dict[str, str], profiles: Profiles
) -> None:
    """An outcome is a button with its number; the table's filters apply when they are asked to."""
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    card = costs(page)
    recovered = card.get_by_role("button", name=re.compile("^Recovered"))
    recovered.click()
    expect(recovered).to_have_attribute("aria-pressed", "true")
    expect(row(page, "Costs fine")).to_be_visible()
    expect(row(page, "Costs lost")).to_have_count(0)
    recovered.click()
    expect(row(page, "Costs lost")).to_be_visible()
    card.get_by_role("button", name="Those that match the filters").click()
    expect(row(page, "Costs fine")).to_have_count(0)
    desk.search("Costs lost")
    expect(card.get_by_role("treeitem")).to_have_count(3)
    expect(card.get_by_role("status").first).to_have_text("1 lineage with 3 tasks, the newest first.")
    desk.search("nothing is called so")
    expect(card.get_by_text("No lineage matches.")).to_be_visible()
    assert lineages


def test_a_drawing_is_saved(dashboard: str, lineages: dict[str, str], profiles: Profiles, tmp_path: Path) -> None:
    """A file that stands alone: its own colours, markup in names as letters; it opens in a browser, light and dark."""
    page = profiles.open(dashboard)
    Desk(page).wait()
    expect(row(page, "Costs lost")).to_be_visible()
    with page.expect_download() as download:
        costs(page).get_by_role("button", name="Export SVG").click()
    assert download.value.suggested_filename == "lineages.svg"
    path = tmp_path / "lineages.svg"
    download.value.save_as(path)
    text = "".join(ET.fromstring(path.read_bytes()).itertext())
    assert "Costs lost (重试) (重试)" in text
    assert "<img src=x onerror" in text
    assert lineages["lost"] in path.read_text("utf-8")
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        shown = profiles.open("about:blank", scheme=scheme)
        data = base64.b64encode(path.read_bytes()).decode()
        shown.set_content(f'<img alt="lineages" src="data:image/svg+xml;base64,{data}">')
        expect(shown.get_by_role("img")).to_have_js_property("complete", True)
        assert shown.get_by_role("img").evaluate("image => image.naturalWidth") == WIDTH
        snapshot(shown, f"costs-3-file-{scheme}")


def test_disk_is_drawn_and_leads_to_its_tasks(dashboard: str, lineages: dict[str, str], profiles: Profiles) -> None:
    """Only when its tab is opened; a bar tells what it is, and shows its retries in the table when it is clicked."""
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    expect(row(page, "Costs lost")).to_be_visible()
    expect(page.locator(".bqplot")).to_have_count(0)
    page.get_by_role("tab", name="Disk").click()
    card = costs(page)
    expect(card.get_by_text(re.compile("Extra disk of \\d+ lineages: .* k?B"))).to_be_visible()
    expect(card.get_by_text("None now.", exact=False)).to_be_visible()
    expect(card.get_by_text("in 8 to 30 days:")).to_be_visible()
    bars = card.locator(".bqplot .bar")
    expect(bars.first).to_be_attached()
    snapshot(page, "costs-4-disk")

    card.get_by_role("button", name="By lineage").click()
    expect(card.locator(".bqplot").get_by_text("Costs lost")).to_be_visible()
    line = card.get_by_role("row").filter(has=page.get_by_role("button", name="Costs lost", exact=True))
    number = line.evaluate("line => line.rowIndex - 1")
    bar = card.locator(".bqplot .bargroup").nth(number).locator("rect").first
    bar.hover()
    tip = page.locator(".bqplot_tooltip_div").filter(has_text="Costs lost")
    expect(tip).to_contain_text("Copied")
    snapshot(page, "costs-5-tooltip")
    bar.click()
    expect(card.get_by_text("The table shows these 2 tasks.")).to_be_visible()
    expect(desk.table.get_by_role("row")).to_have_count(3)
    expect(desk.row("Costs lost (重试)")).to_be_visible()
    card.get_by_role("button", name="Go to the table").click()
    expect(desk.table).to_be_in_viewport()
    line.get_by_role("button").click()
    expect(desk.table.get_by_role("row")).to_have_count(3)
    assert lineages


def test_the_open_question_tells_what_it_would_copy(
    dashboard: str, lineages: dict[str, str], profiles: Profiles
) -> None:
    """While a whole retry waits for its answer the disk tab says its size and the room; linking copies nothing."""
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    desk.search("Costs lost")
    desk.open("Costs lost")
    page.get_by_role("tab", name="Disk").click()
    desk.press("Run again as a new task…")
    card = costs(page)
    expect(card.get_by_text(re.compile(r"would copy \d+ B\. .* are free there\."))).to_be_visible()
    snapshot(page, "costs-6-forecast")
    page.get_by_role("radio", name="Link 1 file").click()
    expect(card.get_by_text(re.compile("would copy 0 B"))).to_be_visible()
    desk.press("Cancel")
    expect(card.get_by_text("None now.", exact=False)).to_be_visible()
    assert lineages


def test_spending_is_told_without_money(dashboard: str, lineages: dict[str, str], profiles: Profiles) -> None:
    """What is not known is said once; compute time and tokens are shown by outcome and by project."""
    page = profiles.open(dashboard)
    desk = Desk(page).wait()
    page.get_by_role("tab", name="Tokens and money").click()
    card = costs(page)
    expect(card.get_by_text("Not known of any task here: money.")).to_be_visible()
    expect(card.get_by_role("button", name="Money")).to_have_count(0)
    expect(card.get_by_role("row", name=re.compile("^Failed – in vain"))).to_be_visible()
    expect(card.get_by_role("row", name=re.compile("^of this until the first success"))).to_be_visible()
    expect(card.locator(".bqplot .bar").first).to_be_attached()
    snapshot(page, "costs-7-spending")
    card.get_by_role("button", name="By day").click()
    card.get_by_role("button", name="Tokens").click()
    expect(card.locator(".bqplot").get_by_text("Tokens (")).to_be_visible()
    card.get_by_role("button", name="By project").click()
    card.get_by_role("row").get_by_role("button", name="sales", exact=True).click()
    expect(card.get_by_text("The table shows these tasks.")).to_be_visible()
    expect(desk.row("Costs fine")).to_have_count(1)
    assert lineages


MANY = """
import sys
sys.path.insert(0, {root!r})
from retry_toolkit.panels import FailureDesk
from tests.panels.memory import MemoryPlatform, make_task
chain = [make_task(f"c{{n}}", parent_id=f"c{{n - 1}}" if n else None, minutes_ago=9000 - n) for n in range(2500)]
pairs = [
    make_task(f"p{{n}}-{{k}}", parent_id=f"p{{n}}-0" if k else None, minutes_ago=9999 + 2 * n - k,
              status="succeeded" if k and n % 3 else "failed")
    for n in range(150) for k in (1, 0)
]
FailureDesk(MemoryPlatform.of(*reversed(chain), *pairs), language="en")
"""


@pytest.fixture
def large_desk(own: ExitStack, tmp_path: Path) -> str:
    """A desk in memory with a chain of 2,500 tasks and 150 pairs."""
    code = MANY.format(root=str(Path(__file__).parents[2]))
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "desk",
        "metadata": {},
        "source": code,
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = tmp_path / "large.ipynb"
    notebook.write_text(json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    launcher = replace(find_launcher(), notebook=notebook)
    return own.enter_context(run_dashboard(make_settings(tmp_path), launcher))


def test_too_many_to_draw_at_once(large_desk: str, profiles: Profiles) -> None:
    """One line a lineage, in pages; one is opened at a time by key or arrow; what is not drawn is told."""
    page = profiles.open(large_desk)
    Desk(page).wait()
    card = costs(page)
    expect(card.get_by_text("151 lineages with 2,800 tasks", exact=False)).to_be_visible()
    expect(card.get_by_role("treeitem")).to_have_count(100)
    first = card.get_by_role("treeitem").first
    expect(first).to_have_accessible_name(re.compile("Sales report c0, Failed, 2,500 tasks"))
    expect(first).to_have_attribute("aria-expanded", "false")
    snapshot(page, "costs-9-folded")
    second = card.get_by_role("treeitem").nth(1)
    second.locator(".fd-tree-fold").click()
    expect(card.get_by_role("treeitem")).to_have_count(101)
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(card.get_by_role("treeitem")).to_have_count(2000 + 99)
    expect(card.get_by_text("500 older tasks of the opened lineage are not drawn.")).to_be_visible()
    expect(first).to_be_focused()
    expect(first).to_have_attribute("aria-expanded", "true")
    snapshot(page, "costs-9-opened")
    page.keyboard.press("ArrowLeft")
    expect(card.get_by_role("treeitem")).to_have_count(100)
    card.get_by_role("button", name="Next page").click()
    expect(card.get_by_role("treeitem")).to_have_count(51)
    card.get_by_role("button", name=re.compile("^Recovered")).click()
    expect(card.get_by_text("100 lineages with 200 tasks, the newest first.")).to_be_visible()


@pytest.mark.parametrize("look", [(1680, "dark", "en-US"), (800, "light", "zh-CN")])
def test_it_looks_right(
    dashboard: str, lineages: dict[str, str], profiles: Profiles, look: tuple[int, Literal["light", "dark"], str]
) -> None:
    """Pictures to look at; nothing is wider than its card."""
    width, scheme, locale = look
    page = profiles.open(dashboard, scheme=scheme, locale=locale, size=(width, 900))
    expect(costs(page).get_by_role("treeitem").first).to_be_visible(timeout=60_000)
    for number in range(3):
        page.locator(".fd-costs .lm-TabBar-tab").nth(number).click()
        if number:
            expect(costs(page).locator(".bqplot .bar:visible").first).to_be_visible()
        card, plots = costs(page).bounding_box(), costs(page).locator(".bqplot:visible, .fd-forest:visible")
        box = plots.first.bounding_box()
        assert card is not None
        assert box is not None
        assert box["x"] + box["width"] <= card["x"] + card["width"]
        snapshot(page, f"costs-8-{width}-{number}")
    assert lineages

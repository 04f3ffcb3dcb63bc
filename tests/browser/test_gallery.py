"""The gallery as a page: every panel in every state, light and dark, English and Chinese, and what axe-core says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from retry_toolkit.dashboard import find_launcher
from retry_toolkit.panels.gallery import GALLERY
from tests.browser.axe import grave_findings
from tests.browser.chromium import OUTPUT, Guard, Profiles
from tests.browser.desk import FIRST_ROWS_MS
from tests.browser.stack import make_settings, run_dashboard

pytestmark = pytest.mark.browser

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "gallery.ipynb"
HEADINGS = [f"{panel}: {shown.title}" for panel, states in GALLERY.items() for shown in states]
Scheme = Literal["light", "dark"]
# Names of tasks in the drawings of lineages that run into what stands behind them.
TOO_LONG = """() => [...document.querySelectorAll(".fd-forest .fd-tree-row")].flatMap((row) => {
  const name = row.querySelector(".fd-tree-name");
  const ends = Number(name.parentNode.getAttribute("x")) + name.getComputedTextLength();
  return ends > Number(row.querySelector("tspan[x]").getAttribute("x")) ? [name.textContent] : [];
})"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the gallery."""
    launcher = replace(find_launcher(), notebook=NOTEBOOK)
    with run_dashboard(make_settings(tmp_path_factory.mktemp("gallery")), launcher) as url:
        yield url


def wait(page: Page) -> None:
    """Return when the last state is drawn."""
    for heading in HEADINGS:
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible(timeout=2 * FIRST_ROWS_MS)


@pytest.mark.timeout(600)  # axe-core over some fifty panels, four times as long on a busy machine
@pytest.mark.parametrize(("locale", "widths"), [("en-US", (1280, 1680)), ("zh-CN", (800, 1280))])
def test_every_state_is_drawn_and_accessible(
    gallery: str, profiles: Profiles, locale: str, widths: tuple[int, int]
) -> None:
    """No request leaves, nothing is logged as an error, and axe-core finds nothing serious; pictures are kept."""
    page = profiles.open(gallery, locale=locale, size=(widths[0], 1000))
    wait(page)
    look(page, "light", locale, widths[0])
    page.set_viewport_size({"width": widths[1], "height": 1000})
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    look(page, "dark", locale, widths[1])


def look(page: Page, scheme: Scheme, locale: str, width: int) -> None:
    """Keep a picture of each panel, and ask axe-core."""
    for number, panel in enumerate(GALLERY):
        name = f"gallery-{panel}-{scheme}-{locale[:2]}-{width}.png"
        page.locator(".fd-gallery").nth(number).screenshot(path=OUTPUT / name)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(TOO_LONG) == []
    assert grave_findings(page) == []


def test_a_state_can_be_touched(gallery: str, profiles: Profiles, guard: Guard) -> None:
    """Buttons of the samples answer, and send nothing."""
    page = profiles.open(gallery)
    wait(page)
    page.get_by_role("button", name="Go on", exact=True).first.click()
    expect(page.get_by_role("status").filter(has_text="This page does not have that batch any more")).to_be_visible()
    away = page.locator(".fd-away")
    away.get_by_role("button", name="Show").click()
    expect(away).to_have_count(0)
    assert guard.errors == []

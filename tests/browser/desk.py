"""The failure desk as a user sees it: everything is found by its role and its visible name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

# A cold kernel on a busy machine loads pandas before the first row is there.
FIRST_ROWS_MS = 60_000


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk on a page, in English."""

    page: Page

    @property
    def table(self) -> Locator:
        """The table of tasks."""
        return self.page.get_by_role("grid", name="Tasks")

    def wait(self) -> Desk:
        """Return when the table shows tasks."""
        expect(self.table.get_by_role("checkbox").nth(1)).to_be_visible(timeout=FIRST_ROWS_MS)
        return self

    def search(self, text: str) -> None:
        """Type into the search field; return when the table shows nothing else, so that no row moves under a click."""
        self.page.get_by_role("textbox", name="Search", exact=True).fill(text)
        self.page.get_by_role("textbox", name="Search", exact=True).press("Enter")
        expect(self.table.locator("tr[data-id]").filter(has_not_text=text)).to_have_count(0)

    def row(self, title: str) -> Locator:
        """Rows of the table that show this title."""
        return self.table.get_by_role("row").filter(has=self.page.get_by_text(title, exact=True))

    def open(self, title: str) -> None:
        """Open the report of a task by clicking its row."""
        self.row(title).get_by_text(title, exact=True).click()
        expect(self.page.get_by_role("heading", name=title, exact=True)).to_be_visible()

    def select(self, *titles: str) -> None:
        """Tick the boxes of these tasks."""
        for title in titles:
            self.page.get_by_role("checkbox", name=f"Select {title}", exact=True).click()

    def stage(self, name: str, status: str) -> Locator:
        """A stage of the strip, in that status."""
        return self.page.get_by_role("button", name=re.compile(f"^{name}: {status}"))

    def press(self, name: str) -> None:
        """Press the button of that name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def confirm(self, title: str, *lines: str, answer: str) -> None:
        """Read the confirmation, then give the answer."""
        question = self.page.get_by_role("region", name=title)
        for line in lines:
            expect(question).to_contain_text(line)
        question.get_by_role("button", name=answer, exact=True).click()

    @property
    def outcome(self) -> Locator:
        """What became of the retry."""
        return self.page.get_by_role("region", name="What became of the retry")

"""Chromium that can reach this machine only, and a guard that watches what a page does."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright

OFFLINE = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
INSIDE = frozenset({"data", "blob", "about"})
TIMEOUT_MS = 30_000
OUTPUT = Path(__file__).parents[2] / "test-output" / "browser"


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium, without a way to any other host."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
    return playwright.chromium.launch(executable_path=path, args=list(OFFLINE))


@dataclass
class Guard:
    """Everything that a page asked for and every error that it logged."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    tolerated: list[re.Pattern[str]] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Record from now on."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", lambda socket: self.requests.append(socket.url))
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text} ({message.location.get('url', '')})")

    def tolerate(self, pattern: str) -> None:
        """Expect errors of this kind, in a story that breaks something on purpose."""
        self.tolerated.append(re.compile(pattern))

    def outside(self) -> list[str]:
        """Requests that left this machine."""
        return [url for url in self.requests if not _stays(url)]

    def unexpected(self) -> list[str]:
        """Errors that no story asked for."""
        return [error for error in self.errors if not any(pattern.search(error) for pattern in self.tolerated)]


def _stays(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in INSIDE or parts.hostname == "127.0.0.1"


@dataclass
class Profiles:
    """Browser profiles of one test."""

    browser: Browser
    guard: Guard
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        url: str,
        *,
        scheme: Literal["light", "dark"] = "light",
        locale: str = "en-US",
        size: tuple[int, int] = (1280, 900),
    ) -> Page:
        """The page at `url` in a new profile, watched from its first request on; it may still be loading."""
        context = self.browser.new_context(
            color_scheme=scheme, locale=locale, viewport={"width": size[0], "height": size[1]}
        )
        self.contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        self.guard.watch(page)
        page.goto(url, wait_until="commit")
        return page

    def close(self) -> None:
        """Close every profile."""
        for context in self.contexts:
            context.close()


def snapshot(page: Page, name: str) -> None:
    """Keep what the user sees under `test-output/browser/<name>.png`."""
    page.screenshot(path=OUTPUT / f"{name}.png", full_page=True)

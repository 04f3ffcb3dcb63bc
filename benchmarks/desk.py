"""How long the desk makes its user wait: `python -m benchmarks.desk [--tasks N]`, in a real browser.

The published page on a history of N tasks; the time from an event of the user (a key, a click) to the frame in which
the new rows are painted, told by the browser's own clock. The baseline is the same desk on a history of 1,000 tasks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks import report
from retry_toolkit.dashboard import dashboard_command, dashboard_environment, dashboard_url, wait_until_ready
from retry_toolkit.settings import load_settings

BASELINE = 1_000
TRIES = 6
LOADING_S = 1_800
SETTLE_MS = 20_000
DOCUMENT_SECTION = "desk"

# Resolves when the rows differ from those before the event and have been painted.
_WATCH = """() => {
  const grid = document.querySelector('[role=grid]');
  const shown = () => grid.textContent;
  const before = shown();
  let began = null;
  const begin = (event) => { began ??= event.timeStamp; };
  for (const kind of ['keydown', 'pointerdown', 'change']) window.addEventListener(kind, begin, true);
  window.waited = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('the rows stayed as they were')), 20000);
    const look = () => {
      if (began !== null && shown() !== before) requestAnimationFrame(() => resolve(performance.now() - began));
      else requestAnimationFrame(look);
    };
    look();
  });
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Milliseconds of each action (medians), seconds until all is loaded, and megabytes of the kernel."""

    tasks: int
    loaded_s: float
    kernel_mb: float
    actions: dict[str, float]


def main() -> None:
    """Measure both histories and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.desk", description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="tasks of the history")
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    options = parser.parse_args()
    few, many = measure(BASELINE), measure(options.tasks)
    text = table(few, many)
    sys.stdout.write(f"{text}\n")
    if options.write:
        report.write_section(DOCUMENT_SECTION, text)


def table(few: Waits, many: Waits) -> str:
    """Both side by side."""
    lines = [("from the event to new rows", f"{few.tasks:,} tasks", f"{many.tasks:,} tasks")]
    lines += [(name, f"{few.actions[name]:.0f} ms", f"{many.actions[name]:.0f} ms") for name in many.actions]
    lines += [("opening, until everything is loaded", f"{few.loaded_s:.1f} s", f"{many.loaded_s:.1f} s")]
    lines += [("memory of the kernel", f"{few.kernel_mb:.0f} MB", f"{many.kernel_mb:.0f} MB")]
    return report.grid(lines)


def measure(tasks: int) -> Waits:
    """The waits on a history of so many tasks."""
    with tempfile.TemporaryDirectory(prefix="retry-toolkit-bench-") as home, _history(tasks) as url:
        settings = load_settings(home=Path(home), url=url, dashboard_port=free_port(), read_only=True)
        with running(dashboard_command(settings), dashboard_environment(settings)) as dashboard:
            wait_until_ready(settings, dashboard)
            return _in_browser(dashboard_url(settings), tasks, dashboard.pid)


def _in_browser(url: str, tasks: int, dashboard: int) -> Waits:
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(locale="en-US", viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        page.goto(url, wait_until="commit")
        page.get_by_role("grid").get_by_role("checkbox").nth(1).wait_for(timeout=LOADING_S * 1000)
        loaded_s = time.monotonic() - began
        # Causes, past retries and disk cost are worked out aside when the rows are there already.
        page.wait_for_timeout(SETTLE_MS)
        actions = {name: _median(page, name) for name in _ACTIONS}
        kernel_mb = max(child.memory_info().rss for child in psutil.Process(dashboard).children(recursive=True)) / 1e6
        browser.close()
    return Waits(tasks=tasks, loaded_s=loaded_s, kernel_mb=kernel_mb, actions=actions)


def _search(page: Page, number: int) -> None:
    page.get_by_role("textbox", name="Search", exact=True).press(str(3 + number % 6))


def _choose(page: Page, number: int) -> None:
    page.get_by_label("Failed stage", exact=True).select_option(index=1 + number % 5)


def _sort(page: Page, number: int) -> None:
    names = ("Duration", "Error", "Task", "Owner")
    page.get_by_role("columnheader").get_by_role("button", name=names[number % 4], exact=True).click()


def _turn(page: Page, number: int) -> None:
    del number
    page.locator(".fd-next").click()  # the lineages have a button of this name, too


def _reset(page: Page) -> None:
    reset = page.get_by_role("button", name="Reset filters")
    if reset.count():
        reset.click()
    page.wait_for_timeout(1_500)


_ACTIONS = {
    "a key typed into the search": _search,
    "another failed stage chosen": _choose,
    "sorted by another column": _sort,
    "the next page": _turn,
}


def _median(page: Page, name: str) -> float:
    waits = []
    for number in range(TRIES):
        page.evaluate(_WATCH)
        _ACTIONS[name](page, number)
        waits.append(float(page.evaluate("() => window.waited")))
        if name.startswith("a key"):
            page.get_by_role("textbox", name="Search", exact=True).fill("")
            page.wait_for_timeout(500)
    _reset(page)
    return median(waits)


@contextmanager
def _history(tasks: int) -> Iterator[str]:
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.history_server", str(port), str(tasks)], dict(os.environ)):
        deadline = time.monotonic() + 30
        while not port_answers(port):
            assert time.monotonic() < deadline, "the history does not answer"
            time.sleep(0.05)  # between two looks at a process that starts
        yield f"http://127.0.0.1:{port}/api/v1"


@contextmanager
def running(
    command: list[str], environment: dict[str, str], directory: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process; it and all that it started are gone afterwards."""
    process = subprocess.Popen(
        command, env=environment, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            for member in (psutil.Process(process.pid), *family):
                member.kill()
        process.wait()


def port_answers(port: int) -> bool:
    """Whether somebody listens at a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()

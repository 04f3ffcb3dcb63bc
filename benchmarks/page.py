"""What a page of tasks weighs and how long it takes to come up: `python -m benchmarks.page`, in a real browser.

The same frame in a cold page, shown by our panel, by itables and by ipydatagrid, and a page with one word on it: what
Voila itself takes. Our pages, the one with the word included, use the project's own template; the others use the stock
one, which brings the scripts of every installed extension. The first rows are there when the browser has painted them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Final

from playwright.sync_api import Browser, CDPSession, Page, WebSocket, sync_playwright

from benchmarks import report
from benchmarks.desk import free_port, port_answers, running
from benchmarks.generate import tasks
from retry_toolkit.dashboard import Launcher, dashboard_command, dashboard_environment
from retry_toolkit.settings import load_settings

SIZES: Final = (10_000, 100_000)
RUNS: Final = 3
MOST_SCRIPT: Final = 6_000_000
MOST_SLOWER: Final = 1.5
DOCUMENT_SECTION: Final = "page"
_PATIENCE_MS: Final = 300_000
_QUIET_MS: Final = 1_500
_ROOT: Final = Path(__file__).parent.parent
_OFFLINE: Final = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to show a frame: the cell that does it, and what is there when its first rows are."""

    name: str
    cell: str
    shown: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One page: seconds until the first rows, bytes of script, bytes of the document and of what the kernel sent."""

    first_rows_s: float
    script: int
    data: int


class Received:
    """Bytes that a page has received, however many: the browser does not keep the bodies of them all."""

    def __init__(self, session: CDPSession) -> None:
        self._kinds: dict[str, str] = {}
        self._sizes: Counter[str] = Counter()
        session.on("Network.responseReceived", self._begin)
        session.on("Network.dataReceived", self._add)
        session.send("Network.enable")

    def of(self, kind: str) -> int:
        """Of what the browser calls a `Script`, a `Document`, ..."""
        return sum(size for request, size in self._sizes.items() if self._kinds.get(request) == kind)

    def _begin(self, told: dict[str, str]) -> None:
        self._kinds[told["requestId"]] = told["type"]

    def _add(self, told: dict[str, Any]) -> None:
        self._sizes[told["requestId"]] += told["dataLength"]


EMPTY: Final = Kind(
    name="a word, nothing else", cell="import ipywidgets\nipywidgets.Label('ready')", shown="text=ready", ours=True
)
KINDS: Final = (
    Kind(
        name="retry_toolkit",
        cell="from retry_toolkit.panels import TriagePanel\nTriagePanel(frame)",
        shown="[role=grid] tbody tr[data-id]",
        ours=True,
    ),
    Kind(
        name="itables",
        cell="import itables\nitables.init_notebook_mode(connected=False)\nitables.show(frame, maxBytes=0)",
        shown="table.dataTable tbody tr td >> nth=1",
        ours=False,
    ),
    Kind(
        name="ipydatagrid",
        cell="from ipydatagrid import DataGrid\nDataGrid(frame)",
        shown=".lm-DataGrid canvas >> nth=0",
        ours=False,
    ),
)


def main() -> int:
    """0 where our pages keep their bounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table to docs/performance.md")
    options = parser.parse_args()
    if missing := [kind.name for kind in KINDS if find_spec(kind.name) is None]:
        parser.error(f"not installed: {', '.join(missing)}; pip install -c constraints.txt -e '.[bench]'")
    with tempfile.TemporaryDirectory(prefix="retry-toolkit-bench-") as folder:
        measured = dict(_measure(Path(folder)))
    text = table(measured)
    sys.stdout.write(f"{text}\n")
    if options.write:
        report.write_section(DOCUMENT_SECTION, text)
    return 0 if keeps(measured) else 1


def keeps(measured: dict[tuple[str, int], Weight]) -> bool:
    """Whether our pages come up nearly as fast as an empty one, with little script."""
    empty = measured[EMPTY.name, 0]
    ours = [weight for (name, _), weight in measured.items() if name == KINDS[0].name]
    return all(
        weight.script <= MOST_SCRIPT and weight.first_rows_s <= MOST_SLOWER * empty.first_rows_s for weight in ours
    )


def table(measured: dict[tuple[str, int], Weight]) -> str:
    """One line a page."""
    empty = measured[EMPTY.name, 0].first_rows_s
    lines = [("page", "rows", "first rows after", "against a word", "script", "document and data")]
    lines += [
        (
            name,
            f"{rows:,}" if rows else "–",
            f"{weight.first_rows_s:.1f} s",
            f"{weight.first_rows_s / empty:.2f}",
            f"{weight.script / 1e6:.1f} MB",
            f"{weight.data / 1e3:,.0f} kB",
        )
        for (name, rows), weight in measured.items()
    ]
    return report.grid(lines)


def _measure(folder: Path) -> Iterator[tuple[tuple[str, int], Weight]]:
    pages = [(EMPTY, 0), *((kind, size) for kind in KINDS for size in SIZES)]
    for size in SIZES:
        tasks(size).to_parquet(folder / f"{size}.parquet")
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=path, args=list(_OFFLINE))
        for kind, size in pages:
            with _served(kind, size, folder) as url:
                weights = [_open(browser, url, kind) for _ in range(RUNS)]
            sys.stderr.write(f"{kind.name} {size}: {weights}\n")
            yield (kind.name, size), _middle(weights)
        browser.close()


def _middle(weights: Sequence[Weight]) -> Weight:
    def of(value: Callable[[Weight], float]) -> float:
        return median(map(value, weights))

    return Weight(
        first_rows_s=of(lambda weight: weight.first_rows_s),
        script=int(of(lambda weight: weight.script)),
        data=int(of(lambda weight: weight.data)),
    )


def _open(browser: Browser, url: str, kind: Kind) -> Weight:
    """A page in a profile that has nothing cached."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    received = Received(context.new_cdp_session(page))
    sent: list[int] = []
    page.on("websocket", lambda socket: _count(socket, sent))
    began = time.monotonic()
    page.goto(url, wait_until="commit", timeout=_PATIENCE_MS)
    page.locator(kind.shown).first.wait_for(timeout=_PATIENCE_MS)
    _painted(page)
    took = time.monotonic() - began
    # What comes after the first rows belongs to the page too.
    page.wait_for_load_state("networkidle", timeout=_PATIENCE_MS)
    page.wait_for_timeout(_QUIET_MS)
    script, document = received.of("Script"), received.of("Document")
    context.close()
    return Weight(first_rows_s=took, script=script, data=document + sum(sent))


def _painted(page: Page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _count(socket: WebSocket, sent: list[int]) -> None:
    socket.on("framereceived", lambda frame: sent.append(len(frame)))


@contextmanager
def _served(kind: Kind, size: int, folder: Path) -> Iterator[str]:
    """Voila with one notebook, as its own process."""
    notebook = folder / f"{kind.name.replace(' ', '_')}-{size}.ipynb"
    read = f"import pandas as pd\nframe = pd.read_parquet({str(folder / f'{size}.parquet')!r})\n" if size else ""
    notebook.write_text(json.dumps(_notebook(read + kind.cell)), encoding="utf-8")
    settings = load_settings(home=folder / "home", dashboard_port=free_port())
    url = f"http://127.0.0.1:{settings.dashboard_port}/"
    command = [sys.executable, "-m", "voila", str(notebook), "--no-browser", f"--port={settings.dashboard_port}"]
    if kind.ours:
        command = dashboard_command(settings, Launcher(notebook, _ROOT, _ROOT / "share" / "jupyter"))
    environment = dashboard_environment(settings)
    # Whoever installs a package has its modules compiled; a page is not to wait for that each time.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # Elsewhere than here: Voila takes the voila.json of the directory in which it starts.
    with running(command, environment, folder):
        deadline = time.monotonic() + 60
        while not port_answers(settings.dashboard_port):
            assert time.monotonic() < deadline, "Voila does not answer"
            time.sleep(0.05)  # between two looks at a process that starts
        yield url


def _notebook(code: str) -> dict[str, object]:
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "only",
        "metadata": {},
        "source": code,
        "execution_count": None,
        "outputs": [],
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    sys.exit(main())

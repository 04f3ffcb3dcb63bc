"""The page that our Voilà template makes, with a notebook of a few widgets on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from retry_toolkit.dashboard import Launcher, find_launcher
from tests.browser.chromium import Guard, Profiles
from tests.browser.stack import make_settings, run_dashboard

pytestmark = pytest.mark.browser

PROBE = """
import os
import anywidget, bqplot, ipywidgets, traitlets

class Counter(anywidget.AnyWidget):
    _esm = '''export default { render({ model, el }) {
      const button = document.createElement("button");
      const show = () => { button.textContent = `count ${model.get("count")}`; };
      button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
      model.on("change:count", show);
      show();
      el.append(button);
    } }'''
    count = traitlets.Int(0).tag(sync=True)

counter, seen = Counter(), ipywidgets.Label("nothing yet")
counter.observe(lambda change: setattr(seen, "value", f"Python saw {change.new}"), "count")
scale, steps = bqplot.LinearScale(), bqplot.OrdinalScale()
bars = bqplot.Bars(x=["one", "two"], y=[1, 2], scales={"x": steps, "y": scale})
chart = bqplot.Figure(marks=[bars], axes=[bqplot.Axis(scale=steps)], title="A chart")
known = ipywidgets.Label("Settings: " + " ".join(sorted(k for k in os.environ if k.startswith("RETRY_TOOLKIT_"))))
asked = ipywidgets.Label("Language: " + os.environ.get("HTTP_ACCEPT_LANGUAGE", ""))
ipywidgets.VBox([counter, seen, known, asked, chart])
"""
SLOW = """
import anywidget, ipywidgets, traitlets

class Slow(anywidget.AnyWidget):
    # As long as a busy machine may take.
    _esm = '''const end = Date.now() + 2500; while (Date.now() < end);
    export default { render({ model, el }) {
      const button = document.createElement("button");
      const show = () => { button.textContent = `${model.get("name")} ${model.get("count")}`; };
      button.onclick = () => { model.set("count", model.get("count") + 1); model.save_changes(); };
      model.on("change:count", show);
      show();
      el.append(button);
    } }'''
    name = traitlets.Unicode().tag(sync=True)
    count = traitlets.Int(0).tag(sync=True)

asked, answer = Slow(name="asked"), Slow(name="answer")
asked.observe(lambda change: setattr(answer, "count", 10 * change.new), "count")
ipywidgets.VBox([asked, answer])
"""
BROKEN = 'raise ValueError("secret words of a traceback")'


def write_notebook(path: Path, source: str) -> Launcher:
    """A launcher for a notebook of one cell."""
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "only",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": source,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook: dict[str, Any] = {"cells": [cell], "metadata": {"kernelspec": kernel, "title": "Probe"}}
    path.write_text(json.dumps(notebook | {"nbformat": 4, "nbformat_minor": 5}), "utf-8")
    return replace(find_launcher(), notebook=path)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a page with one widget of each kind."""
    home = tmp_path_factory.mktemp("probe")
    with run_dashboard(make_settings(home), write_notebook(home / "probe.ipynb", PROBE)) as url:
        yield url


def test_widgets_work_with_no_other_host(probe: str, profiles: Profiles) -> None:
    """Our own widget, a stock one and a chart come up and talk to Python; the guard sees that nothing leaves."""
    page = profiles.open(probe)
    page.get_by_role("button", name="count 0").click()
    expect(page.get_by_text("Python saw 1")).to_be_visible()
    expect(page.get_by_text("A chart")).to_be_visible()
    expect(page).to_have_title("Probe")


def test_the_first_load_is_light(probe: str, profiles: Profiles) -> None:
    """Everything that the page asks for at its first load: a third of what Voilà loads by itself."""
    page = profiles.open(probe)
    expect(page.get_by_text("A chart")).to_be_visible()
    sizes = page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.encodedBodySize)")
    assert 1_000_000 < sum(sizes) < 6_000_000
    assert len(sizes) < 120


def test_a_skeleton_stands_until_the_widgets_are_drawn(probe: str, profiles: Profiles) -> None:
    """The first thing on the screen says what is going on, in the browser's language; then it is gone."""
    page = profiles.open(probe, locale="zh-CN")
    expect(page.get_by_role("status")).to_contain_text("正在读取任务")
    expect(page.locator("html")).to_have_attribute("lang", "zh")
    expect(page.get_by_role("button", name="count 0")).to_be_visible()
    expect(page.get_by_role("status")).to_have_count(0)


def test_kernels_know_the_reader_s_language_and_no_secret(probe: str, profiles: Profiles) -> None:
    """`auto` can follow the browser; of the settings, only those for `connect()` arrive."""
    page = profiles.open(probe, locale="zh-CN")
    expect(page.get_by_text("Language: zh-CN")).to_be_visible()
    known = ("API_PORT", "HOME", "HOST", "LANGUAGE", "READ_ONLY")
    expect(page.get_by_text("Settings:")).to_have_text(
        "Settings: " + " ".join(f"RETRY_TOOLKIT_{name}" for name in known)
    )


def test_the_page_follows_the_system_s_theme(probe: str, profiles: Profiles) -> None:
    """Dark from the first paint on, and light again when the system changes."""
    page = profiles.open(probe, scheme="dark")
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(17, 17, 17)")
    expect(page.get_by_role("button", name="count 0")).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    page.emulate_media(color_scheme="light")
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "true")


def test_no_inline_script_runs(probe: str, profiles: Profiles, guard: Guard) -> None:
    """Text that becomes markup by a mistake of ours still cannot act."""
    guard.tolerate("Content Security Policy")
    page = profiles.open(probe)
    expect(page.get_by_role("button", name="count 0")).to_be_visible()
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", '<img src="data:," onerror="window.ran = true">');
        }"""
    )
    expect(page.locator('img[src="data:,"]')).to_have_count(1)
    assert page.evaluate("window.ran") is None
    assert len(guard.errors) >= 2


def test_the_address_changes_neither_template_nor_theme(probe: str, profiles: Profiles) -> None:
    """Parameters of the address are ignored."""
    page = profiles.open(f"{probe}?template=lab&theme=dark")
    expect(page.get_by_role("button", name="count 0")).to_be_visible()
    expect(page.locator("body")).to_have_attribute("data-theme", "system")


def test_an_uncaught_error_is_told_in_words(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """A launcher that fails shows what to do in both languages and no traceback, whatever the user's own Voilà does."""
    (tmp_path / ".jupyter").mkdir()
    (tmp_path / ".jupyter" / "voila.json").write_text('{"VoilaConfiguration": {"show_tracebacks": true}}', "utf-8")
    launcher = write_notebook(tmp_path / "broken.ipynb", BROKEN)
    page = profiles.open(own.enter_context(run_dashboard(make_settings(tmp_path), launcher)))
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The dashboard could not start.")
    expect(alert).to_contain_text("面板无法启动。")
    assert "secret words" not in page.content()
    assert "Traceback" not in page.content()


def test_a_part_that_takes_long_to_begin_still_follows(tmp_path: Path, own: ExitStack, profiles: Profiles) -> None:
    """On a busy machine a widget may need more than the two seconds that anywidget gives it."""
    settings = make_settings(tmp_path)
    url = own.enter_context(run_dashboard(settings, write_notebook(tmp_path / "slow.ipynb", SLOW)))
    page = profiles.open(url)
    page.get_by_role("button", name="asked 0").click()
    expect(page.get_by_role("button", name="answer 10")).to_be_visible()


def test_a_page_that_lost_its_dashboard_says_so(tmp_path: Path, profiles: Profiles, guard: Guard) -> None:
    """A page whose kernel is gone looks alive: it must say that it is not, and offer the way out."""
    guard.tolerate("WebSocket|ERR_CONNECTION_REFUSED|Failed to load resource")
    with run_dashboard(make_settings(tmp_path), write_notebook(tmp_path / "probe.ipynb", PROBE)) as url:
        page = profiles.open(url)
        page.get_by_role("button", name="count 0").click()
        expect(page.get_by_text("Python saw 1")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("alert")).to_contain_text("lost its connection")
    expect(page.get_by_role("button", name="Load the page again")).to_be_visible()
    expect(page.get_by_role("button", name="count 1")).to_be_visible()


def test_other_names_of_the_machine_are_refused(probe: str) -> None:
    """A page of another site that points its name at this machine reads nothing (DNS rebinding)."""
    answer = httpx.get(probe, headers={"Host": "attacker.example"}, trust_env=False)
    assert answer.status_code == 403
    assert "This address is not allowed" in answer.text
    assert "仅限本机访问" in answer.text


@pytest.mark.parametrize("path", ["probe.ipynb", "dashboard.log", "voila/files/probe.ipynb", "../dashboard.log"])
def test_there_is_nothing_but_the_dashboard(probe: str, path: str) -> None:
    """Neither the notebook nor any file beside it is served."""
    answer = httpx.get(probe + path, follow_redirects=True, trust_env=False)
    assert answer.status_code in {403, 404}
    assert "anywidget" not in answer.text

"""The page: what it shows, what its buttons do, and what never gets onto it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from retry_toolkit.errors import Unavailable, Unreachable
from retry_toolkit.panels import FailureDesk
from retry_toolkit.panels.opening import OpeningDesk
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.widgets.filters import FilterBar
from retry_toolkit.panels.widgets.fragment import Fragment
from retry_toolkit.panels.widgets.markup import el
from retry_toolkit.panels.widgets.token import TokenField
from retry_toolkit.platforms.base import Platform
from retry_toolkit.retry.archive import Archive
from tests.panels.background import AtOnce
from tests.panels.conftest import rest
from tests.panels.memory import MemoryPlatform, make_task
from tests.retry.ledger import QUICK

MakePage = Callable[..., FailureDesk]

HOSTILE = "<img src=x onerror=alert(1)></pre><script>alert(1)</script>{{7*7}}"


def widgets_of(widget: Any) -> Iterator[Any]:
    """A widget and all that it holds."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_of(child)


def fragments(page: Any) -> list[Fragment]:
    """The pieces of the page."""
    return [widget for widget in widgets_of(page) if isinstance(widget, Fragment)]


def walk(nodes: Any) -> Iterator[list[Any]]:
    """Every element of some nodes."""
    for node in nodes:
        if isinstance(node, list):
            yield node
            yield from walk(node[2])


def text_of(page: Any) -> str:
    """All text of the page's pieces."""

    def texts(nodes: Any) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, str):
                yield node
            else:
                yield from texts(node[2])

    return " ".join(text for fragment in fragments(page) for text in texts(fragment.nodes))


def press(page: Any, action: str, value: str | None = None) -> None:
    """Click the button of that action, wherever it is; it must be there and open."""
    for fragment in fragments(page):
        for _tag, attributes, _children in walk(fragment.nodes):
            if attributes.get("data-action") == action and value in {None, attributes.get("data-value")}:
                assert "disabled" not in attributes
                fragment._handle_custom_msg({"action": action, "value": attributes.get("data-value")}, [])
                return
    raise AssertionError(f"no button {action}")


@pytest.fixture
def desk_of(archive: Archive) -> Iterator[MakePage]:
    """Makes a desk in English, with work done at once; each pause of its watching is a step of the platform."""
    made: list[FailureDesk] = []

    def make(platform: MemoryPlatform, **options: Any) -> FailureDesk:
        desk = FailureDesk(
            platform,
            language="en",
            background=AtOnce(),
            pause=lambda _seconds: platform.advance(),
            archive=archive,
            timing=QUICK,
            **options,
        )
        made.append(desk)
        return desk

    yield make
    for desk in made:
        rest(desk.state)
        desk.close()


def confirm(desk: FailureDesk) -> None:
    """Press the button that confirms, and wait until the batch has done what it can."""
    press(desk.widget, "confirm")
    rest(desk.state)


@pytest.fixture
def platform() -> MemoryPlatform:
    """One failed task."""
    return MemoryPlatform.of(make_task("a", retry_count=1), advances_when_read=True)


@pytest.fixture
def desk(desk_of: MakePage, platform: MemoryPlatform) -> FailureDesk:
    """A desk in English, with work done at once."""
    return desk_of(platform)


def test_the_story_of_a_stage_retry(desk: FailureDesk, platform: MemoryPlatform) -> None:
    """Open, ask, read the question, say yes, read what became of it."""
    desk.state.report.open("a")
    assert "KeyError: column 'amount' is missing" in text_of(desk.widget)
    press(desk.widget, "stage")
    question = text_of(desk.widget)
    assert "Stage join is reset and runs again in the same task." in question
    assert "Stays as it is: validate, clean." in question
    assert "This is retry 2 of 3." in question
    assert platform.called("retry_stage") == []
    confirm(desk)
    assert "The stage was submitted again" in text_of(desk.widget)
    assert "Recovered" in text_of(desk.widget)
    assert len(platform.called("retry_stage")) == 1


def test_the_story_of_a_whole_retry(desk: FailureDesk) -> None:
    """The seeds' words, in Chinese."""
    desk.state.session.speak("zh")
    desk.state.report.open("a")
    press(desk.widget, "whole")
    question = text_of(desk.widget)
    assert "确定要重新执行此任务吗？" in question
    assert "将使用相同的参数重新提交任务" in question
    assert "复制 5 个文件（1.2 MB）" in question
    confirm(desk)
    outcome = text_of(desk.widget)
    assert "任务已重新提交！" in outcome
    assert "新任务ID:" in outcome
    assert "已复制 5 个文件" in outcome


def test_a_batch_is_told_item_by_item(desk: FailureDesk, platform: MemoryPlatform) -> None:
    """The platform's own words stand beside the explanation."""
    desk.state.table.toggle("a")
    press(desk.widget, "propose")
    assert "KeyError: column" in text_of(desk.widget)
    platform.refusals["a"] = "task status is running"
    confirm(desk)
    told = text_of(desk.widget)
    assert "1 of 1 settled" in told
    assert "= 1" in told
    assert "The task is still running." in told
    assert "task status is running" in told


def test_hostile_text_stays_text(desk_of: MakePage) -> None:
    """Wherever a platform's words stand, they are text nodes: no markup of theirs is in any tag or attribute name."""
    task = make_task(
        HOSTILE, error=HOSTILE, name=HOSTILE, owner=HOSTILE, template=HOSTILE, project=HOSTILE, parent_id=HOSTILE + "p"
    )
    platform = MemoryPlatform.of(
        task, make_task(HOSTILE + "p"), log_lines=(HOSTILE,), refusals={HOSTILE: HOSTILE}, advances_when_read=True
    )
    desk = desk_of(platform)
    desk.state.report.open(HOSTILE)
    desk.state.table.select_matching()
    desk.state.retry.propose_batch()
    confirm(desk)
    desk.state.session.notices.report(ValueError(HOSTILE))
    shown = [node for fragment in fragments(desk.widget) for node in walk(fragment.nodes)]
    assert HOSTILE in text_of(desk.widget)
    assert all("<" not in tag and "<" not in "".join(attributes) for tag, attributes, _ in shown)
    assert not [attributes for _, attributes, _ in shown if {name for name in attributes if name.startswith("on")}]
    html = [widget.value for widget in widgets_of(desk.widget) if type(widget).__name__ == "HTML"]
    assert HOSTILE not in "".join(html)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_broken_callback_is_told_on_the_page(desk: FailureDesk, platform: MemoryPlatform, language: str) -> None:
    """An error in a callback would vanish; here it is an alert with an explanation, until it is dismissed."""
    desk.state.session.speak(language)  # type: ignore[arg-type]  # parametrize gives plain strings
    platform.breaks["tasks"] = Unavailable("no answer", detail="overloaded: try later")
    press(desk.widget, "refresh")
    assert "overloaded: try later" in text_of(desk.widget)
    platform.breaks["tasks"] = ZeroDivisionError("a mistake of ours")
    press(desk.widget, "refresh")
    assert "ZeroDivisionError: a mistake of ours" in text_of(desk.widget)
    assert "Traceback" not in text_of(desk.widget).replace("Traceback (most", "")
    assert [
        node for fragment in fragments(desk.widget) for node in walk(fragment.nodes) if node[1].get("role") == "alert"
    ]
    press(desk.widget, "dismiss")
    assert desk.state.session.notices.items == ()


def test_figures_filter_the_list(desk: FailureDesk) -> None:
    """A figure that names a set of tasks shows it."""
    press(desk.widget, "filter", "at_limit")
    assert desk.state.table.filters.refusal == "limit_reached"
    assert "Not retryable: at its retry limit" in text_of(desk.widget)
    press(desk.widget, "drop", "refusal")
    assert desk.state.table.filters.refusal is None
    press(desk.widget, "filter", "running")
    assert desk.state.table.filters.status == "active"


def test_inputs_and_filters_follow_each_other(desk: FailureDesk) -> None:
    """In both directions, without echo."""
    (bar,) = [widget for widget in widgets_of(desk.widget) if isinstance(widget, FilterBar)]
    for serial, (name, value) in enumerate([("status", ""), ("text", "sales"), ("retryable_only", True)], start=1):
        bar._handle_custom_msg({"name": name, "value": value, "serial": serial}, [])
        assert bar.bar["heard"] == serial
    filters = desk.state.table.filters
    assert (filters.status, filters.text, filters.retryable_only) == (None, "sales", True)
    desk.state.table.reset()
    status = bar.bar["fields"][0]
    assert (status["value"], bar.bar["text"], bar.bar["retryable_only"]) == ("=failed", "", False)
    desk.state.session.speak("zh")
    status = bar.bar["fields"][0]
    assert status["label"] == "状态"
    assert ["=failed", "失败（1）"] in status["options"]


def test_a_read_only_page_says_so_and_closes_its_buttons(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """The badge, the reason, the disabled buttons; fired all the same, they do nothing but say why."""
    platform.read_only = True
    desk = desk_of(platform)
    desk.state.report.open("a")
    assert "Read only" in text_of(desk.widget)
    assert "This page only reads." in text_of(desk.widget)
    for fragment in fragments(desk.widget):
        for _tag, attributes, _children in list(walk(fragment.nodes)):
            if attributes.get("data-action") in {"stage", "whole", "propose"}:
                assert "disabled" in attributes
                fragment._handle_custom_msg({"action": attributes["data-action"]}, [])
    assert not [call for call in platform.calls if call[0].startswith("retry")]


def test_a_token_is_never_in_a_widget_s_state(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """It travels as one message: no trait of any widget holds it, and nothing shows it."""
    platform.read_only = True
    desk = desk_of(platform, operator=lambda _token: MemoryPlatform(platform.records))
    (field,) = [widget for widget in widgets_of(desk.widget) if isinstance(widget, TokenField)]
    assert field.layout.display is None
    field._handle_custom_msg({"token": "s3cret-token"}, [])
    assert desk.state.session.can_act
    assert field.layout.display == "none"
    states = [widget.get_state() for widget in widgets_of(desk.widget)]
    assert "s3cret-token" not in json.dumps(states, default=str)
    assert "Acting with your token" in text_of(desk.widget)


def open_tab(desk: FailureDesk, index: int) -> None:
    """Open a tab of what things cost."""
    (tabs,) = [
        widget for widget in widgets_of(desk.widget) if type(widget).__name__ == "Tab" and len(widget.children) == 3
    ]
    tabs.selected_index = index


def test_a_disk_chart_is_drawn_of_what_is_known(desk_of: MakePage, platform: MemoryPlatform) -> None:
    """Only when its tab is opened: the formula in words, the total, and the same as a table."""
    platform._again("a", copy_files=True, name=None)
    desk = desk_of(platform)
    assert not [widget for widget in widgets_of(desk.widget) if type(widget).__name__ == "Figure"]
    open_tab(desk, 1)
    told = text_of(desk.widget)
    assert "Extra disk = size of the original input × number of retries that copied it." in told
    assert "Extra disk of 1 lineage: 1.2 MB." in told
    assert [widget for widget in widgets_of(desk.widget) if type(widget).__name__ == "Figure"]
    assert [node for fragment in fragments(desk.widget) for node in walk(fragment.nodes) if node[0] == "caption"]


def test_a_platform_that_cannot_be_reached_is_told_with_a_way_on(platform: MemoryPlatform) -> None:
    """The launcher never raises: the page says what to do, and tries again when it is asked to."""
    answers: list[Platform | Exception] = [Unreachable("Nothing answers there.", url="http://127.0.0.1:1"), platform]

    def connect() -> Platform:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    opening = OpeningDesk(connect, background=AtOnce())
    assert opening.desk is None
    assert "retry-toolkit up" in text_of(opening.widget)
    press(opening.widget, "open")
    assert opening.desk is not None
    assert opening.desk.state.figures is not None
    assert (
        opening._repr_mimebundle_()["application/vnd.jupyter.widget-view+json"]["model_id"] == opening.widget.model_id
    )


def test_elements_are_what_they_say() -> None:
    """Nothing for None and False, a hyphen for an underscore, children flat."""
    node = el(
        "button", "a", None, ["b", [el("span", "c")]], cls="x", aria_label="l", disabled=True, hidden=False, title=None
    )
    assert node == ["button", {"aria-label": "l", "disabled": "", "class": "x"}, ["a", "b", ["span", {}, ["c"]]]]


def test_the_states_load_no_widgets() -> None:
    """Everything that the page can do works without a page."""
    script = (
        "import sys; import retry_toolkit.panels.state.desk; "
        "print([name for name in ('ipywidgets', 'anywidget', 'bqplot', 'httpx') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[]"


def test_a_desk_is_shown_and_taken_away(desk: FailureDesk) -> None:
    """The last line of a cell shows it; closed, its connection is left to who made it."""
    bundle = desk._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == desk.widget.model_id
    assert isinstance(desk.state, DeskState)
    desk.close()
    assert desk.widget.comm is None

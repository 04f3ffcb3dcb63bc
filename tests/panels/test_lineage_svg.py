"""The drawing of a lineage: every task once, parents above, text stays text."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit.analysis.forest import lay_out
from retry_toolkit.panels.widgets.lineage_svg import INDENT, lineage_svg
from retry_toolkit.text import Texts, fitted

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(1)</script><image href=x onerror=alert(1)>\"'&\x00\x1b]\u202e"


def nodes_of(parents: dict[str, str | None], **columns: Any) -> pd.DataFrame:
    """A tree frame of these links."""
    return pd.DataFrame(
        {
            "task_id": list(parents),
            "parent_id": list(parents.values()),
            "name": list(parents),
            "status": "failed",
            "duration_s": 1.5,
            "depth": 1,
            "orphan": False,
            "cycle": False,
        }
    ).assign(**columns)


def test_retries_stand_below_and_right_of_what_they_retry() -> None:
    """A chain with a second retry of the first task, depth first."""
    places = lay_out(nodes_of({"root": None, "one": "root", "two": "one", "other": "root"}))
    assert [(place.task_id, place.row, place.level, place.parent) for place in places] == [
        ("root", 0, 0, None),
        ("one", 1, 1, 0),
        ("two", 2, 2, 1),
        ("other", 3, 1, 0),
    ]


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.one_of(st.none(), st.sampled_from("abcdefghxyz")), min_size=1))
def test_every_task_is_drawn_once_whatever_the_links(parents: dict[str, str | None]) -> None:
    """Circles, self-links, parents that are not there: each task has one row, and none stands above its parent."""
    places = lay_out(nodes_of(parents))
    assert sorted(place.task_id for place in places) == sorted(parents)
    assert [place.row for place in places] == list(range(len(places)))
    assert all(place.parent is None or place.parent < place.row for place in places)


@given(st.text(max_size=60), st.text(min_size=1, max_size=20))
def test_any_text_stays_text(name: str, task_id: str) -> None:
    """The drawing is well-formed SVG of plain shapes, whatever a task is called."""
    frame = nodes_of({task_id: None}, name=name)
    drawing = ET.fromstring(lineage_svg(Texts("en"), frame, task_id))
    assert {element.tag.removeprefix(SVG) for element in drawing.iter()} <= {
        "svg",
        "g",
        "path",
        "rect",
        "circle",
        "text",
        "title",
    }


def test_hostile_text_makes_no_element() -> None:
    """Markup in ids, names and states comes out as letters, and no attribute of its own appears."""
    frame = nodes_of({HOSTILE: None}, name=HOSTILE, status=HOSTILE)
    source = lineage_svg(Texts("en"), frame, HOSTILE)
    drawing = ET.fromstring(source)
    assert "<script" not in source
    assert "<image" not in source
    attributes = {name for element in drawing.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]


def test_the_current_task_is_marked_and_focusable() -> None:
    """One of the rows, and only that one, is where the keyboard begins."""
    drawing = ET.fromstring(lineage_svg(Texts("en"), nodes_of({"a": None, "b": "a"}), "b"))
    rows = {group.attrib["data-id"]: group.attrib for group in drawing.iter(f"{SVG}g") if "data-id" in group.attrib}
    assert rows["b"]["aria-current"] == "true"
    assert "aria-current" not in rows["a"]
    assert (rows["a"]["tabindex"], rows["b"]["tabindex"]) == ("-1", "0")
    assert (rows["a"]["aria-level"], rows["b"]["aria-level"]) == ("1", "2")
    assert rows["b"]["transform"].startswith(f"translate({4 + INDENT} ")


def test_status_is_a_word_too() -> None:
    """And so are the retry's number, its duration and what is wrong with its links."""
    frame = nodes_of({"a": "gone"}, depth=2, orphan=True, cycle=True)
    text = "".join(ET.fromstring(lineage_svg(Texts("zh"), frame, "a")).itertext())
    for word in ("失败", "第 2 次重试", "1.5 秒", "原任务已不存在", "关系成环"):
        assert word in text


def test_chinese_names_are_cut_by_their_width() -> None:
    """A Chinese character is twice as wide as a Latin letter."""
    assert fitted("abcdef", 4) == "abcd…"
    assert fitted("销售日报表", 4) == "销售…"
    assert fitted("销售", 4) == "销售"

"""Lineages as SVG: well-formed and escaped whatever tasks are called, self-contained as a file, and not too large."""

from __future__ import annotations

import zlib
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retry_toolkit import draw_lineage
from retry_toolkit.analysis.forest import ForestRow, grow_forest
from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.drawing import NARROWEST, WIDEST, forest_file, forest_svg
from retry_toolkit.frames.build import tasks_frame
from retry_toolkit.platforms.base import TaskRecord
from retry_toolkit.text import Texts
from tests.frames.records import task

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(1)</script><image href=x onerror=alert(1)>\"'&\x00\x1b]\u202e"
PLAIN = {"svg", "g", "path", "rect", "circle", "text", "tspan", "title", "style"}
PAIR = [task("a", name="日报"), task("b", hours=1, parent_id="a", status="succeeded", duration_s=1.5)]


def rows_of(records: list[TaskRecord], **options: object) -> tuple[ForestRow, ...]:
    """Their forest."""
    tasks = tasks_frame(records)
    return grow_forest(tasks, build_lineage(tasks), **options).rows  # type: ignore[arg-type]  # as given


@given(st.text(max_size=60), st.text(min_size=1, max_size=20))
def test_any_text_stays_text(name: str, task_id: str) -> None:
    """Plain shapes, and nothing that asks for or runs anything."""
    rows = rows_of([task(task_id, name=name or None), task("child", hours=1, parent_id=task_id)])
    for source in (forest_svg(Texts("en"), rows), forest_file(Texts("zh"), rows)):
        drawing = ET.fromstring(source.encode())
        assert {element.tag.removeprefix(SVG) for element in drawing.iter()} <= PLAIN


def test_hostile_text_makes_no_element() -> None:
    """Markup in ids and names comes out as letters, and no attribute of its own appears."""
    source = forest_file(Texts("en"), rows_of([task(HOSTILE, name=HOSTILE), task("x", hours=1, parent_id=HOSTILE)]))
    drawing = ET.fromstring(source.encode())
    assert "<script" not in source
    assert "<image" not in source
    attributes = {name for element in drawing.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name]


def test_a_file_brings_its_colours_along() -> None:
    """For light and dark pages, without a variable of ours or anything from elsewhere."""
    source = draw_lineage(tasks_frame(PAIR), language="zh")
    assert source.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg"')
    assert "prefers-color-scheme:dark" in source
    assert "var(--" not in source
    assert "url(" not in source
    text = "".join(ET.fromstring(source.encode()).itertext())
    for word in ("日报", "失败", "成功", "第 1 次重试", "1.5 秒"):
        assert word in text


def test_sizes_are_told_and_unknown_ones_too() -> None:
    """Of a disk frame; without one there are none."""
    disk = pd.DataFrame({"task_id": ["a", "b"], "extra_bytes": pd.array([0, None], dtype="Int64")})
    assert "unknown" in draw_lineage(tasks_frame(PAIR), disk=disk)
    assert "unknown" not in draw_lineage(tasks_frame(PAIR))
    known = disk.assign(extra_bytes=pd.array([0, 1200], dtype="Int64"))
    assert "1.2 kB" in draw_lineage(tasks_frame(PAIR), disk=known)


def test_rows_say_what_they_hang_from() -> None:
    """The browser folds by it."""
    drawing = ET.fromstring(forest_svg(Texts("en"), rows_of(PAIR)))
    rows = [group.attrib for group in drawing.iter(f"{SVG}g") if "data-id" in group.attrib]
    assert [(row["data-id"], row["data-level"], row.get("data-from"), row.get("data-fold")) for row in rows] == [
        ("a", "0", None, "here"),
        ("b", "1", "0", None),
    ]


def test_what_is_wrong_with_links_is_said() -> None:
    """An orphan and a circle are marked in words."""
    records = [task("o", parent_id="gone"), task("c", parent_id="d"), task("d", hours=1, parent_id="c")]
    source = forest_svg(Texts("en"), rows_of(records))
    assert source.count("its original is gone") == 1
    assert source.count("linked in a circle") == 2


def test_a_lineage_is_one_line_above_the_bound() -> None:
    """Its outcome, the number of its tasks, and that it can be opened."""
    source = forest_svg(Texts("en"), rows_of(PAIR, drawn_at_most=1))
    assert 'data-fold="closed"' in source
    assert "2 tasks" in source
    assert "Recovered" in source


@pytest.mark.parametrize("width", [0, 800, 99_999])
def test_a_drawing_is_readable_in_any_width(width: int) -> None:
    """Too little or too much room is taken as the nearest that can be read."""
    drawn = int(ET.fromstring(forest_svg(Texts("en"), rows_of(PAIR), width=width)).attrib["width"])
    assert NARROWEST <= drawn <= WIDEST


def test_two_thousand_tasks_are_sent_in_less_than_a_hundred_kilobytes() -> None:
    """As they travel, which is compressed; a very deep chain stays within its width."""
    rng = np.random.default_rng(7)
    ids = [f"{value:032x}" for value in rng.integers(0, 2**62, size=2000)]
    records = [
        task(name, hours=number, name=f"销售日报 {number}", parent_id=ids[number - 1] if number % 4 else None)
        for number, name in enumerate(ids)
    ]
    rows = rows_of(records)
    assert len(rows) == 2000
    assert len(zlib.compress(forest_svg(Texts("zh"), rows).encode(), level=6)) < 120_000
    chain = [task(f"t{number}", hours=number, parent_id=f"t{number - 1}" if number else None) for number in range(300)]
    drawing = ET.fromstring(forest_svg(Texts("en"), rows_of(chain)))
    shapes = [group for group in drawing.iter(f"{SVG}g") if group.find(f"{SVG}circle") is not None]
    assert max(float(shape.attrib["transform"].split("(")[1].split()[0]) for shape in shapes) < 300

"""Where the selected tasks lie: what is kept beside the selection is what a look-up would find."""

from __future__ import annotations

import numpy as np
import pytest

from retry_toolkit.panels.state.selection import either
from tests.panels.conftest import MakeDesk
from tests.panels.memory import MemoryPlatform, make_task


@pytest.mark.parametrize("seed", range(6))
def test_places_follow_the_selection(make_desk: MakeDesk, seed: int) -> None:
    """Through every way to select, with filters, sorting and tasks that come and go between."""
    chance = np.random.default_rng(seed)
    platform = MemoryPlatform.of(*(make_task(f"t{number:02d}", minutes_ago=number) for number in range(40)))
    desk = make_desk(platform)
    table = desk.table

    def any_id() -> str:
        return f"t{chance.integers(44):02d}"

    deeds = [
        lambda: table.toggle(any_id()),
        lambda: table.extend(any_id(), start=any_id()),
        table.toggle_page,
        table.select_matching,
        lambda: table.select([any_id(), any_id()]),
        table.clear,
        table.undo,
        lambda: table.turn_to(int(chance.integers(4))),
        lambda: table.filter(text=str(chance.integers(4)) if chance.random() < 0.5 else ""),
        lambda: table.sort_by("name"),
        lambda: platform.records.pop(any_id(), None),
        desk.refresh,
    ]
    for _ in range(80):
        deeds[chance.integers(len(deeds))]()
        assert desk.catalog.catalog is not None
        assert sorted(table.selected_rows) == desk.catalog.catalog.positions(table.selected)
        shown = set(desk.catalog.catalog.tasks["task_id"].iloc[table._order])
        assert table.hidden_selected == len(table.selected - shown)


def test_rows_of_either_are_sorted_and_once() -> None:
    """Also where one side has none."""
    some, none = np.array([5, 2]), np.array([], dtype=np.intp)
    assert either(some, np.array([2, 9, 0])).tolist() == [0, 2, 5, 9]
    assert either(none, some).tolist() == [2, 5]
    assert either(none, none).tolist() == []

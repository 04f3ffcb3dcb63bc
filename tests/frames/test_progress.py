"""The progress bar: off means off, and it leaves nothing behind."""

from __future__ import annotations

import io

from retry_toolkit.frames.progress import progress_bar


def test_a_long_load_shows_how_far_it_is() -> None:
    """Without its delay the bar is there at once; at the end it is wiped."""
    shown = io.StringIO()
    with progress_bar("tasks", shown=True, delay=0, file=shown) as bar:
        bar.total = 4
        bar.update(2)
    assert "tasks" in shown.getvalue()
    assert shown.getvalue().endswith("\r")


def test_a_bar_that_is_off_counts_nothing() -> None:
    """It takes the same calls."""
    shown = io.StringIO()
    with progress_bar("tasks", shown=False, delay=0, file=shown) as bar:
        bar.total = 4
        bar.update(2)
    assert shown.getvalue() == ""


def test_a_short_load_shows_nothing() -> None:
    """The delay has not passed."""
    shown = io.StringIO()
    with progress_bar("tasks", shown=True, total=4, file=shown) as bar:
        bar.update(4)
    assert shown.getvalue() == ""

"""The forest of lineages: drawn and escaped in Python; the browser shows it, folds it, and says what was chosen."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style

T = TypeVar("T", str, int)


class ForestTree(anywidget.AnyWidget):
    """Shows a drawing of `forest_svg`; `current` is the task that is open.

    `on_open` hears which task was chosen, `on_toggle` which lineage is to be opened or closed, `on_width` the room.
    """

    _esm: ClassVar[str] = script("forest.js")
    _css: ClassVar[str] = style("forest.css")

    drawing = traitlets.Bytes().tag(sync=True)
    current = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)

    def show(self, svg: str, *, label: str, language: str) -> None:
        """Replace the drawing; it travels compressed, being two thousand lines that look much the same."""
        with self.hold_sync():
            self.label, self.language = label, language
            self.drawing = zlib.compress(svg.encode(), level=6) if svg else b""

    def save(self, name: str, text: str) -> None:
        """Let the user save a file of this name."""
        self.send({"save": name, "text": text})

    def on_open(self, listener: Callable[[str], None]) -> None:
        """Call `listener(task_id)` when a task is chosen by click or Enter."""
        self._hear("open", str, listener)

    def on_toggle(self, listener: Callable[[str], None]) -> None:
        """Call `listener(root_id)` when a lineage is to be opened or closed."""
        self._hear("toggle", str, listener)

    def on_width(self, listener: Callable[[int], None]) -> None:
        """Call `listener(pixels)` when there is room for another width."""
        self._hear("width", int, listener)

    def _hear(self, kind: str, of: type[T], listener: Callable[[T], None]) -> None:
        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get(kind), of):
                listener(content[kind])

        self.on_msg(hear)

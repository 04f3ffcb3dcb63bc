"""The drawing of a lineage, laid out and escaped in Python; the browser shows it and says which task was chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style


class LineageTree(anywidget.AnyWidget):
    """Shows `svg`, or the text `empty` where there is none; `on_open` hears which task was chosen."""

    _esm: ClassVar[str] = script("lineage.js")
    _css: ClassVar[str] = style("lineage.css")

    svg = traitlets.Unicode().tag(sync=True)
    empty = traitlets.Unicode().tag(sync=True)

    def on_open(self, listener: Callable[[str], None]) -> None:
        """Call `listener(task_id)` when a task is chosen by click or Enter."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("open"), str):
                listener(content["open"])

        self.on_msg(hear)

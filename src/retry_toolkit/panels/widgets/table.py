"""The table of tasks: Python owns rows, pages, sorting and selection, the browser is sent one window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style


class TaskTable(anywidget.AnyWidget):
    """Shows `window`; `on_event` hears what the user did: `sort`, `open`, `toggle`, `range`, `page`, ...

    Which columns there are, their order and their widths are remembered by the browser, which asks for `columns`.
    """

    _esm: ClassVar[str] = script("columns.js", "column_menu.js", "table.js")
    _css: ClassVar[str] = style("table.css")

    window = traitlets.Dict().tag(sync=True)

    def on_event(self, listener: Callable[[Mapping[str, Any]], None]) -> None:
        """Call `listener(message)` with each message; its `type` says what was done."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("type"), str):
                listener(content)

        self.on_msg(hear)

    def copy(self, text: str) -> None:
        """Put a text onto the clipboard of whoever asked for it."""
        self.send({"copy": text})

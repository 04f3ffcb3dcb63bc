"""Lines to read: a window of a log or of an error, searched and followed. Python owns the lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style

OnAsk = Callable[[str, object], None]


class LineReader(anywidget.AnyWidget):
    """Shows `window` with the `words` of the page's language; `on_ask` hears what the reader wants to see."""

    _esm: ClassVar[str] = script("reader.js")
    _css: ClassVar[str] = style("reader.css")

    window: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    words: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)

    def on_ask(self, listener: OnAsk) -> None:
        """Call `listener(action, value)` for each message of the browser."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("action"), str):
                listener(content["action"], content.get("value"))

        self.on_msg(hear)

    def hand_over(self, name: str, text: str) -> None:
        """Give the browser a file to keep."""
        self.send({"file": name}, [text.encode("utf-8", "replace")])

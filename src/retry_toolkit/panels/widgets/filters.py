"""The inputs of the filters: Python owns what they show, a change comes back as a name and a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style


class FilterBar(anywidget.AnyWidget):
    """Shows `bar`; `on_change` hears what was put into an input.

    One change is on its way at a time: the browser sends the next when `bar["heard"]` is the number of the last one.
    """

    _esm: ClassVar[str] = script("filters.js")
    _css: ClassVar[str] = style("filters.css")

    bar: traitlets.Dict[str, Any] = traitlets.Dict({"heard": 0}).tag(sync=True)

    def on_change(self, listener: Callable[[str, Any, int], None]) -> None:
        """Call `listener(name, value, serial)` at each change."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("name"), str):
                serial = content.get("serial")
                listener(content["name"], content.get("value"), serial if isinstance(serial, int) else 0)

        self.on_msg(hear)

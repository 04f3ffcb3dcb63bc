"""The address of the page: read when the page opens, written when Python changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style


class PageAddress(anywidget.AnyWidget):
    """Keeps `query` behind the `#` of a published page's address, with a button that copies it; nothing in JupyterLab.

    The browser tells it, never the server's environment: that was seen to hold the address of another viewer.
    """

    _esm: ClassVar[str] = script("address.js")
    _css: ClassVar[str] = style()

    query = traitlets.Unicode().tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)

    def on_address(self, listener: Callable[[str], None]) -> None:
        """Call `listener(text)` with what the address says when the page opens, and when somebody changes it."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("address"), str):
                listener(content["address"])

        self.on_msg(hear)

"""The page itself: in sight or not, when it was left last, its beat and its title."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script


class Page(anywidget.AnyWidget):
    """Shows nothing; `on_news` hears `{"left": ms or None, "visible": bool}`, `{"visible": bool}` and `{"beat": True}`.

    Attributes:
        place: What the page is about; the browser keeps one time of leaving for each.
        interval: Seconds between two beats while the page is in sight; 0 is none.
        title: Stands in the tab of the browser; empty is the page's own.
    """

    _esm: ClassVar[str] = script("page.js")

    place = traitlets.Unicode().tag(sync=True)
    interval = traitlets.Int().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)

    def on_news(self, listener: Callable[[Mapping[str, Any]], None]) -> None:
        """Call `listener(message)` with each message."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict):
                listener(content)

        self.on_msg(hear)

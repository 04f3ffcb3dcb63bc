"""A piece of page as a tree of plain nodes: text stays text, and clicks come back as actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style
from retry_toolkit.panels.widgets.markup import Node

OnAction = Callable[[str, str | None], None]


class Fragment(anywidget.AnyWidget):
    """Shows nodes of `markup`; `on_action` hears the clicks on nodes that carry an action."""

    _esm: ClassVar[str] = script("fragment.js")
    _css: ClassVar[str] = style()

    nodes: traitlets.List[Node] = traitlets.List().tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)

    def show(self, *nodes: Node, language: str) -> None:
        """Replace what is shown; what did not change stays as it is in the browser."""
        with self.hold_sync():
            self.language = language
            self.nodes = list(nodes)

    def on_action(self, listener: OnAction) -> None:
        """Call `listener(action, value)` at each click."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("action"), str):
                value = content.get("value")
                listener(content["action"], value if isinstance(value, str) else None)

        self.on_msg(hear)

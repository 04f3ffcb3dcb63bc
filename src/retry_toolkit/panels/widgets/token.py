"""A field for a secret: what is typed travels as one message and is never part of the widget's state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import anywidget
import traitlets

from retry_toolkit.panels.widgets.assets import script, style


class TokenField(anywidget.AnyWidget):
    """A password field and its button; `on_token` hears what was sent."""

    _esm: ClassVar[str] = script("token.js")
    _css: ClassVar[str] = style()

    label = traitlets.Unicode().tag(sync=True)
    button = traitlets.Unicode().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    busy = traitlets.Bool().tag(sync=True)

    def on_token(self, listener: Callable[[str], None]) -> None:
        """Call `listener(token)` when one is sent."""

        def hear(_widget: object, content: Any, _buffers: object) -> None:
            if isinstance(content, dict) and isinstance(content.get("token"), str):
                listener(content["token"])

        self.on_msg(hear)

"""What the table shows as a link: the page's address follows filters and order, and opens with them."""

from __future__ import annotations

from typing import Any, Final

from retry_toolkit.panels.state.address import address_of, read_address
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import clipped, redraw, speaks
from retry_toolkit.panels.widgets.address import PageAddress

_NAMED: Final = 5
_NAMED_LENGTH: Final = 60


class AddressView:
    """Reads the address once the page is there, then keeps it; what it does not understand is said in one message."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._table = desk.table
        self.widget: Any = PageAddress()
        self.widget.on_address(self._session.guard(self._read))
        redraw(self._draw, speaks(self._session), (self._table, ["filters", "span", "sort"]))

    def _read(self, text: str) -> None:
        if text == self.widget.query:
            return
        reading = read_address(text)
        self._table.show(reading.view)
        if reading.ignored:
            parts = [clipped(part, _NAMED_LENGTH) for part in reading.ignored[:_NAMED]]
            parts += ["…"] if len(reading.ignored) > _NAMED else []
            self._session.notices.tell("address.ignored", parts=self._session.texts.join(parts))

    def _draw(self) -> None:
        texts = self._session.texts
        self.widget.query, complete = address_of(self._table.view)
        self.widget.labels = {
            "copy_link": texts("address.copy"),
            "copy_link_hint": texts("address.copy_hint"),
            "copied": texts("action.copied"),
            "left_out": "" if complete else texts("address.left_out"),
        }

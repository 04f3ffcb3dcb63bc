"""Acting with an operator's token that a viewer types in."""

from __future__ import annotations

from typing import Any

from retry_toolkit.errors import SettingsError, Unauthorized, Unsupported
from retry_toolkit.panels.state.desk import DeskState
from retry_toolkit.panels.view import redraw, speaks
from retry_toolkit.panels.widgets.token import TokenField
from retry_toolkit.platforms.base import Platform
from retry_toolkit.settings import load_settings


def connect_operator(origin: str, token: str) -> Platform:
    """The same platform with `token`, but only where it asks for tokens.

    A platform that asks for none takes any token: a page that was published to be read would be open to every word that
    is typed in.

    Raises:
        Unsupported: The platform asks for no token.
        Unauthorized: It does not take this one.
    """
    from retry_toolkit.connector import connect  # noqa: PLC0415 - the network loads when somebody types a token

    # The page's own token and its read-only setting are not the viewer's.
    bare = load_settings(token=None, read_only=False)
    url = bare.url if bare.url and bare.url.startswith(origin) else origin
    try:
        connect(url, settings=bare).close()
    except Unauthorized:
        pass
    else:
        raise Unsupported("This platform asks for no token, so none can open what this page keeps closed.")
    try:
        return connect(url, token=token, settings=bare)
    except SettingsError as error:
        # What no header can carry was never a token of that platform.
        raise Unauthorized("This is not a token.", url=url) from error


class OperatorView:
    """The token field, where a token could help; it shows nothing of what was typed."""

    def __init__(self, desk: DeskState) -> None:
        self._session = desk.session
        self._field = TokenField()
        self._field.on_token(self._session.guard(self._session.unlock))
        self.widget: Any = self._field
        redraw(
            self._draw, speaks(self._session), (self._session, ["can_act", "unlocked", "unlocking", "asked_for_token"])
        )

    def _draw(self) -> None:
        texts = self._session.texts
        self._field.layout.display = None if self._session.takes_token else "none"
        with self._field.hold_sync():
            self._field.label = texts("token.label")
            self._field.button = texts("token.checking" if self._session.unlocking else "token.use")
            self._field.hint = texts("token.hint")
            self._field.busy = self._session.unlocking

"""What every panel shares: the platform, the language, the messages, and who may act."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from traitlets import Bool, HasTraits, Instance

from retry_toolkit.errors import PermissionDenied, ReadOnly, Unauthorized
from retry_toolkit.panels.state.background import Background
from retry_toolkit.panels.state.frames import FramePlatform
from retry_toolkit.panels.state.notices import Notices
from retry_toolkit.platforms.base import Platform
from retry_toolkit.text import LanguageCode, Texts

T = TypeVar("T")
Operator = Callable[[str], Platform]
"""Connects to the same platform with a token that a viewer typed in."""


class Session(HasTraits):
    """One page: `platform` reads, and `writer()` is who acts.

    A token that is typed in reaches only the platform object that `operator` makes of it; it is kept nowhere else.
    `release` closes such a platform; whoever works with it replaces it, to stop first.
    """

    texts = Instance(Texts)
    can_act = Bool()
    unlocked = Bool()
    unlocking = Bool()
    asked_for_token = Bool()

    def __init__(
        self, platform: Platform, *, texts: Texts, background: Background, operator: Operator | None = None
    ) -> None:
        super().__init__(texts=texts, can_act=not platform.read_only)
        self.platform = platform
        self.background = background
        self.notices = Notices()
        self.guard = self.notices.guard
        self._operator = operator
        self._writer = platform
        self.release: Callable[[Platform], None] = lambda writer: writer.close()

    def __repr__(self) -> str:
        return f"Session({self.platform.name!r})"

    @property
    def takes_token(self) -> bool:
        """Whether a token typed in by the viewer could help."""
        return self._operator is not None and not self.unlocked and (self.platform.read_only or self.asked_for_token)

    @property
    def closed_why(self) -> str:
        """Why nothing can be retried where it cannot, as a key of `text` (`block.<reason>`)."""
        return "no_platform" if isinstance(self.platform, FramePlatform) else "read_only"

    def speak(self, language: LanguageCode) -> None:
        """Switch the language of the page."""
        self.texts = Texts(language)

    def writer(self) -> Platform:
        """Who acts.

        Raises:
            ReadOnly: This page may not act, whatever its buttons look like.
        """
        if not self.can_act or self._writer.read_only:
            raise ReadOnly("This page only reads.")
        return self._writer

    def unlock(self, token: str) -> None:
        """Act with `token` from now on, once the platform has taken it."""
        if self._operator is None or self.unlocking or not token.strip():
            return
        connect = self._operator
        self.unlocking = True
        self.start(lambda: connect(token.strip()), self._unlocked, self._not_unlocked)

    def lock(self) -> None:
        """Forget the operator's connection; reading goes on."""
        if self.unlocked:
            writer, self._writer = self._writer, self.platform
            self.release(writer)
            self.unlocked, self.can_act = False, not self.platform.read_only

    def noted(self, error: Exception) -> None:
        """Remember that a write was refused for want of a permission, so that the page can offer the token field."""
        if isinstance(error, PermissionDenied | Unauthorized):
            self.asked_for_token = True

    def start(
        self, work: Callable[[], T], then: Callable[[T], None], otherwise: Callable[[Exception], None] | None = None
    ) -> None:
        """Run `work` aside; what nobody else handles is shown."""
        self.background.start(work, then, otherwise or self.notices.report)

    def post(self, call: Callable[[], None], *, after_s: float = 0.0) -> None:
        """Touch states from inside `work`, so many seconds later."""
        self.background.post(call, self.notices.report, after_s=after_s)

    def close(self) -> None:
        """Close the operator's connection; the platform belongs to who made it."""
        self.lock()

    def _unlocked(self, writer: Platform) -> None:
        self.unlocking = False
        self._writer = writer
        self.unlocked, self.can_act, self.asked_for_token = True, not writer.read_only, False
        self.notices.tell("token.accepted")

    def _not_unlocked(self, error: Exception) -> None:
        self.unlocking = False
        self.notices.report(error)

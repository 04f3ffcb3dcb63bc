"""What the page has to tell: errors of callbacks and threads, until the user dismisses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from itertools import count
from typing import Any, Final, Literal, ParamSpec

from traitlets import HasTraits, Tuple

from retry_toolkit.panels.state.problems import Problem, explain

P = ParamSpec("P")
_SHOWN_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """One message: a key of `text` with its values, and words that are shown as they are.

    A `topic` names what the message is about, so that it can go when that is mended.
    """

    number: int
    level: Literal["error", "info"]
    title_key: str
    advice_key: str | None = None
    words: str = ""
    quoted: bool = False
    topic: str = ""
    values: dict[str, Any] = field(default_factory=dict)


class Notices(HasTraits):
    """The newest messages, newest last."""

    items = Tuple()

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)

    def report(self, error: Exception) -> None:
        """Show an error as an explanation with the platform's own words."""
        self.show_problem(explain(error))

    def show_problem(self, problem: Problem, topic: str = "") -> None:
        """Show a problem; the same one twice in a row is shown once, and so is the last one of a topic."""
        self.settle(topic)
        last = self.items[-1] if self.items else None
        if last is None or (last.title_key, last.words) != (problem.title_key, problem.words):
            number = next(self._numbers)
            self._add(
                Notice(number, "error", problem.title_key, problem.advice_key, problem.words, problem.quoted, topic)
            )

    def tell(self, key: str, **values: Any) -> None:
        """Show a plain message."""
        self._add(Notice(next(self._numbers), "info", key, values=values))

    def dismiss(self, number: int) -> None:
        """Take one message away."""
        self.items = tuple(item for item in self.items if item.number != number)

    def settle(self, topic: str) -> None:
        """Take away what was said about a topic: it is mended."""
        if topic and any(item.topic == topic for item in self.items):
            self.items = tuple(item for item in self.items if item.topic != topic)

    def guard(self, call: Callable[P, object]) -> Callable[P, None]:
        """`call` for use as a callback: what goes wrong in it is shown, because it would vanish otherwise."""

        @wraps(call)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                call(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - this is the page's last guard
                self.report(error)

        return guarded

    def _add(self, notice: Notice) -> None:
        self.items = (*self.items, notice)[-_SHOWN_AT_ONCE:]

"""What is looked at before a write, in dialects whose platform cannot check it itself; and whom an answer is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from retry_toolkit.errors import BadAnswer, NotJson, NotSent, Refused, Unavailable


@contextmanager
def nothing_sent() -> Iterator[None]:
    """Turn a read that failed before a write into `NotSent`."""
    try:
        yield
    except (Unavailable, BadAnswer, NotJson) as error:
        raise NotSent(f"The task could not be read first: {error.message}") from error


def refuse_if_moved(now: int | None, expected: int | None, what: str) -> None:
    """Refuse a write whose attempt number is not what the caller saw.

    Raises:
        Refused: It has moved.
    """
    if expected is not None and now is not None and now != expected:
        raise Refused(
            f"The attempt number of {what} has moved from {expected} to {now}; nothing was sent.",
            advice="Look at the task again: someone else has retried it.",
        )


def check_about(asked: str, told: str) -> None:
    """Refuse an answer that is about another task: believed, its attempt number would pass for the right one's.

    Raises:
        BadAnswer: It is.
    """
    if told != asked:
        raise BadAnswer(f"The answer is about {told!r}, not about {asked!r}.")

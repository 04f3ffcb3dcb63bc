"""Guards: what is looked at before a write."""

from __future__ import annotations

import pytest

from retry_toolkit import errors
from retry_toolkit.platforms.guards import nothing_sent, refuse_if_moved


@pytest.mark.parametrize(
    "error",
    [errors.Unavailable("down"), errors.BadAnswer("nonsense"), errors.NotJson("page", url="http://x")],
    ids=lambda error: type(error).__name__,
)
def test_a_failed_read_before_a_write_means_nothing_was_sent(error: errors.RetryToolkitError) -> None:
    """The cause is kept."""
    with pytest.raises(errors.NotSent, match=error.message) as caught, nothing_sent():
        raise error
    assert caught.value.__cause__ is error


def test_a_clear_no_stays_what_it_is() -> None:
    """A task that does not exist is not found, before a write too."""
    with pytest.raises(errors.NotFound), nothing_sent():
        raise errors.NotFound("gone")


@pytest.mark.parametrize(("now", "expected"), [(None, 1), (1, None), (None, None), (1, 1)])
def test_what_has_not_moved_passes(now: int | None, expected: int | None) -> None:
    """Nothing to compare is no objection: the platform decides."""
    refuse_if_moved(now, expected, "s1")


def test_what_has_moved_is_refused() -> None:
    """In either direction."""
    with pytest.raises(errors.Refused, match="from 2 to 1"):
        refuse_if_moved(1, 2, "s1")

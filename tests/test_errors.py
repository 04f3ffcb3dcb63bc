"""The error tree: drawn as it is, and each leaf says what to do."""

from __future__ import annotations

import inspect

from retry_toolkit import errors


def test_the_drawing_is_the_tree() -> None:
    """The module's docstring draws exactly the classes that exist, under their parents."""
    drawn: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines()[2:]:
        text = line.lstrip("│├└─ ")
        if not text:
            continue
        depth = (len(line) - len(text)) // 4
        name = text.split()[0]
        path[depth:] = [name]
        drawn[name] = path[depth - 1] if depth else None
    classes = {
        name: cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.RetryToolkitError)
    }
    assert drawn == {
        name: None if cls is errors.RetryToolkitError else cls.__bases__[0].__name__ for name, cls in classes.items()
    }


def test_an_error_reads_as_what_happened_and_what_to_do() -> None:
    """The text has the advice of its class, or the one that was given; the message is also there alone."""
    assert str(errors.Unavailable("The platform answered 503.")) == "The platform answered 503. Try again in a moment."
    given = errors.Refused("no", status=400, detail="limit 3/3", advice="Ask.")
    assert (str(given), given.message, given.status, given.detail) == ("no Ask.", "no", 400, "limit 3/3")

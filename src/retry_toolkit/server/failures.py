"""What an exception of a stage means: its category, and its traceback as the author should see it."""

from __future__ import annotations

import errno

from retry_toolkit.server.pipelines import StageError

TYPE_CHECKING = False  # `typing` costs every stage several milliseconds
if TYPE_CHECKING:
    from types import TracebackType

MAX_ERROR_CHARS = 1 << 20
_HEAD_CHARS = 1 << 18
_EXHAUSTED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_RETRY_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
# By name, so that nothing has to be imported: classes of this and of other libraries that mean the same.
_BY_NAME = {
    "ConnectionError": "transient",
    "TimeoutError": "transient",
    "Timeout": "transient",
    "TimeoutExpired": "transient",
    "TransportError": "transient",
    "MemoryError": "resource",
    "CalledProcessError": "tool_error",
    "ValueError": "semantic",
    "LookupError": "semantic",
    "_NotAResult": "semantic",
}


def categorize(error: BaseException) -> str:
    """The failure category of an exception, see `pipelines.CATEGORIES`."""
    if isinstance(error, StageError):
        return error.category
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        return "resource"
    if getattr(error, "code", None) in _RETRY_LATER and type(error).__name__ == "HTTPError":
        return "transient"
    reason = getattr(error, "reason", None)  # urllib wraps the real one
    if isinstance(reason, BaseException):
        return categorize(reason)
    for cls in type(error).__mro__:
        if cls.__name__ in _BY_NAME:
            return _BY_NAME[cls.__name__]
    return "unknown"


def describe(error: BaseException, *, hide: str) -> str:
    """The traceback of an exception and its causes, beginning with the first frame after the file `hide`.

    A `StageError` is what an author wrote for the reader: its message, and the traceback only if it has a cause.
    """
    if isinstance(error, StageError) and error.__cause__ is None:
        return capped(str(error))
    import traceback  # noqa: PLC0415 - slow to load, and most stages succeed

    lines = traceback.format_exception(type(error), error, _after(error.__traceback__, hide))
    message = f"{error}\n\n" if isinstance(error, StageError) else ""
    return capped(message + "".join(lines).rstrip("\n"))


def capped(text: str) -> str:
    """The text, its middle left out where it is longer than an error message may be: what matters is at the ends."""
    if len(text) <= MAX_ERROR_CHARS:
        return text
    note = f"\n[... {len(text) - MAX_ERROR_CHARS} characters left out ...]\n"
    return text[:_HEAD_CHARS] + note + text[len(text) - (MAX_ERROR_CHARS - _HEAD_CHARS - len(note)) :]


def _after(trace: TracebackType | None, hide: str) -> TracebackType | None:
    """The traceback without the leading frames of a file and of the import system; whole if nothing else is in it."""
    kept = trace
    while kept and (kept.tb_frame.f_code.co_filename in {hide} or "importlib" in kept.tb_frame.f_code.co_filename):
        kept = kept.tb_next
    return kept or trace

"""What went wrong in words for users: a key of `text` for the plain explanation, and the platform's own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from retry_toolkit import errors


@dataclass(frozen=True, slots=True)
class Problem:
    """An explanation (`problem.<key>` has a title and an advice) and the words that came with it.

    `quoted` words are the platform's own.
    """

    key: str
    words: str = ""
    quoted: bool = False

    @property
    def title_key(self) -> str:
        """Text that says what happened."""
        return f"problem.{self.key}.title"

    @property
    def advice_key(self) -> str:
        """Text that says what to do."""
        return f"problem.{self.key}.advice"


# First match wins: leaves before the classes that they derive from.
_BY_TYPE: Final[tuple[tuple[type[Exception], str], ...]] = (
    (errors.FilesGone, "files_gone"),
    (errors.Unauthorized, "unauthorized"),
    (errors.PermissionDenied, "forbidden"),
    (errors.NotFound, "not_found"),
    (errors.NotSent, "not_sent"),
    (errors.UnclearOutcome, "unclear"),
    (errors.ReadOnly, "read_only"),
    (errors.Unsupported, "unsupported"),
    (errors.Refused, "refused"),
    (errors.BadAnswer, "bad_answer"),
    (errors.BatchBusy, "busy"),
    (errors.PlanRefused, "plan"),
    (errors.JournalError, "journal"),
    (errors.Unavailable, "network"),
    (errors.Unreachable, "unreachable"),
    (errors.ConnectError, "wrong_address"),
    (errors.SettingsError, "settings"),
)

_BY_STATUS: Final[dict[int | None, str]] = {409: "moved", 507: "no_space"}

# The platform's own words for a refusal -> the explanation beside them; first match wins.
_BY_WORDS: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), key)
    for pattern, key in (
        (r"清理|files? .*(gone|removed|missing|cleaned)", "files_gone"),
        (r"\d+\s*/\s*\d+|limit|上限", "limit"),
        (r"not found|不存在", "not_found"),
        (r"no failed stage", "no_failed_stage"),
        (r"stage status is not failed", "stage_not_failed"),
        (r"status is (running|pending|planning|started)", "still_running"),
        (r"status is", "not_failed"),
        (r"permission|forbidden|权限", "forbidden"),
        (r"attempt|retry_count|changed|conflict", "moved"),
    )
)


def explain(error: Exception) -> Problem:
    """The explanation of an error; one that nobody planned for is named by its type, never with a traceback."""
    key = next((key for kind, key in _BY_TYPE if isinstance(error, kind)), None)
    if key is None:
        return Problem("unexpected", f"{type(error).__name__}: {error}")
    told = error.detail if isinstance(error, errors.PlatformError) else ""
    if key == "refused" and told:
        status = error.status if isinstance(error, errors.PlatformError) else None
        return Problem(_BY_STATUS[status], told, quoted=True) if status in _BY_STATUS else explain_words(told)
    return Problem(key, told or _message(error), quoted=bool(told))


def explain_words(words: str) -> Problem:
    """The explanation of a refusal that came as words."""
    return Problem(next((key for pattern, key in _BY_WORDS if pattern.search(words)), "refused"), words, quoted=True)


def _message(error: Exception) -> str:
    return error.message if isinstance(error, errors.RetryToolkitError) else str(error)

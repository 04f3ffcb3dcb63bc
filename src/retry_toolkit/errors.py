"""Every error that the toolkit raises on purpose.

RetryToolkitError                 catches all of them
├── SettingsError                 a setting has a value that cannot be used
├── ConnectError                  no platform could be reached or recognised
│   ├── Unreachable               nothing answers at that address
│   ├── NotOurApi                 something answers, but speaks neither dialect
│   ├── NotJson                   something answers with HTML or other non-JSON text
│   └── Unauthorized              401: a token is missing or not accepted
├── PlatformError                 a platform answered a request with a refusal or with nonsense
│   ├── PermissionDenied          403: the token may not do this
│   ├── NotFound                  404: the task or stage does not exist (any more)
│   ├── Refused                   the platform understood and said no (400, 409, 422, ...)
│   │   └── FilesGone             410, or a refusal that says that the input files are gone
│   ├── BadAnswer                 an answer that is not what the contract promises
│   └── Unavailable               5xx, 429, or the connection failed while reading
├── NotSent                       a write that provably never left this machine
├── UnclearOutcome                a write was sent, and no clear answer came back
├── ReadOnly                      this connection refuses everything that writes
├── LoadStopped                   a load was stopped by who asked for it
├── SnapshotError                 a directory holds no snapshot, an unfinished one, or one of another version
├── PlanRefused                   a selection that cannot be planned, or a plan that cannot be executed
├── BatchBusy                     another process or thread runs this batch already
├── JournalError                  the local record of retries cannot be used, or does not allow this change
└── Unsupported                   the platform lacks this capability
"""

from __future__ import annotations


class RetryToolkitError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        advice: What the user can do about it, one English sentence, or an empty string.
    """

    advice: str = ""

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        if advice is not None:
            self.advice = advice

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.advice}" if self.advice else message

    @property
    def message(self) -> str:
        """What went wrong, without the advice."""
        return super().__str__()


class SettingsError(RetryToolkitError):
    """A setting has a value that cannot be used."""


class ConnectError(RetryToolkitError):
    """No platform could be reached or recognised.

    Attributes:
        url: The address that was tried, without credentials.
    """

    def __init__(self, message: str, *, url: str, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.url = url


class Unreachable(ConnectError):
    """Nothing answers at that address."""

    advice = "Check the address and that the platform is running; `retry-toolkit up` starts the embedded one."


class NotOurApi(ConnectError):
    """Something answers, but it speaks neither dialect."""

    advice = "Check the port and the path, or name the dialect: connect(url, dialect='pipeline')."


class NotJson(ConnectError):
    """Something answers with a page or other text instead of JSON."""

    advice = "This looks like a web page or a login form: use the address of the API itself."


class Unauthorized(ConnectError):
    """The platform asks for a token, or does not accept this one."""

    advice = "Pass a valid token: connect(url, token=...), or set RETRY_TOOLKIT_TOKEN."


class PlatformError(RetryToolkitError):
    """A platform answered with a refusal or with nonsense.

    Attributes:
        status: The HTTP status, or None when there was no complete answer.
        detail: The platform's own words, or an empty string.
        request_id: The platform's id for the request where it sent one, else None.
        retry_after_s: Seconds that the platform asks to wait, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        detail: str = "",
        request_id: str | None = None,
        retry_after_s: float | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class PermissionDenied(PlatformError):
    """The token may not do this."""

    advice = "Ask for the operator permission, or use an operator token."


class NotFound(PlatformError):
    """The task or stage does not exist, or not any more."""

    advice = "Refresh: it may have been deleted."


class Refused(PlatformError):
    """The platform understood the request and said no."""


class FilesGone(Refused):
    """The input files of the task have been removed, so it cannot be retried as a whole."""

    advice = "Ask an administrator to restore the files, or upload them again."


class BadAnswer(PlatformError):
    """An answer that is not what the contract promises."""


class Unavailable(PlatformError):
    """The platform is overloaded, broken or gone in the middle of a read."""

    advice = "Try again in a moment."


class NotSent(RetryToolkitError):
    """A write that provably never left this machine; it is safe to try again."""

    advice = "Nothing was sent: check that the platform is running, then try again."


class UnclearOutcome(RetryToolkitError):
    """A write was sent and no clear answer came back; it may or may not have happened.

    Attributes:
        status: The HTTP status, or None when there was no complete answer.
        retry_after_s: Seconds that the platform asks to wait, or None.
    """

    advice = "Do not repeat it: refresh the task and look at its attempt number first."

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.retry_after_s = retry_after_s


class ReadOnly(RetryToolkitError):
    """This connection refuses everything that writes."""

    advice = "Connect without read_only=True, with a token that may act."


class LoadStopped(RetryToolkitError):
    """A load was stopped by who asked for it; nothing of it is left."""


class SnapshotError(RetryToolkitError):
    """A directory holds no snapshot, an unfinished one, or one of another version."""


class PlanRefused(RetryToolkitError):
    """A selection that cannot be planned, or a plan that cannot be executed; nothing was sent."""


class BatchBusy(RetryToolkitError):
    """Another process or thread runs this batch already."""

    advice = "Watch or stop it there; when that process has ended, resume the batch here."


class JournalError(RetryToolkitError):
    """The local record of retries cannot be used, or does not allow this change: nothing is sent without it."""


class Unsupported(RetryToolkitError):
    """The platform lacks this capability."""

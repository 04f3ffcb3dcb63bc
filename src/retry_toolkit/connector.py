"""An address -> a connected platform: finds out who answers there, and says what is wrong if nobody useful does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from retry_toolkit.errors import (
    BadAnswer,
    ConnectError,
    NotFound,
    NotJson,
    NotOurApi,
    PermissionDenied,
    Refused,
    SettingsError,
    Unavailable,
    Unreachable,
)
from retry_toolkit.platforms.base import Platform
from retry_toolkit.platforms.decode import read_envelope
from retry_toolkit.platforms.embedded import CAPABILITIES_PATH, EmbeddedPlatform, is_embedded
from retry_toolkit.platforms.pipeline import PipelinePlatform
from retry_toolkit.platforms.queue import QueuePlatform
from retry_toolkit.platforms.transport import Transport, Wire
from retry_toolkit.settings import Settings, load_settings

Choice = Literal["auto", "embedded", "pipeline", "queue"]

_API_PATHS = ("/api/v1", "/api")


def connect(
    url: str | None = None,
    *,
    token: str | SecretStr | None = None,
    dialect: Choice = "auto",
    read_only: bool = False,
    transport: Wire | None = None,
    settings: Settings | None = None,
) -> Platform:
    """Connect to a platform.

    Args:
        url: Its address, with or without `/api` or `/api/v1`; None for `RETRY_TOOLKIT_URL`, else the embedded platform
            of this machine.
        token: Sent as a bearer token; None for `RETRY_TOOLKIT_TOKEN`, which goes only to `RETRY_TOOLKIT_URL` where
            that is set.
        dialect: Which API to expect there; "auto" asks.
        read_only: Refuse everything that writes, whatever the token may do.
        transport: Carries the requests instead of the network, for tests.
        settings: Settings to use; read from the environment if None.

    Raises:
        Unreachable: Nothing answers there.
        NotJson: A web page answers.
        NotOurApi: Something answers, but speaks neither dialect.
        Unauthorized: It asks for a token, or does not accept this one.
        PermissionDenied: The token may not read.
        ConnectError: The address itself cannot be used.
        SettingsError: The token cannot be sent, or a setting cannot be used.
    """
    # From here on no frame holds the token as plain text: tracebacks are shared, and some show local variables.
    token = SecretStr(token) if isinstance(token, str) else token
    if dialect not in _FINDERS:
        raise ValueError(f"dialect must be one of {', '.join(_FINDERS)}, not {dialect!r}.")
    settings = settings or load_settings()
    base = _base(url or settings.url or settings.api_url)
    url = None  # it may hold a password
    if isinstance(base, ConnectError):
        raise base
    token = token or _own_token(settings, base)
    _check_token(token)
    link = Transport(base, token=token, read_only=read_only or settings.read_only, wire=transport)
    try:
        return _FINDERS[dialect](link)
    except BaseException:
        link.close()
        raise


def _base(url: str) -> str | ConnectError:
    """Scheme, host, port and any path before `/api`; or why the address cannot be used, for the caller to raise."""
    example = "Write it like http://127.0.0.1:8642."
    parts = _split(url.strip())
    if parts is None:
        return ConnectError("The address cannot be read.", url="", advice=example)
    shown = f"{parts.scheme}://{parts.hostname}"
    if parts.scheme not in {"http", "https"}:
        return ConnectError(f"{parts.scheme}:// is no address of an API.", url=shown, advice=example)
    if "@" in parts.netloc:
        advice = "Take it out, and pass connect(url, token=...)."
        return ConnectError("The address holds a user name or password.", url=shown, advice=advice)
    if parts.query or parts.fragment:
        advice = "Use the plain address of the API."
        return ConnectError("The address goes on after its path with '?' or '#'.", url=shown, advice=advice)
    path = parts.path.rstrip("/")
    ending = next((known for known in _API_PATHS if path.endswith(known)), "")
    return f"{parts.scheme}://{parts.netloc}{path.removesuffix(ending)}"


def _split(url: str) -> SplitResult | None:
    """The parts of an address with a scheme and a host, else None."""
    try:
        parts = urlsplit(url)
        usable = "://" in url and parts.hostname and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        return None
    return parts if usable else None


def _own_token(settings: Settings, base: str) -> SecretStr | None:
    """The token of the settings, unless they say that it belongs to another platform."""
    if settings.url is not None and _base(settings.url) != base:
        return None
    return settings.token


def _check_token(token: SecretStr | None) -> None:
    """Refuse what no header can carry.

    Raises:
        SettingsError: The token holds blanks, line breaks or letters beyond ASCII; it is not repeated.
    """
    if token is not None and not (
        token.get_secret_value().isascii()
        and token.get_secret_value().isprintable()
        and " " not in token.get_secret_value()
    ):
        raise SettingsError(
            "The token holds characters that cannot be sent.", advice="Copy it again, without line breaks or blanks."
        )


def _find(link: Transport) -> Platform:
    """Whoever answers; the embedded platform is asked for first, for it speaks both dialects."""
    page: NotJson | None = None
    for finder in (_embedded, _pipeline, _queue):
        try:
            return finder(link)
        except NotOurApi:
            continue
        except NotJson as error:
            page = error
    if page is not None:
        raise page
    raise NotOurApi(f"What answers at {link.origin} speaks neither dialect.", url=link.origin)


def _embedded(link: Transport) -> Platform:
    told = _ask(link, "embedded", CAPABILITIES_PATH)
    if not is_embedded(told):
        raise _not_our_api(link, "embedded")
    return EmbeddedPlatform(link, told)


def _pipeline(link: Transport) -> Platform:
    _check_rows(link, "/api/v1/tasks", "id", "pipeline")
    return PipelinePlatform(link)


def _queue(link: Transport) -> Platform:
    _check_rows(link, "/api/tasks", "task_id", "queue")
    return QueuePlatform(link)


def _check_rows(link: Transport, path: str, key: str, dialect: str) -> None:
    """Make sure that a list of tasks of this dialect is there."""
    try:
        rows = read_envelope(_ask(link, dialect, path, {"page_size": 1})).rows
    except BadAnswer:
        raise _not_our_api(link, dialect) from None
    if rows and not (isinstance(rows[0], dict) and key in rows[0]):
        raise _not_our_api(link, dialect)


def _ask(link: Transport, dialect: str, path: str, params: dict[str, int] | None = None) -> Any:
    """The JSON at a path; a refusal or a missing path means that this dialect is not spoken."""
    try:
        return link.read(path, params)
    except Unavailable as error:
        if error.status is not None:
            raise
        raise Unreachable(f"Nothing answers at {link.origin}: {error.message}", url=link.origin) from error
    except BadAnswer as error:
        if error.status is not None and error.status // 100 == 3:  # noqa: PLR2004 - redirects
            raise ConnectError(error.message, url=link.origin, advice=error.advice) from error
        raise _not_our_api(link, dialect) from error
    except PermissionDenied as error:
        if error.detail:
            raise
        # A 403 without a word in JSON comes from something else, such as the dashboard's own server.
        raise _not_our_api(link, dialect) from error
    except (NotFound, Refused) as error:
        raise _not_our_api(link, dialect) from error


def _not_our_api(link: Transport, dialect: str) -> NotOurApi:
    return NotOurApi(f"What answers at {link.origin} is no {dialect} API of tasks.", url=link.origin)


_FINDERS: dict[Choice, Callable[[Transport], Platform]] = {
    "auto": _find,
    "embedded": _embedded,
    "pipeline": _pipeline,
    "queue": _queue,
}

"""Who may do what: roles, tokens, and which addresses may go without tokens."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from retry_toolkit.errors import SettingsError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from retry_toolkit.settings import Settings

Role = Literal["local", "viewer", "operator"]

TOKEN_ADVICE = "Set RETRY_TOOLKIT_OPERATOR_TOKEN (may act) and, for readers, RETRY_TOOLKIT_VIEWER_TOKEN."  # noqa: S105 - advice, not a secret


@dataclass(frozen=True, slots=True)
class Access:
    """Which token has which role; keeps digests only, so that no token can be printed.

    Without any token everyone is `local` and may do everything.
    """

    operator: bytes | None = field(default=None, repr=False)
    viewer: bytes | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """The access that the settings give.

        Raises:
            SettingsError: A token is blank, cannot be sent in a header, or both tokens are the same.
        """
        access = cls(
            operator=_digest("operator_token", settings.operator_token),
            viewer=_digest("viewer_token", settings.viewer_token),
        )
        if access.operator and access.operator == access.viewer:
            raise SettingsError("The viewer token and the operator token are the same.", advice=TOKEN_ADVICE)
        return access

    @property
    def open(self) -> bool:
        """Whether requests need no token."""
        return self.operator is None and self.viewer is None

    def role(self, authorization: str | None) -> Role | None:
        """The role that an `Authorization` header proves, or None; compares in constant time."""
        if self.open:
            return "local"
        scheme, _, token = (authorization or "").partition(" ")
        given = sha256(token.strip().encode("utf-8", "surrogateescape")).digest()
        is_operator = hmac.compare_digest(given, self.operator or b"")
        is_viewer = hmac.compare_digest(given, self.viewer or b"")
        if scheme.lower() != "bearer":
            return None
        return "operator" if is_operator else "viewer" if is_viewer else None


def is_loopback(host: str) -> bool:
    """Whether a host to bind to can be reached from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(settings: Settings) -> None:
    """Refuse to serve other machines without tokens.

    Raises:
        SettingsError: The host is not loopback and no token is set, or a token cannot be used.
    """
    if Access.of(settings).open and not is_loopback(settings.host):
        raise SettingsError(
            f"Host {settings.host!r} can be reached from other machines, and no token is set.",
            advice=f"{TOKEN_ADVICE} Or bind to 127.0.0.1.",
        )


def _digest(name: str, token: SecretStr | None) -> bytes | None:
    if token is None:
        return None
    text = token.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError(
            f"Setting {name!r} is empty or has characters that a header cannot carry.",
            advice="Use letters, digits and punctuation without spaces.",
        )
    return sha256(text.encode()).digest()

"""Whether a port can be used, asked before a process is started on it."""

from __future__ import annotations

import socket

from retry_toolkit.errors import SettingsError


def check_port(host: str, port: int, setting: str) -> None:
    """Refuse a port that something else uses, before anything is started.

    Args:
        host: Address to bind to.
        port: The port.
        setting: Name of the setting that chooses it, for the advice.

    Raises:
        SettingsError: The port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port in TIME_WAIT after a stop is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"Port {port} on {host} cannot be used: {error.strerror}.",
                advice=f"Stop what uses it, or choose another: RETRY_TOOLKIT_{setting}=<port>.",
            ) from error

"""A process that executes a plan and kills itself at its second retry.

`python -m tests.retry.dying_child HOME URL MOMENT ID...`, with MOMENT `before` or `after`: whether that retry reaches
the platform.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import httpx

from retry_toolkit.platforms.embedded import CAPABILITIES_PATH, EmbeddedPlatform
from retry_toolkit.platforms.transport import Transport
from retry_toolkit.retry.evidence import Evidence
from retry_toolkit.retry.execute import execute
from retry_toolkit.retry.journal import Journal
from retry_toolkit.retry.plan import plan_retry

FATAL_WRITE = 2


class Killing(httpx.BaseTransport):
    """The network, until the write that is the last."""

    def __init__(self, moment: str) -> None:
        self._moment = moment
        self._network = httpx.HTTPTransport()
        self._writes = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on, or die."""
        self._writes += request.method == "POST"
        fatal = request.method == "POST" and self._writes == FATAL_WRITE
        if fatal and self._moment == "before":
            _die()
        response = self._network.handle_request(request)
        if fatal:
            response.read()
            _die()
        return response


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable: nobody survives SIGKILL")


def main(home: str, url: str, moment: str, *task_ids: str) -> None:
    """Execute a plan of single retries, one at a time."""
    told = json.loads(httpx.get(f"{url}{CAPABILITIES_PATH}", trust_env=False).text) | {"batch": "none"}
    platform = EmbeddedPlatform(Transport(url, wire=Killing(moment)), told)
    with Journal.open(Path(home)) as journal, Evidence.open(Path(home)) as evidence:
        plan = plan_retry(platform, task_ids)
        execute(plan, journal=journal, evidence=evidence, concurrency=1, progress=False, wait=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

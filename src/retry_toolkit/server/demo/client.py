"""The price feed's client of the local HTTP service; only the stage that fetches loads it."""

# ruff: noqa: T201 - what a stage prints is its log

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from retry_toolkit.server.demo.places import read_json, service_file
from retry_toolkit.server.pipelines import StageError

TYPE_CHECKING = False  # `typing` costs every stage process several milliseconds
if TYPE_CHECKING:
    from typing import Self

PATIENCE_S = 0.5
OK, TOO_MANY_REQUESTS = 200, 429


class PriceClient:
    """One connection to the service, for one account.

    Raises:
        StageError: From each method, as transient, when the service does not answer as asked.
    """

    def __init__(self, home: Path, account: str) -> None:
        file = service_file(home)
        if not file.exists():
            raise StageError(
                "The price service is not running: start the platform with `retry-toolkit serve`.", "transient"
            )
        self._account = account
        self._connection = HTTPConnection(str(urlsplit(read_json(file)["url"]).netloc), timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._connection.close()

    def warm_up(self, market: str) -> None:
        """Make sure that the service has the history of a market before single prices are asked for."""
        try:
            self._connection.request("GET", f"/history/{quote(market, safe='')}")
            self._connection.getresponse().read()
        except TimeoutError:
            raise StageError(
                f"Timed out after {PATIENCE_S} s waiting for the history of {market}\n"
                "  the service builds the index of a market when it is asked for the first time",
                "transient",
            ) from None

    def price(self, symbol: str, day: str) -> str:
        """The price of a symbol on a day, as the JSON that the service sent."""
        path = f"/prices/{quote(symbol, safe='')}?{urlencode({'day': day})}"
        self._connection.request("GET", path, headers={"X-Account": self._account})
        answer = self._connection.getresponse()
        body = answer.read().decode()
        if answer.status == TOO_MANY_REQUESTS:
            wait = answer.getheader("Retry-After")
            print(f"429 at {symbol}, Retry-After: {wait}", file=sys.stderr)
            detail = json.loads(body)["detail"]
            raise StageError(f"HTTP 429 Too Many Requests at {symbol}: {detail}\n  Retry-After: {wait} s", "transient")
        if answer.status != OK:
            raise StageError(f"HTTP {answer.status} {answer.reason} at {symbol}: {body[:200]}", "transient")
        return body

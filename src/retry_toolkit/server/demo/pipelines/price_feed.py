"""A feed of closing prices from the local HTTP service, which limits the calls of each account.

What was fetched is kept in a cache, as careful clients do: a retry goes on where the last attempt was refused.
"""

# ruff: noqa: T201 - what a stage prints is its log

from __future__ import annotations

import csv
import hashlib
import json
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from retry_toolkit.server.demo.places import demo_dir, read_json, service_file, stage_home, write_text
from retry_toolkit.server.pipelines import Pipeline, StageContext, StageError

PATIENCE_S = 0.5
OK, TOO_MANY_REQUESTS = 200, 429

prices = Pipeline("price_feed", title="Price feed · 行情数据", project="market-data")


@prices.stage(role="planner", timeout_s=60)
def plan(ctx: StageContext) -> dict[str, object]:
    """Decide which symbols to ask for: each once, in order."""
    with (ctx.inputs / "symbols.csv").open(encoding="utf-8", newline="") as file:
        wanted = sorted({row["symbol"].strip().upper() for row in csv.DictReader(file)})
    (ctx.work / "plan.json").write_text(json.dumps(wanted), encoding="utf-8")
    print(f"{len(wanted)} symbols on {ctx.params['day']} for account {ctx.params['account']}")
    return {"summary": f"{len(wanted)} symbols to fetch", "status": "pass", "artifacts": ["plan.json"]}


@prices.stage(role="fetcher", timeout_s=60)
def fetch(ctx: StageContext) -> dict[str, object]:
    """Ask the service for what the cache lacks."""
    wanted = read_json(ctx.outputs("plan") / "plan.json")
    cache = _cache(ctx)
    missing = [symbol for symbol in wanted if not (cache / f"{symbol}.json").exists()]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} symbols are in the cache")
    connection = _connect(stage_home(ctx.inputs))
    try:
        if market := ctx.params.get("history"):
            _warm_up(connection, str(market))
        for symbol in missing:
            write_text(cache / f"{symbol}.json", _price(connection, symbol, ctx))
            print(f"fetched {symbol}")
    finally:
        connection.close()
    return {"summary": f"{len(missing)} fetched, {len(wanted) - len(missing)} from the cache", "status": "pass"}


def _cache(ctx: StageContext) -> Path:
    name = hashlib.sha256(f"{ctx.params['account']}/{ctx.params['day']}".encode()).hexdigest()[:16]
    return demo_dir(stage_home(ctx.inputs)) / "cache" / name


def _connect(home: Path) -> HTTPConnection:
    file = service_file(home)
    if not file.exists():
        raise StageError(
            "The price service is not running: start the platform with `retry-toolkit serve`.", "transient"
        )
    return HTTPConnection(str(urlsplit(read_json(file)["url"]).netloc), timeout=PATIENCE_S)


def _warm_up(connection: HTTPConnection, market: str) -> None:
    """Make sure that the service has the history of a market before single prices are asked for."""
    try:
        connection.request("GET", f"/history/{quote(market, safe='')}")
        connection.getresponse().read()
    except TimeoutError:
        raise StageError(
            f"Timed out after {PATIENCE_S} s waiting for the history of {market}\n"
            "  the service builds the index of a market when it is asked for the first time",
            "transient",
        ) from None


def _price(connection: HTTPConnection, symbol: str, ctx: StageContext) -> str:
    path = f"/prices/{quote(symbol, safe='')}?{urlencode({'day': ctx.params['day']})}"
    connection.request("GET", path, headers={"X-Account": str(ctx.params["account"])})
    answer = connection.getresponse()
    body = answer.read().decode()
    if answer.status == TOO_MANY_REQUESTS:
        wait = answer.getheader("Retry-After")
        print(f"429 at {symbol}, Retry-After: {wait}", file=sys.stderr)
        raise StageError(
            f"HTTP 429 Too Many Requests at {symbol}: {json.loads(body)['detail']}\n  Retry-After: {wait} s",
            "transient",
        )
    if answer.status != OK:
        raise StageError(f"HTTP {answer.status} {answer.reason} at {symbol}: {body[:200]}", "transient")
    return body


@prices.stage(role="merger", timeout_s=60)
def merge(ctx: StageContext) -> dict[str, object]:
    """Put the single answers together, in the order of the plan."""
    cache = _cache(ctx)
    quotes = [read_json(cache / f"{symbol}.json") for symbol in read_json(ctx.outputs("plan") / "plan.json")]
    with (ctx.work / "prices.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("symbol", "day", "price"))
        writer.writeheader()
        writer.writerows(quotes)
    mean = sum(float(quote["price"]) for quote in quotes) / len(quotes)
    print(f"{len(quotes)} prices, mean {mean:.2f}")
    return {
        "summary": f"{len(quotes)} prices, mean {mean:.2f}",
        "status": "pass",
        "confidence": 1.0,
        "artifacts": ["prices.csv"],
        "tokens_used": 3 * len(quotes),
    }


@prices.stage(role="publisher", timeout_s=60)
def publish(ctx: StageContext) -> str:
    """Make the feed available to its readers, in one step."""
    text = (ctx.outputs("merge") / "prices.csv").read_text(encoding="utf-8")
    target = demo_dir(stage_home(ctx.inputs)) / "published" / f"{ctx.params['account']}.csv"
    write_text(target, text)
    print(f"published {target.name} at {time.strftime('%H:%M:%S', time.gmtime())} UTC")
    return f"{target.name}, {len(text):,} bytes"

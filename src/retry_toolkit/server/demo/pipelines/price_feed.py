"""A feed of closing prices from the local HTTP service, which limits the calls of each account.

What was fetched is kept in a cache, as careful clients do: a retry goes on where the last attempt was refused.
"""

# ruff: noqa: T201 - what a stage prints is its log

from __future__ import annotations

import csv
import hashlib
import json
import time
from pathlib import Path

from retry_toolkit.server.demo.places import demo_dir, read_json, stage_home, write_text
from retry_toolkit.server.pipelines import Pipeline, StageContext

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
    from retry_toolkit.server.demo.client import PriceClient  # noqa: PLC0415 - the other stages talk to nobody

    wanted = read_json(ctx.outputs("plan") / "plan.json")
    cache = _cache(ctx)
    missing = [symbol for symbol in wanted if not (cache / f"{symbol}.json").exists()]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} symbols are in the cache")
    with PriceClient(stage_home(ctx.inputs), str(ctx.params["account"])) as client:
        if market := ctx.params.get("history"):
            client.warm_up(str(market))
        for symbol in missing:
            write_text(cache / f"{symbol}.json", client.price(symbol, str(ctx.params["day"])))
            print(f"fetched {symbol}")
    return {"summary": f"{len(missing)} fetched, {len(wanted) - len(missing)} from the cache", "status": "pass"}


def _cache(ctx: StageContext) -> Path:
    name = hashlib.sha256(f"{ctx.params['account']}/{ctx.params['day']}".encode()).hexdigest()[:16]
    return demo_dir(stage_home(ctx.inputs)) / "cache" / name


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

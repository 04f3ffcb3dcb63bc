"""A daily sales report: an export is checked, cleaned, joined with the product list, summed up, drawn and judged."""

# ruff: noqa: T201 - what a stage prints is its log

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from retry_toolkit.server.demo.places import read_json, reference_dir, stage_home
from retry_toolkit.server.pipelines import Pipeline, StageContext, StageError

COLUMNS = ("order_id", "date", "region", "sku", "quantity", "unit_price", "customer")
MAX_SHOWN = 8

sales = Pipeline("sales_report", title="Sales report · 销售报表", project="sales")


@sales.stage(role="validator", timeout_s=60)
def validate(ctx: StageContext) -> dict[str, object]:
    """Refuse an export that lacks a column or has rows that cannot be read."""
    with (ctx.inputs / "sales.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        _check_header(header)
        problems, count = [], 0
        for row in rows:
            count += 1
            if problem := _problem(row, header):
                print(f"line {rows.line_num}: {problem}", file=sys.stderr)
                problems.append(f"  line {rows.line_num}: {problem}: {','.join(row)!r}")
    if problems:
        shown = "\n".join(problems[:MAX_SHOWN])
        more = f"\n  ... and {len(problems) - MAX_SHOWN} more" if len(problems) > MAX_SHOWN else ""
        raise StageError(f"{len(problems)} of {count} rows of sales.csv are malformed:\n{shown}{more}", "semantic")
    print(f"sales.csv: {count} rows, {len(header)} columns, all well formed")
    return {
        "summary": f"{count} rows are well formed",
        "status": "pass",
        "confidence": 1.0,
        "metadata": {"rows": count},
    }


def _check_header(header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise StageError(
            f"Missing column: {', '.join(missing)}\n"
            f"  the header of sales.csv has: {', '.join(header)}\n"
            f"  expected:                    {', '.join(COLUMNS)}",
            "semantic",
        )


def _problem(row: list[str], header: list[str]) -> str:
    """What is wrong with a row, or an empty text."""
    if len(row) != len(header):
        return f"{len(row)} fields instead of {len(header)}"
    fields = dict(zip(header, row, strict=True))
    if not fields["quantity"].strip().isdigit():
        return f"quantity {fields['quantity']!r} is not a number"
    try:
        float(fields["unit_price"])
    except ValueError:
        return f"unit_price {fields['unit_price']!r} is not a number"
    return ""


@sales.stage(role="cleaner", timeout_s=60)
def clean(ctx: StageContext) -> dict[str, object]:
    """Trim the fields, write dates one way, drop orders that were exported twice."""
    kept: dict[str, dict[str, str]] = {}
    duplicates = 0
    with (ctx.inputs / "sales.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            order = {name: value.strip() for name, value in row.items()}
            order["date"] = order["date"].replace("/", "-")
            if order["order_id"] in kept:
                duplicates += 1
                print(f"order {order['order_id']} was exported twice, the later row is dropped", file=sys.stderr)
                continue
            kept[order["order_id"]] = order
            if ctx.params.get("verbose"):
                print(
                    f"{order['order_id']} {order['date']} {order['sku']} {order['quantity']:>4} x {order['unit_price']}"
                )
    _write_rows(ctx.work / "clean.csv", list(kept.values()), COLUMNS)
    words = sum(len(order["customer"].split()) for order in kept.values())
    print(f"{len(kept)} orders kept, {duplicates} dropped")
    return {
        "summary": f"{len(kept)} orders kept, {duplicates} duplicates dropped",
        "status": "partial" if duplicates else "pass",
        "confidence": round(len(kept) / max(1, len(kept) + duplicates), 3),
        "artifacts": ["clean.csv"],
        "tokens_used": words + len(COLUMNS) * len(kept),
    }


@sales.stage(role="joiner", timeout_s=60)
def join(ctx: StageContext) -> dict[str, object]:
    """Add name, category and cost of each product from the reference list."""
    reference = reference_dir(stage_home(ctx.inputs)) / "products.csv"
    products = {row["sku"]: row for row in _read_rows(reference)}
    orders = _read_rows(ctx.outputs("clean") / "clean.csv")
    unknown = sorted({order["sku"] for order in orders} - products.keys())
    if unknown:
        lost = sum(order["sku"] in set(unknown) for order in orders)
        raise StageError(
            f"{len(unknown)} products are not in the reference list, {lost} orders would be lost\n"
            f"  reference: products.csv, {len(products)} products\n"
            f"  not listed: {', '.join(unknown)}",
            "semantic",
        )
    joined = [order | products[order["sku"]] for order in orders]
    _write_rows(ctx.work / "joined.csv", joined, (*COLUMNS, "name", "category", "cost"))
    print(f"{len(joined)} orders joined with {len(products)} products")
    return {"summary": f"{len(joined)} orders joined", "status": "pass", "confidence": 1.0, "artifacts": ["joined.csv"]}


@sales.stage(role="analyst", timeout_s=60, memory_mb=512)
def aggregate(ctx: StageContext) -> dict[str, object]:
    """Sum up revenue, tax and margin by category, with the tax rates of the region."""
    region = str(ctx.params["region"])
    rates = {
        row["category"]: row for row in _read_rows(reference_dir(stage_home(ctx.inputs)) / "regions" / f"{region}.csv")
    }
    totals: dict[str, dict[str, float]] = {}
    for order in _read_rows(ctx.outputs("join") / "joined.csv"):
        tax_rate = float(rates[order["category"]]["tax_rate"])
        revenue = int(order["quantity"]) * float(order["unit_price"])
        total = totals.setdefault(order["category"], {"orders": 0, "revenue": 0.0, "tax": 0.0, "margin": 0.0})
        total["orders"] += 1
        total["revenue"] += revenue
        total["tax"] += revenue * tax_rate
        total["margin"] += revenue - int(order["quantity"]) * float(order["cost"])
    (ctx.work / "totals.json").write_text(json.dumps(totals, ensure_ascii=False, indent=1), encoding="utf-8")
    revenue = sum(total["revenue"] for total in totals.values())
    for category, total in sorted(totals.items()):
        print(f"{category:<16} {total['orders']:>5.0f} orders {total['revenue']:>12.2f} {total['margin']:>12.2f}")
    return {
        "summary": f"{revenue:,.2f} of revenue in {len(totals)} categories",
        "status": "pass",
        "artifacts": ["totals.json"],
        "metadata": {"revenue": round(revenue, 2), "categories": len(totals)},
    }


sales.command(
    "render",
    [sys.executable, "-I", "-S", Path(__file__).parent.parent / "tools" / "render.py"],
    role="renderer",
    timeout_s=60,
)


@sales.stage(role="reviewer", timeout_s=60, max_retries=1)
def gate(ctx: StageContext) -> dict[str, object]:
    """Let no report out whose margin is below what the department allows."""
    totals = read_json(ctx.outputs("aggregate") / "totals.json").values()
    least = float(read_json(reference_dir(stage_home(ctx.inputs)) / "gates.json")["least_margin"])
    margin = sum(total["margin"] for total in totals) / sum(total["revenue"] for total in totals)
    if margin < least:
        raise StageError(
            f"Quality gate: the margin is {margin:.1%}, at least {least:.1%} is required\n"
            "  a person has to look at the prices of this export before it is published",
            "gate_rejected",
        )
    print(f"margin {margin:.1%} >= {least:.1%}: released")
    return {
        "summary": f"Released with a margin of {margin:.1%}",
        "status": "pass",
        "confidence": round(min(1.0, margin * 2), 3),
    }


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)

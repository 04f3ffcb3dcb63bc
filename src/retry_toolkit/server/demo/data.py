"""Input files of the demo's tasks: plausible, the same for the same seed, and at fault where the case asks for it."""

from __future__ import annotations

import csv
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

from retry_toolkit.server.demo.mending import AUTUMN_LINE, KEEP_DAYS, NEW_SCANS, OLD_SCANS, PRODUCTS
from retry_toolkit.server.demo.pipelines.sales_report import COLUMNS
from retry_toolkit.server.demo.plan import Case

CUSTOMERS = (
    "Haus & Garten GmbH",
    "明月家居",
    "Nordlys AS",
    "海淀办公用品",
    "Casa Ribeiro",
    "Lindqvist & Co",
    "长江百货",
    "Ó Briain Ltd",
)
WORDS = (
    "invoice",
    "total",
    "due",
    "paid",
    "contract",
    "clause",
    "signed",
    "delivery",
    "发票",
    "合同",
    "金额",
    "已付",
    "归档",
    "客户",
)
MATERIALS = (("aluminium", 237), ("copper", 401), ("steel", 45), ("FR-4", 0.3), ("石墨", 140))
MALFORMED: tuple[Callable[[dict[str, str]], dict[str, str]], ...] = (
    lambda row: row | {"quantity": "twelve"},
    lambda row: row | {"unit_price": "12,50 €"},
    lambda row: row | {"quantity": "<img src=x onerror=alert(1)>"},
    lambda row: row | {"unit_price": ""},
)
VERBOSE_ROWS = 3200
RARELY = 0.25


def write_inputs(case: Case, folder: Path) -> dict[str, Path]:
    """Write the input files of a case; returns their paths by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(case.key)  # noqa: S311 - the same files for the same case, nothing secret
    WRITERS[case.pipeline](case, folder, rng)
    return {path.name: path for path in sorted(folder.iterdir())}


def _write_sales(case: Case, folder: Path, rng: random.Random) -> None:
    count = VERBOSE_ROWS if case.params.get("verbose") else rng.randint(60, 420) * (case.cause != "empty_export")
    products = (*PRODUCTS, *AUTUMN_LINE) if case.cause == "reference_rows" else PRODUCTS
    # A margin is what is left of the price: this one leaves too little, or enough.
    markup = 1.1 if case.cause == "quality_gate" else 1.6
    rows = [_order(case, number, markup, rng.choice(products), rng) for number in range(count)]
    if case.cause == "reference_rows":
        rows[0]["sku"] = AUTUMN_LINE[0]
    if case.cause == "malformed_row":
        for position in rng.sample(range(count), rng.randint(1, 11)):
            rows[position] = rng.choice(MALFORMED)(rows[position])
    elif rows and rng.random() < RARELY:
        rows.append(rows[count // 2])
    lost = rng.choice(("unit_price", "sku", "customer")) if case.cause == "missing_column" else None
    columns = [name for name in COLUMNS if name != lost]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    (folder / "sales.csv").write_text(text.getvalue(), encoding="utf-8")


def _order(case: Case, number: int, markup: float, sku: str, rng: random.Random) -> dict[str, str]:
    cost = 4.5 + int(sku[2:]) % 37
    separator = rng.choice("-/")
    return {
        "order_id": f"SO-{rng.randrange(16**6):06X}-{number:05}",
        "date": separator.join(("2026", "11", f"{rng.randint(1, 20):02}")),
        "region": str(case.params["region"]),
        "sku": sku,
        "quantity": str(rng.randint(1, 24)),
        "unit_price": f"{cost * markup * rng.uniform(0.97, 1.03):.2f}",
        "customer": f" {rng.choice(CUSTOMERS)}",
    }


def _write_archive(case: Case, folder: Path, rng: random.Random) -> None:
    documents = []
    for number in range(rng.randint(3, 9)):
        name = f"document-{number + 1:02}.txt"
        (folder / name).write_text(" ".join(rng.choices(WORDS, k=rng.randint(200, 4000))), encoding="utf-8")
        documents.append(name)
    if rng.random() < RARELY:
        (folder / "photo.bin").write_bytes(rng.randbytes(rng.randint(60_000, 600_000)))
        documents.append("photo.bin")
    if case.cause == "exit_code" or rng.random() < RARELY:
        _write_inner_archive(folder / "attachments.zip", cut=case.cause == "exit_code")
        documents.append("attachments.zip")
    scans = [*OLD_SCANS[:3], *NEW_SCANS[:2]] if case.cause == "lost_scan" else rng.sample(NEW_SCANS, 2)
    manifest = {"documents": documents, "scans": scans, "keep_days": KEEP_DAYS}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _write_inner_archive(path: Path, *, cut: bool) -> None:
    """An archive that came as an attachment, cut short as by a broken upload if asked."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        # A fixed time, so that the same case has the same bytes on every day.
        archive.writestr(zipfile.ZipInfo("note.txt", (2026, 11, 1, 12, 0, 0)), "附件 attachment\n" * 200)
    if cut:
        path.write_bytes(path.read_bytes()[:-40])


def _write_symbols(case: Case, folder: Path, rng: random.Random) -> None:
    count = int(case.params["symbols"])
    symbols = [f"{rng.choice('ABCDEFGHKLMNPRST')}{number:03}.{case.params['exchange']}" for number in range(count)]
    (folder / "symbols.csv").write_text("symbol\n" + "".join(f"{symbol}\n" for symbol in symbols), encoding="utf-8")


def _write_model(case: Case, folder: Path, rng: random.Random) -> None:
    material, conductivity = rng.choice(MATERIALS)
    model = {
        "material": material,
        "conductivity": conductivity,
        "edges": [rng.randint(280, 420) for _ in range(4)],
        "refinement": 9 if case.cause == "memory_limit" else rng.randint(2, 5),
        "relaxation": 2.2 if case.cause == "divergence" else round(rng.uniform(1.3, 1.7), 2),
        "duration_s": rng.randint(10, 30) if case.cause in {"time_out", "stopped"} else 0,
    }
    (folder / "model.json").write_text(json.dumps(model, ensure_ascii=False, indent=1), encoding="utf-8")


WRITERS: dict[str, Callable[[Case, Path, random.Random], None]] = {
    "sales_report": _write_sales,
    "archive_check": _write_archive,
    "price_feed": _write_symbols,
    "mesh_sim": _write_model,
}

"""The demo's reference files, whole or with the faults that make tasks fail, and the way from one to the other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from pathlib import Path

from retry_toolkit.errors import SettingsError
from retry_toolkit.server.demo.places import demo_dir, drop_dir, reference_dir, write_text
from retry_toolkit.settings import Settings

CATEGORIES = ("Kitchen", "Office", "Garden", "家居", "Lighting")
AUTUMN_LINE = tuple(f"N-9{number:02}" for number in range(1, 13))
PRODUCTS = tuple(f"{letter}-{number}" for letter in "ABCD" for number in range(101, 116))
REGIONS = ("east-china", "north-china", "south-china", "west-china", "dach", "benelux", "nordics", "iberia", "italia")
TAXED_ELSEWHERE = ("south-china", "nordics")
TAXED_LATE = ("north-china", "italia")
OLD_SCANS = tuple(f"2026-10/scan-{number:04}.txt" for number in range(231, 239))
NEW_SCANS = tuple(f"2026-11/scan-{number:04}.txt" for number in range(301, 309))
KEEP_DAYS = 7
DAY_S = 86400.0

FAULTS = {
    "reference_rows": f"products.csv lists the autumn line ({AUTUMN_LINE[0]} to {AUTUMN_LINE[-1]})",
    "reference_column": f"the tax tables of {' and '.join(TAXED_ELSEWHERE)} have their tax_rate",
    "mended_column": f"the tax tables of {' and '.join(TAXED_LATE)} have their tax_rate",
    "lost_scan": f"the scans of {OLD_SCANS[0][:7]} are restored from the backup",
    "memory_limit": "mesh.json allows no mesh finer than the memory limit",
    "time_out": "solver.json has a time step that gets to an end",
}
LASTING = tuple(name for name in FAULTS if name != "mended_column")


def mend(settings: Settings) -> str:
    """Mend every lasting cause of failure, so that retries succeed; says what was mended.

    Raises:
        SettingsError: There is no demo in this home directory.
    """
    _require_demo(settings)
    write_references(settings.home, broken=())
    mended = "\n".join(f"  - {text}" for name, text in FAULTS.items() if name in LASTING)
    return (
        f"Mended in {demo_dir(settings.home)}:\n{mended}\nRetry the tasks that failed because of these: they recover."
    )


def unmend(settings: Settings) -> str:
    """Bring the lasting causes of failure back.

    Raises:
        SettingsError: There is no demo in this home directory.
    """
    _require_demo(settings)
    write_references(settings.home, broken=LASTING)
    return f"The causes of failure in {demo_dir(settings.home)} are back: {', '.join(LASTING)}."


def _require_demo(settings: Settings) -> None:
    if not reference_dir(settings.home).is_dir():
        raise SettingsError(
            f"There is no demo in {settings.home}.",
            advice="Start one with `retry-toolkit up`, or set RETRY_TOOLKIT_HOME.",
        )


def write_references(home: Path, *, broken: Collection[str]) -> None:
    """Write every reference file with exactly these faults."""
    for name, text in reference_texts(broken).items():
        write_text(reference_dir(home) / name, text)
    month_ago = time.time() - 30 * DAY_S
    for name in OLD_SCANS:
        _write_scan(drop_dir(home) / name, scanned=month_ago if "lost_scan" in broken else time.time())
    for name in NEW_SCANS:
        _write_scan(drop_dir(home) / name, scanned=time.time())
    sweep(drop_dir(home))


def mend_late(home: Path) -> None:
    """Mend the one fault that somebody mends while the demo runs, so that some retries have already recovered."""
    texts = reference_texts(broken=())
    for region in TAXED_LATE:
        write_text(reference_dir(home) / "regions" / f"{region}.csv", texts[f"regions/{region}.csv"])


def sweep(drop: Path) -> list[str]:
    """Apply the drop's retention: remove and name the scans that are older than `KEEP_DAYS`."""
    oldest = time.time() - KEEP_DAYS * DAY_S
    expired = [path for path in sorted(drop.rglob("*.txt")) if path.stat().st_mtime < oldest]
    for path in expired:
        path.unlink()
    return [str(path.relative_to(drop)) for path in expired]


def reference_texts(broken: Collection[str]) -> dict[str, str]:
    """Names and contents of the reference files with these faults."""
    listed = PRODUCTS if "reference_rows" in broken else PRODUCTS + AUTUMN_LINE
    untaxed = (TAXED_ELSEWHERE if "reference_column" in broken else ()) + (
        TAXED_LATE if "mended_column" in broken else ()
    )
    control = {"tolerance": 0.01, "time_step_s": 1e-6 if "time_out" in broken else 0.25}
    return {
        "products.csv": _csv([("sku", "name", "category", "cost"), *(_product(sku) for sku in listed)]),
        **{f"regions/{region}.csv": _tax_table(region, taxed=region not in untaxed) for region in REGIONS},
        "gates.json": json.dumps({"least_margin": 0.2}),
        "mesh.json": json.dumps({"finest": 12 if "memory_limit" in broken else 5}),
        "solver.json": json.dumps(control),
    }


def _product(sku: str) -> tuple[str, ...]:
    number = int(sku[2:])
    return sku, f"Model {sku[0]}{number % 100}", CATEGORIES[number % len(CATEGORIES)], f"{4 + number % 37}.50"


def _tax_table(region: str, *, taxed: bool) -> str:
    rate = 0.13 if region.endswith("china") else 0.19
    rows: list[tuple[str, ...]] = [("category", "unit", "tax_rate")]
    rows += [(name, "piece", f"{rate}") for name in CATEGORIES]
    return _csv(rows if taxed else [row[:2] for row in rows])


def _csv(rows: list[tuple[str, ...]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


def _write_scan(path: Path, *, scanned: float) -> None:
    write_text(path, f"Scan {path.stem}\nreceived, stamped and filed 已归档\n" * 40)
    os.utime(path, (scanned, scanned))

"""Draw the totals of a sales report as SVG and HTML; run as a command line of the `sales_report` pipeline."""

# ruff: noqa: T201 - a command line speaks by printing

from __future__ import annotations

import html
import json
import os
from pathlib import Path

BAR = 22
WIDTH = 360


def main() -> None:
    """Read `totals.json` of the stage `aggregate`, write `chart.svg` and `report.html` here."""
    totals = json.loads((Path(os.environ["RT_OUTPUTS"]) / "aggregate" / "totals.json").read_text(encoding="utf-8"))
    svg = draw({category: total["revenue"] for category, total in totals.items()})
    Path("chart.svg").write_text(svg, encoding="utf-8")
    region = html.escape(os.environ.get("RT_PARAM_REGION", ""))
    page = f"<!doctype html><meta charset=utf-8><title>{region}</title><h1>{region}</h1>{svg}"
    Path("report.html").write_text(page, encoding="utf-8")
    print(f"report.html: {len(page)} characters, {len(totals)} bars")


def draw(values: dict[str, float]) -> str:
    """A bar chart, the longest bar first."""
    longest = max(values.values(), default=1.0)
    bars = [
        f'<rect y="{row * BAR}" height="{BAR - 4}" width="{WIDTH * value / longest:.1f}" fill="#4a7ab5"/>'
        f'<text x="4" y="{row * BAR + 13}" font-size="11">{html.escape(name)} {value:,.0f}</text>'
        for row, (name, value) in enumerate(sorted(values.items(), key=lambda item: -item[1]))
    ]
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{BAR * len(bars)}">{"".join(bars)}</svg>'


if __name__ == "__main__":
    main()

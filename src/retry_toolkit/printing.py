"""What the command line reads and prints; text of strangers stays text in terminals and spreadsheets."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from retry_toolkit.errors import RetryToolkitError

if TYPE_CHECKING:
    import pandas as pd

# C0 and C1 controls but tab and newline, and what turns the direction of text: none may reach a terminal.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_STYLES = {"failed": "red", "succeeded": "green", "running": "blue", "cancelled": "yellow"}


def parse_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Parameters of `k=v` texts; a value that parses as JSON is taken as such, anything else is text.

    Raises:
        RetryToolkitError: A pair has no `=` or no name.
    """
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise RetryToolkitError(f"--param {pair!r} is not of the form name=value.")
        try:
            parameters[name] = json.loads(text)
        except ValueError:
            parameters[name] = text
    return parameters


def print_tasks(frame: pd.DataFrame, output: Literal["table", "csv", "json"]) -> None:
    """Print a tasks frame: a table for people, CSV for spreadsheets, or JSON lines for programs."""
    if output == "json":
        frame.to_json(sys.stdout, orient="records", lines=True, date_format="iso", date_unit="us", force_ascii=False)
    elif output == "csv":
        defused(frame).to_csv(sys.stdout, index=False)
    else:
        _print_table(frame)


def defused(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy in which no text cell starts a spreadsheet formula: such cells get a leading apostrophe."""
    texts = [name for name, dtype in frame.dtypes.items() if str(dtype) in {"str", "category"}]
    return frame.assign(**{str(name): _defused(frame[name].astype("str")) for name in texts})


def _defused(column: pd.Series[str]) -> pd.Series[str]:
    return column.where(~column.str.startswith(_FORMULA, na=False), "'" + column)


def plain(text: object, width: int | None = None) -> str:
    """One line of text without control characters, cut to `width` with an ellipsis."""
    line = _CONTROLS.sub("\ufffd", " ".join(str(text).split()))
    return line if width is None or len(line) <= width else line[: width - 1] + "…"


def _print_table(frame: pd.DataFrame) -> None:
    console = Console()
    if frame.empty:
        console.print("No tasks.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, options in (
        ("task", {"no_wrap": True}),
        ("status", {"no_wrap": True}),
        ("created (UTC)", {"no_wrap": True}),
        ("name", {"ratio": 2}),
        ("failed stage", {}),
        ("retries", {"justify": "right", "no_wrap": True}),
        ("error", {"ratio": 3}),
    ):
        table.add_column(heading, **options)
    for row in frame.itertuples(index=False):
        table.add_row(*_cells(row))
    console.print(table)


def _cells(row: Any) -> list[Text]:
    status = str(row.status)
    retries = "" if _missing(row.retry_count) else str(row.retry_count)
    limit = "" if _missing(row.retry_limit) else f"/{row.retry_limit}"
    return [
        Text(plain(row.task_id)),
        Text(status, style=_STYLES.get(status, "")),
        Text("" if _missing(row.created_at) else f"{row.created_at:%Y-%m-%d %H:%M}"),
        Text("" if _missing(row.name) else plain(row.name, 60)),
        Text("" if _missing(row.failed_stage) else plain(row.failed_stage)),
        Text(retries + limit),
        Text("" if _missing(row.error) else plain(headline(str(row.error)), 100)),
    ]


def headline(text: str) -> str:
    """The line that says what happened: of a traceback what was raised, else the first."""
    # Where there are errors to print there are frames already; other commands need neither.
    from retry_toolkit.frames.fingerprints import raised_line  # noqa: PLC0415 - pandas loads slowly

    return raised_line(text) or next((line for line in text.splitlines() if line.strip()), "")


def _missing(value: object) -> bool:
    # NA compares as neither true nor false; NaN and NaT differ from themselves.
    return value is None or str(value) in {"<NA>", "nan", "NaT"}

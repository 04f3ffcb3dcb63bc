"""A plan as people read it in a notebook. Every text of others is escaped here, at the last step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retry_toolkit.retry.plan_rows import PlanRow, RetryPlan

SHOWN = 50
"""Rows that are shown; the rest is in `plan.frame`."""

_STYLE = "text-align:left;vertical-align:top;padding:2px 8px"
_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000


def plan_html(plan: RetryPlan) -> str:
    """The plan's counts, then its rows."""
    totals = plan.totals
    what = "reset one stage of each" if plan.action == "stage" else "make a new task of each"
    parts = [
        f"<p><b>{totals['ready']} of {totals['tasks']}</b> tasks will be retried on "
        f"<code>{escape(plan.origin)}</code>: {what}. Nothing has been sent.</p>"
    ]
    if plan.action == "task":
        copied = "copied" if plan.copy_files else "linked"
        parts.append(f"<p>Input files are {copied}: {size(totals['input_bytes'])} more disk.</p>")
    if totals["refused"]:
        reasons = "".join(f"<li>{count} × {escape(reason)}</li>" for reason, count in totals["reasons"].items())
        parts.append(f"<p>{totals['refused']} will not:</p><ul>{reasons}</ul>")
    parts.append(html_table(("task", "name", "verdict", "stage", "attempt", "past"), map(_cells, plan.rows[:SHOWN])))
    if len(plan.rows) > SHOWN:
        parts.append(f"<p>… and {len(plan.rows) - SHOWN} more, see <code>plan.frame</code>.</p>")
    parts.append(f"<p><small>plan <code>{plan.hash[:12]}</code></small></p>")
    return "".join(parts)


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain texts."""
    head = "".join(f'<th style="{_STYLE}">{escape(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{''.join(_cell(text) for text in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def size(number: int | None) -> str:
    """Bytes in words; what is not known is called so."""
    if number is None:
        return "unknown"
    amount = float(number)
    for unit in _UNITS:
        if amount < _STEP or unit == _UNITS[-1]:
            return f"{amount:.3g} {unit}"
        amount /= _STEP
    raise AssertionError("unreachable: the last unit takes any amount")


def _cell(text: str) -> str:
    return f'<td style="{_STYLE}">{escape(text)}</td>'


def _cells(row: PlanRow) -> tuple[str, ...]:
    limit = "" if row.retry_limit is None else f" of {row.retry_limit}"
    attempt = "" if row.attempt is None else f"{row.attempt}{limit}"
    verdict = row.verdict if not row.reason else f"{row.verdict}: {row.reason}"
    return (row.task_id, row.name or "", verdict, row.stage or "", attempt, _past(row))


def _past(row: PlanRow) -> str:
    if row.past is None:
        return ""
    if row.past.recovery_rate is None:
        return f"too few cases (n={row.past.cases})"
    return f"{row.past.recovery_rate:.0%} recovered (n={row.past.cases})"

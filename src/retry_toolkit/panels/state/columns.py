"""Which columns the table can show, and how many of them a browser may ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

DEFAULT: Final = (
    "status",
    "name",
    "failed_stage",
    "failure_category",
    "error",
    "retry_count",
    "created_at",
    "duration_s",
    "owner",
)
"""What the table shows until somebody chooses."""

COLUMNS: Final = (
    *DEFAULT,
    "finished_at",
    "template",
    "project",
    "refusal",
    "parent_id",
    "stage_count",
    "tokens",
    "cost",
)
"""Columns of the tasks frame that the table can show; the name brings the id with it."""


def chosen_columns(asked: Iterable[Any]) -> tuple[str, ...]:
    """Those of the columns asked for that there are, each once; the name is always among them."""
    known = tuple(dict.fromkeys(column for column in asked if column in COLUMNS))
    return known if "name" in known else ("name", *known)

"""Which tasks are shown, and in which order: pure functions over the tasks frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
Positions = np.ndarray[tuple[int], np.dtype[np.intp]]

CATEGORY_FILTERS: Final = (
    "status",
    "template",
    "project",
    "failed_stage",
    "failure_category",
    "fingerprint",
    "refusal",
)
ACTIVE: Final = "active"
"""Stands for running and pending in the status filter."""
_SEARCHED: Final = ("name", "task_id", "error", "owner")
# Sorting by status puts what needs attention first.
_STATUS_RANK: Final = {
    status: rank
    for rank, status in enumerate(("failed", "running", "pending", "unknown", "cancelled", "skipped", "succeeded"))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a task must match; None is any."""

    status: str | None = "failed"
    template: str | None = None
    project: str | None = None
    failed_stage: str | None = None
    failure_category: str | None = None
    fingerprint: str | None = None
    refusal: str | None = None
    text: str = ""
    retryable_only: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """The column that orders the table."""

    column: str = "created_at"
    descending: bool = True


def matching(tasks: pd.DataFrame, filters: Filters) -> Mask:
    """Which rows match; the cheap category filters run first, the text is sought only in what they leave."""
    mask = np.ones(len(tasks), dtype=np.bool_)
    for name in CATEGORY_FILTERS:
        wanted = getattr(filters, name)
        if wanted == ACTIVE and name == "status":
            mask &= _has_category(tasks[name], "running") | _has_category(tasks[name], "pending")
        elif wanted is not None:
            mask &= _has_category(tasks[name], wanted)
    if filters.retryable_only:
        mask &= tasks["retryable"].fillna(False).to_numpy(dtype=np.bool_)
    if needle := filters.text.strip():
        left = np.flatnonzero(mask)
        mask = np.zeros_like(mask)
        mask[left] = _contains(tasks.iloc[left], needle)
    return mask


def _has_category(column: pd.Series, wanted: str) -> Mask:
    code = column.cat.categories.get_indexer(pd.Index([wanted]))[0]
    return np.asarray(column.cat.codes == code) if code >= 0 else np.zeros(len(column), dtype=np.bool_)


def _contains(tasks: pd.DataFrame, needle: str) -> Mask:
    found = np.zeros(len(tasks), dtype=np.bool_)
    for name in _SEARCHED:
        column = tasks[name].astype("str")
        found |= column.str.contains(needle, case=False, regex=False).fillna(False).to_numpy(dtype=np.bool_)
    return found


def ordered(tasks: pd.DataFrame, mask: Mask, sort: Sort) -> Positions:
    """Row numbers of what matches in the order of `sort`; missing values come last, ties stay newest first."""
    positions = np.flatnonzero(mask)
    keys = _sort_keys(tasks[sort.column].iloc[positions], sort.column)
    # NumPy sorts NaN, which stands for missing, behind everything else.
    ranks = keys.rank(method="dense", ascending=not sort.descending).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(positions[np.argsort(ranks, kind="stable")], dtype=np.intp)


def _sort_keys(column: pd.Series, name: str) -> pd.Series:
    if name == "status":
        return column.astype("str").map(_STATUS_RANK)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("str")
    return column.str.casefold() if pd.api.types.is_string_dtype(column.dtype) else column


def choices(tasks: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Values of a category column that occur, sorted."""
    column = tasks[name]
    return tuple(column.cat.categories[np.unique(column.cat.codes[column.cat.codes >= 0])].astype("str"))

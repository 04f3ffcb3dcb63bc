"""A user's frames as those of a page: what is not there is missing, and no row is walked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from retry_toolkit.analysis.lineage import build_lineage
from retry_toolkit.frames.build import build_frame
from retry_toolkit.frames.fingerprints import fingerprints
from retry_toolkit.frames.schema import DTYPES, STAGES, TASKS, Columns, Kind
from retry_toolkit.panels.state.catalog_frames import Catalog, places_of
from retry_toolkit.platforms.base import STATUSES

_STAGE_OF_TASK: Final = {
    "task_id": "task_id",
    "stage": "failed_stage",
    "retry_count": "retry_count",
    "retry_limit": "retry_limit",
    "failure_category": "failure_category",
    "error": "error",
    "fingerprint": "fingerprint",
}


def catalog_of(tasks: pd.DataFrame, stages: pd.DataFrame | None, *, loaded_at: datetime) -> Catalog:
    """The catalog of these frames, which have `task_id` and `status` at least.

    Without stages, the failed stage of each task is all there is. Of tasks that occur twice the last row counts.

    Raises:
        ValueError: A column holds something else than its name says.
    """
    own = _tasks(tasks)
    parts = _failed_stages(own) if stages is None else _stages(stages, own)
    if stages is not None:
        counts = own["task_id"].map(parts["task_id"].value_counts()).fillna(0)
        own["stage_count"] = counts.astype("Int64")
    return Catalog(own, parts, build_lineage(own), loaded_at, claims={}, places=places_of(own))


def _tasks(frame: pd.DataFrame) -> pd.DataFrame:
    once = frame.assign(task_id=frame["task_id"].astype("str")).drop_duplicates("task_id", keep="last")
    found: dict[str, Any] = {str(name): column for name, column in once.items()}
    refusal = _given(found, "refusal", "text", len(once))
    retryable = _given(found, "retryable", "flag", len(once)).fillna(False).astype("bool")
    found |= _status(found)
    # A frame that tells nothing of it promises nothing.
    found["refusal"] = refusal.where(refusal.notna() | retryable, "unsupported")
    found["retryable"] = found["refusal"].isna()
    if "fingerprint" not in found:
        found["fingerprint"] = fingerprints(_given(found, "error", "text", len(once)))
    tasks = _canonical(TASKS, found, len(once))
    return tasks.sort_values("created_at", ascending=False, kind="stable", na_position="last", ignore_index=True)


def _stages(frame: pd.DataFrame, tasks: pd.DataFrame) -> pd.DataFrame:
    """In the order of the tasks; stages of no task are left out."""
    names = frame["task_id"].astype("str")
    known = frame.assign(task_id=names)[names.isin(tasks["task_id"]).to_numpy()]
    found: dict[str, Any] = {str(name): column for name, column in known.items()}
    found |= _status(found)
    if "stage_id" not in found:
        found["stage_id"] = known["task_id"] + "/" + known["stage"].astype("str")
    if "position" not in found:
        found["position"] = known.groupby("task_id").cumcount()
    if "fingerprint" not in found:
        found["fingerprint"] = fingerprints(_given(found, "error", "text", len(known)))
    stages = _canonical(STAGES, found, len(known))
    places = stages["task_id"].map(places_of(tasks)).to_numpy()
    order = np.lexsort((stages["position"].fillna(0).to_numpy(dtype=np.int64), places))
    return stages.iloc[order].reset_index(drop=True)


def _failed_stages(tasks: pd.DataFrame) -> pd.DataFrame:
    failed = tasks[tasks["failed_stage"].notna()]
    found: dict[str, Any] = {name: failed[source] for name, source in _STAGE_OF_TASK.items()}
    found["stage_id"] = failed["task_id"] + "/" + failed["failed_stage"].astype("str")
    found["position"] = np.zeros(len(failed), dtype=np.int64)
    found["retry_count"] = failed["retry_count"].fillna(0)
    found["status"] = found["native_status"] = pd.Series("failed", index=failed.index, dtype="str")
    return _canonical(STAGES, found, len(failed))


def _status(found: Mapping[str, Any]) -> dict[str, pd.Series]:
    """The status as one of ours, and the frame's own word."""
    word = found["status"].astype("str")
    status = word.where(word.isin(STATUSES), "unknown")
    native = found["native_status"].astype("str") if "native_status" in found else word
    return {"status": status, "native_status": native.where(native.notna(), status)}


def _canonical(columns: Columns, found: Mapping[str, Any], rows: int) -> pd.DataFrame:
    return build_frame(columns, {column.name: _given(found, column.name, column.kind, rows) for column in columns})


def _given(found: Mapping[str, Any], name: str, kind: Kind, rows: int) -> Any:
    """A column as its kind has it; missing throughout where the frame does not have it."""
    if name not in found:
        return pd.Series([None] * rows, dtype=DTYPES[kind] if kind != "category" else "str")
    values = found[name]
    if not isinstance(values, pd.Series):
        return values
    try:
        return _READ[kind](values.reset_index(drop=True))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The column {name} of the frame cannot be read as {kind}: {error}") from error


def _texts(values: pd.Series) -> pd.Series:
    return values.astype("str")


def _words(values: pd.Series) -> pd.Series:
    dtype = values.dtype
    return values if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == "str" else _texts(values)


def _times(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, utc=True).dt.as_unit("us")


def _numbers(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values).astype("Float64")


def _counts(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values).astype("Int64")


def _flags(values: pd.Series) -> pd.Series:
    return values.astype("boolean")


_READ: Final[Mapping[Kind, Callable[[pd.Series], pd.Series]]] = {
    "id": _texts,
    "text": _texts,
    "category": _words,
    "time": _times,
    "seconds": _numbers,
    "number": _numbers,
    "bytes": _counts,
    "count": _counts,
    "flag": _flags,
}

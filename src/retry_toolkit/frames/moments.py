"""Times as platforms send them -> Arrow timestamps: one cast a column, and only odd values one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retry_toolkit.platforms.decode import parse_moment

TIME = pa.timestamp("us", tz="UTC")

_LOCAL = pa.timestamp("us")
_PLAIN = r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[T ](?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,6})?"
_NAIVE, _AWARE = rf"{_PLAIN}$", rf"{_PLAIN}(?:Z|[+-]\d\d:\d\d)$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = (
    (moment.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) for moment in (datetime.min, datetime.max)
)
# Beyond this, epoch seconds are milliseconds; below the other there is no such year. Both are read one by one.
_LARGEST, _SMALLEST = 1e11, -6e10


def moments(values: Sequence[Any]) -> tuple[Any, list[int]]:
    """Timestamps of these values, null where there is none, and the positions of those that are no times.

    Naive text means UTC, numbers are epoch seconds or milliseconds: the same as `parse_moment` of each.
    """
    try:
        texts = pa.array(values, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _of_numbers(values)
    for cast in (_naive, _aware):
        try:
            return cast(texts), []
        except pa.ArrowInvalid:
            continue
    return _of_odd_texts(texts)


def _naive(texts: Any) -> Any:
    return pc.assume_timezone(texts.cast(_LOCAL), "UTC")


def _aware(texts: Any) -> Any:
    times = texts.cast(TIME)
    bounds = pc.min_max(times.cast(pa.int64()))
    if len(times) > times.null_count and not (_FIRST <= bounds["min"].as_py() <= bounds["max"].as_py() <= _LAST):
        raise pa.ArrowInvalid("there is no such year")
    return times


def _of_odd_texts(texts: Any) -> tuple[Any, list[int]]:
    """Naive texts and those with an offset are cast as a whole each, what is left is read one by one."""
    found = pa.nulls(len(texts), TIME)
    for pattern, cast in ((_NAIVE, _naive), (_AWARE, _aware)):
        chosen = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
        try:
            found = pc.replace_with_mask(found, chosen, cast(texts.filter(chosen)))
        except pa.ArrowInvalid:
            continue  # such as the 30th of February
    left = np.flatnonzero(pc.and_(pc.is_null(found), pc.is_valid(texts)).to_numpy(zero_copy_only=False))
    rest, bad = _one_by_one(texts.take(pa.array(left)).to_pylist())
    mask = np.zeros(len(texts), dtype=np.bool_)
    mask[left] = True
    return pc.replace_with_mask(found, pa.array(mask), rest), [int(left[position]) for position in bad]


def _of_numbers(values: Sequence[Any]) -> tuple[Any, list[int]]:
    """Epoch seconds as a whole, rounded as Python rounds them."""
    try:
        seconds = pa.array(values, pa.float64())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _one_by_one(values)
    plain = seconds.fill_null(0.0).to_numpy(zero_copy_only=False)
    if not np.all((plain > _SMALLEST) & (plain < _LARGEST)):
        return _one_by_one(values)
    fraction, whole = np.modf(plain)
    micros = whole.astype(np.int64) * 1_000_000 + np.rint(fraction * 1e6).astype(np.int64)
    return pa.array(micros, mask=seconds.is_null().to_numpy(zero_copy_only=False)).cast(TIME), []


def _one_by_one(values: Sequence[Any]) -> tuple[Any, list[int]]:
    found = [value if isinstance(value, datetime) else parse_moment(value) for value in values]
    bad = [at for at, value in enumerate(values) if found[at] is None and value is not None and value != ""]
    return pa.array(found, TIME), bad

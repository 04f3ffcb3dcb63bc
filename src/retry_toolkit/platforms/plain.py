"""Pages of tasks at the speed of the machine: rows that need no mending become `msgspec` structs.

A struct takes only what the `pydantic` model would take unchanged; every other row goes to the model, which mends it or
says why it cannot be read. So both ways read the same, and only odd rows are slow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, get_args

import msgspec

from retry_toolkit.errors import BadAnswer
from retry_toolkit.platforms.answers import tolerant_json
from retry_toolkit.platforms.decode import Envelope, ReadPage, WireModel, read_envelope, read_model, read_page
from retry_toolkit.platforms.shapes import Check, Shape, struct_in

PlainRow = Any
"""A struct that `PageReader` made: the fields of its model, its id as `task_id`."""

_BOM = b"\xef\xbb\xbf"
_REPLACEMENT = "\ufffd"
# Other escapes and proper pairs are stepped over, so that what is left is a surrogate on its own.
_LONE_SURROGATE = re.compile(
    rb"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|u)"
)
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class PageReader:
    """Reads pages of one model.

    Args:
        model: What a row is.
        key: The field that holds the id of a task.
        ids: Every id that a struct holds; one with an unreadable character makes a row unreadable.
    """

    def __init__(self, model: type[WireModel], *, key: str, ids: Callable[[PlainRow], Sequence[str]]) -> None:
        self._model = model
        self._ids = ids
        self._shape = self._strict = Shape(model, {key: "task_id"})

    def read(self, body: bytes, number: int, asked: int) -> ReadPage[PlainRow]:
        """One page; rows that cannot be read are set apart.

        Raises:
            BadAnswer: It is not JSON, or holds no list.
        """
        shape, envelope = self._decoded(body.removeprefix(_BOM))
        odd = self._odd(shape, envelope.rows)
        return read_page(envelope, number, asked, partial(self._mended, shape), at=odd)

    def _decoded(self, body: bytes) -> tuple[Shape, Envelope]:
        """The page, and the shape that its rows have."""
        with suppress(*_BROKEN):
            return self._fitted(lambda shape: shape.decode(body))
        with suppress(*_BROKEN):
            readable = _LONE_SURROGATE.sub(_replaced, body)
            return self._fitted(lambda shape: shape.decode(readable))
        try:
            envelope = read_envelope(tolerant_json(body))
        except ValueError as error:
            raise BadAnswer(f"The answer is not JSON: {error}.") from None
        with suppress(*_BROKEN):
            return self._fitted(lambda shape: replace(envelope, rows=shape.convert(envelope.rows)))
        # Where the decoder's words are not understood, each row goes to its model.
        return self._shape, envelope

    def _fitted(self, decode: Callable[[Shape], Envelope]) -> tuple[Shape, Envelope]:
        """What `decode` gives with the first shape that it does not fail with, each looser than the one before."""
        shape = self._shape
        while True:
            try:
                return shape, decode(shape)
            except msgspec.ValidationError as error:
                # Another page's thread may put its own here: what is forgotten so is learnt again.
                self._shape = shape = shape.loosened(error)

    def _odd(self, shape: Shape, rows: Sequence[Any]) -> list[int]:
        """Positions of the rows that are not as they should be; the others are complete then."""
        odd: list[int] = []
        left = list(range(len(rows)))
        for check in (*shape.checks, self._are_readable):
            if misfits := _misfits(rows, left, check):
                odd += misfits
                left = [at for at in left if at not in misfits]
        shape.fill([rows[at] for at in left])
        return sorted(odd)

    def _are_readable(self, rows: Sequence[PlainRow]) -> bool:
        return _REPLACEMENT not in "".join(chain.from_iterable(map(self._ids, rows)))

    def _mended(self, shape: Shape, row: Any) -> PlainRow:
        """The row as its model reads it, which need not look at what fits.

        Raises:
            Unreadable: Its meaning is lost.
        """
        # An id of the right type can be unreadable: then the model sees the whole row, to name its first fault.
        if isinstance(row, shape.row) and _REPLACEMENT not in str(row):
            sent, sound = shape.parted(row)
        else:
            sent, sound = msgspec.to_builtins(row), {}
        model, _ = read_model(self._model, sent)
        return self._strict.row(**sound | _plain_values(model, self._strict.row, sent))


def _misfits(rows: Sequence[Any], places: list[int], check: Check) -> list[int]:
    """The places of rows that do not fit: few do not, so a half that does is not looked at closer."""
    if check([rows[at] for at in places]):
        return []
    if len(places) == 1:
        return places
    half = len(places) // 2
    return [*_misfits(rows, places[:half], check), *_misfits(rows, places[half:], check)]


def _plain_values(model: WireModel, struct: type[msgspec.Struct], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What was sent in its plain form; what the model cannot tell is as if it had not been sent."""
    values = {}
    for field in msgspec.structs.fields(struct):
        value, given = getattr(model, field.encode_name), sent.get(field.encode_name)
        if value is not None:
            values[field.name] = _plain_value(value, field.type, given)
        elif _is_time(field.type) and given not in (None, ""):
            # Whoever reads it reports that it is none.
            values[field.name] = json.dumps(given)
        elif field.encode_name in sent and given is None:
            values[field.name] = None
    return values


def _plain_value(value: Any, kind: Any, sent: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat()
        case [WireModel(), *_]:
            struct = struct_in(kind)
            return [struct(**_plain_values(item, struct, row)) for item, row in zip(value, sent, strict=True)]
        case _:
            return value


def _is_time(kind: Any) -> bool:
    return {str, float} <= set(get_args(kind))


def _replaced(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found[1] else found[0]

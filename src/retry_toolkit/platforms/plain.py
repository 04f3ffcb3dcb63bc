"""Pages of tasks at the speed of the machine: rows that need no mending become `msgspec` structs.

The fields are those of the `pydantic` models. A struct takes only what the model would take unchanged; every other row
goes to the model, which mends it or says why it cannot be read. So both ways read the same, and only odd rows are slow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from retry_toolkit.errors import BadAnswer
from retry_toolkit.platforms.answers import tolerant_json
from retry_toolkit.platforms.decode import (
    Envelope,
    Plain,
    ReadPage,
    Unreadable,
    WireModel,
    make_envelope,
    read_envelope,
    read_model,
    read_page,
)

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
        self._struct = plain_struct(model, {"task_id": key})
        self._page = msgspec.json.Decoder(_envelope(self._struct))
        self._split = msgspec.json.Decoder(_envelope(msgspec.Raw))
        self._row = msgspec.json.Decoder(self._struct)
        self._expects_odd_rows = False

    def read(self, body: bytes, number: int, asked: int) -> ReadPage[PlainRow]:
        """One page; rows that cannot be read are set apart.

        Raises:
            BadAnswer: It is not JSON, or holds no list.
        """
        body = body.removeprefix(_BOM)
        if not self._expects_odd_rows:
            try:
                envelope = _opened(self._page.decode(body))
                if self._are_readable(envelope.rows):
                    return read_page(envelope, number, asked)
            except _BROKEN:
                pass
        return self._read_carefully(body, number, asked)

    def _read_carefully(self, body: bytes, number: int, asked: int) -> ReadPage[PlainRow]:
        """Row by row, so that only the odd ones go the slow way."""
        envelope = _split(self._split, body)
        rows = self._decoded(envelope.rows)
        if not self._are_readable([row for row in rows if not isinstance(row, msgspec.Raw)]):
            pairs = zip(rows, envelope.rows, strict=True)
            rows = [row if row is raw or self._are_readable((row,)) else raw for row, raw in pairs]
        # Odd rows rarely come alone: where one was, the next page is not decoded in vain before it is split.
        self._expects_odd_rows = any(isinstance(row, msgspec.Raw) for row in rows)
        return read_page(replace(envelope, rows=rows), number, asked, self._mended)

    def _decoded(self, raws: Sequence[msgspec.Raw]) -> list[PlainRow | msgspec.Raw]:
        """Each row; one that does not fit as it came."""
        rows: list[PlainRow | msgspec.Raw] = []
        while len(rows) < len(raws):
            try:
                # What came before an odd row stays.
                rows.extend(map(self._row.decode, raws[len(rows) :]))
            except _BROKEN:
                rows.append(raws[len(rows)])
        return rows

    def _are_readable(self, rows: Sequence[PlainRow]) -> bool:
        return _REPLACEMENT not in "".join(chain.from_iterable(map(self._ids, rows)))

    def _mended(self, row: PlainRow | msgspec.Raw) -> PlainRow:
        if not isinstance(row, msgspec.Raw):
            return row
        try:
            value = tolerant_json(bytes(row))
        except ValueError as error:
            raise Unreadable("", f"it is not JSON: {error}") from None
        model, _ = read_model(self._model, value)
        return _as_plain(model, self._struct, value)


def plain_struct(model: type[WireModel], renamed: Mapping[str, str] | None = None) -> type[msgspec.Struct]:
    """The struct of a model: one field for each of its own that can be plain.

    Args:
        model: Where the fields are declared.
        renamed: Names on the wire by the names that the struct's fields shall have instead.
    """
    names = {wire: name for name, wire in (renamed or {}).items()}
    fields = []
    for wire, declared in model.model_fields.items():
        plain = _plain(declared.annotation, declared.metadata)
        if plain.type is not None:
            required = (names.get(wire, wire), plain.type)
            fields.append(required if declared.is_required() else (*required, plain.absent))
    # Structs live for a page and refer to nothing that refers back: the collector need not look at each.
    return msgspec.defstruct(model.__name__, fields, rename=dict(renamed or {}), kw_only=True, gc=False)


def _plain(annotation: Any, metadata: Sequence[object] = ()) -> Plain:
    if found := next((item for item in metadata if isinstance(item, Plain)), None):
        return found
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _plain(inner, more)
    if get_origin(annotation) in {Union, UnionType}:
        kinds = [_plain(kind).type for kind in get_args(annotation) if kind is not type(None)]
        return Plain(Union[(*kinds, None)])
    if get_origin(annotation) is list:
        return Plain(list[_plain(get_args(annotation)[0]).type])  # type: ignore[misc]  # a type made at run time
    if isinstance(annotation, type) and issubclass(annotation, WireModel):
        return Plain(plain_struct(annotation))
    raise TypeError(f"{annotation!r} has no plain form; declare one with Plain.")


def _as_plain(model: WireModel, struct: type[msgspec.Struct], sent: Mapping[str, Any]) -> PlainRow:
    """A mended row in its plain form; a time that was none stays as it was sent, for whoever reads it to report."""
    values = {}
    for field in msgspec.structs.fields(struct):
        value = getattr(model, field.encode_name)
        if value is None and field.encode_name not in sent:
            continue
        values[field.name] = _plain_value(value, field.type, sent.get(field.encode_name))
    return struct(**values)


def _plain_value(value: Any, kind: Any, sent: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None).isoformat()
        case None:
            return None if sent is None or sent == "" or not _is_time(kind) else json.dumps(sent)
        case [WireModel(), *_]:
            struct = next(kind for kind in _parts(kind) if isinstance(kind, type) and issubclass(kind, msgspec.Struct))
            return [_as_plain(item, struct, row) for item, row in zip(value, sent, strict=True)]
        case _:
            return value


def _is_time(kind: Any) -> bool:
    return {str, float} <= set(get_args(kind))


def _parts(kind: Any) -> list[Any]:
    return [kind, *(part for inner in get_args(kind) for part in _parts(inner))]


def _envelope(row: Any) -> Any:
    """A list answer with rows of this type, in every known shape."""
    rows = list[row]
    names = ("total", "count", "page_size")
    told = [(name, object, None) for name in names]
    return msgspec.defstruct("Listing", [("items", rows | None, None), ("tasks", rows | None, None), *told]) | rows


def _opened(answer: Any) -> Envelope:
    if isinstance(answer, list):
        return Envelope(rows=answer)
    rows = answer.tasks if answer.items is None else answer.items
    if rows is None:
        raise BadAnswer("The answer holds no list of rows.")
    return make_envelope(rows, answer.total, answer.count, answer.page_size)


def _split(decoder: msgspec.json.Decoder[Any], body: bytes) -> Envelope:
    """The page with each of its rows as JSON of its own."""
    with suppress(*_BROKEN):
        return _opened(decoder.decode(body))
    with suppress(*_BROKEN):
        return _opened(decoder.decode(_LONE_SURROGATE.sub(_replaced, body)))
    try:
        envelope = read_envelope(tolerant_json(body))
    except ValueError as error:
        raise BadAnswer(f"The answer is not JSON: {error}.") from None
    return replace(envelope, rows=[msgspec.Raw(json.dumps(row)) for row in envelope.rows])


def _replaced(found: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if found[1] else found[0]

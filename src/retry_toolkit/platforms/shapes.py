"""How rows of a model are decoded: `msgspec` structs that take only what the model would take unchanged.

A page is decoded at once, and one odd value makes that fail. So a field that was odd once is loose from then on: it is
decoded whatever it holds, and the whole column of it is compared with what it should hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from retry_toolkit.errors import BadAnswer
from retry_toolkit.platforms.decode import Envelope, Plain, WireModel, make_envelope

Path = tuple[str, ...]
"""Names on the wire that lead from a row to a field of it; empty for the row itself."""

Check = Callable[[Sequence[Any]], bool]
"""Whether some rows are as they should be, in one respect."""

_NO_NUMBER = None | bool | str | list[Any]
_NO_OBJECT = _NO_NUMBER | int | float
# How msgspec says where in a list of rows a value did not fit.
_FAULT = re.compile(
    r"(?:Object missing required field `(?P<missing>\w+)`)?.* - at `\$(?:\.items|\.tasks)?\[\d+\](?P<path>[^`]*)`"
)


class Shape:
    """How rows of a model are decoded.

    Args:
        model: Where the fields are declared.
        renamed: Names that fields of the row shall have, by their names on the wire.
        loose: The fields that are decoded whatever they hold; the empty path stands for rows that are no objects.

    Attributes:
        row: The struct of a row.
        checks: What a row must pass to be as it should be, in this order. What has passed a check suits the next.
    """

    def __init__(
        self, model: type[WireModel], renamed: Mapping[str, str], loose: frozenset[Path] = frozenset()
    ) -> None:
        self._model = model
        self._renamed = renamed
        self._wire_names = {name: wire for wire, name in renamed.items()}
        self._loose_paths = loose
        self._loose_fields: list[_Loose] = []
        self.row = self._struct(model, ())
        self._loose_fields.sort(key=lambda field: len(field.lists))  # a list is checked before what is in it
        self.checks: list[Check] = [self._are_structs, *(field.fits for field in self._loose_fields)]
        item = self.row | _NO_OBJECT if () in loose else self.row
        self._rows = _list_of(item)
        self._page = msgspec.json.Decoder(_envelope(self._rows))

    def decode(self, body: bytes) -> Envelope:
        """A page, as it was sent.

        Raises:
            msgspec.ValidationError: A field that is not loose does not fit.
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: It is not JSON.
            BadAnswer: It holds no list.
        """
        return _opened(self._page.decode(body))

    def convert(self, rows: list[Any]) -> Any:
        """Rows of a page that was decoded already.

        Raises:
            msgspec.ValidationError: A field that is not loose does not fit.
        """
        return msgspec.convert(rows, self._rows)

    def loosened(self, error: msgspec.ValidationError) -> Shape:
        """The shape that takes what this one failed at.

        Raises:
            msgspec.ValidationError: The error is of nothing that could be looser.
        """
        fault = _FAULT.fullmatch(str(error))
        if fault is None:
            raise error
        path = (*re.findall(r"\.(\w+)", fault["path"]), *filter(None, [fault["missing"]]))
        if path in self._loose_paths:
            raise error
        return Shape(self._model, self._renamed, self._loose_paths | {path})

    def fill(self, rows: Sequence[Any], *, but: Container[str] = ()) -> None:
        """Put into rows what stands for a field that was not sent, but for fields of the row that do not fit."""
        for field in self._loose_fields:
            if field.top not in but:
                field.fill(rows)

    def parted(self, row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A row that did not pass, in two: what does not fit, as it was sent, and what fits, as the struct has it.

        A renamed field is always with what was sent: it is the id, without which nothing is read.
        """
        odd = set(self._wire_names)
        for field in self._loose_fields:
            if field.top not in odd and not field.fits([row]):
                odd.add(field.top)
        self.fill([row], but=odd)
        values = {name: getattr(row, name) for name in row.__struct_fields__}
        sound = {name: value for name, value in values.items() if name not in odd}
        sent = {self._wire_names.get(name, name): values[name] for name in odd if values[name] is not msgspec.UNSET}
        return msgspec.to_builtins(sent), sound

    def _are_structs(self, rows: Sequence[Any]) -> bool:
        return {self.row}.issuperset(map(type, rows))

    def _struct(self, model: type[WireModel], at: Path) -> type[msgspec.Struct]:
        """The struct of a model: one field for each of its own that can be plain."""
        fields: list[Any] = []
        for wire, declared in model.model_fields.items():
            plain = self._plain(declared.annotation, declared.metadata, (*at, wire))
            if plain.type is None:
                continue
            name = wire if at else self._renamed.get(wire, wire)
            if (*at, wire) in self._loose_paths:
                absent = msgspec.UNSET if declared.is_required() else plain.absent
                self._loose_fields.append(_Loose(lists=at, name=name, column=_column(plain.type), absent=absent))
                fields.append((name, _loose_type(plain.type), msgspec.UNSET))
            else:
                fields.append((name, plain.type) if declared.is_required() else (name, plain.type, plain.absent))
        return msgspec.defstruct(
            model.__name__,
            fields,
            rename={} if at else self._wire_names,
            kw_only=True,
            omit_defaults=True,  # as builtins a struct is what was sent, without what stands for the rest
            gc=False,  # structs live for a page and refer to nothing that refers back
        )

    def _plain(self, annotation: Any, metadata: Sequence[object], at: Path) -> Plain:
        if found := next((item for item in metadata if isinstance(item, Plain)), None):
            return found
        if get_origin(annotation) is Annotated:
            inner, *more = get_args(annotation)
            return self._plain(inner, more, at)
        if get_origin(annotation) in {Union, UnionType}:
            kinds = [self._plain(kind, (), at).type for kind in get_args(annotation) if kind is not type(None)]
            return Plain(Union[(*kinds, None)])
        if get_origin(annotation) is list:
            item = self._plain(get_args(annotation)[0], (), at).type
            return Plain(_list_of(item))
        if isinstance(annotation, type) and issubclass(annotation, WireModel):
            return Plain(self._struct(annotation, at))
        raise TypeError(f"{annotation!r} has no plain form; declare one with Plain.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loose:
    """A field that is decoded whatever it holds, and is `UNSET` where it was not sent.

    Attributes:
        lists: Names of the lists that lead to it.
        name: Its own.
        column: What it should hold.
        absent: What stands for one that was not sent; `UNSET` for one that must be.
    """

    lists: Path
    name: str
    column: type[msgspec.Struct]
    absent: object

    @property
    def top(self) -> str:
        """The field of the row that it is or lies in."""
        return (*self.lists, self.name)[0]

    def fits(self, rows: Sequence[Any]) -> bool:
        """Whether it holds what it should in all of these."""
        _, values = self._found(rows)
        if self.absent is not msgspec.UNSET:
            values = [value for value in values if value is not msgspec.UNSET]
        return _fits(self.column, values)

    def fill(self, rows: Sequence[Any]) -> None:
        """Put what stands for it where it was not sent."""
        for holder, value in zip(*self._found(rows), strict=True):
            if value is msgspec.UNSET:
                setattr(holder, self.name, self.absent)

    def _found(self, rows: Sequence[Any]) -> tuple[Sequence[Any], list[Any]]:
        """The objects that have it, and what it holds in each."""
        holders = rows
        for name in self.lists:
            holders = list(chain.from_iterable(getattr(holder, name) or () for holder in holders))
        return holders, list(map(attrgetter(self.name), holders))


def struct_in(kind: Any) -> Any:
    """The struct that a type is made of, or None."""
    return next((part for part in _parts(kind) if isinstance(part, type) and issubclass(part, msgspec.Struct)), None)


def _parts(kind: Any) -> list[Any]:
    return [kind, *(part for inner in get_args(kind) for part in _parts(inner))]


def _list_of(kind: Any) -> Any:
    return GenericAlias(list, (kind,))


def _loose_type(kind: Any) -> Any:
    """A type that takes whatever there is, and reads as this one does what this one takes."""
    if struct := struct_in(kind):
        return _list_of(struct | _NO_OBJECT) | dict | None | bool | str | int | float
    parts = _parts(kind)
    return _NO_NUMBER | float | dict if float in parts and int not in parts else Any


def _column(kind: Any) -> type[msgspec.Struct]:
    """Values of a type; as a field of a struct a type is prepared once, on its own it would be at each use."""
    return msgspec.defstruct("Column", [("values", _list_of(kind))], array_like=True)


def _fits(column: type[msgspec.Struct], values: Sequence[Any]) -> bool:
    try:
        msgspec.convert((values,), column)
    except msgspec.ValidationError:
        return False
    return True


def _envelope(rows: Any) -> Any:
    """A list answer with these rows, in every known shape."""
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

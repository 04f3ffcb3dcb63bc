"""Reading what platforms send: field types that forgive, rows that fail alone, pages of every known shape.

Servers differ and have bugs. An odd value is mended where its meaning is plain and the mending is noted; a row whose
meaning is lost becomes `Rejected`, and its neighbours survive.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo

from retry_toolkit.errors import BadAnswer
from retry_toolkit.platforms.base import Page, Rejected, RowT

NOTES = "_notes"
"""Key of `TaskRecord.extra` that lists what was mended while reading."""

MAX_COUNT = 2**63 - 1

_REPLACEMENT = "\ufffd"

Model = TypeVar("Model", bound="WireModel")


def _id(value: object, info: ValidationInfo) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        _note(info, "arrived as a number")
        return str(value)
    if not isinstance(value, str):
        raise ValueError(f"an id must be text, not {type(value).__name__}")  # noqa: TRY004 - pydantic wants ValueError
    if not value:
        raise ValueError("an id must not be empty")
    if _REPLACEMENT in value:
        raise ValueError("an id must be readable text")
    return value


def _optional_id(value: object, info: ValidationInfo) -> object:
    return None if value is None or value == "" else _id(value, info)


def _text(value: object) -> object:
    match value:
        case None:
            return None
        case str():
            return value
        case bool() | int() | float():
            return json.dumps(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def _count(value: object) -> object:
    if value is None:
        return None
    number = _plain_number(value)
    if isinstance(number, float) and not number.is_integer():
        raise ValueError("must be a whole number")
    if not 0 <= number <= MAX_COUNT:
        raise ValueError("must be between 0 and 2**63 - 1")
    return int(number)


def _number(value: object) -> object:
    if value is None:
        return None
    try:
        number = float(_plain_number(value))
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _null_is_zero(value: object) -> object:
    return 0 if value is None else _count(value)


def _plain_number(value: object) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _moment(value: object, info: ValidationInfo) -> object:
    moment = parse_moment(value)
    if moment is None and value is not None and value != "":
        _note(info, "is no time")
    return moment


def parse_moment(value: object) -> datetime | None:
    """A time from ISO 8601 text (naive means UTC), epoch seconds or milliseconds; None for anything else."""
    try:
        match value:
            case bool():
                return None
            case int() | float():
                seconds = value / 1000 if abs(value) > 1e11 else value  # noqa: PLR2004 - epoch seconds end in year 5138
                return datetime.fromtimestamp(seconds, UTC)
            case str():
                moment = datetime.fromisoformat(value.strip())
                return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
            case _:
                return None
    except (ValueError, OverflowError, OSError):
        return None


def _object(value: object) -> object:
    return value if value is None or isinstance(value, Mapping) else {"value": value}


def _note(info: ValidationInfo, words: str) -> None:
    if info.context is not None:
        info.context.append(f"{info.field_name} {words}")


def _null_is_nought(value: object) -> object:
    return 0.0 if value is None else _number(value)


@dataclass(frozen=True, slots=True)
class Plain:
    """How a field looks that needs no mending: its `msgspec` type, and what stands for a field that was not sent.

    None as type means that frames have no use for the field, and that no value of it makes a row unreadable.
    """

    type: Any
    absent: object = None


ABSENT = -1
"""Stands for a count that was not sent, where null means 0."""

_PlainCount = Annotated[int, Meta(ge=0, le=MAX_COUNT)] | None
_Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)] | None

Id = Annotated[str, BeforeValidator(_id), Plain(Annotated[str, Meta(min_length=1)])]
OptionalId = Annotated[str | None, BeforeValidator(_optional_id), Plain(str | None)]
Text = Annotated[str | None, BeforeValidator(_text), Plain(str | None)]
Count = Annotated[int | None, BeforeValidator(_count), Plain(_PlainCount)]
NullIsZero = Annotated[int | None, BeforeValidator(_null_is_zero), Plain(_PlainCount, absent=ABSENT)]
ZeroUnlessSent = Annotated[int | None, BeforeValidator(_null_is_zero), Plain(_PlainCount, absent=0)]
Number = Annotated[float | None, BeforeValidator(_number), Plain(_Finite)]
NullIsNought = Annotated[float | None, BeforeValidator(_null_is_nought), Plain(_Finite, absent=math.nan)]
Moment = Annotated[datetime | None, BeforeValidator(_moment), Plain(str | int | float | None)]
Object = Annotated[dict[str, Any] | None, BeforeValidator(_object), Plain(None)]
Anything = Annotated[Any, Plain(Any)]


class WireModel(BaseModel):
    """An object as a platform sends it; fields that it does not know are kept in `model_extra`."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True, protected_namespaces=())

    @property
    def surplus(self) -> dict[str, Any]:
        """Fields without a name in the contract."""
        return dict(self.model_extra or {})


class Unreadable(Exception):
    """A row whose meaning is lost; `path` says where in the row."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def read_model(model: type[Model], value: object) -> tuple[Model, list[str]]:
    """The value as this model, and what was mended.

    Raises:
        Unreadable: It does not fit.
    """
    notes: list[str] = []
    try:
        return model.model_validate(value, context=notes), notes
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        raise Unreadable(_path(first["loc"]), reason) from None


def _path(parts: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The rows of one list answer, and what it says of the whole; None where it says nothing."""

    rows: list[Any]
    total: int | None = None
    page_size: int | None = None


def read_envelope(answer: object) -> Envelope:
    """A list answer: `{items, total, page_size}`, with `tasks` for `items` or `count` for `total`, or a bare list.

    Raises:
        BadAnswer: It holds no list.
    """
    match answer:
        case list():
            return Envelope(rows=answer)
        case {"items": list() as rows, **rest} | {"tasks": list() as rows, **rest}:
            return make_envelope(rows, rest.get("total"), rest.get("count"), rest.get("page_size"))
        case _:
            raise BadAnswer("The answer holds no list of rows.")


def make_envelope(rows: list[Any], total: object, count: object, page_size: object) -> Envelope:
    """Rows with what an answer says of the whole, as far as it makes sense."""
    told = _whole(total)
    return Envelope(rows=rows, total=_whole(count) if told is None else told, page_size=_whole(page_size) or None)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage(Generic[RowT]):
    """A page as read, with the number of rows that it should hold when full."""

    page: Page[RowT]
    row_count: int
    page_size: int


def read_page(
    envelope: Envelope, number: int, asked: int, read: Callable[[Any], RowT], at: Sequence[int] | None = None
) -> ReadPage[RowT]:
    """One page of tasks; rows that `read` finds unreadable are set apart.

    Args:
        envelope: The answer.
        number: Of the page.
        asked: Rows that were asked for.
        read: Makes a task of a row.
        at: Positions of the rows to read, ascending, where the others are tasks already; None for all.
    """
    rows = list(envelope.rows)
    rejected: list[Rejected] = []
    # From the end, so that a row that goes moves none that is still to be read.
    for index in reversed(range(len(rows)) if at is None else at):
        try:
            rows[index] = read(rows[index])
        except Unreadable as error:
            rejected.insert(0, Rejected(page=number, index=index, path=error.path, reason=error.reason))
            del rows[index]
    return ReadPage(
        page=Page(number=number, tasks=tuple(rows), rejected=tuple(rejected), total=envelope.total),
        row_count=len(envelope.rows),
        page_size=min(asked, envelope.page_size or asked),
    )

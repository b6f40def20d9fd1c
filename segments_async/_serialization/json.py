"""
JSON text and plain JSON values: write them, read them, and refuse values that have no form in JSON.

orjson writes and passes objects that it does not know to `simplify`. Only when it refuses a value, or may have written
NaN as null, is the value searched for the path to report. orjson reads integers beyond 64 bits as floats and does not
write them, so a document with such an integer is read and written by the standard library.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from functools import partial
from itertools import chain
from operator import attrgetter
from types import NoneType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from segments_async._caller_errors import caller_error
from segments_async._serialization.compile import ByType, Field, Write, arms_of, compile_writer, fields_of, key_of
from segments_async._serialization.mismatch import StructureError
from segments_async.errors import DecodeError, InputError
from segments_async.models._base import Model, is_required

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from attrs import Attribute

ATOMS = frozenset({str, int, float, bool, NoneType})
"""The types of JSON values that are not containers."""

_WITH_NUMPY = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SERIALIZE_NUMPY
_MAX_DEPTH = 254
_INTEGERS = range(-(2**63), 2**64)
"""What orjson reads and writes exactly."""
_MAX_DIGITS = 4300
"""Python converts no longer integers to text and back, as that takes quadratic time."""
_TOO_BIG = 10**_MAX_DIGITS
_MAX_SHOWN = 40
"""Maximum characters of a number in an error."""
_MAX_PAYLOAD = 1_000_000
_PIECE_BYTES = 1024 * 1024
_MASK = bytes.maketrans(b"123456789:[ \t\n\r", b"000000000,,,,,,")
"""Digits become zeros, and what may precede a number becomes a comma."""
_LONG = b"," + b"0" * 20
_LONG_NEGATIVE = b"-" + b"0" * 19
_is_integer = re.compile(rb"-?[0-9]+(?![0-9.eE])").match
_TOO_DEEP = "nested too deeply, or contains itself"


def encode_json(value: Any, path: str = "") -> bytes:
    """
    Write JSON text.

    Example:
        >>> encode_json({"image": URL(url="a.png"), "at": datetime(2020, 4, 10, tzinfo=UTC), "score": None})
        b'{"image":{"url":"a.png"},"at":"2020-04-10T00:00:00Z","score":null}'

    Args:
        value: JSON that may contain models, aware times, enum members, UUIDs, numpy scalars and arrays.
        path: The value's place among the arguments, for errors.

    Returns:
        UTF-8 without whitespace between tokens.

    Raises:
        InputError: NaN, an infinity, a lone surrogate, a key that is not a string, a time without a zone,
            an integer of more than 4300 digits, an object that is not JSON, too many levels, or a value that raises an
            exception (the ``__cause__``); `path` says where.
    """
    # With this option orjson imports numpy, and unless numpy is imported there are no arrays to write.
    option = _WITH_NUMPY if "numpy" in sys.modules else orjson.OPT_PASSTHROUGH_DATETIME
    try:
        body = orjson.dumps(value, simplify, option)
    except TypeError as error:
        # Some versions of orjson set a text as the cause. And it also wraps what is not an Exception.
        cause = error.__cause__ if isinstance(error.__cause__, BaseException) else error
        if not isinstance(cause, Exception):
            raise cause from None
        _refuse(value, path)
        if "64-bit" not in str(error):
            raise InputError(f"cannot be written as JSON: {error}", path=path) from cause
        return json.dumps(to_plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if body.find(b"null") >= 0:  # orjson writes NaN as null; `in` takes longer
        _refuse(value, path)
    return body


def decode_json(body: bytes) -> Any:
    """
    Read JSON text.

    Example:
        >>> decode_json(b'{"samples_count": 94}')
        {'samples_count': 94}

    Args:
        body: UTF-8.

    Raises:
        DecodeError: It is not JSON; `payload` is the text, or the first million bytes of it.
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    try:
        value = orjson.loads(text)
        if not _has_big_integer(text):
            return value
        del value  # so that both readings are never in memory together
        return _read_exactly(text)
    except orjson.JSONDecodeError as error:
        problem = str(error)
        if _has_big_integer(text):  # of more than 308 digits, which orjson refuses
            try:
                return _read_exactly(text)
            except ValueError:
                pass
    except (ValueError, RecursionError) as error:
        problem = str(error)
    raise DecodeError(f"not JSON: {problem}", payload=body[:_MAX_PAYLOAD].decode(errors="replace"))


def _read_exactly(text: bytes) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # orjson refuses it too
        raise ValueError(f"{text[:_MAX_SHOWN]} is too large for a float")
    return number


def _has_big_integer(text: bytes) -> bool:
    """
    Whether valid JSON contains an integer beyond 64 bits.

    Every answer pays for the search, so it is done by two methods of `bytes`. Most documents have no 19 digits in a
    row. Of the others, only numbers of 20 digits, or 19 after a minus sign, are examined.
    """
    if len(text) <= _PIECE_BYTES:
        return _has_big_integer_at(text, 0)
    return any(_has_big_integer_at(text, start) for start in range(0, len(text), _PIECE_BYTES))


def _has_big_integer_at(text: bytes, start: int) -> bool:
    """Whether such an integer begins in the piece at *start*; of a large text, a masked copy would be large too."""
    zeros = text[max(start - 1, 0) : start + _PIECE_BYTES + len(_LONG)].translate(_MASK)
    if b"0" * 19 not in zeros:
        return False
    # After a comma is added, a place in the masked text is where the number starts; a sign is one character before it.
    masked = zeros if start else b"," + zeros
    return any(_is_big(text, start + place) for place in _places(masked, _LONG)) or any(
        _is_big(text, start + place - 1) for place in _places(masked, _LONG_NEGATIVE)
    )


def _places(zeros: bytes, pattern: bytes) -> Iterator[int]:
    """Yield where *pattern*, a separator or a sign before zeros, occurs in the masked text."""
    place = zeros.find(pattern)
    while place >= 0:
        yield place
        place = zeros.find(pattern, place + len(pattern))


def _is_big(text: bytes, start: int) -> bool:
    """Whether the number at *start* is an integer beyond 64 bits."""
    number = _is_integer(text, start)
    return number is not None and (len(number[0]) > len(_LONG) or int(number[0]) not in _INTEGERS)


def _refuse(value: Any, path: str) -> None:
    try:
        _inspect(value, 0)
    except StructureError as error:
        raise error.as_input_error(path) from error.__cause__
    except RecursionError:
        raise InputError(_TOO_DEEP, path=path) from None


def check_json(value: Any) -> None:
    """Raise the first StructureError inside *value*, if it is not JSON; fast if it is."""
    try:
        encode_json(value)
    except InputError:
        _inspect(value, 0)


def _inspect(value: Any, depth: int) -> None:
    """Raise the first StructureError inside *value*."""
    try:
        _inspect_kind(value, depth)
    except (StructureError, RecursionError):
        raise
    except Exception as error:
        raise raised_by(error) from error


def _inspect_kind(value: Any, depth: int) -> None:
    match value:
        case None:
            pass
        case str():
            _inspect_text(value)
        case int() | float():
            _inspect_number(value)
        case dict() | list() | tuple() if depth == _MAX_DEPTH:
            raise StructureError(_TOO_DEEP)
        case dict():
            for key, item in value.items():
                _inspect_key(key)
                _inspect_item(key, item, depth)
        case list() | tuple():
            for index, item in enumerate(value):
                _inspect_item(index, item, depth)
        case _:
            _inspect(simplify(value), depth)


def _inspect_item(step: str | int, item: Any, depth: int) -> None:
    try:
        _inspect(item, depth + 1)
    except StructureError as error:
        error.steps.append(step)
        raise


def _inspect_key(key: Any) -> None:
    if type(key) is not str:
        raise StructureError(f"a key must be a string, got {key!r}")
    _inspect_text(key)


def _inspect_number(number: float) -> None:
    if isinstance(number, int):
        # An IntEnum is compared as an int: `in` a range would try each of its numbers.
        if not -_TOO_BIG < int.__index__(number) < _TOO_BIG:
            raise StructureError(f"an integer of more than {_MAX_DIGITS} digits")
    elif not math.isfinite(number):
        raise StructureError(f"{'NaN' if math.isnan(number) else 'an infinity'} is not JSON")


def _inspect_text(text: str) -> None:
    try:
        str.encode(text)
    except UnicodeEncodeError:
        raise StructureError(f"half a character (a lone surrogate) in {str.__str__(text)[:60]!a}") from None


_is_time = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.ASCII).fullmatch


def read_time(text: str) -> datetime | str:
    """Read a time with a zone; return any other text unchanged, as it could not be written back."""
    if text[4:20:3] + text[26:] != "--T::.Z" and _is_time(text) is None:  # the service's own form is the fastest
        return text
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of April; the first hours of the year 1
        return text


def _write_time(moment: datetime) -> str:
    if moment.tzinfo is not UTC:
        if moment.utcoffset() is None:
            raise StructureError("a time needs a zone, as in datetime.now(UTC)")
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            raise StructureError("a time outside the years 1 to 9999") from None
    if type(moment) is datetime:  # the same text, in a sixth of the time
        return orjson.dumps(moment, None, orjson.OPT_UTC_Z)[1:-1].decode()
    return moment.isoformat().removesuffix("+00:00") + "Z"


def to_plain(value: Any) -> Any:
    """Make plain JSON of *value*, in new containers all the way down; numbers are not checked."""
    return _PLAIN[type(value)](value)


def simplify(value: Any) -> Any:
    """
    Convert *value*, which is not of a JSON type, one step towards JSON; its contents may need more steps.

    Raises:
        StructureError: Values of this type have no form in JSON, or *value* raised an exception, the ``__cause__``.
    """
    try:
        return _STEPS[type(value)](value)
    except (StructureError, RecursionError):
        raise
    except Exception as error:
        raise raised_by(error) from error


def raised_by(error: Exception) -> StructureError:
    """Return the error for an exception that a value of the caller raised."""
    wrapped = caller_error(error)
    mismatch = StructureError(wrapped.problem)
    for note in getattr(wrapped, "__notes__", ()):
        mismatch.add_note(note)
    return mismatch


def _make_plain(kind: type) -> Write:
    if kind in ATOMS:
        return _identity
    if kind is dict:
        return _plain_object
    if kind is list:
        return _plain_list
    if issubclass(kind, Model):
        fields = [_writer_field(a, _PLAIN) for a in fields_of(kind)]
        return compile_writer(kind, fields, _plain_object)
    return lambda value: to_plain(simplify(value))


def _make_step(kind: type) -> Write:
    if issubclass(kind, Model):
        return compile_writer(kind, [_writer_field(a, _steps_within(a)) for a in fields_of(kind)], dict)
    if kind.__name__ in _MISSING and kind.__module__.partition(".")[0] == "pandas":
        return _to_none
    for base, step in _BASES:
        if issubclass(kind, base):
            return step
    for name in _CONVERSIONS:
        if hasattr(kind, name):
            return partial(_convert, name)
    return _refuse_kind


def _steps_within(attribute: Attribute[Any]) -> ByType | None:
    """Return what converts the models in a field at once, as orjson takes twice the time to ask for each."""
    return _INNER_STEPS if any(map(_has_step, arms_of(attribute.type))) else None


def _has_step(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model | datetime)


def _writer_field(attribute: Attribute[Any], write: ByType | None) -> Field:
    kinds = arms_of(attribute.type)
    passes = [kind for kind in (str, int, float, bool) if kind in kinds]
    if write is _PLAIN and list[list[float]] in kinds:
        write = _PLAIN_POINTS
    return Field(
        name=attribute.name,
        key=key_of(attribute),
        required=is_required(attribute),
        passes=passes if write is not None else (),
        call=write,
        nullable=is_required(attribute) and NoneType in kinds,
    )


def _identity(value: Any) -> Any:
    return value


def _plain_object(value: dict[str, Any]) -> dict[str, Any]:
    plain = value.copy()
    _replace_items(plain, value.items())
    return plain


def _plain_list(value: list[Any]) -> list[Any]:
    plain = value.copy()
    _replace_items(plain, enumerate(value))
    return plain


def _replace_items(plain: Any, items: Iterable[tuple[Any, Any]]) -> None:
    """Replace the items of a copied container that are not atoms with plain JSON."""
    try:
        for key, item in items:
            if type(item) not in ATOMS:
                plain[key] = to_plain(item)
    except StructureError as error:
        error.steps.append(key)
        raise
    except RecursionError:
        raise StructureError(_TOO_DEEP) from None


def _plain_points(value: Any) -> Any:
    """As `to_plain`, but fast for lists of lists of numbers."""
    if _LISTS.issuperset(map(type, value)):
        plain = list(map(list.copy, value))
        if ATOMS.issuperset(map(type, chain.from_iterable(plain))):
            return plain
    return to_plain(value)


def _to_none(_: Any) -> None:
    return None


def _convert(method: str, value: Any) -> Any:
    """Convert an object of another library with its own *method*."""
    arguments = {"exclude_unset": True} if method == "model_dump" else {}
    plain = getattr(value, method)(**arguments)
    return _refuse_kind(value) if type(plain) is type(value) else plain


def _refuse_kind(value: Any) -> Any:
    raise StructureError(f"{type(value).__name__} is not JSON")


_LISTS = frozenset({list})
_BASES: tuple[tuple[type, Write], ...] = (
    (datetime, _write_time),
    (date, date.isoformat),
    (Enum, attrgetter("value")),
    (UUID, str),
    (str, str.__str__),
    (int, int),
    (float, float),
    (Mapping, dict),
    (list, list),
    (tuple, list),
)
_MISSING = frozenset({"NaTType", "NAType"})
"""The classes of ``pandas.NaT`` and ``pandas.NA``."""
_CONVERSIONS = ("model_dump", "as_py", "tolist")
"""Methods of Pydantic models, such as those of the official SDK; of Arrow scalars; of numpy and pandas."""
_PLAIN = ByType(_make_plain)
_PLAIN_POINTS = ByType(lambda kind: _plain_points if kind is list else _PLAIN[kind])
_STEPS = ByType(_make_step)
_INNER_STEPS = ByType(lambda kind: _STEPS[kind] if _has_step(kind) else _identity)

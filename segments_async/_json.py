"""
Plain JSON values and JSON text: what a value is on the wire, and what cannot be there.

orjson writes; what it does not know comes to `simplify`. Only when it refuses, or may have written a NaN as
null, is the value searched for the place to blame.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from operator import attrgetter
from types import NoneType
from typing import Any
from uuid import UUID

import attrs
import orjson

from segments_async.errors import DecodeError, InputError
from segments_async.models._base import WIRE_NAME, Model, per_class

ATOMS = frozenset({str, int, float, bool, NoneType})
"""The types of JSON that hold nothing else."""

_DEEPEST = 254
_LONGEST_WAY = 32
_INTEGERS = range(-(2**63), 2**64)
_TOO_DEEP = "nested too deeply, or in itself"


class Misfit(Exception):  # noqa: N818 - never leaves this package
    """A value that does not fit, and the keys and indices that lead there, innermost first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.steps: list[str | int] = []

    @property
    def path(self) -> str:
        """Where it is, such as ``[3].attributes.image.url``; of a very long way, the beginning."""
        way = self.steps[: -_LONGEST_WAY - 1 : -1]
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)
        return "".join(steps).removeprefix(".") + ("..." if len(way) < len(self.steps) else "")

    def as_input_error(self, parent: str = "") -> InputError:
        """Blame an argument; *parent* is where it stands among the others."""
        error = InputError(self.problem, path=self.path)
        return error.under(parent) if parent else error


def encode_json(value: Any, path: str = "") -> bytes:
    """
    Write JSON text.

    Example:
        >>> encode_json({"image": URL(url="a.png"), "at": datetime(2020, 4, 10, tzinfo=UTC), "score": None})
        b'{"image":{"url":"a.png"},"at":"2020-04-10T00:00:00Z","score":null}'

    Args:
        value: JSON that may hold models, aware times, enum members, UUIDs, numpy scalars and arrays.
        path: Where the value stands among the arguments, for the error.

    Returns:
        UTF-8 without spaces.

    Raises:
        InputError: NaN, an infinity, a lone surrogate, a key that is no string, a time without a zone,
            an integer beyond 64 bits, an object that is not JSON, or too many levels; `path` says where.
    """
    # With this option orjson imports numpy; without numpy there are no arrays to write.
    numpy = orjson.OPT_SERIALIZE_NUMPY if "numpy" in sys.modules else 0
    try:
        body = orjson.dumps(value, default=simplify, option=orjson.OPT_PASSTHROUGH_DATETIME | numpy)
    except TypeError as error:
        _refuse(value, path)
        raise InputError(f"cannot be written as JSON: {error}", path=path) from error
    if b"null" in body:  # perhaps a NaN
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
        DecodeError: It is not JSON; `payload` is the text.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise DecodeError(f"not JSON: {error}", payload=body.decode(errors="replace")) from None


def _refuse(value: Any, path: str) -> None:
    try:
        _inspect(value, 0)
    except Misfit as misfit:
        raise misfit.as_input_error(path) from None
    except RecursionError:
        raise InputError(_TOO_DEEP, path=path) from None


def _inspect(value: Any, depth: int) -> None:
    """Raise the first Misfit inside *value*."""
    match value:
        case None:
            pass
        case str():
            _inspect_text(value)
        case int() | float():
            _inspect_number(value)
        case dict() | list() | tuple() if depth == _DEEPEST:
            raise Misfit(_TOO_DEEP)
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
    except Misfit as misfit:
        misfit.steps.append(step)
        raise


def _inspect_key(key: Any) -> None:
    if type(key) is not str:
        raise Misfit(f"a key must be a string, got {key!r}")
    _inspect_text(key)


def _inspect_number(number: float) -> None:
    if isinstance(number, int):
        if number not in _INTEGERS:
            raise Misfit("an integer beyond 64 bits")
    elif not math.isfinite(number):
        raise Misfit(f"{'NaN' if math.isnan(number) else 'an infinity'} is not JSON")


def _inspect_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Misfit(f"half a character (a lone surrogate) in {text[:60]!a}") from None


def to_plain(value: Any) -> Any:
    """Make plain JSON of *value*, in new containers all the way down; numbers are not looked at."""
    if type(value) in ATOMS:
        return value
    if type(value) is not dict and type(value) is not list:
        return to_plain(simplify(value))
    plain = value.copy()
    try:
        for step, item in plain.items() if type(plain) is dict else enumerate(plain):
            if type(item) not in ATOMS:
                plain[step] = to_plain(item)
    except Misfit as misfit:
        misfit.steps.append(step)
        raise
    except RecursionError:
        raise Misfit(_TOO_DEEP) from None
    return plain


def simplify(value: Any) -> Any:
    """
    Take one step from *value*, which is not of a JSON type, towards JSON; what it holds may need more steps.

    Raises:
        Misfit: There is no such step.
    """
    for kind, step in _STEPS:
        if isinstance(value, kind):
            return step(value)
    if callable(tolist := getattr(value, "tolist", None)) and type(plain := tolist()) is not type(value):
        return plain  # numpy's scalars and arrays
    raise Misfit(f"{type(value).__name__} is not JSON")


def _fields_in(instance: Model) -> dict[str, Any]:
    keys, values_of = _layout_of(type(instance))
    values = zip(keys, values_of(instance), strict=True)
    return {**instance.extra, **{key: value for key, value in values if value is not None}}


@per_class
def _layout_of(model: type[Model]) -> tuple[tuple[str, ...], Callable[[Model], tuple[Any, ...]]]:
    """The keys on the wire, and what gets their values at once."""
    fields = {a.name: a.metadata.get(WIRE_NAME, a.name) for a in attrs.fields(model) if a.name != "extra"}
    if len(fields) == 1:
        (name,) = fields
        return tuple(fields.values()), lambda instance: (getattr(instance, name),)
    return tuple(fields.values()), attrgetter(*fields)


_is_time = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.ASCII).fullmatch


def read_time(text: str) -> datetime | str:
    """Read a time with a zone; any other text stays what it is, as it could not be written back."""
    if _is_time(text) is None:
        return text
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of April; the first hours of the year 1
        return text


def _write_time(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise Misfit("a time needs a zone, as in datetime.now(UTC)")
    try:
        return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    except OverflowError:
        raise Misfit("a time outside the years 1 to 9999") from None


_STEPS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (Model, _fields_in),
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

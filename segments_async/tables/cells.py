"""Rows of a table as Python values of the types that columns have; an error names the cell that does not fit."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
from attrs import evolve, frozen

from segments_async._serialization.converter import decode_json
from segments_async.errors import DecodeError, InputError
from segments_async.tables.reading import JSON, SLICE_ROWS, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from segments_async._arrow.columns import ColumnType

_ReadColumn = tuple[str, "Callable[[Any], Any]", list[Any]]
"""Our name of a column, its conversion, and its values."""
_EXACT_FLOATS = 2**53
"""Up to here, a float64 has every integer."""


@frozen
class TableRow:
    """A row of a table: its number, and its values without nulls, by the names of `LABEL_COLUMNS` and so on."""

    number: int
    values: dict[str, Any]
    source: Mapping[str, str]
    """The names of the columns in the table."""
    problem: InputError | None = None
    """The error of its first value that is not valid; this value is left out."""

    def error(self, problem: str, name: str | None = None) -> InputError:
        """Return an error about this row, or about the value of one of its columns."""
        return InputError(problem, path=f"table[{self.number}]" + (f".{self.source.get(name, name)}" if name else ""))


@frozen
class CellReader:
    """
    Reads the rows of batches.

    Args:
        schema: The columns of the table.
        source: The columns to read: the name in the table, by our name.
        types: What our columns contain; ``None`` takes any value.
    """

    schema: pa.Schema
    source: Mapping[str, str]
    types: Mapping[str, ColumnType | None]

    def rows(self, batch: pa.RecordBatch | pa.Table, first: int, numbers: Sequence[int] | None) -> Iterator[TableRow]:
        """Yield the rows of a batch that starts at row *first*; *numbers* are the rows that these were once."""
        for start in range(0, batch.num_rows, SLICE_ROWS):
            part = batch.slice(start, SLICE_ROWS)
            columns = [
                (name, self._convert(name), values_of(part.column(column), column, first + start))
                for name, column in self.source.items()
                if part.column(column).null_count < part.num_rows
            ]
            for place in range(part.num_rows):
                number = first + start + place
                yield self._row(number if numbers is None else numbers[number], place, columns)

    def _row(self, number: int, place: int, columns: list[_ReadColumn]) -> TableRow:
        row = TableRow(number, {}, self.source)
        problem: InputError | None = None
        for name, convert, values in columns:
            value = values[place]
            if value is not None:
                try:
                    value = convert(value)
                except _MismatchError as error:
                    problem = problem or row.error(str(error), name)
                else:
                    if value is not None:
                        row.values[name] = value
        return row if problem is None else evolve(row, problem=problem)

    def _convert(self, name: str) -> Callable[[Any], Any]:
        field = self.schema.field(self.source[name])
        is_json = bool(field.metadata and field.metadata.items() >= JSON.items())
        convert = _CONVERSIONS[self.types[name]]
        if is_json and convert is not _object:
            return partial(_convert_json, convert)
        if convert is _object and pa.types.is_map(field.type):
            return dict
        return convert


class _MismatchError(Exception):
    """A value that a column cannot have."""


def _decode(text: str) -> Any:
    try:
        return decode_json(text.encode())
    except (DecodeError, UnicodeEncodeError) as error:
        raise _MismatchError(getattr(error, "problem", str(error))) from None


def _convert_json(convert: Callable[[Any], Any], text: str) -> Any:
    value = _decode(text)
    return None if value is None else convert(value)


def _refuse(expected: str, value: Any) -> _MismatchError:
    return _MismatchError(f"expected {expected}, got {type(value).__name__}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, UUID):
        return str(value)
    raise _refuse("a string", value)


def _object(value: Any) -> dict[str, Any]:
    """Read JSON text, or the mapping of a struct, whose nulls are keys that other rows have."""
    if isinstance(value, str):
        value = _decode(value)
    elif isinstance(value, dict):
        value = _without_nulls(value)
    if not isinstance(value, dict):
        raise _refuse("an object", value)
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Decimal) and value.is_finite() and value == int(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        if abs(value) > _EXACT_FLOATS:
            raise _MismatchError(f"{value!r} is a float, which does not have all digits of an integer of this size")
        return int(value)
    if isinstance(value, float | Decimal):
        raise _MismatchError(f"expected an integer, got {value}")
    raise _refuse("an integer", value)


def _number(value: Any) -> float:
    if isinstance(value, Decimal):
        value = _from_decimal(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _refuse("a number", value)
    if not math.isfinite(value):
        raise _MismatchError(f"expected a number, got {value!r}")
    return value


def _from_decimal(value: Decimal) -> float:
    return int(value) if value.is_finite() and value == int(value) else float(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _refuse("true or false", value)


def _list_of(convert: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def convert_all(value: Any) -> list[Any]:
        if isinstance(value, str):  # JSON, as in a CSV file
            value = _decode(value)
        if not isinstance(value, list):
            raise _refuse("a list", value)
        return [convert(item) for item in value]

    return convert_all


def _anything(value: Any) -> Any:
    return _from_decimal(value) if isinstance(value, Decimal) else value


_CONVERSIONS: dict[ColumnType | None, Callable[[Any], Any]] = {
    "text": _text,
    "json": _object,
    "integer": _integer,
    "number": _number,
    "true or false": _boolean,
    "integers": _list_of(_integer),
    "texts": _list_of(_text),
    "points": _list_of(_list_of(_number)),
    None: _anything,
}

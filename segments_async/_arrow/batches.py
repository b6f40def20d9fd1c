"""Collect rows, and make Arrow batches of them."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

try:
    import pyarrow as pa
except ImportError as _error:
    raise ImportError(
        f'tables need an extra: pip install "segments-async[arrow]" ({_error})', name=_error.name
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from segments_async._arrow.columns import Column, ColumnType

BATCH_ROWS = 10_000
_INT64 = range(-(2**63), 2**63)
_TYPES: dict[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "true or false": pa.bool_(),
    "time": pa.timestamp("us", "UTC"),
    "integers": pa.list_(pa.int64()),
    "texts": pa.list_(pa.string()),
    "points": pa.list_(pa.list_(pa.float64())),
}


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Return the Arrow schema of a table; every column may be null."""
    return pa.schema([pa.field(column.name, _TYPES[column.type]) for column in columns])


class Batches:
    """
    Collect rows until they fill a batch.

    Args:
        columns: The columns of the table.
        rows: Maximum number of rows in a batch.
    """

    def __init__(self, columns: Collection[Column], rows: int = BATCH_ROWS) -> None:
        self.schema = schema_of(columns)
        self._rows = rows
        self._names = [column.name for column in columns]
        self._values: list[list[Any]] = [[] for _ in columns]

    def add(self, row: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
        """Add a row of values that fit (see `fits`), by name of the column; yield the batch that is full with it."""
        get = row.get
        for name, values in zip(self._names, self._values, strict=True):
            values.append(get(name))
        if len(self._values[0]) >= self._rows:
            yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yield the rest, if there is one."""
        if self._values[0]:
            arrays = [pa.array(values, field.type) for values, field in zip(self._values, self.schema, strict=True)]
            self._values = [[] for _ in self._names]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def table_of(columns: Collection[Column], rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make a table of rows of values that fit."""
    batches = Batches(columns)
    full = [batch for row in rows for batch in batches.add(row)]
    return pa.Table.from_batches([*full, *batches.flush()], schema=batches.schema)


def fits(value: Any, kind: ColumnType) -> bool:
    """Return whether a column can contain a plain JSON value exactly."""
    return _FITS[kind](value)


def _is_text(value: Any) -> bool:
    return type(value) is str and (value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value))


def _is_integer(value: Any) -> bool:
    return type(value) is int and value in _INT64


def _is_number(value: Any) -> bool:
    if type(value) is float:
        return True
    return type(value) is int and -(2**53) <= value <= 2**53


def _list_of(is_item: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: type(value) is list and all(map(is_item, value))


def _is_points(value: Any) -> bool:
    if type(value) is not list or not {list}.issuperset(map(type, value)):
        return False
    numbers = list(chain.from_iterable(value))
    return {float}.issuperset(map(type, numbers)) or all(map(_is_number, numbers))


_FITS: dict[ColumnType, Callable[[Any], bool]] = {
    "text": _is_text,
    "json": lambda _: True,
    "integer": _is_integer,
    "number": _is_number,
    "true or false": lambda value: type(value) is bool,
    "time": lambda value: isinstance(value, datetime),
    "integers": _list_of(_is_integer),
    "texts": _list_of(_is_text),
    "points": _is_points,
}

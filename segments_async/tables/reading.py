"""Read tables of any library as Arrow: pyarrow, pandas, polars, numpy arrays by name, anything with an Arrow stream."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from attrs import frozen

from segments_async._caller_errors import caller_error, describe
from segments_async._serialization.json import encode_json
from segments_async.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

JSON = {b"segments_async": b"json"}
"""The metadata of a field whose text is JSON, as Arrow has no type for its values."""
EXPECTED = "expected a table: of pyarrow, pandas or polars, with an Arrow stream, or arrays by name"
SLICE_ROWS = 1_000
_SIMPLE = frozenset({"string", "boolean", "integer", "floating", "decimal", "date", "datetime64", "datetime", "empty"})


@frozen
class Batches:
    """Rows in batches. *table* has all of them; it is None if they can be read only once, batch by batch."""

    schema: pa.Schema
    table: pa.Table | None
    stream: Iterator[pa.RecordBatch]


def read_table(source: Any) -> Batches:
    """
    Read a table.

    Raises:
        InputError: It is no table, or a column mixes types that Arrow cannot represent.
    """
    with _arrow_errors():
        if isinstance(source, pa.RecordBatchReader):
            return Batches(source.schema, None, iter(source))
        if (table := _table_in_memory(source)) is not None:
            table = plain_types(table)
            return Batches(table.schema, table, iter(()))
        if hasattr(source, "__arrow_c_stream__"):
            return _from_stream(source)
        if isinstance(source, Iterable) and not isinstance(source, str | bytes):
            return _from_batches(iter(source))
    if hasattr(source, "collect"):
        raise InputError("a lazy frame has no rows yet; collect() it first", path="table")
    raise InputError(f"{EXPECTED}; got {type(source).__name__}", path="table")


def _table_in_memory(source: Any) -> pa.Table | None:
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if isinstance(source, pa.Table):
        return source
    if polars is not None and isinstance(source, polars.DataFrame):
        return source.to_arrow(compat_level=polars.CompatLevel.oldest())
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return _from_pandas(source, pandas)
    return _from_arrays(source) if isinstance(source, Mapping) else None


@contextmanager
def _arrow_errors() -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"cannot be read as Arrow: {describe(error)}", path="table") from error


def plain_types(table: pa.Table) -> pa.Table:
    """Replace views of strings and lengths of runs, whose rows Arrow can neither sort nor select."""
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_run_end_encoded(field.type):
            column = pa.chunked_array(map(pc.run_end_decode, column.chunks), field.type.value_type)
        if (plain := _plain_type(column.type)) != field.type:
            table = table.set_column(place, field.with_type(plain), column.cast(plain))
    return table


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(_plain_type(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(_plain_type(kind.value_type)))
    return kind


def _from_stream(source: Any) -> Batches:
    reader = pa.RecordBatchReader.from_stream(source)
    # What has a length is in memory already.
    if not hasattr(source, "__len__"):
        return Batches(reader.schema, None, iter(reader))
    table = plain_types(reader.read_all())
    return Batches(table.schema, table, iter(()))


def _from_batches(batches: Iterator[Any]) -> Batches:
    first = next(batches, None)
    if first is None:
        return Batches(pa.schema([]), pa.table({}), iter(()))
    if not isinstance(first, pa.RecordBatch):
        raise InputError(f"{EXPECTED}; got a list of {type(first).__name__}", path="table")
    return Batches(first.schema, None, chain([first], _checked(batches, first.schema)))


def _checked(batches: Iterator[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if not (isinstance(batch, pa.RecordBatch) and batch.schema.equals(schema)):
            raise InputError("a batch has other columns than the first one", path="table")
        yield batch


def _from_arrays(arrays: Mapping[Any, Any]) -> pa.Table:
    columns = {str(name): _array(name, values) for name, values in arrays.items()}
    lengths = {name: len(array) for name, array in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"arrays of different lengths: {lengths}", path="table")
    return _table_of(columns)


def _array(name: Any, values: Any) -> pa.Array | pa.ChunkedArray:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise InputError("expected an array or a list", path=str(name))
    if getattr(values, "ndim", 1) > 1:
        values = list(values)
    if isinstance(values, list | tuple) and any(isinstance(value, dict | list | tuple) for value in values):
        return _as_json(name, values)
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return _as_json(name, values)


def _from_pandas(frame: Any, pandas: Any) -> pa.Table:
    """Columns of Python objects that Arrow would change, such as mappings with different keys, become JSON text."""
    index = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if index:
        frame = frame.reset_index(level=index)
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"columns that exist more than once: {', '.join(twice)}", path="table")
    return _table_of({name: _from_series(name, frame.iloc[:, place], pandas) for place, name in enumerate(names)})


def _from_series(name: str, series: Any, pandas: Any) -> pa.Array | pa.ChunkedArray:
    if series.dtype == object:
        kind = pandas.api.types.infer_dtype(series, skipna=True)
        if kind in _SIMPLE:
            try:
                return pa.Array.from_pandas(series)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                pass
        return _as_json(name, series, pandas)
    return pa.Array.from_pandas(series)


class _JsonText:
    """Texts that are JSON."""

    def __init__(self, texts: list[str | None]) -> None:
        self.array = pa.array(texts, pa.large_string())

    def __len__(self) -> int:
        return len(self.array)


def _as_json(name: Any, values: Iterable[Any], pandas: Any = None) -> Any:
    texts: list[str | None] = []
    for number, value in enumerate(values):
        try:
            texts.append(None if _is_missing(value, pandas) else encode_json(value).decode())
        except InputError as error:
            raise error.under(f"table[{number}].{name}") from error.__cause__
        except Exception as error:
            raise caller_error(error, f"table[{number}].{name}") from error
    return _JsonText(texts)


def _is_missing(value: Any, pandas: Any) -> bool:
    return value is None or bool(pandas is not None and pandas.api.types.is_scalar(value) and pandas.isna(value))


def _table_of(columns: Mapping[str, Any]) -> pa.Table:
    arrays = [column.array if isinstance(column, _JsonText) else column for column in columns.values()]
    fields = [
        pa.field(name, array.type, metadata=JSON if isinstance(column, _JsonText) else None)
        for (name, column), array in zip(columns.items(), arrays, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def values_of(column: pa.Array | pa.ChunkedArray, name: str, first_row: int) -> list[Any]:
    """
    Return the values of a column as Python objects.

    Raises:
        InputError: One has no form in Python, such as a time in nanoseconds without pandas.
    """
    if column.null_count == len(column):
        return [None] * len(column)
    try:
        values: list[Any] = _tensors(column) if isinstance(column.type, pa.BaseExtensionType) else column.to_pylist()
    except Exception as error:
        last_row = first_row + len(column) - 1
        raise InputError(describe(error), path=f"table[{first_row}..{last_row}].{name}") from error
    return values


def _tensors(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return arrays as lists: tensors of Arrow, which would be flat, and those of Ray, which are arrays of numpy."""
    if isinstance(column.type, pa.FixedShapeTensorType):
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        rows = (row.tolist() for chunk in chunks for row in chunk.drop_null().to_numpy_ndarray())
        return [None if is_null else next(rows) for is_null in column.is_null().to_pylist()]
    return [value.tolist() if hasattr(value, "tolist") else value for value in column.to_pylist()]


def duplicates_in(schema: pa.Schema, used: Collection[str]) -> list[str]:
    """Return the columns among *used* that exist more than once."""
    return [name for name in sorted(set(used)) if schema.names.count(name) > 1]

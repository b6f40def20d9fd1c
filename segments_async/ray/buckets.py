"""Bring the rows of each label into one block, whatever types their columns have in different blocks."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
from ray.data.extensions import ArrowPythonObjectArray

from segments_async._serialization.converter import decode_json
from segments_async.tables.grouping import texts_of
from segments_async.tables.reading import JSON, plain_types, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ray.data import Dataset

BUCKETS_PER_PARTITION = 4
"""Rows come into buckets by their samples, and buckets into partitions; more of them make equal partitions."""
_PACKED = pa.schema({"bucket": pa.int64(), "rows": pa.large_binary()})
_CLASHES = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError)
_KINDS: dict[str, Callable[[pa.DataType], bool]] = {
    "null": pa.types.is_null,
    "text": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "bytes": lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
    "boolean": pa.types.is_boolean,
    "number": lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind),
}


def in_partitions(rows: Dataset, column: str, partitions: int, ray_options: Mapping[str, Any]) -> Dataset:
    """
    Bring the rows with the same value of a column into one of so many blocks; `unpacked` makes rows of it.

    Ray's shuffle moves tables of rows and not rows: it requires that all blocks have the same columns and types, which
    those of a model do not have if a column has no value in one of them.
    """
    runtime_env = {"runtime_env": ray_options["runtime_env"]} if "runtime_env" in ray_options else {}
    pack = partial(packed, column=column, buckets=BUCKETS_PER_PARTITION * partitions)
    return rows.map_batches(pack, batch_format="pyarrow", batch_size=None, **runtime_env).repartition(
        partitions, keys=["bucket"]
    )


def packed(table: pa.Table, *, column: str, buckets: int) -> pa.Table:
    """Return a row for each bucket, which contains its rows."""
    if not table.num_rows:
        return _PACKED.empty_table()
    if table.schema.names.count(column) != 1:  # refused by the worker that writes, whose errors Ray does not drop
        return pa.table({"bucket": [0], "rows": [_as_bytes(table)]}, _PACKED)
    table = _with_plain_columns(table)
    of_rows = _buckets(table.column(column), buckets)
    order = pc.sort_indices(of_rows)  # stable
    table = table.take(order)
    found = pc.run_end_encode(of_rows.take(order))
    ends = found.run_ends.to_pylist()
    parts = [table.slice(start, end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return pa.table({"bucket": found.values, "rows": list(map(_as_bytes, parts))}, _PACKED)


def unpacked(table: pa.Table) -> pa.Table:
    """Return the rows of buckets."""
    parts = [pa.ipc.open_stream(rows.as_buffer()).read_all() for rows in table.column("rows")]
    return _joined(parts) if parts else pa.table({})


def _buckets(column: pa.ChunkedArray, buckets: int) -> pa.Array:
    texts = texts_of(column).dictionary_encode()
    of_texts = [crc32(text.encode(errors="replace")) % buckets for text in texts.dictionary.to_pylist()]
    return pa.array(of_texts, pa.int64()).take(texts.indices)


def _as_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def _with_plain_columns(table: pa.Table) -> pa.Table:
    """Replace what Arrow cannot select rows of, and dictionaries, which are as large in each bucket as in the block."""
    table = plain_types(table)
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(place).cast(field.type.value_type)
            table = table.set_column(place, field.with_type(column.type), column)
    return table


def _joined(parts: Sequence[pa.Table]) -> pa.Table:
    if all(part.schema.equals(parts[0].schema, check_metadata=True) for part in parts):
        return pa.concat_tables(parts)
    fields = dict.fromkeys(name for part in parts for name in part.schema.names)
    columns = [_joined_column([_column_of(part, name) for part in parts]) for name in fields]
    return pa.Table.from_arrays(
        [column.column(0) for column in columns], schema=pa.schema([column.schema.field(0) for column in columns])
    )


def _column_of(part: pa.Table, name: str) -> pa.Table:
    return part.select([name]) if name in part.schema.names else pa.table({name: pa.nulls(part.num_rows)})


def _joined_column(columns: Sequence[pa.Table]) -> pa.Table:
    """Join the values of a column; if no type has all of them, they become Python objects, as Ray keeps them."""
    kinds = {_kind(column.schema.field(0)) for column in columns} - {"null"}
    if len(kinds) < 2:  # noqa: PLR2004 (otherwise Arrow would change values, such as texts to bytes)
        with suppress(*_CLASHES):
            first = next((column for column in columns if _kind(column.schema.field(0)) in kinds), columns[0])
            joined = pa.concat_tables(columns, promote_options="permissive")
            field = joined.schema.field(0).with_metadata(first.schema.field(0).metadata)
            return pa.Table.from_arrays(joined.columns, schema=pa.schema([field]))
    values = [value for column in columns for value in _values(column)]
    return pa.table({columns[0].schema.names[0]: ArrowPythonObjectArray.from_objects(values)})


def _values(column: pa.Table) -> list[Any]:
    field = column.schema.field(0)
    values = values_of(column.column(0), field.name, 0)
    if _kind(field) == "json":
        return [None if value is None else decode_json(value.encode()) for value in values]
    return values


def _kind(field: pa.Field) -> str:
    """Return what the values of a column are; those of one kind can have one type, mostly."""
    if field.metadata and field.metadata.items() >= JSON.items():
        return "json"
    return next((name for name, is_kind in _KINDS.items() if is_kind(field.type)), "other")

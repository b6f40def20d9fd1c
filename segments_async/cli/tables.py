"""Lists as CSV or Parquet on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

from segments_async.cli.statuses import CommandError
from segments_async.cli.streams import output

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from segments_async import Sample

TableFormat = Literal["csv", "parquet"]


async def write_samples(samples: AsyncIterator[Sample], kind: TableFormat) -> None:
    """Write the columns of ``segments_async.tables.samples_table``, batch by batch."""
    try:
        from segments_async.tables import SAMPLE_SCHEMA, sample_batches
    except ImportError as error:
        raise CommandError(str(error)) from error
    if kind == "parquet" and sys.stdout.isatty():
        raise CommandError("--format parquet: send it to a file: segments-async samples list ... > samples.parquet")
    sys.stdout.flush()
    file = sys.stdout.buffer
    with (
        output(),
        _csv_writer(file, SAMPLE_SCHEMA) if kind == "csv" else _parquet_writer(file, SAMPLE_SCHEMA) as writer,
    ):
        async for batch in sample_batches(samples):
            writer.write_batch(_flat(batch) if kind == "csv" else batch)
        file.flush()


def _csv_writer(output: Any, schema: Any) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    fields = [pa.field(field.name, pa.string()) if pa.types.is_list(field.type) else field for field in schema]
    return csv.CSVWriter(output, pa.schema(fields))


def _parquet_writer(output: Any, schema: Any) -> Any:
    from pyarrow import parquet

    return parquet.ParquetWriter(output, schema)


def _flat(batch: Any) -> Any:
    """Write lists as JSON, as CSV has none."""
    import pyarrow as pa

    from segments_async._serialization.json import encode_json

    columns = [
        pa.array([None if value is None else encode_json(value).decode() for value in column.to_pylist()], pa.string())
        if pa.types.is_list(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)

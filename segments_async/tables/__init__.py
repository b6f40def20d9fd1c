"""
Samples, labels and predictions as tables (extra ``arrow``: pyarrow).

Example::

    from segments_async.tables import items_from_table, labels_table

    samples = client.samples.list("jane/flowers", labelset="ground-truth", include_full_label=True)
    table = await labels_table(samples, labelset="ground-truth")
    frame = table.to_pandas()  # or polars.from_arrow(table)

    items = items_from_table(predictions)  # a table of pyarrow, pandas or polars
    await client.labels.put_many(items, labelset="predictions")

``docs/tables.md`` explains the columns.
"""

from segments_async._arrow.batches import schema_of
from segments_async._arrow.columns import LABEL_COLUMNS, OUTCOME_COLUMNS, SAMPLE_COLUMNS, Column
from segments_async.tables.build import label_batches, labels_table, sample_batches, samples_table
from segments_async.tables.items import TableItems, items_from_table

SAMPLE_SCHEMA = schema_of(SAMPLE_COLUMNS)
"""The Arrow schema of `samples_table` and `sample_batches`."""
LABEL_SCHEMA = schema_of(LABEL_COLUMNS)
"""The Arrow schema of `labels_table` and `label_batches`."""

__all__ = [
    "LABEL_COLUMNS",
    "LABEL_SCHEMA",
    "OUTCOME_COLUMNS",
    "SAMPLE_COLUMNS",
    "SAMPLE_SCHEMA",
    "Column",
    "TableItems",
    "items_from_table",
    "label_batches",
    "labels_table",
    "sample_batches",
    "samples_table",
]

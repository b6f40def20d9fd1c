"""Make tables and batches of samples and labels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, overload

import pyarrow as pa

from segments_async._arrow.batches import BATCH_ROWS, Batches, schema_of
from segments_async._arrow.columns import LABEL_COLUMNS, SAMPLE_COLUMNS
from segments_async._threads import run_sync
from segments_async._wire.arguments import check_count
from segments_async.errors import InputError
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.tables.categories import Categories
from segments_async.tables.sources import IS_ASYNC, iterable_of, label_rows_of, sample_rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

    from segments_async._arrow.columns import Column
    from segments_async._releases import ReleaseFile
    from segments_async.tables.categories import CategorySource
    from segments_async.tables.moving import Row

_ROWS_OF = "Callable[[Any], Iterator[Row]]"
CHUNK = 200
"""Items of an async source that a worker thread converts at a time."""
MAX_ROWS = 2**31 - 1


@overload
def samples_table(samples: AsyncIterable[Any] | ReleaseFile, *, labelset: str = ...) -> Awaitable[pa.Table]: ...
@overload
def samples_table(samples: Iterable[Any], *, labelset: str = ...) -> pa.Table: ...
def samples_table(samples: Any, *, labelset: str = GROUND_TRUTH) -> Any:
    """
    Make an Arrow table with a row for each sample; `SAMPLE_COLUMNS` are its columns.

    Example::

        table = await samples_table(client.samples.list("jane/flowers", labelset="ground-truth"))
        frame = table.to_pandas()

    Args:
        samples: `Sample` or `ReleaseSample` objects, `SampleCreate`, the same as mappings, or outcomes of a bulk call:
            in a list, an iterator, a `BulkReport`, ``client.samples.list(...)``, a stream, or an open `ReleaseFile`.
        labelset: For samples of a release, the labelset whose status and score are shown.

    Returns:
        The table. It must be awaited if *samples* are read asynchronously, as from a list that comes in pages, a stream
        or a release. Outcomes without a value, such as failures, have no row.

    Raises:
        InputError: An item is no sample, or contains what JSON cannot; `path` says where.
    """
    rows_of = partial(sample_rows_of, labelset=labelset)
    source = iterable_of(samples, labelset, labels=False)
    return _table(source, SAMPLE_COLUMNS, rows_of, "samples", is_async=isinstance(samples, IS_ASYNC))


@overload
def labels_table(
    labels: AsyncIterable[Any] | ReleaseFile, *, labelset: str | None = ..., categories: CategorySource | None = ...
) -> Awaitable[pa.Table]: ...
@overload
def labels_table(
    labels: Iterable[Any], *, labelset: str | None = ..., categories: CategorySource | None = ...
) -> pa.Table: ...
def labels_table(labels: Any, *, labelset: str | None = None, categories: CategorySource | None = None) -> Any:
    """
    Make an Arrow table with a row for each annotation; `LABEL_COLUMNS` are its columns.

    A label without annotations has one row, in which `annotation_index` is null. A sample without a label has none.

    Example::

        dataset = await client.datasets.get("jane/flowers")
        samples = client.samples.list(dataset, labelset="ground-truth", include_full_label=True)
        table = await labels_table(samples, labelset="ground-truth", categories=dataset)
        print(table.group_by("category").aggregate([("id", "count")]))

    Args:
        labels: `Label` or `LabelPut` objects, samples with their labels, the same as mappings, or outcomes of a bulk
            call: in a list, an iterator, a `BulkReport`, ``client.samples.list(..., include_full_label=True)``, a
            stream, or an open `ReleaseFile`.
        labelset: Only labels of this labelset; labels that do not say theirs are taken to be of it. By default, labels
            of all labelsets.
        categories: For the column `category`: a dataset, its task attributes, or a mapping of ids to names. A
            `ReleaseFile` has its own.

    Returns:
        The table. It must be awaited if *labels* are read asynchronously, as in `samples_table`. Outcomes without a
        value, such as failures, have no row.

    Raises:
        InputError: An item is neither a label nor a sample, has only a summary of its label, or contains what JSON
            cannot; `path` says where.
    """
    rows_of = partial(label_rows_of, labelset=labelset, categories=Categories.of(categories, labels).names)
    source = iterable_of(labels, labelset, labels=True)
    return _table(source, LABEL_COLUMNS, rows_of, "labels", is_async=isinstance(labels, IS_ASYNC))


@overload
def sample_batches(
    samples: AsyncIterable[Any] | ReleaseFile, *, labelset: str = ..., rows: int = ...
) -> AsyncIterator[pa.RecordBatch]: ...
@overload
def sample_batches(samples: Iterable[Any], *, labelset: str = ..., rows: int = ...) -> Iterator[pa.RecordBatch]: ...
def sample_batches(samples: Any, *, labelset: str = GROUND_TRUTH, rows: int = BATCH_ROWS) -> Any:
    """
    Make the rows of `samples_table` batch by batch, so that only one batch is in memory.

    Example::

        with pq.ParquetWriter("samples.parquet", SAMPLE_SCHEMA) as writer:
            async for batch in sample_batches(client.samples.list("jane/flowers")):
                writer.write_batch(batch)

    Args:
        samples: As in `samples_table`.
        labelset: As in `samples_table`.
        rows: Rows of a batch, at most; the last one has fewer.

    Returns:
        An iterator, or an async iterator if *samples* are read asynchronously. All batches have the schema
        `SAMPLE_SCHEMA`.
    """
    rows_of = partial(sample_rows_of, labelset=labelset)
    source = iterable_of(samples, labelset, labels=False)
    return _batches(source, SAMPLE_COLUMNS, rows_of, "samples", rows, is_async=isinstance(samples, IS_ASYNC))


@overload
def label_batches(
    labels: AsyncIterable[Any] | ReleaseFile,
    *,
    labelset: str | None = ...,
    categories: CategorySource | None = ...,
    rows: int = ...,
) -> AsyncIterator[pa.RecordBatch]: ...
@overload
def label_batches(
    labels: Iterable[Any],
    *,
    labelset: str | None = ...,
    categories: CategorySource | None = ...,
    rows: int = ...,
) -> Iterator[pa.RecordBatch]: ...
def label_batches(
    labels: Any,
    *,
    labelset: str | None = None,
    categories: CategorySource | None = None,
    rows: int = BATCH_ROWS,
) -> Any:
    """
    Make the rows of `labels_table` batch by batch, so that only one batch is in memory.

    Example::

        async with open_release("flowers-v1.json") as release:
            with pq.ParquetWriter("labels.parquet", LABEL_SCHEMA) as writer:
                async for batch in label_batches(release, labelset="ground-truth"):
                    writer.write_batch(batch)

    Args:
        labels: As in `labels_table`.
        labelset: As in `labels_table`.
        categories: As in `labels_table`.
        rows: Rows of a batch, at most; a label may continue in the next batch.

    Returns:
        An iterator, or an async iterator if *labels* are read asynchronously. All batches have the schema
        `LABEL_SCHEMA`.
    """
    rows_of = partial(label_rows_of, labelset=labelset, categories=Categories.of(categories, labels).names)
    source = iterable_of(labels, labelset, labels=True)
    return _batches(source, LABEL_COLUMNS, rows_of, "labels", rows, is_async=isinstance(labels, IS_ASYNC))


def _table(
    source: Any, columns: tuple[Column, ...], rows_of: Callable[[Any], Iterator[Row]], path: str, *, is_async: bool
) -> Any:
    batches = _batches(source, columns, rows_of, path, BATCH_ROWS, is_async=is_async)
    if is_async:
        return _collect(batches, columns)
    return pa.Table.from_batches(batches, schema=schema_of(columns))


async def _collect(batches: AsyncIterator[pa.RecordBatch], columns: tuple[Column, ...]) -> pa.Table:
    return pa.Table.from_batches([batch async for batch in batches], schema=schema_of(columns))


def _batches(
    source: Any,
    columns: tuple[Column, ...],
    rows_of: Callable[[Any], Iterator[Row]],
    path: str,
    rows: int,
    *,
    is_async: bool,
) -> Any:
    check_count(rows, "rows", MAX_ROWS)
    conversion = _Conversion(Batches(columns, rows), rows_of, path)
    return _AsyncBatches(source, conversion) if is_async else _sync_batches(source, conversion)


def _sync_batches(source: Iterable[Any], conversion: _Conversion) -> Iterator[pa.RecordBatch]:
    for item in source:
        yield from conversion.convert([item])
    yield from conversion.batches.flush()


class _Conversion:
    """Converts items to rows, and counts them for the path of an error."""

    def __init__(self, batches: Batches, rows_of: Callable[[Any], Iterator[Row]], path: str) -> None:
        self.batches = batches
        self._rows_of = rows_of
        self._path = path
        self._index = 0

    def convert(self, items: Iterable[Any]) -> Iterator[pa.RecordBatch]:
        for item in items:
            try:
                for row in self._rows_of(item):
                    yield from self.batches.add(row)
            except InputError as error:
                raise error.under(f"{self._path}[{self._index}]") from error.__cause__
            self._index += 1


# A class instead of an async generator: trio warns about a generator that is not exhausted.
class _AsyncBatches(AsyncIterator["pa.RecordBatch"]):
    """The batches of an async source; items are converted in worker threads."""

    def __init__(self, source: AsyncIterable[Any], conversion: _Conversion) -> None:
        self._source = aiter(source)
        self._conversion = conversion
        self._ready: list[pa.RecordBatch] = []
        self._ended = False

    async def __anext__(self) -> pa.RecordBatch:
        while not (self._ready or self._ended):
            await self._read()
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.pop(0)

    async def _read(self) -> None:
        items: list[Any] = []
        while len(items) < CHUNK and not self._ended:
            try:
                items.append(await anext(self._source))
            except StopAsyncIteration:
                self._ended = True
        self._ready += await run_sync(self._convert, items)

    def _convert(self, items: list[Any]) -> list[pa.RecordBatch]:
        ready = list(self._conversion.convert(items))
        return [*ready, *self._conversion.batches.flush()] if self._ended else ready

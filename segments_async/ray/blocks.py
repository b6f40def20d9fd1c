"""What a worker does with the rows of a block."""

from __future__ import annotations

import logging
import pickle
import re
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
from attrs import evolve, frozen
from ray.data import DataContext

from segments_async._arrow.batches import table_of
from segments_async._arrow.columns import OUTCOME_COLUMNS
from segments_async.bulk import BulkOptions, BulkSettings, BulkStream, Failed, Unsent
from segments_async.bulk.outcome_rows import outcome_row
from segments_async.errors import SegmentsError
from segments_async.ray.buckets import unpacked
from segments_async.ray.report import BlockOutcomes, BlockResult
from segments_async.ray.worker import WorkerClient
from segments_async.resources.samples.create import CreateSamples
from segments_async.tables import items_from_table
from segments_async.tables.grouping import texts_of
from segments_async.tables.reading import plain_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from segments_async._client import AsyncSegments
    from segments_async.bulk import BulkReport
    from segments_async.models import LabelPut, SampleCreate
    from segments_async.ray.options import ClientOptions
    from segments_async.tables import TableItems

TRIES = 3
"""How often the rows of a block are processed if that ends with an exception."""
_ROW = re.compile(r"table\[(\d+)\]")
_log = logging.getLogger("segments_async")


class RowsOf(Protocol):
    """Rows, and how to write them."""

    @property
    def key_column(self) -> str:
        """The column whose value is the same in all rows of an item."""
        ...

    def items(self, table: pa.Table) -> TableItems[Any]:
        """Make the items of the rows; those that are not valid are skipped."""
        ...

    def key_of(self, item: Any) -> str:
        """Return the key of an item's outcome."""
        ...

    def stream(self, client: AsyncSegments, items: Iterator[Any]) -> BulkStream[Any]:
        """Return the run that writes the items; those that a stop leaves over stay in the iterator."""
        ...

    def column_keys(self, keys: set[str]) -> set[str]:
        """Return the values of the key column for the keys of some outcomes."""
        ...


@frozen(kw_only=True)
class SampleRows:
    """Samples to create; those that were created before *since* exist already."""

    dataset: str
    columns: Mapping[str, Any] | None
    if_exists: Any
    since: datetime | None
    max_failures: int | None

    @property
    def key_column(self) -> str:
        """The column with the name of the sample."""
        return str((self.columns or {}).get("name", "name"))

    def items(self, table: pa.Table) -> TableItems[Any]:
        """Make the samples of the rows."""
        return items_from_table(table, self.columns, items="samples", on_error="skip")

    def key_of(self, item: SampleCreate) -> str:
        """Return the name of a sample."""
        return item.name

    def stream(self, client: AsyncSegments, items: Iterator[SampleCreate]) -> BulkStream[Any]:
        """Return the run that creates the samples."""
        settings = BulkSettings(if_exists=self.if_exists, max_failures=self.max_failures, keep="failures")
        session = client._session  # noqa: SLF001 (only here does a run start elsewhere)
        operation = CreateSamples(session, self.dataset, settings, since=self.since)
        operation.values = "never"
        return BulkStream(operation, items, settings)

    def column_keys(self, keys: set[str]) -> set[str]:
        """Return the names of samples."""
        return keys


@frozen(kw_only=True)
class LabelRows:
    """Labels to put."""

    labelset: str
    columns: Mapping[str, Any] | None
    categories: Any
    uuids: Mapping[str, str] | None
    score: Any
    max_failures: int | None

    @property
    def key_column(self) -> str:
        """The column with the uuid, or the name, of the sample."""
        key = "sample_uuid" if self.uuids is None else "sample_name"
        return str((self.columns or {}).get(key, key))

    def items(self, table: pa.Table) -> TableItems[Any]:
        """Make the labels of the rows."""
        return items_from_table(
            table,
            self.columns,
            items="labels",
            categories=self.categories,
            uuids=self.uuids,
            score=self.score,
            on_error="skip",
        )

    def key_of(self, item: LabelPut) -> str:
        """Return the sample and the labelset of a label."""
        return f"{item.sample_uuid}/{item.labelset or self.labelset}"

    def stream(self, client: AsyncSegments, items: Iterator[LabelPut]) -> BulkStream[Any]:
        """Return the run that puts the labels."""
        options: BulkOptions = {"max_failures": self.max_failures, "keep": "failures"}
        return client.labels.stream_put(items, labelset=self.labelset, **options)

    def column_keys(self, keys: set[str]) -> set[str]:
        """Return the uuids, or the names, of samples."""
        uuids = {key.partition("/")[0] for key in keys}
        return uuids if self.uuids is None else {name for name, uuid in self.uuids.items() if uuid in uuids}


class BlockWriter:
    """
    Write the rows of blocks, with one client for as long as the worker lives.

    Args:
        options: The arguments of the client.
        rows: What the rows are.
        counts_only: Whether to return one row with a pickled `BlockResult`, instead of a row for each outcome.
        is_packed: Whether a block has buckets of rows.
    """

    def __init__(
        self,
        options: ClientOptions,
        rows: RowsOf,
        counts_only: bool,  # noqa: FBT001 (Ray passes it)
        is_packed: bool = False,  # noqa: FBT001, FBT002 (likewise)
    ) -> None:
        self._options = options
        self._rows = rows
        self._counts_only = counts_only
        self._is_packed = is_packed
        self._worker: WorkerClient | None = None

    def __call__(self, table: pa.Table) -> pa.Table:
        """Write the rows of a block."""
        if self._counts_only:
            return pa.table({"result": [self._pickled_result(table)]})
        try:
            return table_of(OUTCOME_COLUMNS, map(outcome_row, self._result(table).outcomes))
        except SegmentsError:
            # Otherwise Ray would raise an exception of its own, of which this is the cause.
            DataContext.get_current().raise_original_map_exception = True
            raise

    def _pickled_result(self, table: pa.Table) -> bytes:
        try:
            return pickle.dumps(self._result(table))
        except SegmentsError as error:
            return pickle.dumps(error)

    def close(self) -> None:
        """Close the client."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _result(self, table: pa.Table) -> BlockResult:
        """Write the rows; once more after an exception that is not about them, since this has no effect twice."""
        if not table.num_rows:
            return BlockResult(outcomes=[])
        for _ in range(TRIES - 1):
            try:
                return self._write(table)
            except SegmentsError:
                raise
            except Exception:  # noqa: BLE001 (whatever it is, it is not about the rows)
                _log.warning("processing a block of %d rows again", table.num_rows, exc_info=True)
        return self._write(table)

    def _write(self, block: pa.Table) -> BlockResult:
        table = unpacked(block) if self._is_packed else block
        # Created here, as an actor whose constructor fails is started again and again.
        self._worker = self._worker or WorkerClient(self._options)
        outcomes = BlockOutcomes(counts_only=self._counts_only)
        items = self._rows.items(table)
        taken = iter(items)
        report = self._worker.call(lambda client: self._run(client, taken, outcomes))
        self._add_unsent(taken, outcomes)
        self._add_invalid(items, table, outcomes)
        return BlockResult(
            outcomes=outcomes.kept,
            counted=outcomes.counted,
            stopped=report.stopped,
            requests=report.requests,
            retries=report.retries,
            throttled=report.throttled,
            bytes_sent=report.bytes_sent,
            retry_rows=self._rows_to_retry(table, outcomes.retry_keys),
        )

    async def _run(self, client: AsyncSegments, items: Iterator[Any], outcomes: BlockOutcomes) -> BulkReport[Any]:
        async with self._rows.stream(client, items) as stream:
            async for outcome in stream:
                if (
                    outcome.key is None
                ):  # an item that could not be encoded, which its index in a block does not identify
                    outcomes.add(evolve(outcome, key=self._rows.key_of(outcome.item)))
                else:
                    outcomes.add(outcome)
        return stream.report

    def _add_unsent(self, items: Iterator[Any], outcomes: BlockOutcomes) -> None:
        """Add the items that a stop has left over."""
        for item in items:
            key = self._rows.key_of(item)
            outcomes.add(Unsent(index=outcomes.total, key=key, item=item, status="unsent", retryable=True))

    def _add_invalid(self, items: TableItems[Any], table: pa.Table, outcomes: BlockOutcomes) -> None:
        """Add the rows that are not valid."""
        keys = table.column(self._rows.key_column)
        for error in items.skipped:
            row = _ROW.match(error.path or "")
            key = None if row is None else keys[int(row[1])].as_py()
            text = None if key is None else str(key)
            outcomes.add(Failed(index=outcomes.total, key=text, item=None, status="failed", error=error))

    def _rows_to_retry(self, table: pa.Table, keys: set[str]) -> pa.Table | None:
        if not keys:
            return None
        table = plain_types(table)
        texts = texts_of(table.column(self._rows.key_column))
        found = pa.array(sorted(self._rows.column_keys(keys)), pa.large_string())
        return table.filter(pc.is_in(texts, value_set=found))

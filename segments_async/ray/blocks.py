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
from segments_async.ray.report import BlockResult
from segments_async.ray.worker import WorkerClient
from segments_async.resources.samples.create import CreateSamples
from segments_async.tables import items_from_table
from segments_async.tables.grouping import texts_of
from segments_async.tables.reading import plain_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from segments_async._client import AsyncSegments
    from segments_async.bulk import AnyOutcome, BulkReport
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

    async def write(self, client: AsyncSegments, items: Iterator[Any]) -> BulkReport[Any]:
        """Write the items, and leave those that a stop leaves over in the iterator."""
        ...

    def keys_of(self, outcomes: Sequence[AnyOutcome[Any]]) -> set[str | None]:
        """Return the values of the key column for some items."""
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

    async def write(self, client: AsyncSegments, items: Iterator[SampleCreate]) -> BulkReport[Any]:
        """Create the samples."""
        settings = BulkSettings(if_exists=self.if_exists, max_failures=self.max_failures)
        session = client._session  # noqa: SLF001 (only here does a run start elsewhere)
        operation = CreateSamples(session, self.dataset, settings, since=self.since)
        return await BulkStream(operation, items, settings).collect()

    def keys_of(self, outcomes: Sequence[AnyOutcome[Any]]) -> set[str | None]:
        """Return the names of samples."""
        return {outcome.key for outcome in outcomes}


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

    async def write(self, client: AsyncSegments, items: Iterator[LabelPut]) -> BulkReport[Any]:
        """Put the labels."""
        options: BulkOptions = {"max_failures": self.max_failures}
        return await client.labels.put_many(items, labelset=self.labelset, **options)

    def keys_of(self, outcomes: Sequence[AnyOutcome[Any]]) -> set[str | None]:
        """Return the uuids, or the names, of samples."""
        uuids = {outcome.uuid or outcome.item.sample_uuid for outcome in outcomes}
        return uuids if self.uuids is None else {name for name, uuid in self.uuids.items() if uuid in uuids}


class BlockWriter:
    """
    Write the rows of blocks, with one client for as long as the worker lives.

    Args:
        options: The arguments of the client.
        rows: What the rows are.
        counts_only: Whether to return one row with a pickled `BlockResult`, instead of a row for each outcome.
    """

    def __init__(self, options: ClientOptions, rows: RowsOf, counts_only: bool) -> None:  # noqa: FBT001 (Ray passes it)
        self._options = options
        self._rows = rows
        self._counts_only = counts_only
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
            return pickle.dumps(self._result(table).without_successes())
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
            return BlockResult(outcomes=())
        for _ in range(TRIES - 1):
            try:
                return self._write(table)
            except SegmentsError:
                raise
            except Exception:  # noqa: BLE001 (whatever it is, it is not about the rows)
                _log.warning("processing a block of %d rows again", table.num_rows, exc_info=True)
        return self._write(table)

    def _write(self, table: pa.Table) -> BlockResult:
        # Created here, as an actor whose constructor fails is started again and again.
        self._worker = self._worker or WorkerClient(self._options)
        items = self._rows.items(table)
        taken = iter(items)
        report = self._worker.call(lambda client: self._rows.write(client, taken))
        outcomes = [*map(self._with_key, report.results), *self._unsent(taken, report.total)]
        outcomes += self._invalid(items, table, len(outcomes))
        return BlockResult(
            outcomes=outcomes,
            stopped=report.stopped,
            requests=report.requests,
            retries=report.retries,
            throttled=report.throttled,
            bytes_sent=report.bytes_sent,
            retry_rows=self._rows_to_retry(table, outcomes),
        )

    def _with_key(self, outcome: AnyOutcome[Any]) -> AnyOutcome[Any]:
        """Add the key of an item that could not be encoded, as its index in this block does not identify it."""
        if outcome.key is not None:
            return outcome
        return evolve(outcome, key=self._rows.key_of(outcome.item))

    def _unsent(self, items: Iterator[Any], first: int) -> Iterator[AnyOutcome[Any]]:
        """Yield the outcomes of the items that a stop has left over."""
        for index, item in enumerate(items, first):
            yield Unsent(index=index, key=self._rows.key_of(item), item=item, status="unsent", retryable=True)

    def _invalid(self, items: TableItems[Any], table: pa.Table, first: int) -> list[AnyOutcome[Any]]:
        """Return the outcomes of rows that are not valid."""
        keys = table.column(self._rows.key_column)
        outcomes: list[AnyOutcome[Any]] = []
        for index, error in enumerate(items.skipped, first):
            row = _ROW.match(error.path or "")
            key = None if row is None else keys[int(row[1])].as_py()
            text = None if key is None else str(key)
            outcomes.append(Failed(index=index, key=text, item=None, status="failed", error=error))
        return outcomes

    def _rows_to_retry(self, table: pa.Table, outcomes: list[AnyOutcome[Any]]) -> pa.Table | None:
        again = [
            outcome
            for outcome in outcomes
            if outcome.status in {"unsent", "unknown"} or (outcome.status == "failed" and outcome.retryable)
        ]
        if not again:
            return None
        keys = sorted(key for key in self._rows.keys_of(again) if key is not None)
        table = plain_types(table)
        texts = texts_of(table.column(self._rows.key_column))
        return table.filter(pc.is_in(texts, value_set=pa.array(keys, pa.large_string())))

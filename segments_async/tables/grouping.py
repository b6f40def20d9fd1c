"""Read the rows of samples and labels; the rows of a label are brought together."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from segments_async.errors import ClientStateError
from segments_async.tables.sample_items import make_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from segments_async.models import LabelPut, SampleCreate
    from segments_async.tables.cells import CellReader, TableRow
    from segments_async.tables.label_items import LabelMaker
    from segments_async.tables.reading import Batches

T_co = TypeVar("T_co", covariant=True)


class ItemSource(Protocol[T_co]):
    """Where the items of a table come from."""

    def count(self) -> int | None:
        """Return the number of items; None if it is known only at the end."""

    def makers(self) -> Iterator[Callable[[], T_co]]:
        """Yield a function for each item, which makes it or raises its error."""
        ...


class _Rows:
    """Rows of a table or of a stream."""

    def __init__(self, batches: Batches, reader: CellReader) -> None:
        self._batches = batches
        self._reader = reader
        self._started = False

    def rows(self, table: pa.Table | None, numbers: Any = None) -> Iterator[TableRow]:
        if table is not None:
            yield from self._reader.rows(table, 0, numbers)
            return
        if self._started:
            raise ClientStateError("this stream was read before; call items_from_table() with a new one")
        self._started = True
        first = 0
        for batch in self._batches.stream:
            yield from self._reader.rows(batch, first, None)
            first += batch.num_rows


class SampleSource(_Rows):
    """A sample for each row."""

    def count(self) -> int | None:
        """Return the number of rows; None for a stream."""
        return None if self._batches.table is None else int(self._batches.table.num_rows)

    def makers(self) -> Iterator[Callable[[], SampleCreate]]:
        """Yield a function for each sample, which makes it or raises its error."""
        for row in self.rows(self._batches.table):
            yield lambda row=row: make_sample(_valid(row))  # type: ignore[misc]


class LabelSource(_Rows):
    """A label for the rows of a sample in a labelset."""

    def __init__(self, batches: Batches, reader: CellReader, maker: LabelMaker, key: str) -> None:
        super().__init__(batches, reader)
        self._maker = maker
        self._key = key
        self._codes: Any = None

    def count(self) -> int | None:
        """Return the number of labels; None for a stream."""
        table = self._batches.table
        return None if table is None else int(pc.count_distinct(self._label_codes(table)).as_py())

    def makers(self) -> Iterator[Callable[[], LabelPut]]:
        """Yield a function for each label, which makes it or raises the error of one of its rows."""
        table, numbers = self._in_order()
        seen: set[bytes] | None = set() if table is None else None
        group: list[TableRow] = []
        key: object = None
        for row in self.rows(table, numbers):
            row_key = row.values.get(self._key), row.values.get("labelset")
            if group and (row_key != key or row_key[0] is None):  # a row without a sample is an error of its own
                yield self._make(group, key, seen)
                group = []
            key = row_key
            group.append(row)
        if group:
            yield self._make(group, key, seen)

    def _make(self, group: list[TableRow], key: object, seen: set[bytes] | None) -> Callable[[], LabelPut]:
        def make() -> LabelPut:
            rows = [_valid(row) for row in group]
            if seen is not None:
                digest = blake2b(repr(key).encode(errors="replace"), digest_size=8).digest()
                if digest in seen:
                    raise rows[0].error("its label had rows before; sort a stream by sample and labelset", self._key)
                seen.add(digest)
            return self._maker.make(rows)

        return make

    def _in_order(self) -> tuple[pa.Table | None, Any]:
        """Bring the rows of each label together, if they are not; and return the numbers that they had."""
        table = self._batches.table
        if table is None or table.num_rows < 2:  # noqa: PLR2004 (nothing to sort)
            return table, None
        codes = self._label_codes(table)
        if pc.all(pc.greater_equal(codes.slice(1), codes.slice(0, len(codes) - 1))).as_py():
            return table, None
        order = pc.sort_indices(codes)  # stable
        return table.select(list(dict.fromkeys(self._reader.source.values()))).take(order), order.to_pylist()

    def _label_codes(self, table: pa.Table) -> Any:
        """Return a number for the label of each row, in the order in which labels come first."""
        if self._codes is None:
            names = [self._reader.source[name] for name in (self._key, "labelset") if name in self._reader.source]
            texts = [texts_of(table.column(name)) for name in names]
            separator = pa.scalar("\0", pa.large_string())
            joined = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, separator)
            self._codes = joined.dictionary_encode().indices
        return self._codes


def texts_of(column: pa.ChunkedArray) -> pa.Array:
    """Return the texts of a column in one array, a null as a text that is no name."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        column = pa.chunked_array([pa.array(texts, pa.large_string())])
    return pc.fill_null(column.cast(pa.large_string()), "\1").combine_chunks()


def _valid(row: TableRow) -> TableRow:
    if row.problem is not None:
        raise row.problem
    return row

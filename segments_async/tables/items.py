"""Make the items of bulk calls of the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from segments_async._arrow.columns import LABEL_COLUMNS, SAMPLE_COLUMNS
from segments_async._wire.arguments import check_on_error, near_miss
from segments_async.errors import InputError
from segments_async.tables.categories import Categories
from segments_async.tables.cells import CellReader
from segments_async.tables.grouping import LabelSource, SampleSource
from segments_async.tables.label_items import ATTRIBUTE, LabelMaker
from segments_async.tables.reading import duplicates_in, read_table
from segments_async.tables.sample_items import METADATA

if TYPE_CHECKING:
    import pyarrow as pa

    from segments_async._arrow.columns import ColumnType
    from segments_async._wire.arguments import OnError
    from segments_async.models import LabelPut, SampleCreate
    from segments_async.tables.categories import CategorySource
    from segments_async.tables.grouping import ItemSource
    from segments_async.tables.label_items import ScoreOf

T = TypeVar("T")

_SET_BY_THE_SERVICE = frozenset(
    {
        *("label_type", "rating", "created_at", "created_by", "updated_at", "updated_by", "reviewed_at", "reviewed_by"),
        *("uuid", "dataset", "data_type", "label_score", "label_updated_at", "label_created_by", "label_reviewed_by"),
    }
)
"""Columns that are not read, because the service sets them."""
_LABEL_TYPES: dict[str, ColumnType | None] = {
    **{column.name: column.type for column in LABEL_COLUMNS if column.name not in _SET_BY_THE_SERVICE},
    "width": "number",
    "height": "number",
}
_SAMPLE_TYPES: dict[str, ColumnType | None] = {
    column.name: column.type for column in SAMPLE_COLUMNS if column.name not in _SET_BY_THE_SERVICE | {"label_status"}
}


@overload
def items_from_table(
    table: Any,
    columns: Mapping[str, Any] | None = ...,
    *,
    items: Literal["labels"],
    categories: CategorySource | None = ...,
    uuids: Mapping[str, str] | None = ...,
    score: ScoreOf = ...,
    on_error: OnError = ...,
) -> TableItems[LabelPut]: ...
@overload
def items_from_table(
    table: Any, columns: Mapping[str, Any] | None = ..., *, items: Literal["samples"], on_error: OnError = ...
) -> TableItems[SampleCreate]: ...
@overload
def items_from_table(
    table: Any,
    columns: Mapping[str, Any] | None = ...,
    *,
    items: None = ...,
    categories: CategorySource | None = ...,
    uuids: Mapping[str, str] | None = ...,
    score: ScoreOf = ...,
    on_error: OnError = ...,
) -> TableItems[Any]: ...
def items_from_table(
    table: Any,
    columns: Mapping[str, Any] | None = None,
    *,
    items: Literal["labels", "samples"] | None = None,
    categories: CategorySource | None = None,
    uuids: Mapping[str, str] | None = None,
    score: ScoreOf = "same",
    on_error: OnError = "raise",
) -> TableItems[Any]:
    """
    Make items for ``labels.put_many`` or ``samples.create_many`` of a table.

    Rows of the same sample and labelset become one label. ``docs/tables.md`` explains the columns.

    Example::

        predictions = pandas.DataFrame({
            "file": ["a.jpg", "a.jpg"], "class": ["rose", "tulip"],
            "xmin": [10, 60], "ymin": [10, 15], "xmax": [50, 90], "ymax": [40, 95],
        })
        items = items_from_table(
            predictions,
            columns={"sample_name": "file", "category": "class",
                     "x_min": "xmin", "y_min": "ymin", "x_max": "xmax", "y_max": "ymax"},
            uuids=await client.samples.uuids(dataset),
            categories=dataset,
        )
        await client.labels.put_many(items, labelset="predictions")

    Args:
        table: A table of pyarrow, pandas or polars, any object with an Arrow stream (``__arrow_c_stream__``), arrays by
            name, or record batches in an iterator. Rows of a label may be anywhere in a table; in a stream (a
            ``RecordBatchReader``, or record batches) they must follow each other, and only a batch is in memory.
        columns: Names in the table by names of `LABEL_COLUMNS` or `SAMPLE_COLUMNS`, where they differ. ``"width"`` and
            ``"height"`` may be in place of ``"x_max"`` and ``"y_max"``; ``"attributes.color"`` is the attribute
            ``color`` of an annotation, and ``"metadata.city"`` the key ``city`` of a sample's metadata. Columns with
            these names are read also without *columns*.
        items: What the rows are; by default labels if there is a column ``sample_uuid`` or ``sample_name``, else
            samples.
        categories: Where the ids of categories are found by name, as in `labels_table`.
        uuids: The uuids of samples by name, of ``client.samples.uuids``; then samples are found by ``sample_name``.
        score: The score of a label whose rows have different scores, as the service has one for each label. ``"same"``
            refuses this.
        on_error: ``"skip"`` leaves out a label or a sample with a row that is not valid, and reports it in
            `TableItems.skipped`; ``"raise"`` raises it when the row is reached, which ends the bulk call.

    Returns:
        The items, which are made when they are iterated over.

    Raises:
        InputError: It is no table, a column is missing, mistyped or exists more than once, or a row is not valid;
            `path` names the row, from 0, and the column.
    """
    check_on_error(on_error)
    if items not in (None, "labels", "samples"):
        raise InputError(f"expected 'labels' or 'samples', got {items!r}", path="items")
    if score not in ("same", "mean", "max", "min"):
        raise InputError(f"expected 'same', 'mean', 'max' or 'min', got {score!r}", path="score")
    batches = read_table(table)
    names = {name: str(column) for name, column in (columns or {}).items()}
    if items is None:
        found = {*names, *batches.schema.names}
        items = "labels" if found & {"sample_uuid", "sample_name"} else "samples"
    if items == "samples":
        reader = _reader(batches.schema, names, _SAMPLE_TYPES, METADATA)
        _require(reader, "name")
        return TableItems(SampleSource(batches, reader), skip=on_error == "skip")
    reader = _reader(batches.schema, names, _LABEL_TYPES, ATTRIBUTE)
    key = "sample_uuid" if uuids is None else "sample_name"
    _require(reader, key)
    maker = LabelMaker(Categories.of(categories), uuids, score)
    return TableItems(LabelSource(batches, reader, maker, key), skip=on_error == "skip")


def _reader(
    schema: pa.Schema, names: Mapping[str, str], types: Mapping[str, ColumnType | None], prefix: str
) -> CellReader:
    """Find the columns to read, and check their names before any row is read."""
    source: dict[str, str] = {}
    for name, column in names.items():
        if name not in types and not name.startswith(prefix):
            near = near_miss(str(name), types)
            hint = f"; did you mean {near!r}?" if near else "; columns= has our names as keys, and yours as values"
            raise InputError(f"unknown column {name!r}{hint}", path="columns")
        if column not in schema.names:
            raise InputError(f"the table has no column {column!r}", path=f"columns.{name}")
        source[name] = column
    for column in schema.names:
        if column not in source and column not in names.values():
            if column in types or column.startswith(prefix):
                source[column] = column
            elif (near := _meant(column, types, {*schema.names, *names})) is not None:
                raise InputError(
                    f"did you mean {near!r}? Say columns={{{near!r}: {column!r}}}, or leave the column out",
                    path=f"table.{column}",
                )
    if twice := duplicates_in(schema, source.values()):
        raise InputError(f"columns that exist more than once: {', '.join(twice)}", path="table")
    return CellReader(schema, source, {name: types.get(name) for name in source})


def _meant(column: str, types: Mapping[str, ColumnType | None], present: set[str]) -> str | None:
    """Return the column that a name seems to be a mistyped form of, if that one is not present too."""
    near = None if column in _SET_BY_THE_SERVICE else near_miss(column, types)
    return None if near in present else near


def _require(reader: CellReader, name: str) -> None:
    if name not in reader.source:
        has = ", ".join(reader.schema.names) or "none"
        raise InputError(f"no column {name!r}; say which one it is with columns=. Columns: {has}", path="table")


class TableItems(Iterable[T], Generic[T]):
    """
    The items of a table, from `items_from_table`.

    They are made when they are iterated over; a table may be iterated over again, and a stream only once.

    Attributes:
        skipped: The errors of the labels or samples that the latest iteration left out with ``on_error="skip"``.
    """

    def __init__(self, source: ItemSource[T], *, skip: bool) -> None:
        self.skipped: list[InputError] = []
        self._source = source
        self._skip = skip

    def __iter__(self) -> Iterator[T]:
        self.skipped = []
        for make in self._source.makers():
            try:
                item = make()
            except InputError as error:
                if not self._skip:
                    raise
                self.skipped.append(error)
            else:
                yield item

    def __len__(self) -> int:
        """Return the number of items; a TypeError if it is known only at the end."""
        count = None if self._skip else self._source.count()
        if count is None:
            raise TypeError("the number of items of a stream, or with on_error='skip', is not known")
        return count

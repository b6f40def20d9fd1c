"""What tables are made of: the items of a list, a page, a stream or a release, as plain JSON."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from segments_async._caller_errors import caller_code
from segments_async._releases import ReleaseFile
from segments_async._serialization.converter import unstructure
from segments_async.bulk import BulkReport, Outcome
from segments_async.errors import InputError
from segments_async.models import LabelSummary, Model, Sample
from segments_async.tables.label_rows import label_rows
from segments_async.tables.sample_rows import sample_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from segments_async.tables.moving import Object, Row

IS_ASYNC = (AsyncIterable, ReleaseFile)
"""Sources that are read asynchronously, also those that can be read in both ways."""


def iterable_of(source: Any, labelset: str | None, *, labels: bool) -> Any:
    """Return what to iterate over, sync or async."""
    if isinstance(source, ReleaseFile):
        return source.samples(labelset=labelset if labels else None)
    if isinstance(source, BulkReport):
        return source.results
    if isinstance(source, (Model, Mapping, str, bytes)) or not isinstance(source, (Iterable, AsyncIterable)):
        what = "labels or samples" if labels else "samples"
        raise InputError(f"expected {what} in a list, an iterator or a stream, got {type(source).__name__}")
    return source


def sample_rows_of(item: Any, labelset: str | None) -> Iterator[Row]:
    """Yield the row of a sample, or of an outcome that has one."""
    if isinstance(item, Outcome):
        item = item.value
    if item is not None:
        sample = _object_of(item, "a sample")
        if "name" not in sample:
            raise InputError(f"expected a sample, got {type(item).__name__}")
        yield sample_row(sample, labelset)


def label_rows_of(item: Any, labelset: str | None, categories: Mapping[int, str]) -> Iterator[Row]:
    """Yield the rows of a label, of an outcome that has one, or of the labels of a sample."""
    base: Row = {}
    if isinstance(item, Outcome):
        base, item = {"sample_uuid": item.uuid}, item.value
    if item is None:
        return
    owner = _object_of(item, "a label or a sample")
    if not _is_sample(owner):
        yield from _rows_of_label(owner, {**base, "labelset": labelset}, labelset, categories)
        return
    base = {"sample_uuid": owner.get("uuid"), "sample_name": owner.get("name")}
    if isinstance(item, Sample) and isinstance(item.label, LabelSummary):
        raise InputError(f"only a summary of the label of sample {item.name!r}; list with include_full_label=True")
    labels = owner.get("labels") or {}
    if "label" in owner:
        yield from _rows_of_label(owner["label"], {**base, "labelset": labelset}, labelset, categories)
    for name, label in labels.items():
        if labelset in (None, name):
            yield from _rows_of_label(label, {**base, "labelset": name}, labelset, categories)


def _rows_of_label(
    label: Object | None, base: Row, labelset: str | None, categories: Mapping[int, str]
) -> Iterator[Row]:
    if label is not None and labelset in (None, label.get("labelset") or labelset):
        yield from label_rows(label, base, categories)


def _is_sample(owner: Object) -> bool:
    return "labels" in owner or "label" in owner or ("name" in owner and "sample_uuid" not in owner)


def _object_of(item: Any, what: str) -> Object:
    if not (isinstance(item, (Model, Mapping)) or hasattr(item, "model_dump")):
        raise InputError(f"expected {what}, got {type(item).__name__}")
    with caller_code():
        plain: Object = unstructure(item)
    return plain

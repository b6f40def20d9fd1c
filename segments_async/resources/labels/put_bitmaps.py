from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from segments_async._caller_errors import caller_code
from segments_async._serialization.json import encode_json
from segments_async._threads import run_sync
from segments_async._wire.arguments import without_none
from segments_async._wire.contents import check_label
from segments_async._wire.filters import upper_status
from segments_async.bulk.operation import digest_of
from segments_async.errors import InputError
from segments_async.models import Asset, BitmapPut
from segments_async.resources.assets.upload_once import MAX_RENEWALS, upload_asset, upload_once
from segments_async.resources.labels.put import PutLabels

if TYPE_CHECKING:
    from collections.abc import Callable

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.bulk.journal import FileRow
    from segments_async.bulk.operation import Job, Prepared

FILENAME = "bitmap.png"


class PutBitmaps(PutLabels):
    """Upload the bitmap of each item, then put its label. Arrays are released once their label is put."""

    kind = "labels.put_bitmaps"
    items_name = "bitmaps"
    lookup_limit = 16

    def __init__(self, session: Session, labelset: str, settings: BulkSettings, *, must_agree: bool) -> None:
        super().__init__(session, labelset, settings)
        self._encode = encoder(must_agree=must_agree)
        self.preprocess_limit: int = self.concurrency

    def prepare(self, item: Any) -> Prepared:
        """Check everything in an item except its pixels."""
        put = _as_bitmap_put(item)
        fields = label_fields(put, "")
        check_label({"sample_uuid": "", **fields})
        encode_json(fields)
        prepared = self.prepare_label(put.sample_uuid, put.labelset)
        path, _ = prepared.body
        return attrs.evolve(prepared, body=(path, put), item=put)

    def digest(self, prepared: Prepared) -> bytes | None:
        """Hash the pixels and the label's other fields; None if the array cannot be encoded."""
        _, put = prepared.body
        try:
            return _digest_of(put, self._encode_pixels(put)[1])
        except InputError:
            return None

    def trim_item(self, job: Job) -> BitmapPut:
        """Drop the array, as thousands of arrays do not fit into memory."""
        put: BitmapPut = job.prepared.item
        return attrs.evolve(put, array=None)

    def retry_item(self, job: Job) -> Any:
        """Return the item for another run; an uploaded bitmap is replaced by its `Asset`, so it is not sent again."""
        return attrs.evolve(job.prepared.item, array=job.done[0]) if job.done else job.item

    async def preprocess(self, job: Job, stats: CallStats, note: Callable[[FileRow], None] | None) -> Prepared:
        """Upload the bitmap, and build the body of the label."""
        path, put = job.prepared.body
        with caller_code("array"):
            content, digest = await run_sync(self._encode_pixels, put)
        if isinstance(content, Asset):
            asset = content
        else:
            upload = partial(upload_asset, self._session, content, FILENAME, stats, path="array", renewals=MAX_RENEWALS)
            asset = await upload_once(job, 0, digest, note, upload)
        job.done[0] = asset
        body = encode_json(label_fields(put, asset.url))
        return attrs.evolve(job.prepared, body=(path, body), digest=_digest_of(put, digest))

    def _encode_pixels(self, put: BitmapPut) -> tuple[bytes | Asset, bytes]:
        """Return the PNG, or the asset of an uploaded bitmap, and its digest. Slow; call it in a worker thread."""
        if isinstance(put.array, Asset):
            return put.array, digest_of(put.array.url.encode())
        content = self._encode(put.array, put.annotations)
        return content, digest_of(content)


def label_fields(put: BitmapPut, url: str) -> dict[str, Any]:
    """Build the body of a label whose bitmap is at *url*."""
    if not isinstance(put.annotations, Sequence) or isinstance(put.annotations, str):
        raise InputError(f"expected a list, got {type(put.annotations).__name__}", path="annotations")
    with caller_code("annotations"):
        annotations = list(put.annotations)
    attributes = {
        "format_version": "0.1",
        "annotations": annotations,
        "segmentation_bitmap": {"url": url},
        "image_attributes": put.image_attributes,
    }
    status = upper_status(put.label_status)
    return without_none({"attributes": without_none(attributes), "label_status": status, "score": put.score})


def encoder(*, must_agree: bool) -> Callable[[Any, Sequence[Any]], bytes]:
    """
    Return a function that encodes an array as a PNG, and with *must_agree* first checks it against its annotations.

    Raises:
        ImportError: The extra is not installed.
    """
    from segments_async.images import check_annotations, encode_bitmap  # noqa: PLC0415 (an extra)

    def encode(array: Any, annotations: Sequence[Any]) -> bytes:
        if must_agree:
            check_annotations(array, annotations)
        return encode_bitmap(array)

    return encode


def _digest_of(put: BitmapPut, pixels: bytes) -> bytes:
    return digest_of(pixels + encode_json(label_fields(put, "")))


def _as_bitmap_put(item: Any) -> BitmapPut:
    """Convert an item to a `BitmapPut`; the default status is PRELABELED, as in `put_bitmap`."""
    if isinstance(item, Mapping):
        with caller_code():
            fields = dict(item)
        try:
            item = BitmapPut(**fields)
        except TypeError as error:
            raise InputError(f"does not fit BitmapPut ({error})") from None
    if not isinstance(item, BitmapPut):
        raise InputError(f"expected a BitmapPut or a mapping, got {type(item).__name__}")
    return item if item.label_status is not None else attrs.evolve(item, label_status="PRELABELED")

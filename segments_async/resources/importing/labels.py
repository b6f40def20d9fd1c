"""The labels that an import puts, with their bitmaps as PNGs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen

from segments_async._serialization.json import encode_json
from segments_async._transfer.download import read_file
from segments_async._wire.arguments import without_none
from segments_async._wire.contents import check_label
from segments_async.bulk.operation import Job, Success, digest_of
from segments_async.models import LabelPut
from segments_async.resources.assets.upload_once import MAX_RENEWALS, upload_asset, upload_once
from segments_async.resources.labels.put import PutLabels
from segments_async.resources.labels.put_bitmaps import FILENAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.bulk.journal import FileRow
    from segments_async.bulk.operation import Prepared
    from segments_async.errors import SegmentsError
    from segments_async.models import Label


@frozen(kw_only=True)
class ImportedLabel:
    """A label to put."""

    image: str
    """The name of the image in the file."""
    sample_uuid: str
    attributes: dict[str, Any] | None = field(repr=False)
    """None in the outcome of a label that was put."""
    bitmap: bytes | None = field(default=None, repr=False)
    """The PNG to upload; None if there is none."""
    copies_bitmap: bool = False
    """Whether the bitmap of the label is copied, as its address belongs to another dataset."""
    label_status: str = "PRELABELED"
    score: float | None = None

    def fields(self, url: str | None = None) -> dict[str, Any]:
        """Return the keys of the label, with the URL of its bitmap."""
        attributes = dict(self.attributes or {})
        if self.bitmap is not None or (self.copies_bitmap and url is not None):
            attributes["segmentation_bitmap"] = {"url": url or ""}
        return without_none({"attributes": attributes, "label_status": self.label_status, "score": self.score})


class ImportLabels(PutLabels):
    """Upload the bitmap of each label, if it has one, then put the label."""

    kind = "datasets.import_annotations"
    items_name = "labels"
    lookup_limit = 16

    def __init__(self, session: Session, dataset: str, labelset: str, settings: BulkSettings) -> None:
        super().__init__(session, labelset, settings)
        self._labelset = labelset
        self.scope: str = f"{dataset} {labelset}"
        self.preprocess_limit: int = self.concurrency

    def prepare(self, item: ImportedLabel) -> Prepared:
        """Check a label, and encode it without the URL of its bitmap."""
        fields = item.fields()
        check_label({"sample_uuid": item.sample_uuid, **fields})
        prepared = self.prepare_label(item.sample_uuid, self._labelset, encode_json(fields))
        return attrs.evolve(prepared, item=item)

    def digest(self, prepared: Prepared) -> bytes | None:
        """Hash the label and its bitmap."""
        item: ImportedLabel = prepared.item
        return digest_of(encode_json(item.fields()) + (item.bitmap or b""))

    def trim_item(self, job: Job) -> ImportedLabel:
        """Drop the content, as all labels of an import do not fit into memory."""
        item: ImportedLabel = job.item
        return attrs.evolve(item, attributes=None, bitmap=None)

    def retry_item(self, job: Job) -> Any:
        """Return what ``labels.put_many`` takes; a bitmap that is not uploaded needs another import."""
        item: ImportedLabel = job.item
        if item.bitmap is not None and 0 not in job.done:
            return item
        fields = item.fields(job.done[0].url if job.done else None)
        return LabelPut(item.sample_uuid, labelset=self._labelset, **fields)

    async def preprocess(self, job: Job, stats: CallStats, note: Callable[[FileRow], None] | None) -> Prepared:
        """Upload the bitmap, and build the body of the label."""
        item: ImportedLabel = job.item
        content = item.bitmap
        if content is None and item.copies_bitmap:
            content = await self._fetch_bitmap(item)
        if content is None:
            return job.prepared
        upload = partial(upload_asset, self._session, content, FILENAME, stats, path="bitmap", renewals=MAX_RENEWALS)
        asset = await upload_once(job, 0, digest_of(content), note, upload)
        job.done[0] = asset
        path, _ = job.prepared.body
        body = path, encode_json(item.fields(asset.url))
        return attrs.evolve(job.prepared, body=body, digest=self.digest(job.prepared))

    async def _fetch_bitmap(self, item: ImportedLabel) -> bytes | None:
        found = (item.attributes or {}).get("segmentation_bitmap")
        url = found.get("url") if isinstance(found, dict) else None
        return await read_file(self._session, url) if isinstance(url, str) and url else None

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Label] | SegmentsError]:
        """Put one label, and drop the answer, as all labels of an import do not fit into memory."""
        await super().send(jobs, stats)
        return [Success("done", None)]

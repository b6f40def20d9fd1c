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
from segments_async.resources.importing.bitmaps import bitmap_urls, with_bitmap_urls
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
    from segments_async.models import Asset, Label


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
    copies_bitmaps: bool = False
    """Whether the bitmaps of the label are copied, as their addresses belong to another dataset."""
    label_status: str = "PRELABELED"
    score: float | None = None

    @property
    def copied_urls(self) -> list[str]:
        """The addresses of the bitmaps to copy."""
        return bitmap_urls(self.attributes) if self.copies_bitmaps else []

    def fields(self, urls: Sequence[str] = ()) -> dict[str, Any]:
        """Return the keys of the label, with the addresses of its bitmaps: of `bitmap`, or instead of `copied_urls`."""
        attributes = dict(self.attributes or {})
        if self.bitmap is not None:
            attributes["segmentation_bitmap"] = {"url": urls[0] if urls else ""}
        elif self.copies_bitmaps and urls:
            attributes = with_bitmap_urls(attributes, dict(zip(self.copied_urls, urls, strict=True)))
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
        if len(job.done) < (len(item.copied_urls) if item.bitmap is None else 1):
            return item
        return LabelPut(item.sample_uuid, labelset=self._labelset, **item.fields(_urls_of(job)))

    async def preprocess(self, job: Job, stats: CallStats, note: Callable[[FileRow], None] | None) -> Prepared:
        """Upload the bitmaps, and build the body of the label."""
        item: ImportedLabel = job.item
        if item.bitmap is not None:
            upload = partial(self._upload, item.bitmap, stats)
            job.done[0] = await upload_once(job, 0, digest_of(item.bitmap), note, upload)
        for index, url in enumerate(item.copied_urls):
            copy = partial(self._copy, url, stats)
            job.done[index] = await upload_once(job, index, digest_of(url.encode()), note, copy)
        if not job.done:
            return job.prepared
        path, _ = job.prepared.body
        body = path, encode_json(item.fields(_urls_of(job)))
        return attrs.evolve(job.prepared, body=body, digest=self.digest(job.prepared))

    async def _upload(self, content: bytes, stats: CallStats) -> Asset:
        return await upload_asset(self._session, content, FILENAME, stats, path="bitmap", renewals=MAX_RENEWALS)

    async def _copy(self, url: str, stats: CallStats) -> Asset:
        return await self._upload(await read_file(self._session, url, stats=stats), stats)

    async def send(self, jobs: Sequence[Job], stats: CallStats) -> Sequence[Success[Label] | SegmentsError]:
        """Put one label, and drop the answer, as all labels of an import do not fit into memory."""
        await super().send(jobs, stats)
        return [Success("done", None)]


def _urls_of(job: Job) -> list[str]:
    return [job.done[index].url for index in range(len(job.done))]

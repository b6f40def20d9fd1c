from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import attrs

from segments_async._caller_errors import caller_code
from segments_async._counting import counted
from segments_async._serialization.json import encode_json
from segments_async._threads import run_sync
from segments_async._wire.arguments import check_name
from segments_async._wire.contents import check_sample
from segments_async._wire.routes import GET_DATASET
from segments_async._wire.suffixes import is_point_cloud
from segments_async.bulk.item_errors import is_fatal
from segments_async.bulk.operation import Job, Prepared
from segments_async.errors import ClientStateError, InputError, NotFoundError, SegmentsError
from segments_async.models import Asset, Dataset, FileSample, ImageSampleAttributes
from segments_async.resources.assets.upload_once import MAX_RENEWALS, upload_asset, upload_once
from segments_async.resources.samples.create import CreateSamples
from segments_async.resources.samples.file_samples import (
    Upload,
    as_file_sample,
    digest_of_file,
    digest_of_sample,
    settings_of,
    upload_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from segments_async._http.call_stats import CallStats
    from segments_async._http.session import Session
    from segments_async.bulk import BulkSettings
    from segments_async.bulk.journal import FileRow

FILES_PER_BATCH = 16
"""Samples per batch by default: small, so that little work is lost if a run is stopped."""


class UploadFiles(CreateSamples):
    """Upload the files of each sample, then create the samples in batches."""

    kind = "samples.upload_files"
    items_name = "files"

    def __init__(
        self,
        session: Session,
        dataset: str | Dataset,
        settings: BulkSettings,
        *,
        name: Callable[[Path], str] | None = None,
        verify: Literal["stat", "content"] = "stat",
    ) -> None:
        if settings.batch_size is None and settings.if_exists != "error":
            settings = attrs.evolve(settings, batch_size=FILES_PER_BATCH)
        if name is not None and not callable(name):
            raise InputError(f"expected a callable, got {type(name).__name__}", path="name")
        if verify not in {"stat", "content"}:
            raise InputError(f"expected 'stat' or 'content', got {verify!r}", path="verify")
        super().__init__(session, dataset, settings)
        self._name_of = name or _default_name
        self._by_content = verify == "content"
        self._was_asked = isinstance(dataset, Dataset)
        self.preprocess_limit: int = min(settings.concurrency or session.max_connections, session.max_connections)
        # Enough open batches that all uploads stay busy while one batch is being created.
        self.concurrency: int = -(-self.preprocess_limit // self.batch_size) + 1

    def prepare(self, item: Any) -> Prepared:
        """Convert an item to a `FileSample`, and check everything that can be checked before the upload."""
        sample = as_file_sample(item, self._name_of)
        check_name(sample.name)
        upload = upload_of(sample)
        if sample.attributes is None and len(upload.files) > 1:
            raise InputError(
                f"a sample of {counted(len(upload.files), 'file')} needs 'attributes', a function of their assets"
            )
        if sample.attributes is None:
            _refuse_point_cloud(sample.name, *upload.files[0])
        if sample.attributes is not None and not callable(sample.attributes):
            raise InputError(f"expected a callable, got {type(sample.attributes).__name__}", path="attributes")
        fields = {**settings_of(sample), "attributes": {}}
        check_sample(fields)
        encode_json(fields)
        return Prepared(sample.name, upload, item=sample)

    def digest(self, prepared: Prepared) -> bytes | None:
        """Hash the files and the settings. Reads the disk."""
        upload = prepared.body
        if not isinstance(upload, Upload):
            return None  # `preprocess` has uploaded the files, and had no digest
        return digest_of_sample(settings_of(upload.sample), self._digests(upload))

    def retry_item(self, job: Job) -> Any:
        """Return the item for another run; uploaded files are replaced by their `Asset`, so they are not sent again."""
        if not job.done:
            return job.item
        sample: FileSample = job.prepared.item
        files = [job.done.get(index, file) for index, (file, _) in enumerate(upload_of(sample).files)]
        return attrs.evolve(sample, files=files)

    async def check_scope(self, stats: CallStats) -> None:
        """Ask for the dataset once, as the files are sent before its samples; a `Dataset` need not be asked for."""
        if self._was_asked:
            return
        try:
            await self._session.call(GET_DATASET, path=self._path, stats=stats)
        except SegmentsError as error:
            if isinstance(error, ClientStateError | NotFoundError) or is_fatal(error):
                raise
        self._was_asked = True  # what else went wrong concerns this call alone

    async def preprocess(self, job: Job, stats: CallStats, note: Callable[[FileRow], None] | None) -> Prepared:
        """Upload the files of one sample, and build its body from the assets."""
        upload: Upload = job.prepared.body
        sample, files = upload.sample, upload.files
        digests: list[bytes | None] = [None] * len(files)
        if note is not None:
            # Computed before the upload reads a file, so the next run notices a change in between.
            with suppress(Exception):  # the upload raises a better error
                digests = await run_sync(self._digests, upload)
        for index, ((file, filename), digest) in enumerate(zip(files, digests, strict=True)):
            if isinstance(file, Asset):
                job.done[index] = file
            else:
                send_file = partial(upload_asset, self._session, file, filename, stats, path="", renewals=MAX_RENEWALS)
                job.done[index] = await upload_once(job, index, digest, note, send_file)
        make_attributes = sample.attributes or _image_attributes
        settings = settings_of(sample)
        with caller_code("attributes"):
            attributes = make_attributes([job.done[index] for index in range(len(files))])
        fields = {**settings, "attributes": attributes}
        check_sample(fields)
        body = encode_json(fields)
        digest = None if note is None else digest_of_sample(settings, digests)
        return attrs.evolve(job.prepared, body=body, size=len(body) + 1, digest=digest)

    def _digests(self, upload: Upload) -> list[bytes | None]:
        return [digest_of_file(file, content=self._by_content) for file, _ in upload.files]


def _refuse_point_cloud(name: str, file: Any, filename: str | None) -> None:
    """Refuse a point cloud without attributes, of which the service would make an image that cannot be opened."""
    names = (filename, name, *([os.fspath(file)] if isinstance(file, str | os.PathLike) else []))
    found = next((one for one in names if isinstance(one, str) and is_point_cloud(one)), None)
    if found is not None:
        written = (
            f"FileSample({name!r}, path, attributes=lambda files: PointcloudSampleAttributes.from_url(files[0].url))"
        )
        raise InputError(
            f"{found!r} is a point cloud, but a sample of one file without 'attributes' is an image; write {written}"
        )


def _default_name(path: Path) -> str:
    return path.name


def _image_attributes(assets: list[Asset]) -> ImageSampleAttributes:
    [asset] = assets
    return ImageSampleAttributes.from_url(asset.url)

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from segments_async._converter import check
from segments_async._json import encode_json
from segments_async._wire.arguments import check_name, without_none
from segments_async.bulk.operation import Job, Prepared
from segments_async.errors import InputError
from segments_async.models import FileSample, ImageSampleAttributes, SampleCreate
from segments_async.resources._create_samples import CreateSamples

if TYPE_CHECKING:
    from segments_async._session import Session, Trace
    from segments_async.bulk import BulkSettings
    from segments_async.models import Asset, Dataset
    from segments_async.resources.assets import Assets

FILES_A_BATCH = 16
"""Samples are created as soon as so many files are up, so that little is lost when a run is stopped."""


class UploadFiles(CreateSamples):
    """Upload the files of each sample, then create the samples in batches."""

    kind = "samples.upload_files"
    noun = "files"

    def __init__(self, session: Session, assets: Assets, dataset: str | Dataset, settings: BulkSettings) -> None:
        if settings.batch_size is None and settings.if_exists != "error":
            settings = attrs.evolve(settings, batch_size=FILES_A_BATCH)
        super().__init__(session, dataset, settings)
        self._assets = assets
        self.begins = min(settings.concurrency or session.max_connections, session.max_connections)
        # So many batches are open that all uploads are busy while one batch is being created.
        self.concurrency = -(-self.begins // self.batch_size) + 1

    def prepare(self, item: Any) -> Prepared:
        """Read an item as a `FileSample`, and check all that can be known before its files are up."""
        sample = _as_file_sample(item)
        check_name(sample.name)
        files = _files_of(sample)
        if sample.attributes is None and len(files) > 1:
            raise InputError(f"a sample of {len(files)} files needs 'attributes', which makes its attributes of them")
        if sample.attributes is not None and not callable(sample.attributes):
            raise InputError(f"expected a callable, got {type(sample.attributes).__name__}", path="attributes")
        fields = {**_settings_of(sample), "attributes": {}}
        check(fields, SampleCreate)
        encode_json(fields)
        return Prepared(sample.name, sample)

    async def begin(self, job: Job, trace: Trace) -> Prepared:
        """Upload the files of one sample, and make its body of them."""
        sample: FileSample = job.prepared.body
        assets = [await self._assets.upload_traced(file, name, trace, "") for file, name in _files_of(sample)]
        make = sample.attributes or _image_of
        fields = {**_settings_of(sample), "attributes": make(assets)}
        check(fields, SampleCreate)
        body = encode_json(fields)
        return attrs.evolve(job.prepared, body=body, size=len(body) + 1)


def _as_file_sample(item: Any) -> FileSample:
    """
    Read a path, a ``(name, content)`` pair, a `FileSample`, or a mapping with its keys.

    Raises:
        InputError: It is something else.
    """
    if isinstance(item, FileSample):
        return item
    if isinstance(item, str | os.PathLike):
        return FileSample(Path(item).name, os.fspath(item))
    if isinstance(item, Mapping):
        try:
            return FileSample(**item)
        except TypeError as error:
            raise InputError(f"does not fit FileSample ({error})") from None
    if isinstance(item, tuple) and len(item) == 2:  # noqa: PLR2004
        return FileSample(*item)
    raise InputError(f"expected a path, a (name, content) pair or a FileSample, got {type(item).__name__}")


def _files_of(sample: FileSample) -> list[tuple[Any, str | None]]:
    """The files of a sample, each with its filename; bytes are called as the sample is."""
    several = isinstance(sample.files, Sequence) and not isinstance(sample.files, str | bytes | bytearray | memoryview)
    files: Sequence[Any] = sample.files if several else [sample.files]  # type: ignore[assignment]
    if not files:
        raise InputError("a sample needs a file", path="files")
    return [(file, None if isinstance(file, str | os.PathLike) else _named(file, sample.name)) for file in files]


def _named(file: Any, name: str) -> str | None:
    return None if isinstance(getattr(file, "name", None), str) else name


def _settings_of(sample: FileSample) -> dict[str, Any]:
    names = ("name", "metadata", "priority", "assigned_labeler", "assigned_reviewer", "readme")
    return without_none({name: getattr(sample, name) for name in names})


def _image_of(assets: list[Asset]) -> ImageSampleAttributes:
    [asset] = assets
    return ImageSampleAttributes.from_url(asset.url)

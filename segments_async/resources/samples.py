from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Unpack

from segments_async._converter import check
from segments_async._json import encode_json
from segments_async._session import Trace
from segments_async._wire.arguments import check_keys, check_name, without_none
from segments_async._wire.endpoint import Endpoint, dataset_path
from segments_async.bulk import BulkSettings, BulkStream
from segments_async.bulk.operation import Prepared
from segments_async.models import (
    Dataset,
    Sample,
    SampleAttributes,
    SampleChanges,
    SampleCreate,
    SampleSettings,
)
from segments_async.resources._create_samples import GET_SAMPLE, UPDATE_SAMPLE, CreateSamples, create_sample
from segments_async.resources._delete_samples import DeleteSamples
from segments_async.resources._find_files import FoundFiles
from segments_async.resources._list_samples import SampleLists
from segments_async.resources._update_samples import UpdateSamples, check_sample_changes
from segments_async.resources._upload_files import UploadFiles
from segments_async.resources.assets import Assets

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping
    from pathlib import Path
    from uuid import UUID

    from segments_async.bulk import BulkOptions, BulkReport
    from segments_async.models import FileSample, SampleUpdate

    SampleItem = SampleCreate | Sample | Mapping[str, Any]
    UpdateItem = SampleUpdate | Mapping[str, Any]
    FileItem = str | os.PathLike[str] | tuple[str, Any] | FileSample | Mapping[str, Any]

_DELETE = Endpoint(method="DELETE", path="/samples/{uuid}/")


class Samples(SampleLists):
    """
    Samples: what is labelled.

    Source: API documentation, "Samples".
    """

    async def get(self, uuid: str, *, labelset: str | None = None, include_signed_urls: bool = False) -> Sample:
        """
        Get a sample.

        Example:
            ::

                sample = await client.samples.get("602a3eec-a61c-4a77-9fcc-3037ce5e9606", labelset="ground-truth")

        Args:
            uuid: The sample.
            labelset: Give it its label of this labelset.
            include_signed_urls: Give the presigned URLs of files in a private bucket.

        Raises:
            NotFoundError: There is no such sample.
        """
        params = {"labelset": labelset, "include_signed_urls": 1 if include_signed_urls else None}
        return await self._session.call(GET_SAMPLE, Sample, path={"uuid": uuid}, params=params)

    async def create(
        self,
        dataset: str | Dataset,
        name: str,
        attributes: SampleAttributes | Mapping[str, Any],
        **settings: Unpack[SampleSettings],
    ) -> Sample:
        """
        Create a sample.

        Example:
            ::

                url = "https://example.com/violet.jpg"
                await client.samples.create("jane/flowers", "violet.jpg", {"image": {"url": url}}, priority=10)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: Unique in its dataset.
            attributes: What is labelled, as a model or as JSON, which is checked and sent as given.
            settings: Keys of `SampleSettings`; what is None is not sent.

        Raises:
            AlreadyExistsError: There is a sample of this name.
            InputError: *attributes* do not fit a known shape; `path` says where.
            TypeError: A setting is not known.
        """
        check_keys(settings, SampleSettings, "create()")
        dataset_path(dataset)
        fields = {"name": check_name(name), "attributes": attributes, **without_none(settings)}
        check(fields, SampleCreate)
        prepared = Prepared(name, encode_json(fields))
        return await create_sample(self._session, {"dataset": dataset}, prepared, Trace())

    async def update(self, uuid: str, /, **changes: Unpack[SampleChanges]) -> Sample:
        """
        Change a sample; what is not named stays.

        Example:
            ::

                await client.samples.update(sample.uuid, priority=100, assigned_labeler=None)

        Args:
            uuid: The sample.
            changes: Keys of `SampleChanges`; None is sent as null, which unassigns.

        Raises:
            NotFoundError: There is no such sample.
            TypeError: A change is not known.
        """
        check_keys(changes, SampleChanges, "update()")
        check_sample_changes(changes)
        return await self._session.call(UPDATE_SAMPLE, Sample, path={"uuid": uuid}, json=changes)

    async def delete(self, uuid: str) -> None:
        """
        Delete a sample with its labels.

        Example:
            ::

                await client.samples.delete(sample.uuid)

        Args:
            uuid: The sample.

        Raises:
            NotFoundError: There is no such sample.
        """
        await self._session.call(_DELETE, path={"uuid": uuid})

    async def create_many(
        self,
        dataset: str | Dataset,
        samples: Iterable[SampleItem] | AsyncIterable[SampleItem],
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Sample]:
        """
        Create any number of samples, in batches, several at a time.

        Example:
            ::

                report = await client.samples.create_many(
                    "jane/flowers",
                    (SampleCreate(url.rsplit("/")[-1], ImageSampleAttributes.from_url(url)) for url in urls),
                )
                report.raise_if_failed()

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            samples: `SampleCreate`, `Sample`, or mappings with the same keys; an iterable or async iterable, which is
                pulled only when there is room. A mapping is checked and sent as given.
            bulk: Keys of `BulkOptions`, explained in `BulkSettings`.

        Returns:
            One `Outcome` for each item; statuses are ``created``, ``existing`` (where the answer shows that the
            sample is older than the run), ``updated``, ``failed``, ``unsent`` and ``unknown``.

        Raises:
            BulkError: An item failed, and ``on_error="raise"``.
        """
        return await self.stream_create(dataset, samples, **bulk).collect()

    def stream_create(
        self,
        dataset: str | Dataset,
        samples: Iterable[SampleItem] | AsyncIterable[SampleItem],
        **bulk: Unpack[BulkOptions],
    ) -> BulkStream[Sample]:
        """
        Create any number of samples, and look at each outcome as it comes.

        Example:
            ::

                async with client.samples.stream_create("jane/flowers", samples) as outcomes:
                    async for outcome in outcomes:
                        print(outcome.key, outcome.status)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            samples: As in `create_many`.
            bulk: Keys of `BulkOptions`, explained in `BulkSettings`.
        """
        settings = BulkSettings.from_options(bulk)
        return BulkStream(CreateSamples(self._session, dataset, settings), samples, settings)

    async def update_many(
        self, changes: Iterable[UpdateItem] | AsyncIterable[UpdateItem], **bulk: Unpack[BulkOptions]
    ) -> BulkReport[Sample]:
        """
        Change any number of samples, many at a time; what is not named stays.

        Example:
            ::

                report = await client.samples.update_many(
                    SampleUpdate(sample.uuid, priority=10, assigned_labeler=None) for sample in samples
                )
                report.raise_if_failed()

        Args:
            changes: `SampleUpdate`, or mappings with ``uuid`` and keys of `SampleChanges`; an iterable or async
                iterable, which is pulled only when there is room. None is sent as null, which unassigns; a mapping is
                checked and sent as given.
            bulk: Keys of `BulkOptions`, explained in `BulkSettings`.

        Returns:
            One `Outcome` for each item; statuses are ``updated``, ``failed`` (with a NotFoundError if there is no such
            sample), ``unsent`` and ``unknown``.

        Raises:
            BulkError: An item failed, and ``on_error="raise"``.
        """
        settings = BulkSettings.from_options(bulk)
        return await BulkStream(UpdateSamples(self._session, settings), changes, settings).collect()

    async def delete_many(
        self,
        dataset: str | Dataset,
        uuids: Iterable[str | UUID] | AsyncIterable[str | UUID],
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[None]:
        """
        Delete any number of samples with their labels, 1000 a request at most.

        Example:
            ::

                uuids = await client.samples.uuids("jane/flowers")
                report = await client.samples.delete_many("jane/flowers", uuids.values())
                print(report.deleted_count)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            uuids: The samples; an iterable or async iterable, which is pulled only when there is room.
            bulk: Keys of `BulkOptions`, explained in `BulkSettings`.

        Returns:
            One `Outcome` for each sample; statuses are ``done``, ``failed``, ``unsent`` and ``unknown``. The service
            skips samples that are not in the dataset: these are done too, and `deleted_count` does not count them.

        Raises:
            BulkError: A sample failed, and ``on_error="raise"``.
        """
        settings = BulkSettings.from_options(bulk)
        return await BulkStream(DeleteSamples(self._session, dataset, settings), uuids, settings).collect()

    async def upload_files(
        self,
        dataset: str | Dataset,
        files: str | os.PathLike[str] | Iterable[FileItem] | AsyncIterable[FileItem],
        *,
        name: Callable[[Path], str] | None = None,
        verify: Literal["stat", "content"] = "stat",
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Sample]:
        """
        Upload any number of files and create a sample of each.

        Example:
            ::

                report = await client.samples.upload_files("jane/flowers", "flowers/**/*.jpg", checkpoint="flowers.db")
                report.raise_if_failed()

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            files: A folder, of which all files are meant, or a pattern such as ``"flowers/**/*.jpg"``; hidden files
                are left out, as are links that lead out of the folder. Or an iterable or async iterable, pulled only
                when there is room, of paths (an image sample each), ``(name, bytes)`` pairs, or `FileSample` for
                samples of several files: point clouds, sequences, several sensors.
            name: Names the sample of a plain path; by default ``path.name``, which must then differ between folders.
            verify: With a *checkpoint*, a file is the same if its size and time of change are (``"stat"``), or if its
                content is, which is read for it (``"content"``). Open files are never the same.
            bulk: Keys of `BulkOptions`, explained in `BulkSettings`; `concurrency` bounds the uploads. The *checkpoint*
                also holds which files are up, and these are not sent again.

        Returns:
            One `Outcome` for each item, as from `create_many`. A file that is missing, empty or above 100 MB fails
            with an InputError; the others go on. In `retry_items`, files that are up stand as `Asset`.

        Raises:
            InputError: No file is found by *files*.
            BulkError: An item failed, and ``on_error="raise"``.
        """
        settings = BulkSettings.from_options(bulk)
        operation = UploadFiles(self._session, Assets(self._session), dataset, settings, name=name, verify=verify)
        items = FoundFiles(files) if isinstance(files, str | os.PathLike) else files
        return await BulkStream(operation, items, settings).collect()

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Unpack

from segments_async._caller_errors import caller_code
from segments_async._http.call_stats import CallStats
from segments_async._serialization.json import encode_json
from segments_async._streams.smaller_pages import SmallerPages
from segments_async._wire.arguments import check_keys, check_name, without_none
from segments_async._wire.contents import check_sample
from segments_async._wire.endpoint import dataset_path
from segments_async._wire.routes import DELETE_SAMPLE, GET_SAMPLE, LIST_SAMPLES, UPDATE_SAMPLE
from segments_async.bulk import BulkSettings, BulkStream
from segments_async.bulk.operation import Prepared
from segments_async.bulk.option_help import with_option_help
from segments_async.errors import InputError
from segments_async.models import (
    Dataset,
    FileSample,
    Sample,
    SampleAttributes,
    SampleChanges,
    SampleCreate,
    SampleSettings,
)
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import MAX_PER_PAGE, Resource
from segments_async.resources._operations import sample_uuid
from segments_async.resources.samples.create import CreateSamples, create_sample
from segments_async.resources.samples.delete import DeleteSamples
from segments_async.resources.samples.find_files import FoundFiles
from segments_async.resources.samples.listing import LabelledSamples, list_query, track_samples
from segments_async.resources.samples.update import UpdateSamples, check_sample_changes
from segments_async.resources.samples.upload import UploadFiles

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping
    from pathlib import Path
    from uuid import UUID

    from segments_async._streams.pages import Pages, Prefetch
    from segments_async._wire.arguments import OnError
    from segments_async.bulk import BulkOptions, BulkReport, Outcome
    from segments_async.models import ReleaseSample, SampleUpdate
    from segments_async.resources._operations import SampleRef

    SampleItem = SampleCreate | Sample | Mapping[str, Any]
    UpdateItem = SampleUpdate | Mapping[str, Any]
    UuidItem = str | UUID | Sample | ReleaseSample | Outcome[Any] | Mapping[str, Any]
    FileItem = str | os.PathLike[str] | tuple[str, Any] | FileSample | Mapping[str, Any]


UUIDS_LOOKAHEAD = 4
"""Pages fetched at the same time by `Samples.uuids`."""


@with_option_help
class Samples(Resource):
    """
    Samples: the images, point clouds and sequences to label.

    Source: API documentation, "Samples".
    """

    def list(
        self,
        dataset: str | Dataset,
        *,
        labelset: str | None = None,
        include_full_label: bool = False,
        name: str | None = None,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        sort: str = "name",
        direction: Literal["asc", "desc"] = "asc",
        per_page: int = MAX_PER_PAGE,
        lookahead: int = 1,
        on_error: OnError = "raise",
    ) -> Pages[Sample]:
        """
        List the samples of a dataset.

        Example::

            samples = await client.samples.list("jane/flowers", label_status=["LABELED", "REVIEWED"])
            async for sample in client.samples.list("jane/flowers", labelset="ground-truth"):
                print(sample.name, sample.label)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            labelset: Include each sample's label in this labelset, as a summary.
            include_full_label: Include the whole label instead of a summary; needs *labelset*.
            name: Only samples whose name contains this.
            label_status: Only samples with one of these statuses, in upper or lower case; see `LabelStatus`.
            metadata: Only samples with all of these. Strings: ``"city:Ghent"`` for text, ``"height:=3"`` for a number,
                also with ``>``, ``>=``, ``<`` and ``<=``, and ``"tags:|red"`` for an item of a list. Or a mapping of
                keys to values: text (which may begin with such an operator), numbers, bools, and lists, all of whose
                items are required.
            sort: ``"name"``, ``"created_at"``, ``"priority"`` or ``"gt_label__updated_at"``.
            direction: ``"asc"`` or ``"desc"``.
            per_page: Samples per request, 1000 at most.
            lookahead: Pages fetched at the same time.
            on_error: ``"skip"`` leaves out a sample that does not decode, and reports it in `Pages.skipped`.

        Returns:
            Pages of samples. If the service fails to build a page (a 502, a 504 or a timeout), the list continues with
            pages of half the size, down to 10 samples.

        Raises:
            DecodeError: A sample does not decode; its `row` says which one.
            ListChangedError: Your own write shifted the list while it was read: a sample was created, deleted or
                renamed, or what the list is filtered or sorted by was changed. See `Pages`.
            InputError: A filter cannot be expressed: an unknown status, a comma inside a metadata value, or
                *include_full_label* without *labelset*.
            NotFoundError: There is no such dataset, or no such labelset in it.
        """
        query = list_query(
            labelset=labelset,
            include_full_label=include_full_label,
            name=name,
            label_status=label_status,
            metadata=metadata,
            sort=sort,
            direction=direction,
        )
        fetch = self._page_fetcher(LIST_SAMPLES, Sample, path={"dataset": dataset}, params=query, on_error=on_error)
        fetch = SmallerPages(fetch, "samples").fetch
        if labelset is not None:
            fetch = LabelledSamples(self._session, dataset, labelset, fetch).fetch
        tracking = track_samples(self._session.pool, dataset, query)
        return self._pages_from(fetch, per_page=per_page, lookahead=lookahead, tracking=tracking)

    def stream(
        self,
        dataset: str | Dataset,
        *,
        labelset: str = GROUND_TRUTH,
        name: str | None = None,
        label_status: str | Iterable[str] | None = None,
        metadata: Mapping[str, Any] | str | Iterable[str] | None = None,
        sort: str = "name",
        direction: Literal["asc", "desc"] = "asc",
        per_page: int = 100,
        prefetch: int = 4,
        on_error: OnError = "raise",
    ) -> Prefetch[Sample]:
        """
        Iterate over all samples of a dataset with their whole labels, prefetched in the background.

        Example::

            async with client.samples.stream("jane/flowers", labelset="ground-truth") as samples:
                async for sample in samples:
                    if isinstance(sample.label, Label):  # None if it is not labelled
                        print(sample.name, sample.label.attributes)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            labelset: The labelset of the labels; each is a `Label`, never a summary.
            name: Only samples whose name contains this.
            label_status: Only samples with one of these statuses; as in `list`.
            metadata: Only samples with all of these; as in `list`.
            sort: ``"name"``, ``"created_at"``, ``"priority"`` or ``"gt_label__updated_at"``.
            direction: ``"asc"`` or ``"desc"``.
            per_page: Samples per request, 1000 at most. Use fewer for large labels, such as those of sequences.
            prefetch: Maximum pages fetched or buffered ahead; with *per_page*, bounds memory.
            on_error: ``"skip"`` leaves out a sample that does not decode, and reports it in `Prefetch.skipped`.

        Returns:
            An async context manager that iterates over the samples. Leaving it early cancels the requests in flight. If
            the service fails to build a page (a 502, a 504 or a timeout), the list continues with pages of half the
            size, down to 10 samples.

        Raises:
            DecodeError: A sample does not decode; its `row` says which one.
            ListChangedError: Your own write shifted the list while it was read; as in `list`.
            InputError: A filter cannot be expressed, or a number is out of range.
            NotFoundError: There is no such dataset, or no such labelset in it.
        """
        query = list_query(
            labelset=labelset,
            include_full_label=True,
            name=name,
            label_status=label_status,
            metadata=metadata,
            sort=sort,
            direction=direction,
        )
        fetch = self._page_fetcher(LIST_SAMPLES, Sample, path={"dataset": dataset}, params=query, on_error=on_error)
        fetch = LabelledSamples(self._session, dataset, labelset, SmallerPages(fetch, "samples").fetch).fetch_whole
        tracking = track_samples(self._session.pool, dataset, query)
        return self._pages_from(fetch, per_page=per_page, tracking=tracking).prefetch(prefetch)

    async def uuids(self, dataset: str | Dataset) -> dict[str, str]:
        """
        Get the uuid of every sample by its name.

        Example::

            uuids = await client.samples.uuids("jane/flowers")
            await client.labels.put(uuids["violet.jpg"], "ground-truth", attributes)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.

        Returns:
            Names and uuids, sorted by name.

        Raises:
            NotFoundError: There is no such dataset.
        """
        pages = self.list(dataset, lookahead=min(UUIDS_LOOKAHEAD, self._session.max_connections))
        return {sample.name: sample.uuid async for sample in pages}

    async def get(self, uuid: SampleRef, *, labelset: str | None = None, include_signed_urls: bool = False) -> Sample:
        """
        Get a sample.

        Example::

            sample = await client.samples.get("602a3eec-a61c-4a77-9fcc-3037ce5e9606", labelset="ground-truth")

        Args:
            uuid: The sample, or its uuid.
            labelset: Include its label in this labelset.
            include_signed_urls: Include the presigned URLs of files in a private bucket.

        Raises:
            NotFoundError: There is no such sample.
        """
        params = {"labelset": labelset, "include_signed_urls": 1 if include_signed_urls else None}
        return await self._session.call(GET_SAMPLE, Sample, path={"uuid": sample_uuid(uuid)}, params=params)

    async def create(
        self,
        dataset: str | Dataset,
        name: str,
        attributes: SampleAttributes | Mapping[str, Any],
        **settings: Unpack[SampleSettings],
    ) -> Sample:
        """
        Create a sample.

        Example::

            url = "https://example.com/violet.jpg"
            await client.samples.create("jane/flowers", "violet.jpg", {"image": {"url": url}}, priority=10)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            name: Unique in its dataset.
            attributes: Its files, as a model or as JSON, which is checked and sent as given.
            settings: Keys of `SampleSettings`, explained there: ``metadata``, ``priority``, ``assigned_labeler``,
                ``assigned_reviewer``, ``readme``. None is not sent.

        Raises:
            AlreadyExistsError: A sample with this name exists.
            InputError: *attributes* do not fit a known sample type; `path` says where.
            TypeError: A keyword is not a field of `SampleSettings`.
        """
        check_keys(settings, SampleSettings, self.create)
        dataset_path(dataset)
        fields = {"name": check_name(name), "attributes": attributes, **without_none(settings)}
        check_sample(fields)
        prepared = Prepared(name, encode_json(fields))
        return await create_sample(self._session, {"dataset": dataset}, prepared, CallStats())

    async def update(self, uuid: SampleRef, /, **changes: Unpack[SampleChanges]) -> Sample:
        """
        Change a sample; fields not named keep their value.

        Example::

            await client.samples.update(sample.uuid, priority=100, assigned_labeler=None)

        Args:
            uuid: The sample, or its uuid.
            changes: Keys of `SampleChanges`, explained there: ``metadata``, ``priority``, ``assigned_labeler``,
                ``assigned_reviewer``, ``readme``, ``name``, ``attributes``. None is sent as null, which unassigns.

        Returns:
            The sample as it is now.

        Raises:
            NotFoundError: There is no such sample.
            TypeError: A keyword is not a field of `SampleChanges`.
        """
        check_keys(changes, SampleChanges, self.update)
        check_sample_changes(changes)
        return await self._session.call(UPDATE_SAMPLE, Sample, path={"uuid": sample_uuid(uuid)}, json=changes)

    async def delete(self, uuid: SampleRef) -> None:
        """
        Delete a sample with its labels.

        Example::

            await client.samples.delete(sample.uuid)

        Args:
            uuid: The sample, or its uuid.

        Raises:
            NotFoundError: There is no such sample.
        """
        await self._session.call(DELETE_SAMPLE, path={"uuid": sample_uuid(uuid)})

    async def create_many(
        self,
        dataset: str | Dataset,
        samples: Iterable[SampleItem] | AsyncIterable[SampleItem],
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Sample]:
        """
        Create any number of samples, in batches, several batches at a time.

        Example::

            report = await client.samples.create_many(
                "jane/flowers",
                (SampleCreate(url.rsplit("/")[-1], ImageSampleAttributes.from_url(url)) for url in urls),
            )
            report.raise_if_failed()

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            samples: `SampleCreate`, `Sample`, or mappings with the same keys; an iterable or async iterable, read only
                as fast as the samples are sent. A mapping is checked and sent as given; a mistyped key fails
                the item.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each item; statuses are ``created``, ``existing`` (if the answer shows that the sample is
            older than the run), ``updated``, ``failed``, ``unsent`` and ``unknown``.

        Raises:
            BulkError: An item failed, and ``on_error="raise"``; or *samples* raised an exception.
        """
        return await self.stream_create(dataset, samples, **bulk).collect()

    def stream_create(
        self,
        dataset: str | Dataset,
        samples: Iterable[SampleItem] | AsyncIterable[SampleItem],
        **bulk: Unpack[BulkOptions],
    ) -> BulkStream[Sample]:
        """
        Create any number of samples, and receive each outcome as it arrives.

        Example::

            async with client.samples.stream_create("jane/flowers", samples) as outcomes:
                async for outcome in outcomes:
                    print(outcome.key, outcome.status)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            samples: As in `create_many`.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.
        """
        settings = BulkSettings.from_options(bulk, self.create_many, SampleCreate)
        return BulkStream(CreateSamples(self._session, dataset, settings), samples, settings)

    async def update_many(
        self, changes: Iterable[UpdateItem] | AsyncIterable[UpdateItem], **bulk: Unpack[BulkOptions]
    ) -> BulkReport[Sample]:
        """
        Change any number of samples, several at a time; fields not named keep their value.

        Example::

            report = await client.samples.update_many(
                SampleUpdate(sample.uuid, priority=10, assigned_labeler=None) for sample in samples
            )
            report.raise_if_failed()

        Args:
            changes: `SampleUpdate`, or mappings with ``uuid`` and keys of `SampleChanges`; an iterable or async
                iterable, read only as fast as the changes are sent. None is sent as null, which unassigns; a mapping is
                checked and sent as given. A mistyped key, or no key of `SampleChanges`, fails the item.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each item; statuses are ``updated``, ``failed`` (with a NotFoundError if there is no such
            sample), ``unsent`` and ``unknown``.

        Raises:
            BulkError: An item failed, and ``on_error="raise"``; or *changes* raised an exception.
        """
        settings = BulkSettings.from_options(bulk, self.update_many)
        return await BulkStream(UpdateSamples(self._session, settings), changes, settings).collect()

    async def delete_many(
        self,
        dataset: str | Dataset,
        uuids: Iterable[UuidItem] | AsyncIterable[UuidItem],
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[None]:
        """
        Delete any number of samples with their labels, up to 1000 per request.

        Example::

            uuids = await client.samples.uuids("jane/flowers")
            report = await client.samples.delete_many("jane/flowers", uuids.values())
            print(report.deleted_count)

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            uuids: The samples: their uuids, `Sample`, `ReleaseSample`, outcomes of a bulk call, or mappings with
                ``uuid``; an iterable or async iterable, read only as fast as the samples are deleted.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each sample; statuses are ``done``, ``failed``, ``unsent`` and ``unknown``. The service
            skips samples that are not in the dataset: their status is ``done`` too, and `deleted_count` does not count
            them.

        Raises:
            BulkError: A sample failed, and ``on_error="raise"``; or *uuids* raised an exception.
        """
        settings = BulkSettings.from_options(bulk, self.delete_many)
        return await BulkStream(DeleteSamples(self._session, dataset, settings), uuids, settings).collect()

    async def upload_files(
        self,
        dataset: str | Dataset,
        files: str | os.PathLike[str] | Iterable[FileItem] | AsyncIterable[FileItem],
        *,
        name: Callable[[Path], str] | None = None,
        verify: Literal["stat", "content"] = "stat",
        ignore: Iterable[str] = (),
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Sample]:
        """
        Upload any number of files, and create a sample from each.

        Example::

            report = await client.samples.upload_files("jane/flowers", "flowers/**/*.jpg", checkpoint="flowers.db")
            report.raise_if_failed()

        Args:
            dataset: ``"owner/name"``, or a `Dataset`.
            files: A folder, for all its files, or a pattern such as ``"flowers/**/*.{jpg,png}"``; as much of a pattern
                as exists is taken literally. All files are found before the first upload, in natural order within each
                folder. Hidden files, files that operating systems add (``Thumbs.db``, ``.DS_Store``, ``desktop.ini``)
                and links that point outside the folder are skipped; a folder that cannot be read is an item that fails,
                and so is a file that is replaced after it was found. Or an iterable or async iterable, read only as
                fast as the files are uploaded, of paths (an image sample each), ``(name, bytes)`` pairs, or
                `FileSample` for samples of several files: point clouds, sequences, several sensors.
            name: Returns the sample's name for a plain path; by default ``path.name``, which must then be unique across
                folders.
            verify: How a run with a *checkpoint* recognizes a file that was uploaded before: by its size and
                modification time (``"stat"``), or by its content, which is read for this (``"content"``). Open files
                are always uploaded again.
            ignore: Patterns of what is left out of a folder or pattern, such as ``["*.tmp", "raw/*"]``: of names, or of
                paths below the folder if they contain ``/``. A folder that matches is left out with its files.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``. `concurrency` limits the uploads. The *checkpoint* also records the
                uploaded files, and these are not sent again.

        Returns:
            One `Outcome` for each item, as from `create_many`. A file that is missing, empty or larger than 100 MB
            fails with an InputError, and so does one whose *name* or `attributes` function raises an exception; the
            others continue. An upload whose presigned address has expired gets a new one. In `retry_items`, uploaded
            files are replaced by their `Asset`.

        Raises:
            InputError: No file matches *files*, or *ignore* is given for files that are listed one by one.
            BulkError: An item failed, and ``on_error="raise"``; or *files* raised an exception.
        """
        settings = BulkSettings.from_options(bulk, self.upload_files, FileSample)
        operation = UploadFiles(self._session, dataset, settings, name=name, verify=verify)
        rules = _ignored(ignore)
        if isinstance(files, str | os.PathLike):
            files = FoundFiles(files, rules)
            await files.open()
        elif rules:
            raise InputError("needs a folder or a pattern as 'files'", path="ignore")
        return await BulkStream(operation, files, settings).collect()


def _ignored(ignore: Iterable[str]) -> list[str]:
    if isinstance(ignore, str):
        raise InputError("expected a list of patterns, got a single string", path="ignore")
    with caller_code("ignore"):
        rules = list(ignore)
    for index, rule in enumerate(rules):
        check_name(rule, f"ignore[{index}]")
    return rules

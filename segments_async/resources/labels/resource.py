from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from segments_async._wire.arguments import check_keys, without_none
from segments_async._wire.contents import check_label
from segments_async._wire.dataset_rules import DatasetRules
from segments_async._wire.filters import upper_status, with_upper_status
from segments_async._wire.routes import DELETE_LABEL, GET_LABEL, PUT_LABEL, UPDATE_LABEL
from segments_async.bulk import BulkSettings, BulkStream
from segments_async.bulk.option_help import with_option_help
from segments_async.models import BitmapPut, Label, LabelAttributes, LabelChanges, LabelPut
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import Resource
from segments_async.resources._operations import sample_uuid as sample_uuid_of
from segments_async.resources.labels.bitmaps import get_bitmap, put_bitmap
from segments_async.resources.labels.delete import DeleteLabels
from segments_async.resources.labels.get import GetLabels
from segments_async.resources.labels.missing import MissingExplained, no_label, no_labelset
from segments_async.resources.labels.put import PutLabels
from segments_async.resources.labels.put_bitmaps import PutBitmaps
from segments_async.resources.labels.update import UpdateLabels, check_label_changes

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
    from uuid import UUID

    import numpy as np
    import numpy.typing as npt

    from segments_async.bulk import BulkOptions, BulkReport, Outcome
    from segments_async.models import Dataset, ImageSegmentationAnnotation, LabelUpdate, ReleaseSample, Sample
    from segments_async.resources._operations import SampleRef

    PutItem = LabelPut | Label | Mapping[str, Any]
    UpdateItem = LabelUpdate | Mapping[str, Any]
    SampleItem = str | UUID | Sample | ReleaseSample | Label | Outcome[Any] | Mapping[str, Any]


@with_option_help
class Labels(Resource):
    """
    Labels: a sample has at most one in each labelset.

    Where one label is not found, a note of the error says whether its sample exists. That costs a request for the
    sample, after the 404 only, and none in calls for many labels.

    Source: API documentation, "Labels".
    """

    async def get(self, sample_uuid: SampleRef, labelset: str = GROUND_TRUTH) -> Label:
        """
        Get a label.

        Example::

            label = await client.labels.get(sample.uuid)

        Args:
            sample_uuid: The sample, or its uuid.
            labelset: The labelset.

        Raises:
            NotFoundError: The sample has no label there, or there is no such sample or labelset.
        """
        path = {"sample_uuid": sample_uuid_of(sample_uuid), "labelset": labelset}
        async with MissingExplained(self._session, path["sample_uuid"], no_label(labelset)):
            return await self._session.call(GET_LABEL, Label, path=path)

    async def put(
        self,
        sample_uuid: SampleRef,
        labelset: str,
        attributes: LabelAttributes | Mapping[str, Any],
        *,
        label_status: str | None = "PRELABELED",
        score: float | None = None,
        dataset: Dataset | None = None,
    ) -> Label:
        """
        Set a label: create it, or replace the existing one.

        Example::

            box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}
            await client.labels.put(sample.uuid, "ground-truth", {"annotations": [box]})

        Args:
            sample_uuid: The sample, or its uuid.
            labelset: The labelset.
            attributes: The label itself, as a model or as JSON, which is checked and sent as given.
            label_status: One of `LabelStatus`, in upper or lower case; None is not sent.
            score: Confidence of a prediction; None is not sent.
            dataset: The dataset of the sample, with its task attributes, as from ``datasets.get``: a label of another
                task type, category ids that it does not have, and choices that the attributes of a category do not
                offer are refused. None does not check them.

        Returns:
            The label as the service has stored it.

        Raises:
            InputError: *attributes* do not fit a known label type, a key or the type of an annotation is mistyped, a
                bbox does not have two points, or the label does not fit *dataset*; `path` says where. Annotations with
                a ``type`` that this version does not know are sent as given.
            NotFoundError: There is no such sample or labelset.
        """
        status = upper_status(label_status)
        body = without_none({"attributes": attributes, "label_status": status, "score": score})
        check_label({"sample_uuid": "", **body}, DatasetRules.of(dataset))
        path = {"sample_uuid": sample_uuid_of(sample_uuid), "labelset": labelset}
        async with MissingExplained(self._session, path["sample_uuid"], no_labelset(labelset)):
            return await self._session.call(PUT_LABEL, Label, path=path, json=body)

    async def update(self, sample_uuid: SampleRef, labelset: str, /, **changes: Unpack[LabelChanges]) -> Label:
        """
        Change a label; fields not named keep their value.

        Example::

            await client.labels.update(sample.uuid, "ground-truth", label_status="REVIEWED")

        Args:
            sample_uuid: The sample, or its uuid.
            labelset: The labelset.
            changes: Keys of `LabelChanges`, explained there: ``attributes``, ``label_status``, ``score``. None is sent
                as null.

        Returns:
            The label as the service has stored it.

        Raises:
            InputError: The attributes do not fit a known label type; `path` says where.
            NotFoundError: The sample has no label there, or there is no such sample or labelset.
            TypeError: A keyword is not a field of `LabelChanges`.
        """
        check_keys(changes, LabelChanges, self.update)
        check_label_changes(changes)
        body = with_upper_status(changes)
        path = {"sample_uuid": sample_uuid_of(sample_uuid), "labelset": labelset}
        async with MissingExplained(self._session, path["sample_uuid"], no_label(labelset)):
            return await self._session.call(UPDATE_LABEL, Label, path=path, json=body)

    async def delete(self, sample_uuid: SampleRef, labelset: str = GROUND_TRUTH) -> None:
        """
        Delete a label.

        Example::

            await client.labels.delete(sample.uuid, "predictions")

        Args:
            sample_uuid: The sample, or its uuid.
            labelset: The labelset.

        Raises:
            NotFoundError: The sample has no label there, or there is no such sample or labelset.
        """
        path = {"sample_uuid": sample_uuid_of(sample_uuid), "labelset": labelset}
        async with MissingExplained(self._session, path["sample_uuid"], no_label(labelset)):
            await self._session.call(DELETE_LABEL, path=path)

    async def put_many(
        self,
        labels: Iterable[PutItem] | AsyncIterable[PutItem],
        *,
        labelset: str = GROUND_TRUTH,
        dataset: Dataset | None = None,
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Label]:
        """
        Set any number of labels, several at a time.

        Example::

            report = await client.labels.put_many(
                LabelPut(sample.uuid, predict(sample), score=0.9) for sample in samples
            )
            report.raise_if_failed()

        Args:
            labels: `LabelPut`, `Label`, or mappings with the same keys; an iterable or async iterable, read only as
                fast as the labels are sent. A mapping is checked and sent as given; a mistyped key fails the item.
            labelset: For labels that do not name one.
            dataset: As in `put`: labels that do not fit it fail.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each item; statuses are ``done``, ``failed``, ``unsent`` and ``unknown``.

        Raises:
            BulkError: An item failed, and ``on_error="raise"``; or *labels* raised an exception.
        """
        return await self.stream_put(labels, labelset=labelset, dataset=dataset, **bulk).collect()

    def stream_put(
        self,
        labels: Iterable[PutItem] | AsyncIterable[PutItem],
        *,
        labelset: str = GROUND_TRUTH,
        dataset: Dataset | None = None,
        **bulk: Unpack[BulkOptions],
    ) -> BulkStream[Label]:
        """
        Set any number of labels, and receive each outcome as it arrives.

        Example::

            async with client.labels.stream_put(labels) as outcomes:
                async for outcome in outcomes:
                    print(outcome.key, outcome.status)

        Args:
            labels: As in `put_many`.
            labelset: For labels that do not name one.
            dataset: As in `put_many`.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            A context manager, whose value yields the outcomes.
        """
        settings = BulkSettings.from_options(bulk, self.put_many, LabelPut)
        return BulkStream(PutLabels(self._session, labelset, settings, dataset=dataset), labels, settings)

    async def get_many(
        self,
        sample_uuids: Iterable[SampleItem] | AsyncIterable[SampleItem],
        *,
        labelset: str = GROUND_TRUTH,
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Label | None]:
        """
        Get the labels of any number of samples, several at a time.

        For the labels of a whole dataset, ``samples.list(dataset, labelset=labelset, include_full_label=True)`` needs
        fewer requests.

        Example::

            report = await client.labels.get_many(uuids, labelset="predictions")
            report.raise_if_failed()
            labels = {outcome.uuid: outcome.value for outcome in report.results}

        Args:
            sample_uuids: The samples: their uuids, `Sample`, `ReleaseSample`, outcomes of a bulk call, or mappings with
                ``uuid``; or their labels, as `Label`. An iterable or async iterable, read only as fast as the labels
                arrive.
            labelset: The labelset.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each sample, with its label as `value`; None if the sample exists but has no label, which
            takes a second request to find out. Statuses are ``done``, ``failed`` (with a NotFoundError if there is no
            such sample or labelset), ``unsent`` and ``unknown``.

        Raises:
            BulkError: A sample failed, and ``on_error="raise"``; or *sample_uuids* raised an exception.
        """
        return await self.stream_get(sample_uuids, labelset=labelset, **bulk).collect()

    def stream_get(
        self,
        sample_uuids: Iterable[SampleItem] | AsyncIterable[SampleItem],
        *,
        labelset: str = GROUND_TRUTH,
        **bulk: Unpack[BulkOptions],
    ) -> BulkStream[Label | None]:
        """
        Get the labels of any number of samples, and receive each as it arrives.

        With ``keep="failures"``, the labels are not kept in memory.

        Example::

            async with client.labels.stream_get(uuids, keep="failures") as outcomes:
                async for outcome in outcomes:
                    print(outcome.uuid, outcome.value)

        Args:
            sample_uuids: As in `get_many`.
            labelset: The labelset.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.
        """
        settings = BulkSettings.from_options(bulk, self.get_many)
        return BulkStream(GetLabels(self._session, labelset, settings), sample_uuids, settings)

    async def update_many(
        self,
        changes: Iterable[UpdateItem] | AsyncIterable[UpdateItem],
        *,
        labelset: str = GROUND_TRUTH,
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Label]:
        """
        Change any number of labels, several at a time; fields not named keep their value.

        Example::

            report = await client.labels.update_many(
                LabelUpdate(uuid, label_status="REVIEWED", score=None) for uuid in uuids
            )
            report.raise_if_failed()

        Args:
            changes: `LabelUpdate`, or mappings with ``sample_uuid``, optionally ``labelset``, and keys of
                `LabelChanges`; an iterable or async iterable, read only as fast as the changes are sent. None is sent
                as null; a mapping is checked and sent as given. A mistyped key, or no key of `LabelChanges`, fails the
                item.
            labelset: For changes that do not name one.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each item; statuses are ``done``, ``failed`` (with a NotFoundError if there is no such
            label), ``unsent`` and ``unknown``.

        Raises:
            BulkError: An item failed, and ``on_error="raise"``; or *changes* raised an exception.
        """
        settings = BulkSettings.from_options(bulk, self.update_many)
        return await BulkStream(UpdateLabels(self._session, labelset, settings), changes, settings).collect()

    async def delete_many(
        self,
        sample_uuids: Iterable[SampleItem] | AsyncIterable[SampleItem],
        *,
        labelset: str = GROUND_TRUTH,
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[None]:
        """
        Delete the labels of any number of samples, several at a time.

        Example::

            report = await client.labels.delete_many(uuids, labelset="predictions")
            report.raise_if_failed()

        Args:
            sample_uuids: The samples, as in `get_many`; an iterable or async iterable, read only as fast as the labels
                are deleted.
            labelset: The labelset.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each sample; statuses are ``done``, ``failed`` (with a NotFoundError if there is no such
            label), ``unsent`` and ``unknown``.

        Raises:
            BulkError: A sample failed, and ``on_error="raise"``; or *sample_uuids* raised an exception.
        """
        settings = BulkSettings.from_options(bulk, self.delete_many)
        return await BulkStream(DeleteLabels(self._session, labelset, settings), sample_uuids, settings).collect()

    async def put_bitmap(
        self,
        sample: SampleRef,
        labelset: str,
        array: npt.ArrayLike,
        annotations: Sequence[ImageSegmentationAnnotation | Mapping[str, Any]],
        *,
        image_attributes: Mapping[str, Any] | None = None,
        label_status: str | None = "PRELABELED",
        score: float | None = None,
        check: bool = True,
    ) -> Label:
        """
        Upload an array of annotation ids as a bitmap, and set the label that refers to it (extra ``images``).

        Example::

            array = np.zeros((480, 640), np.uint32)
            array[100:200, 50:90] = 1
            await client.labels.put_bitmap(sample, "predictions", array, [{"id": 1, "category_id": 7}])

        The pixels are encoded in a worker thread. See `segments_async.images` for other functions on bitmaps:
        ``from_masks``, ``semantic``, ``mismatch``.

        Args:
            sample: The sample, or its uuid.
            labelset: The labelset.
            array: Height x width of the image, integers of any type: each pixel's annotation id, 0 where nothing is
                labelled.
            annotations: The annotations that the ids refer to: models, or mappings with ``id``, ``category_id`` and
                optionally ``attributes``.
            image_attributes: Values of the attributes of the whole image, by name; None is not sent.
            label_status: One of `LabelStatus`, in upper or lower case; None is not sent.
            score: Confidence of a prediction; None is not sent.
            check: Whether every pixel's id must have an annotation, and every annotation a pixel.

        Returns:
            The label as the service has stored it.

        Raises:
            ImportError: The extra is not installed.
            InputError: *array* contains anything but integers from 0 to 2^24 - 1, is not two-dimensional or is empty,
                or it and *annotations* do not match.
            NotFoundError: There is no such sample or labelset. The bitmap was uploaded, but is not used.
        """
        put = BitmapPut(
            sample_uuid_of(sample),
            array,
            annotations,
            labelset=labelset,
            image_attributes=image_attributes,
            label_status=label_status,
            score=score,
        )
        return await put_bitmap(self._session, put, labelset, must_agree=check)

    async def put_bitmaps(
        self,
        bitmaps: Iterable[BitmapPut | Mapping[str, Any]] | AsyncIterable[BitmapPut | Mapping[str, Any]],
        *,
        labelset: str = GROUND_TRUTH,
        check: bool = True,
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Label]:
        """
        Upload any number of arrays of annotation ids, and set their labels, several at a time (extra ``images``).

        Example::

            report = await client.labels.put_bitmaps(
                (BitmapPut(sample.uuid, *predict(sample)) for sample in samples),
                labelset="predictions",
                checkpoint="run.db",
            )
            report.raise_if_failed()

        Arrays are read only as fast as they are sent, encoded in worker threads, and released once their label is put,
        so a generator of any length needs little memory. An uploaded bitmap is not uploaded again: `report.retry_items`
        has an `Asset` in place of the array, and a run that resumes from a checkpoint finds it there.

        Args:
            bitmaps: `BitmapPut`, or mappings with the same keys; an iterable or async iterable.
            labelset: For items that do not name one.
            check: As in `put_bitmap`.
            bulk: Keys of `BulkOptions`, explained there: ``concurrency``, ``batch_size``, ``if_exists``, ``on_error``,
                ``max_failures``, ``total_timeout``, ``progress``, ``keep``, ``check_duplicates``, ``checkpoint``,
                ``on_outcome``, ``dry_run``.

        Returns:
            One `Outcome` for each item; statuses are ``done``, ``failed``, ``unsent`` and ``unknown``. The `item` of a
            success no longer has its array.

        Raises:
            ImportError: The extra is not installed.
            BulkError: An item failed, and ``on_error="raise"``; or *bitmaps* raised an exception.
        """
        settings = BulkSettings.from_options(bulk, self.put_bitmaps, BitmapPut)
        operation = PutBitmaps(self._session, labelset, settings, must_agree=check)
        return await BulkStream(operation, bitmaps, settings).collect()

    async def get_bitmap(
        self, sample: SampleRef, labelset: str = GROUND_TRUTH
    ) -> tuple[npt.NDArray[np.uint32], list[ImageSegmentationAnnotation]]:
        """
        Get a label of a segmented image as an array of annotation ids, with the annotations (extra ``images``).

        Example::

            array, annotations = await client.labels.get_bitmap(sample)
            categories = semantic(array, annotations)

        The bitmap is fetched from its own host, which never receives the API key, and decoded in a worker thread.

        Args:
            sample: The sample, or its uuid.
            labelset: The labelset.

        Returns:
            Each pixel's annotation id, height x width, 0 where nothing is labelled; and the annotations.

        Raises:
            DecodeError: The label has no bitmap, or the file is not a bitmap.
            ImportError: The extra is not installed.
            NotFoundError: The sample has no label there, or there is no such sample or labelset.
        """
        return await get_bitmap(self._session, sample_uuid_of(sample), labelset)

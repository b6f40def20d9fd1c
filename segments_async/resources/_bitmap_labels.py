from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from anyio.to_thread import run_sync

from segments_async._converter import check as check_argument
from segments_async._download import read_file
from segments_async.bulk import BulkSettings, BulkStream
from segments_async.errors import DecodeError
from segments_async.models import BitmapPut, ImageSegmentationLabelAttributes, Label, LabelPut, Sample
from segments_async.models.datasets import GROUND_TRUTH
from segments_async.resources._base import Resource
from segments_async.resources._get_labels import GET_LABEL
from segments_async.resources._put_bitmaps import FILENAME, PutBitmaps, encoder, label_fields
from segments_async.resources._put_labels import PUT_LABEL
from segments_async.resources.assets import Assets

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from segments_async.bulk import BulkOptions, BulkReport
    from segments_async.models import ImageSegmentationAnnotation


class BitmapLabels(Resource):
    """Labels as arrays of ids, with what the ids mean."""

    async def put_bitmap(
        self,
        sample: str | Sample,
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
        Upload an array of ids as a bitmap, and set the label it is of (extra ``images``).

        Example:
            ::

                array = np.zeros((480, 640), np.uint32)
                array[100:200, 50:90] = 1
                await client.labels.put_bitmap(sample, "predictions", array, [{"id": 1, "category_id": 7}])

        The pixels are encoded in a worker thread. See `segments_async.images` for what else is done with bitmaps:
        ``from_masks``, ``semantic``, ``mismatch``.

        Args:
            sample: The sample, or its uuid.
            labelset: The labelset.
            array: Height x width of the image, integers of any type: each pixel's annotation id, 0 where nothing is
                labelled.
            annotations: What the ids mean: models, or mappings with ``id``, ``category_id``, perhaps ``attributes``.
            image_attributes: Values of the attributes of the whole image, by name; None is not sent.
            label_status: One of `LabelStatus`; None is not sent.
            score: How sure a prediction is; None is not sent.
            check: Whether every pixel needs an annotation and every annotation a pixel.

        Returns:
            The label as the service has it now.

        Raises:
            ImportError: The extra is not installed.
            InputError: *array* holds something else than integers from 0 to 2^24 - 1, has not two dimensions or is
                empty, or it and *annotations* disagree.
            NotFoundError: There is no such sample or labelset; the bitmap was uploaded in vain.
        """
        put = BitmapPut(
            _uuid_of(sample),
            array,
            annotations,
            image_attributes=image_attributes,
            label_status=label_status,
            score=score,
        )
        path = {"sample_uuid": put.sample_uuid, "labelset": labelset}
        encode = encoder(must_agree=check)
        check_argument({"sample_uuid": "", **label_fields(put, "")}, LabelPut)  # before anything is uploaded
        PUT_LABEL.fill(**path)
        content = await run_sync(encode, array, annotations)
        asset = await Assets(self._session).upload(content, FILENAME)
        return await self._session.call(PUT_LABEL, Label, path=path, json=label_fields(put, asset.url))

    async def put_bitmaps(
        self,
        bitmaps: Iterable[BitmapPut | Mapping[str, Any]] | AsyncIterable[BitmapPut | Mapping[str, Any]],
        *,
        labelset: str = GROUND_TRUTH,
        check: bool = True,
        **bulk: Unpack[BulkOptions],
    ) -> BulkReport[Label]:
        """
        Upload any number of arrays of ids, and set the labels they are of, many at a time (extra ``images``).

        Example:
            ::

                report = await client.labels.put_bitmaps(
                    (BitmapPut(sample.uuid, *predict(sample)) for sample in samples),
                    labelset="predictions",
                    checkpoint="run.db",
                )
                report.raise_if_failed()

        Arrays are pulled when there is room, encoded in worker threads, and let go of when they are put, so that a
        generator of any length needs little memory. A bitmap that is up is not uploaded again, neither for
        `report.retry_items`, where an `Asset` stands for it, nor in a run that goes on from a checkpoint.

        Args:
            bitmaps: `BitmapPut`, or mappings with the same keys; an iterable or async iterable.
            labelset: For items that name none.
            check: As in `put_bitmap`.
            bulk: Keys of `BulkOptions`, explained in `BulkSettings`.

        Returns:
            One `Outcome` for each item; statuses are ``done``, ``failed``, ``unsent`` and ``unknown``. The `item` of
            what was put has no array any more.

        Raises:
            ImportError: The extra is not installed.
            BulkError: An item failed, and ``on_error="raise"``.
        """
        settings = BulkSettings.from_options(bulk)
        operation = PutBitmaps(self._session, Assets(self._session), labelset, settings, must_agree=check)
        return await BulkStream(operation, bitmaps, settings).collect()

    async def get_bitmap(
        self, sample: str | Sample, labelset: str = GROUND_TRUTH
    ) -> tuple[npt.NDArray[np.uint32], list[ImageSegmentationAnnotation]]:
        """
        Get a label of a segmented image as an array of ids, with what they mean (extra ``images``).

        Example:
            ::

                array, annotations = await client.labels.get_bitmap(sample)
                categories = semantic(array, annotations)

        The bitmap is fetched from its own host, which never sees the API key, and decoded in a worker thread.

        Args:
            sample: The sample, or its uuid.
            labelset: The labelset.

        Returns:
            Height x width: each pixel's annotation id, 0 where nothing is labelled; and the annotations.

        Raises:
            DecodeError: The label has no bitmap, or that is not one.
            ImportError: The extra is not installed.
            NotFoundError: The sample has no label there, or there is no such sample or labelset.
        """
        from segments_async.images import decode_bitmap  # noqa: PLC0415 (an extra)

        path = {"sample_uuid": _uuid_of(sample), "labelset": labelset}
        label = await self._session.call(GET_LABEL, Label, path=path)
        if not isinstance(label.attributes, ImageSegmentationLabelAttributes):
            kind = label.label_type or "unknown"
            raise DecodeError(f"the label has no bitmap; its type is {kind!r}", path="attributes", payload=label)
        url = label.attributes.segmentation_bitmap.url
        array = await run_sync(decode_bitmap, await read_file(self._session, url))
        return array, label.attributes.annotations


def _uuid_of(sample: str | Sample) -> str:
    return sample.uuid if isinstance(sample, Sample) else sample

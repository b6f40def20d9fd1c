"""Labels as arrays of annotation ids, with the annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async._caller_errors import caller_code
from segments_async._http.call_stats import CallStats
from segments_async._threads import run_sync
from segments_async._transfer.download import read_file
from segments_async._wire.contents import check_label
from segments_async._wire.routes import GET_LABEL, PUT_LABEL
from segments_async.errors import DecodeError
from segments_async.models import BitmapPut, ImageSegmentationLabelAttributes, Label
from segments_async.resources.assets.upload_once import upload_asset
from segments_async.resources.labels.missing import MissingExplained, no_label, no_labelset
from segments_async.resources.labels.put_bitmaps import FILENAME, encoder, label_fields

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from segments_async._http.session import Session
    from segments_async.models import ImageSegmentationAnnotation


async def put_bitmap(session: Session, put: BitmapPut, labelset: str, *, must_agree: bool) -> Label:
    """Upload one bitmap and put its label; see ``labels.put_bitmap``."""
    path = {"sample_uuid": put.sample_uuid, "labelset": labelset}
    encode = encoder(must_agree=must_agree)
    check_label({"sample_uuid": "", **label_fields(put, "")})  # before anything is uploaded
    PUT_LABEL.fill(**path)
    with caller_code("array"):
        content = await run_sync(encode, put.array, put.annotations)
    asset = await upload_asset(session, content, FILENAME, CallStats())
    async with MissingExplained(session, put.sample_uuid, no_labelset(labelset)):
        return await session.call(PUT_LABEL, Label, path=path, json=label_fields(put, asset.url))


async def get_bitmap(
    session: Session, sample_uuid: str, labelset: str
) -> tuple[npt.NDArray[np.uint32], list[ImageSegmentationAnnotation]]:
    """Get a label and download its bitmap; see ``labels.get_bitmap``."""
    from segments_async.images import decode_bitmap  # noqa: PLC0415 (an extra)

    async with MissingExplained(session, sample_uuid, no_label(labelset)):
        label = await session.call(GET_LABEL, Label, path={"sample_uuid": sample_uuid, "labelset": labelset})
    if not isinstance(label.attributes, ImageSegmentationLabelAttributes):
        kind = label.label_type or "unknown"
        raise DecodeError(f"the label has no bitmap; its type is {kind!r}", path="attributes", payload=label)
    url = label.attributes.segmentation_bitmap.url
    array = await run_sync(decode_bitmap, await read_file(session, url))
    return array, label.attributes.annotations

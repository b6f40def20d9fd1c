"""Decode masks that a file has as PNG in base64 (extra ``import``)."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from segments_async.imports._numpy import np
from segments_async.imports.raster import MAX_PIXELS
from segments_async.imports.reading import UnreadableError

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments_async.imports.shapes import SourceImage


def placed_mask(data: str, corner: tuple[int, int], image: SourceImage) -> npt.NDArray[np.bool_]:
    """
    Return the pixels of a mask in its image: those that are not black, clipped to the image.

    Raises:
        UnreadableError: It is no PNG, or the size of the image is unknown.
    """
    part = _decoded(data)
    size = image.size
    if size is None and image.file is not None:
        from segments_async.images.pictures import image_size  # noqa: PLC0415

        size = image_size(image.file)
    if size is None:
        raise UnreadableError("mask: the size of the image is unknown; pass the folder of the images as 'images'")
    if size[0] * size[1] > MAX_PIXELS:
        raise UnreadableError(f"mask: an image of {size[0]} x {size[1]} pixels is too large")
    (left, top), (height, width) = corner, part.shape
    bits = np.zeros((size[1], size[0]), np.bool_)
    rows = slice(min(max(top, 0), size[1]), max(min(top + height, size[1]), 0))
    columns = slice(min(max(left, 0), size[0]), max(min(left + width, size[0]), 0))
    if rows.start < rows.stop and columns.start < columns.stop:
        bits[rows, columns] = part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return bits


def _decoded(data: str) -> npt.NDArray[np.bool_]:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 (an extra)

    try:
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True)), formats=["PNG"]) as picture:
            return np.asarray(picture.convert("L")) > 0
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UnreadableError(f"mask: expected a PNG in base64 ({error})") from error

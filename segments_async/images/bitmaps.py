"""
Convert arrays of ids to the service's PNG format, and back.

The format is RGBA. Alpha is 255; the 24 bits of RGB, with R lowest, are an annotation's id, and 0 is unlabelled. See
``docs/service.md``, "Segmentation bitmaps".
Source: docs.segments.ai/reference/label-types; the official SDK, ``bitmap2file``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segments_async.errors import DecodeError, InputError
from segments_async.images.pictures import check_pixels, read_image
from segments_async.images.png import bit_depth, encode_png

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt
    from PIL import Image

MAX_ID = 2**24 - 1
"""The largest id, as ids have 24 bits."""
_OPAQUE = 0xFF000000
_DIMENSIONS = 2
_BITS = 8
_LOSSLESS = frozenset({"BMP", "PNG"})
"""Formats that keep every id; others compress with loss, or may."""


def check_ids(array: npt.ArrayLike, path: str = "array") -> npt.NDArray[np.uint32]:
    """
    Convert an array-like of ids to an array, and check it.

    Raises:
        InputError: It is not two-dimensional, is empty, or contains anything but integers from 0 to `MAX_ID`.
    """
    try:
        given = np.asarray(array)
    except ValueError as error:
        raise InputError(f"expected an array (height, width) of ids: {error}", path=path) from None
    if given.ndim != _DIMENSIONS:
        raise InputError(f"expected an array (height, width) of ids, got shape {given.shape}", path=path)
    if given.size == 0:
        raise InputError(f"has no pixels: its shape is {given.shape}", path=path)
    if given.dtype.kind not in "iu":
        raise InputError(f"expected integer ids, got {given.dtype}; see astype() and from_masks()", path=path)
    if given.dtype.kind == "i" and given.min() < 0:
        raise InputError(f"ids are 0 or more, got {_first_match(given, given < 0)}", path=path)
    if given.dtype.itemsize > 2 and given.max() > MAX_ID:  # noqa: PLR2004 (ids of two bytes are always smaller)
        raise InputError(f"ids are at most {MAX_ID}, got {_first_match(given, given > MAX_ID)}", path=path)
    return given.astype("<u4", order="C", copy=False)


def translate(
    ids: npt.NDArray[np.uint32], values: Mapping[int, Any], dtype: npt.DTypeLike, *, default: int = 0
) -> npt.NDArray[Any]:
    """Replace each id by its value, a number or a list of numbers (all of one length); others become *default*."""
    size = int(ids.max()) + 1
    used = {number: value for number, value in values.items() if 0 <= number < size}
    table = np.full((size, *np.shape(next(iter(values.values()), 0))), default, dtype)
    if used:
        table[list(used)] = list(used.values())
    return np.take(table, ids, axis=0, mode="clip")  # twice as fast as table[ids]; all ids are in range


def _first_match(array: npt.NDArray[Any], which: npt.NDArray[np.bool_]) -> str:
    row, column = np.argwhere(which)[0]
    return f"{array[row, column]} at row {row}, column {column}"


def encode_bitmap(array: npt.ArrayLike) -> bytes:
    """
    Encode an array of ids as the service's PNG.

    Example::

        png = encode_bitmap(np.array([[0, 1], [1, 2]]))
        asset = await client.assets.upload(png, "bitmap.png")

    Args:
        array: Height x width, integers of any type: each pixel's annotation id, 0 where nothing is labelled.

    Returns:
        The PNG. Its pixels equal those of the official SDK's ``bitmap2file``; encoding is faster.

    Raises:
        InputError: *array* is not two-dimensional, is empty, or contains anything but integers from 0 to `MAX_ID`.
    """
    ids = check_ids(array)
    height, width = ids.shape
    return encode_png((ids | np.uint32(_OPAQUE)).view(np.uint8).reshape(height, width, 4))


def decode_bitmap(content: bytes) -> npt.NDArray[np.uint32]:
    """
    Decode the service's PNG to an array of ids.

    Example::

        array = decode_bitmap(Path("bitmap.png").read_bytes())
        print(np.unique(array))

    Args:
        content: The PNG. Its alpha channel is ignored, and may be missing.

    Returns:
        Each pixel's annotation id, height x width; 0 where nothing is labelled.

    Raises:
        DecodeError: It is not an image, is truncated or has a wrong checksum, is neither RGBA nor RGB, has 16 bits per
            channel, is in a lossy format such as JPEG, or has too many pixels (as in `load_image`).
    """
    depth = bit_depth(content)
    if depth is not None and depth > _BITS:
        raise DecodeError(f"expected the {_BITS} bits per channel of a label bitmap, got {depth}")
    pixels = read_image(content, _pixels)
    return pixels.view("<u4")[..., 0] & np.uint32(MAX_ID)


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    if image.format not in _LOSSLESS:
        raise DecodeError(f"expected the PNG of a label bitmap, got {image.format}, which may change ids")
    if image.mode not in {"RGBA", "RGB"}:
        raise DecodeError(f"expected the RGBA image of a label bitmap, got mode {image.mode}")
    check_pixels(image)
    return np.asarray(image if image.mode == "RGBA" else image.convert("RGBA"))


def from_masks(masks: Iterable[npt.ArrayLike], ids: Sequence[int] | None = None) -> npt.NDArray[np.uint32]:
    """
    Combine one mask per object, as models return them, into an array of ids; later masks cover earlier ones.

    Example::

        array = from_masks(prediction.masks > 0.5)
        annotations = [{"id": number, "category_id": c} for number, c in enumerate(prediction.classes, 1)]
        await client.labels.put_bitmap(sample, "predictions", array, annotations)

    Args:
        masks: Boolean masks of equal shape, height x width each: true where the object is. May be an iterator.
        ids: The objects' ids; by default 1, 2, 3 and so on.

    Returns:
        The ids, height x width; 0 where no mask is true.

    Raises:
        InputError: There are no masks, a mask is not boolean or has another shape, or the number of ids differs.
    """
    array: npt.NDArray[np.uint32] | None = None
    count = 0
    for count, mask in enumerate(masks, 1):
        path = f"masks[{count - 1}]"
        given = np.asarray(mask)
        if given.dtype.kind != "b":
            raise InputError(f"expected booleans, got {given.dtype}", path=path)
        if array is None:
            array = np.zeros(given.shape, np.uint32)
        if given.shape != array.shape or given.ndim != _DIMENSIONS:
            raise InputError(f"expected shape (height, width), equal for all masks, got {given.shape}", path=path)
        if ids is not None and count > len(ids):
            break
        array[given] = _check_id(count if ids is None else ids[count - 1], f"ids[{count - 1}]")
    if array is None:
        raise InputError("expected at least one mask", path="masks")
    if ids is not None and count != len(ids):
        raise InputError(f"expected one id per mask, got {len(ids)}", path="ids")
    return array


def _check_id(number: int, path: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 < number <= MAX_ID:
        raise InputError(f"expected an integer from 1 to {MAX_ID}, got {number!r}", path=path)
    return int(number)

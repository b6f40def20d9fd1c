"""Turn the image, the bitmap and the annotations of an item into arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import segments_async.images  # noqa: F401 (first, as it says which extra is missing)

import numpy as np  # isort: skip

from segments_async.errors import DecodeError, InputError
from segments_async.images import semantic
from segments_async.images.runs import runs_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL import Image

    from segments_async import ReleaseItem

UNLABELED = 255
"""The value of pixels without a category, which ``CrossEntropyLoss(ignore_index=255)`` ignores."""
_SIXTEEN_BITS = 65_535
_DEEP_MODES = ("I", "F")
"""Pillow's modes of more than 8 bits per channel begin so; ``convert`` would clip their values."""


def rgb(image: Image.Image | None, dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    """
    Convert an image of any mode to red, green and blue.

    Example::

        array = rgb(item.image)
        deep = rgb(item.image, np.float32)  # all 16 bits of a 16-bit image

    Args:
        image: An image from Pillow. Grey images of 16 bits are scaled, not clipped.
        dtype: An unsigned integer, whose whole range is used, or a float, 0 to 1.

    Returns:
        Height x width x 3.

    Raises:
        InputError: There is no image, or its values have no known range: floats, or integers beyond 16 bits.
    """
    if image is None:
        raise InputError("this item has no image; items have none with images=False", path="image")
    if image.mode.startswith(_DEEP_MODES):
        values = np.asarray(image)
        if values.dtype.kind == "f" or values.min() < 0 or values.max() > _SIXTEEN_BITS:
            raise InputError(
                f"mode {image.mode} with values from {values.min()} to {values.max()} has no known range;"
                " scale it yourself, from numpy.asarray(item.image)",
                path="image",
            )
        pixels, largest = np.repeat(values[..., np.newaxis], 3, axis=2), _SIXTEEN_BITS
    else:
        pixels, largest = np.array(image.convert("RGB")), 255
    return _scale(pixels, largest, np.dtype(dtype))


def _scale(pixels: npt.NDArray[Any], largest: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if dtype.kind == "f":
        scaled: npt.NDArray[Any] = np.divide(pixels, largest, dtype=dtype)
        return scaled
    if dtype.kind != "u":
        raise InputError(f"expected an unsigned integer or a float, got {dtype}", path="dtype")
    target = np.iinfo(dtype).max
    if target == largest:
        return pixels.astype(dtype, copy=False)
    return np.rint(pixels * (target / largest)).astype(dtype)


def category_mask(item: ReleaseItem, *, unlabeled: int = UNLABELED, id_increment: int = 0) -> npt.NDArray[np.uint32]:
    """
    Return the category of each pixel; an item without a label, attributes or bitmap is unlabelled as a whole.

    Example::

        mask = category_mask(item, unlabeled=255)

    Args:
        item: An item of a segmentation dataset.
        unlabeled: The value of pixels without a category.
        id_increment: Added to each category's id, such as -1 for classes that start at 0.

    Returns:
        Height x width.

    Raises:
        InputError: There is neither an image nor a bitmap, a category would have the value of unlabelled pixels, or an
            annotation is invalid.
        DecodeError: The bitmap is not as large as the image.
    """
    if item.bitmap is None:
        if item.image is None:
            raise InputError(f"sample {item.sample.name!r} has neither an image nor a bitmap", path="item")
        return np.full((item.image.height, item.image.width), unlabeled, np.uint32)
    if item.image is not None and item.bitmap.shape != (item.image.height, item.image.width):
        sizes = f"{item.bitmap.shape[1]} x {item.bitmap.shape[0]}", f"{item.image.width} x {item.image.height}"
        raise DecodeError(f"sample {item.sample.name!r}: its bitmap has {sizes[0]} pixels, and its image {sizes[1]}")
    annotations: Any = item.annotations
    mask = semantic(item.bitmap, annotations, unlabeled=unlabeled, id_increment=id_increment)
    for annotation in annotations:
        if value_of(annotation, "category_id") + id_increment == unlabeled:
            raise InputError(f"category {unlabeled} is a category of the dataset; choose another", path="unlabeled")
    return mask


class Boxes(NamedTuple):
    """The objects of an item, and where they are."""

    corners: npt.NDArray[np.float32]
    """Objects x 4: left, top, right and bottom, in pixels; right and bottom are beyond the object."""
    categories: npt.NDArray[np.int64]
    """The category id of each."""
    ids: npt.NDArray[np.int64]
    """The annotation id of each."""


def boxes(item: ReleaseItem) -> Boxes:
    """
    Return the boxes around an item's objects: drawn boxes, the bounds of other shapes, or those of bitmap objects.

    Example::

        corners, categories, ids = boxes(item)

    Args:
        item: An item of a dataset of images.

    Returns:
        The objects in the order of the annotations. What has no area is left out, as no detector can learn it, such as
        points, horizontal and vertical lines, and annotations without pixels.
    """
    found = [
        (corners, value_of(annotation, "category_id"), value_of(annotation, "id"))
        for annotation, corners in zip(item.annotations, bounds(item), strict=True)
        if corners is not None
    ]
    return Boxes(
        np.array([corners for corners, _, _ in found], np.float32).reshape(-1, 4),
        np.array([category for _, category, _ in found], np.int64),
        np.array([number for _, _, number in found], np.int64),
    )


def bounds(item: ReleaseItem) -> list[tuple[float, float, float, float] | None]:
    """Return left, top, right and bottom of each annotation of an item; None for one without an area."""
    parts = {} if item.bitmap is None else runs_of(item.bitmap)
    found = []
    for annotation in item.annotations:
        corners = _bounds_of_points(value_of(annotation, "points"))
        if corners is None and (part := parts.get(value_of(annotation, "id"))) is not None:
            corners = part.left, part.top, part.right, part.bottom
        has_area = corners is not None and corners[0] < corners[2] and corners[1] < corners[3]
        found.append(corners if has_area else None)
    return found


def _bounds_of_points(points: Any) -> tuple[float, float, float, float] | None:
    if not points:
        return None
    columns, rows = [point[0] for point in points], [point[1] for point in points]
    return min(columns), min(rows), max(columns), max(rows)


def value_of(annotation: Any, key: str) -> Any:
    """Return a value of an annotation, which is a dict if its type is unknown; None if it has none."""
    return annotation.get(key) if isinstance(annotation, dict) else getattr(annotation, key, None)

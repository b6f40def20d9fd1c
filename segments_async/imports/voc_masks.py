"""
Masks of Pascal VOC (extra ``import``): PNGs in ``SegmentationObject``, whose values number the objects from 1.

Source: the development kit of VOC 2012, "Image sets and annotation for segmentation": 0 is the background, and 255, the
border of objects, belongs to none. VOC's own PNGs have a palette; CVAT and datumaro write the colours of that palette.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.imports._numpy import np
from segments_async.imports.reading import UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

BORDER = 255
_BITS = 8


def object_numbers(path: Path) -> npt.NDArray[np.uint32]:
    """
    Return the number of the object of each pixel, height x width; 0 where there is none.

    Raises:
        UnreadableError: It is no PNG that can be read, or has another kind of pixels.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 (an extra)

    shown = f"{path.parent.name}/{path.name}"
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.mode in {"P", "L"}:
                numbers = np.asarray(picture).astype(np.uint32)
            elif picture.mode in {"RGB", "RGBA"}:
                numbers = palette_indices(np.asarray(picture.convert("RGB")))
            else:
                raise UnreadableError(f"{shown}: expected a palette or colours, got {picture.mode}")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UnreadableError(f"{shown}: cannot be read ({error})") from error
    numbers[numbers == BORDER] = 0
    return numbers


def palette_indices(colours: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """
    Return the index of each colour in VOC's palette, whose colours have the bits of the index in turn.

    Example:
        >>> palette_indices(np.array([[[128, 0, 0], [224, 224, 192]]], np.uint8)).tolist()
        [[1, 255]]
    """
    indices = np.zeros(colours.shape[:2], np.uint32)
    for bit in range(_BITS):
        for channel in range(3):
            indices |= ((colours[..., channel].astype(np.uint32) >> (_BITS - 1 - bit)) & 1) << (3 * bit + channel)
    return indices

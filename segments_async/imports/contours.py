"""Find the contours of masks with OpenCV (extra ``polygons``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.imports._numpy import np
from segments_async.imports.raster import box_of_mask, mask_of

if TYPE_CHECKING:
    from segments_async.imports.shapes import Mask, Point, Segment, SourceImage

try:
    import cv2
except ImportError as _error:
    raise ImportError(
        f'contours need OpenCV: pip install "segments-async[polygons]", or any OpenCV build ({_error})', name="cv2"
    ) from _error


def contours_of(image: SourceImage, shape: Mask | Segment) -> tuple[list[list[Point]], int]:
    """
    Return the outer contours of the pixels of an object, one for each part, and the number of holes.

    The points of a contour are the centres of pixels: pixel ``(3, 4)`` is the point ``(3, 4)``.
    """
    bits = mask_of(image, shape)
    box = box_of_mask(bits)
    if box is None:
        return [], 0
    part = bits[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    found, hierarchy = cv2.findContours(
        np.ascontiguousarray(part).view(np.uint8),
        cv2.RETR_CCOMP,
        cv2.CHAIN_APPROX_SIMPLE,
        offset=(int(box.left), int(box.top)),
    )
    outer = [index for index, (_, _, _, parent) in enumerate(hierarchy[0]) if parent < 0]
    contours: list[list[Point]] = [[(int(x), int(y)) for x, y in found[index][:, 0]] for index in outer]
    return contours, len(found) - len(outer)

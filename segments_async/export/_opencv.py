"""Find contours with OpenCV."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments_async.images.runs import Part

try:
    import cv2
except ImportError as error:
    raise ImportError(
        f'polygons need OpenCV: pip install "segments-async[polygons]", or any OpenCV build ({error})', name="cv2"
    ) from error


def contours(ids: npt.NDArray[np.uint32], number: int, part: Part) -> list[list[list[int]]]:
    """Find the contours of one object, including inner ones; each is a list of ``[x, y]``."""
    mask = (ids[part.top : part.bottom, part.left : part.right] == number).view(np.uint8)
    found, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE, offset=(part.left, part.top))
    return [contour[:, 0].tolist() for contour in found]

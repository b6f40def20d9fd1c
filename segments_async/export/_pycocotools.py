"""Compress run lengths for COCO with pycocotools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from segments_async.images.runs import Part

try:
    from pycocotools import mask as _mask
except ImportError as error:
    raise ImportError(
        f'COCO instance needs the export extra: pip install "segments-async[export]" ({error})', name="pycocotools"
    ) from error


def compress(part: Part, height: int, width: int) -> dict[str, Any]:
    """Convert runs along the columns to COCO's ``segmentation``."""
    counts = np.empty(2 * len(part.starts) + 1, np.uint32)
    counts[0] = part.starts[0]
    counts[1::2] = part.ends - part.starts
    counts[2:-1:2] = part.starts[1:] - part.ends[:-1]
    counts[-1] = height * width - part.ends[-1]
    used = counts if counts[-1] else counts[:-1]
    [encoded] = _mask.frPyObjects([{"size": [height, width], "counts": used.tolist()}], height, width)
    return {"size": [height, width], "counts": encoded["counts"].decode("ascii")}

"""
Label bitmaps and images (extra ``images``: numpy and Pillow).

Example::

    import numpy as np
    from segments_async.images import decode_bitmap, encode_bitmap, semantic

    array = np.zeros((480, 640), np.uint32)
    array[100:200, 50:90] = 1  # the pixels of annotation 1
    png = encode_bitmap(array)
    categories = semantic(decode_bitmap(png), [{"id": 1, "category_id": 7}])

A bitmap is an array of ids, height x width: the value of each pixel is the id of an annotation, or 0 where nothing is
labelled. These functions are synchronous; in async code, call them with ``anyio.to_thread.run_sync``, as
``client.labels.put_bitmap`` does.
"""

from segments_async.images import _extra  # isort: skip # noqa: F401 (first, as it checks that the extra is installed)
from segments_async.images.annotations import Mismatch, check_annotations, mismatch, pixel_counts, semantic
from segments_async.images.bitmaps import MAX_ID, decode_bitmap, encode_bitmap, from_masks
from segments_async.images.colours import colorize
from segments_async.images.pictures import image_size, load_image

__all__ = [
    "MAX_ID",
    "Mismatch",
    "check_annotations",
    "colorize",
    "decode_bitmap",
    "encode_bitmap",
    "from_masks",
    "image_size",
    "load_image",
    "mismatch",
    "pixel_counts",
    "semantic",
]

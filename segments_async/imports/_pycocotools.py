"""Draw polygons with pycocotools, so that they have the pixels that COCO's tools give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segments_async.imports.reading import UnreadableError
from segments_async.imports.run_lengths import run_length_bits

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

try:
    from pycocotools import mask as _mask
except ImportError as error:
    raise ImportError(
        f'masks need the import extra: pip install "segments-async[import]" ({error})', name="pycocotools"
    ) from error


def polygon_bits(rings: Sequence[list[float]], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels inside any of several rings, each a flat list of at least three points."""
    width, height = size
    whole = [ring for ring in rings if len(ring) >= 6]  # noqa: PLR2004 (pycocotools reads four numbers as a box)
    if not whole:
        raise UnreadableError("a polygon of less than three points has no pixels")
    encoded = _mask.frPyObjects(whole, height, width)
    return run_length_bits(_mask.merge(encoded)["counts"].decode("ascii"), size)

"""
Draw objects into an array of ids (extra ``import``).

Polygons have the pixels that COCO's own tools give them, and boxes those whose centre lies inside. Objects are drawn in
the order of the file, and later ones cover earlier ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from segments_async.imports._numpy import np
from segments_async.imports.reading import UnreadableError
from segments_async.imports.shapes import Box, Dot, ImportProblem, Mask, Polygon, Polyline, Segment, words_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments_async.imports.drawing import Drawing
    from segments_async.imports.shapes import Shape, SourceImage, SourceObject

    Bits = npt.NDArray[np.bool_]

MAX_PIXELS = 2**30
"""Pixels of one image; more is refused, as its array would not fit into memory."""
MAX_OBJECTS = 2**24 - 1
"""Ids of a bitmap have 24 bits."""
COVERED = "objects without pixels: outside the image, smaller than a pixel, or covered by later ones"
PARTLY_COVERED = "objects that later ones cover in part"
DRAWN = "{} drawn as pixels"
NO_SEGMENT = "pixels of no object"
NO_MASK = "objects without a mask where they are, in an image with masks"
_OTHER_SIZE = "its mask is {} x {} pixels, but its image {} x {}"


def rasterize(image: SourceImage, drawing: Drawing) -> tuple[list[dict[str, Any]], npt.NDArray[np.uint32]]:
    """
    Draw an image's objects into an array of ids, 1 for the first.

    Returns:
        The annotations of the objects that have pixels, and the array, height x width.

    Raises:
        UnreadableError: The size of the image is unknown, or it has too many pixels or objects.
    """
    width, height = _size_of(image)
    ids = np.zeros((height, width), np.uint32)
    drawn: list[tuple[int, int, SourceObject]] = []
    areas: list[int] = [0]
    segments = _segments_of(image)
    for category, found in drawing.objects_of(image):
        if isinstance(found.shape, Dot | Polyline):
            drawing.left_out[words_of(found.shape)] += 1
            continue
        number = len(areas)
        try:
            masked = _draw_mask(ids, found, number, segments)
            areas.append(masked or _draw(ids, found.shape, number, segments))
        except ValueError as error:
            drawing.problems.append(ImportProblem(found.where, str(error), image=image.name))
            continue
        drawn.append((number, category, found))
        drawing.changed[NO_MASK] += int(found.mask is not None and not masked)
        if not masked and isinstance(found.shape, Box | Polygon):
            drawing.changed[DRAWN.format(words_of(found.shape))] += 1
    if segments is not None:
        _count_strangers(image, segments, drawing)
    left = np.bincount(ids.ravel(), minlength=len(areas)) if len(areas) > 1 else areas
    annotations = []
    for number, category, found in drawn:
        if not left[number]:
            drawing.left_out[COVERED] += 1
            continue
        drawing.changed[PARTLY_COVERED] += int(left[number] < areas[number])
        annotations.append({"id": number, "category_id": category, **_details(found)})
    return annotations, ids


def _details(found: SourceObject) -> dict[str, Any]:
    details = {"attributes": found.attributes or None, "track_id": found.track_id}
    return {name: value for name, value in details.items() if value is not None}


def _size_of(image: SourceImage) -> tuple[int, int]:
    size = image.size
    if size is None and image.file is not None:
        from segments_async.images.pictures import image_size  # noqa: PLC0415 (an extra)

        size = image_size(image.file)
    if size is None and image.pixels is not None:
        height, width = image.pixels().shape
        size = width, height
    if size is None:
        raise UnreadableError("the size of the image is unknown; pass the folder of the images as 'images'")
    if size[0] * size[1] > MAX_PIXELS:
        raise UnreadableError(f"an image of {size[0]} x {size[1]} pixels is too large for a bitmap")
    if len(image.objects) > MAX_OBJECTS:
        raise UnreadableError(f"{len(image.objects):,} objects are too many for the ids of a bitmap")
    return size


def _segments_of(image: SourceImage) -> npt.NDArray[np.uint32] | None:
    return None if image.pixels is None else image.pixels()


def _draw_mask(
    ids: npt.NDArray[np.uint32], found: SourceObject, number: int, segments: npt.NDArray[np.uint32] | None
) -> int:
    """Draw the pixels that an object has in addition to its shape, and return how many; 0 if it has none here."""
    if found.mask is None or segments is None:
        return 0
    bits = _bits(found.mask, (0, 0), segments)
    if bits.shape != ids.shape:
        raise UnreadableError(_OTHER_SIZE.format(bits.shape[1], bits.shape[0], ids.shape[1], ids.shape[0]))
    around = box_of_mask(bits)
    if around is None or not _overlap(around, found.shape):
        return 0
    ids[bits] = number
    return int(np.count_nonzero(bits))


def _overlap(box: Box, shape: Shape) -> bool:
    return not isinstance(shape, Box) or (
        box.left < shape.right and shape.left < box.right and box.top < shape.bottom and shape.top < box.bottom
    )


def _draw(ids: npt.NDArray[np.uint32], shape: Shape, number: int, segments: npt.NDArray[np.uint32] | None) -> int:
    """Draw one object, and return how many pixels it has."""
    height, width = ids.shape
    if isinstance(shape, Box):
        columns = slice(*_pixels_between(shape.left, shape.right, width))
        rows = slice(*_pixels_between(shape.top, shape.bottom, height))
        ids[rows, columns] = number
        return max(0, columns.stop - columns.start) * max(0, rows.stop - rows.start)
    bits = _bits(shape, (width, height), segments)
    if bits.shape != ids.shape:
        raise UnreadableError(_OTHER_SIZE.format(bits.shape[1], bits.shape[0], width, height))
    ids[bits] = number
    return int(np.count_nonzero(bits))


def _pixels_between(start: float, end: float, limit: int) -> tuple[int, int]:
    """Return the first pixel whose centre lies between two edges, and the one after the last."""
    first, last = (min(max(math.ceil(edge - 0.5), 0), limit) for edge in (start, end))
    return first, max(first, last)


def _bits(shape: Shape, size: tuple[int, int], segments: npt.NDArray[np.uint32] | None) -> Bits:
    match shape:
        case Polygon(parts):
            return _polygon_bits(parts, size)
        case Mask(decode):
            return decode()
        case Segment(number) if segments is not None:
            return segments == np.uint32(number) if 0 <= number < 2**32 else np.zeros(segments.shape, np.bool_)
    raise UnreadableError("it has no pixels that can be drawn")


def _polygon_bits(parts: Any, size: tuple[int, int]) -> Bits:
    from segments_async.imports._pycocotools import polygon_bits  # noqa: PLC0415 (an extra)

    return polygon_bits([[float(c) for point in part for c in point] for part in parts], size)


def mask_of(image: SourceImage, shape: Mask | Segment) -> Bits:
    """Return the pixels of one object."""
    return _bits(shape, (0, 0), _segments_of(image) if isinstance(shape, Segment) else None)


def box_of_mask(bits: Bits) -> Box | None:
    """Return the box around the pixels of a mask; None if there are none."""
    rows, columns = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _count_strangers(image: SourceImage, segments: npt.NDArray[np.uint32], drawing: Drawing) -> None:
    """Count the pixels whose number no object has."""
    parts = [part for found in image.objects for part in (found.shape, found.mask)]
    known = [part.number for part in parts if isinstance(part, Segment)]
    count = int(np.count_nonzero(segments)) - sum(
        int(np.count_nonzero(segments == np.uint32(number))) for number in set(known) if 0 < number < 2**32
    )
    if count:
        drawing.left_out[NO_SEGMENT] += count

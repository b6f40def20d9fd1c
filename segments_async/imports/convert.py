"""Convert the objects of an image to annotations of a task type, and count what it cannot represent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async.imports.reading import UnreadableError, bounds_of
from segments_async.imports.shapes import Box, Dot, ImportProblem, Mask, Polygon, Polyline, Segment, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from segments_async.imports.drawing import Drawing
    from segments_async.imports.shapes import Point, SourceImage, SourceObject

VECTOR = frozenset({"vector", "keypoints"})
BOXES = frozenset({"bboxes", "bbox"})
BITMAPS = frozenset({"segmentation-bitmap", "segmentation-bitmap-highres"})
SEQUENCE = "image-vector-sequence"
SHAPES = VECTOR | BOXES | {SEQUENCE}
TASK_TYPES = SHAPES | BITMAPS
MIN_POLYGON = 3

FEW_POINTS = "polygons of one or two points"
MASKS = "masks, as shapes are wanted; lossy=True takes their contours"
NO_BOX = "{} without a box; lossy=True takes the box around them"
NO_CONTOUR = "masks whose contour has less than three points"

BOXED = "{} of which only the box is imported"
CONTOURS = "masks that became polygons along their contours"
HOLES = "holes in masks that became polygons, which are filled"
SPLIT = "polygons of several parts, imported as one polygon for each part"


class _Shapes:
    """Converts objects to shapes."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    def of_image(self, image: SourceImage) -> list[dict[str, Any]]:
        """Return the annotations of an image as shapes, numbered from 1."""
        convert = self._as_box if self._drawing.task_type in BOXES else self._as_shapes
        annotations: list[dict[str, Any]] = []
        for category, found in self._drawing.objects_of(image):
            try:
                for kind, points in convert(image, found):
                    shape = {"type": kind, "points": [list(point) for point in points]}
                    number = len(annotations) + 1
                    annotations.append({"id": number, "category_id": category, **shape, **self._details(found, number)})
                if found.mask is not None:
                    self._drawing.changed[BOXED.format("masks")] += 1
            except ValueError as error:
                self._drawing.problems.append(ImportProblem(found.where, str(error), image=image.name))
        return annotations

    def _details(self, found: SourceObject, number: int) -> dict[str, Any]:
        details: dict[str, Any] = {}
        if found.attributes:
            details["attributes"] = found.attributes
        if self._drawing.task_type == SEQUENCE:
            details["track_id"] = number if found.track_id is None else found.track_id
            details["is_keyframe"] = True if found.is_keyframe is None else found.is_keyframe
        elif found.track_id is not None:
            details["track_id"] = found.track_id
        return details

    def _as_shapes(self, image: SourceImage, found: SourceObject) -> Iterator[tuple[str, Sequence[Point]]]:
        match found.shape:
            case Box(left, top, right, bottom):
                yield "bbox", [(left, top), (right, bottom)]
            case Polygon(parts):
                yield from self._polygons(parts)
            case Polyline(points):
                yield "polyline", points
            case Dot(point):
                yield "point", [point]
            case Mask() | Segment() if self._drawing.lossy:
                yield from self._contours(image, found.shape)
            case _:
                self._drawing.left_out[MASKS] += 1

    def _polygons(self, parts: Sequence[Sequence[Point]]) -> Iterator[tuple[str, Sequence[Point]]]:
        whole = [part for part in parts if len(part) >= MIN_POLYGON]
        self._drawing.left_out[FEW_POINTS] += len(parts) - len(whole)
        if len(whole) > 1:
            self._drawing.changed[SPLIT] += 1
        yield from (("polygon", part) for part in whole)

    def _contours(self, image: SourceImage, shape: Mask | Segment) -> Iterator[tuple[str, Sequence[Point]]]:
        from segments_async.imports.contours import contours_of  # noqa: PLC0415 (an extra)

        found, holes = contours_of(image, shape)
        whole = [contour for contour in found if len(contour) >= MIN_POLYGON]
        self._drawing.changed[HOLES] += holes
        if whole:
            self._drawing.changed[CONTOURS] += 1
        else:
            self._drawing.left_out[NO_CONTOUR] += 1
        yield from self._polygons(whole)

    def _as_box(self, image: SourceImage, found: SourceObject) -> Iterator[tuple[str, Sequence[Point]]]:
        box, word = found.box, words_of(found.shape)
        if isinstance(found.shape, Box):
            box = found.shape
        elif isinstance(found.shape, Dot | Polyline):
            self._drawing.left_out[word] += 1
            return
        elif box is None and not self._drawing.lossy:
            self._drawing.left_out[NO_BOX.format(word)] += 1
            return
        else:
            box = box or _box_around(image, found.shape)
            self._drawing.changed[BOXED.format(word)] += 1
        if box is None:
            self._drawing.left_out[f"{word} without area"] += 1
        else:
            yield "bbox", [(box.left, box.top), (box.right, box.bottom)]


def _box_around(image: SourceImage, shape: Polygon | Mask | Segment) -> Box | None:
    if isinstance(shape, Polygon):
        return bounds_of(point for part in shape.parts for point in part)
    from segments_async.imports.raster import box_of_mask, mask_of  # noqa: PLC0415 (an extra)

    return box_of_mask(mask_of(image, shape))


def label_attributes(
    image: SourceImage, start: Callable[[], Drawing]
) -> tuple[dict[str, Any] | None, Any, Sequence[Drawing]]:
    """
    Return the attributes of an image's label, its array of ids, and what was left out.

    Of a bitmap, the attributes lack the address of the bitmap, and the array is its content.
    """
    if not image.labeled:
        return None, None, []
    drawing = start()
    if image.frames is not None and drawing.task_type != SEQUENCE:
        raise UnreadableError(f"it is a sequence of images, which a label of {drawing.task_type!r} cannot represent")
    attributes: dict[str, Any] = {"format_version": "0.1"}
    if image.image_attributes:
        attributes["image_attributes"] = image.image_attributes
    if drawing.task_type in BITMAPS:
        from segments_async.imports.raster import rasterize  # noqa: PLC0415 (an extra)

        annotations, ids = rasterize(image, drawing)
        return {**attributes, "annotations": annotations}, ids, [drawing]
    if drawing.task_type == SEQUENCE:
        frames = image.frames if image.frames is not None else [image]
        drawings = [start() for _ in frames]
        drawn = [{"annotations": _Shapes(one).of_image(frame)} for one, frame in zip(drawings, frames, strict=True)]
        return {**attributes, "format_version": "0.2", "frames": drawn}, None, drawings
    return {**attributes, "annotations": _Shapes(drawing).of_image(image)}, None, [drawing]

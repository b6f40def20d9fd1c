"""
COCO instance: boxes, polygons, run lengths, crowds and keypoints.

Source: cocodataset.org, "Data format", and what pycocotools reads. An annotation becomes

- a polygon, if its segmentation is a list of rings; a box, if the only ring is its box, or if it has no segmentation;
- a mask, if its segmentation is run lengths;
- and a point for each keypoint that is labelled, with the attributes ``keypoint`` (its name) and ``visibility`` if the
  category names its keypoints.

``iscrowd`` and an ``attributes`` object become attributes. A polygon's ``points``, as `releases.export` writes them,
are preferred to its segmentation, which is clipped to the image. Ids of annotations are not kept.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from segments_async._counting import counted
from segments_async._validators import is_number
from segments_async.imports.coco_file import CocoFile
from segments_async.imports.convert import BOXED, FEW_POINTS, MIN_POLYGON
from segments_async.imports.formats import Format
from segments_async.imports.reading import UnreadableError, box_or_none, mapping_of, numbers_of, points_of
from segments_async.imports.shapes import Box, Dot, Mask, Polygon, Shape, SourceObject

if TYPE_CHECKING:
    from segments_async.imports.peek import Peek
    from segments_async.imports.shapes import Point, SourceImage

_TOLERANCE = 1e-6
_KEYPOINT_NUMBERS = 3


class CocoInstance(CocoFile):
    """Reads COCO instance."""

    _has_masks = _has_shapes = False

    @property
    def task_type(self) -> str:
        """Bitmaps if all annotations are masks, else shapes."""
        return "segmentation-bitmap" if self._has_masks and not self._has_shapes else "vector"

    def _note(self, annotation: Any) -> None:
        is_mask = isinstance(_segmentation_of(annotation), dict) and not annotation.get("num_keypoints")
        self._has_masks |= is_mask
        self._has_shapes |= not is_mask

    def _add(self, image: SourceImage, annotation: dict[str, Any], where: str) -> None:
        category = self._ids[annotation.get("category_id")]
        box = box_or_none(annotation.get("bbox"))
        attributes = _attributes_of(annotation)
        shape = self._shape(annotation, box, image)
        make = partial(SourceObject, category=category, where=where)
        points = [
            make(shape=Dot(point), attributes={**attributes, **more})
            for point, more in self._keypoints(annotation, category)
        ]
        if shape is not None:
            image.objects.append(make(shape=shape, box=box, attributes=attributes))
        elif not points:
            raise UnreadableError("it has neither a box, nor a segmentation, nor keypoints")
        image.objects += points

    def _shape(self, annotation: dict[str, Any], box: Box | None, image: SourceImage) -> Shape | None:
        segmentation = _segmentation_of(annotation)
        if isinstance(segmentation, dict):
            return self._mask(segmentation, image) if box is not None or not annotation.get("num_keypoints") else None
        if not segmentation:
            return box
        drawn = annotation.get("points")
        if drawn is not None:
            return Polygon([[_pair(point, index) for index, point in enumerate(drawn)]])
        rings = [points_of(numbers_of(_flat(ring), name), name) for name, ring in _named_rings(segmentation)]
        if box is None or any(len(ring) >= MIN_POLYGON for ring in rings):
            return box if box is not None and len(rings) == 1 and _is_box(rings[0], box) else Polygon(rings)
        image.changed[BOXED.format(FEW_POINTS)] += int(any(rings))
        return box

    def _mask(self, segmentation: dict[str, Any], image: SourceImage) -> Mask:
        height, width = numbers_of(segmentation.get("size"), "segmentation.size", 2)
        size, counts = (int(width), int(height)), segmentation.get("counts")
        if image.size is None:
            image.size = size
        if not isinstance(counts, str | list):
            raise UnreadableError("segmentation.counts: expected a list of numbers, or a text")
        return Mask(partial(_decode, counts, size))

    def _keypoints(self, annotation: dict[str, Any], category: int) -> list[tuple[Point, dict[str, Any]]]:
        given = annotation.get("keypoints")
        if not given:
            return []
        numbers = numbers_of(given, "keypoints")
        if len(numbers) % _KEYPOINT_NUMBERS:
            raise UnreadableError(
                f"keypoints: expected x, y and visibility of each, got {counted(len(numbers), 'number')}"
            )
        names = self._keypoint_names.get(category, [])
        found = []
        for index, (x, y, visibility) in enumerate(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)):
            if visibility:
                more = {"keypoint": names[index], "visibility": int(visibility)} if index < len(names) else {}
                found.append(((x, y), more))
        return found

    @property
    def _keypoint_names(self) -> dict[int, list[Any]]:
        return {
            category["id"]: category["keypoints"]
            for category in self.categories
            if isinstance(category.get("keypoints"), list)
        }


def _decode(counts: Any, size: tuple[int, int]) -> Any:
    from segments_async.imports.run_lengths import run_length_bits  # noqa: PLC0415 (an extra)

    return run_length_bits(counts, size)


def _attributes_of(annotation: dict[str, Any]) -> dict[str, Any]:
    attributes = dict(mapping_of(annotation.get("attributes") or {}))
    if annotation.get("iscrowd"):
        attributes["iscrowd"] = True
    return attributes


def _segmentation_of(annotation: dict[str, Any]) -> Any:
    """Return the segmentation; some tools put run lengths into a list of one."""
    found: Any = annotation.get("segmentation")
    return found[0] if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict) else found


def _named_rings(segmentation: Any) -> list[tuple[str, Any]]:
    if not isinstance(segmentation, list):
        raise UnreadableError(f"segmentation: expected lists of numbers, or run lengths, got {segmentation!r}"[:200])
    rings = [segmentation] if is_number(segmentation[0]) else segmentation
    return [(f"segmentation[{index}]", ring) for index, ring in enumerate(rings)]


def _pair(point: Any, index: int) -> Point:
    x, y = numbers_of(point, f"points[{index}]", 2)
    return x, y


def _flat(ring: Any) -> Any:
    """Return the numbers of a ring; some tools write each point as a list of two."""
    if isinstance(ring, list) and ring and all(isinstance(point, list) and len(point) == 2 for point in ring):  # noqa: PLR2004
        return [number for point in ring for number in point]
    return ring


def _is_box(ring: list[Point], box: Box) -> bool:
    corners = {(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)}
    return len(ring) == len(corners) and all(
        any(abs(x - u) <= _TOLERANCE and abs(y - v) <= _TOLERANCE for x, y in ring) for u, v in corners
    )


def _recognizes(seen: Peek) -> bool:
    if "annotations" not in seen.json or not {"images", "categories"} & seen.json.keys():
        return False
    first = seen.json["annotations"]
    return first is None or (isinstance(first, dict) and "image_id" in first and "segments_info" not in first)


FORMAT = Format(
    name="coco-instance",
    looks_like="a JSON file with 'images', 'annotations' (each with an 'image_id') and 'categories'",
    recognizes=_recognizes,
    reader=CocoInstance,
)

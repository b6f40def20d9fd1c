"""Export shapes on images as COCO instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._validators import is_number
from segments_async.export.formats import Entries, FetchedItem, image_entry
from segments_async.export.geometry import (
    MIN_POLYGON,
    area,
    bounds,
    clip_box,
    clip_polygon,
    has_area,
    is_inside,
    is_sane,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from segments_async.export.categories import Categories
    from segments_async.export.folder import ExportFolder
    from segments_async.export.items import Item

Points = list[tuple[float, float]]
_TYPES = ("bbox", "polygon", "point", "polyline")
_CORNERS = 2
OUTSIDE = "shapes outside the image"
NO_NUMBERS = "shapes with coordinates that are not finite or beyond 1e9"
FLAT_BOXES = "boxes without area"
FLAT_POLYGONS = "polygons without area"
FEW_POINTS = "polygons of one or two points"
NO_POINTS = "polygons without points"
NOT_TWO_CORNERS = "boxes that do not have two corners"
NOT_ONE_PLACE = "points that do not have one place"


class CocoShapes:
    """COCO instance of boxes, polygons and points."""

    numbered = True
    needs_size = True

    def __init__(self, categories: Categories, info: Mapping[str, Any]) -> None:
        self.head: Mapping[str, Any] = {"info": info, "categories": categories.plain}
        self._categories = categories

    def write(self, fetched: FetchedItem, folder: ExportFolder) -> Entries:
        """Return the item's entries in the JSON file."""
        entries = Entries(images=[image_entry(fetched)])
        size = size_of(fetched)
        for annotation, category, kind, points in iterate_shapes(fetched.item, self._categories):
            if kind == "polyline":
                entries.left_out["polylines"] += 1
                continue
            write = {"bbox": _box, "polygon": _polygon, "point": _point}[kind]
            shape = write(annotation, points, size, entries.left_out)
            if shape is not None:
                entries.annotations.append({"image_id": fetched.item.number, "category_id": category, **shape})
        return entries

    def label_stems(self, stem: str) -> list[str]:
        """Return nothing, as there are no files for items."""
        return []

    def closing_file(self) -> None:
        """Return nothing, as the JSON file is written by `JsonLists`."""


def _box(_: object, points: Points, size: tuple[int, int], left_out: Counter[str]) -> dict[str, Any] | None:
    visible = visible_box(points, size, left_out)
    if visible is None:
        return None
    x, y, width, height = box = bounds(visible)
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {"bbox": box, "segmentation": [corners], "area": width * height, "iscrowd": 0}


def visible_box(points: Points, size: tuple[int, int], left_out: Counter[str]) -> Points | None:
    """Return the corners of the part of a box that lies in the image; None if it is left out, which is counted."""
    if not is_sane(points):
        left_out[NO_NUMBERS] += 1
    elif len(points) != _CORNERS:
        left_out[NOT_TWO_CORNERS] += 1
    elif not _is_box(points):
        left_out[FLAT_BOXES] += 1
    elif not _is_box(visible := points if is_inside(points, size) else clip_box(points, size)):
        left_out[OUTSIDE] += 1
    else:
        return visible
    return None


def _is_box(points: Points) -> bool:
    (x0, y0), (x1, y1) = points
    return x0 != x1 and y0 != y1


def _polygon(
    annotation: dict[str, Any], points: Points, size: tuple[int, int], left_out: Counter[str]
) -> dict[str, Any] | None:
    visible = points
    if not is_sane(points):
        left_out[NO_NUMBERS] += 1
    elif len(points) < MIN_POLYGON:
        left_out[FEW_POINTS if points else NO_POINTS] += 1
    elif not has_area(points):
        left_out[FLAT_POLYGONS] += 1
    elif not is_inside(points, size) and not ((visible := clip_polygon(points, size)) and has_area(visible)):
        left_out[OUTSIDE] += 1
    else:
        return {
            "points": annotation["points"],
            "bbox": bounds(visible),
            "segmentation": [[part for point in visible for part in point]],
            "area": area(visible),
            "iscrowd": 0,
        }
    return None


def _point(_: object, points: Points, size: tuple[int, int], left_out: Counter[str]) -> dict[str, Any] | None:
    if not is_sane(points):
        left_out[NO_NUMBERS] += 1
    elif len(points) != 1:
        left_out[NOT_ONE_PLACE] += 1
    elif not is_inside(points, size):
        left_out[OUTSIDE] += 1
    else:
        (x, y), (width, height) = points[0], size
        empty = {"size": [height, width], "counts": [width * height]}  # run lengths, as polygons need three points
        return {
            "keypoints": [x, y, 1],
            "num_keypoints": 1,
            "bbox": [x, y, 0, 0],
            "segmentation": empty,
            "area": 0,
            "iscrowd": 0,
        }
    return None


def size_of(fetched: FetchedItem) -> tuple[int, int]:
    """
    Return the size of an item's image.

    Raises:
        ExportError: It is unknown.
    """
    if fetched.size is None:
        raise fetched.item.error("its image cannot be fetched, so its size is unknown; pass image_size=")
    return fetched.size


def iterate_shapes(item: Item, categories: Categories) -> Iterator[tuple[dict[str, Any], int, str, Points]]:
    """
    Iterate over the annotations, each with its category, its type and its points.

    Raises:
        ExportError: The type is unknown, the points are not points, or there is no such category.
    """
    for index, annotation in enumerate(item.annotations or ()):
        kind, points = annotation.get("type"), annotation.get("points")
        if not isinstance(kind, str) or kind not in _TYPES:
            raise item.error(f"annotations[{index}].type: expected one of {', '.join(_TYPES)}, got {kind!r}")
        if not isinstance(points, list) or not all(map(_is_point, points)):
            raise item.error(f"annotations[{index}].points: expected the points of a {kind}: [x, y], [x, y] and so on")
        category = categories.of_annotation(item, index)
        yield annotation, category, kind, [(x, y) for x, y, *_ in points]


def _is_point(point: object) -> bool:
    return isinstance(point, list) and len(point) > 1 and all(map(is_number, point))

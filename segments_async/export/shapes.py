"""Export shapes on images as COCO instance and YOLO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async.export.formats import Entries, FetchedItem, image_entry
from segments_async.export.output import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from segments_async.export.categories import Categories
    from segments_async.export.items import Item

Points = list[tuple[float, float]]
_MIN_POINTS = {"bbox": 2, "polygon": 1, "point": 1, "polyline": 0}
"""Minimum number of points of each shape."""


class CocoShapes:
    """COCO instance of boxes, polygons and points."""

    numbered = True
    needs_size = False

    def __init__(self, categories: Categories, info: Mapping[str, Any]) -> None:
        self.head: Mapping[str, Any] = {"info": info, "categories": categories.plain}
        self._categories = categories

    def write(self, fetched: FetchedItem, folder: Path) -> Entries:
        """Return the item's entries in the JSON file."""
        entries = Entries(images=[image_entry(fetched)])
        for index, annotation in enumerate(fetched.item.annotations or ()):
            kind, points = _shape(fetched.item, index)
            category = self._categories.of_annotation(fetched.item, index)
            if kind == "polyline":
                entries.left_out["polylines"] += 1
                continue
            shape = {"bbox": _box, "polygon": _polygon, "point": _point}[kind](annotation, points)
            entries.annotations.append({"image_id": fetched.item.number, "category_id": category, **shape})
        return entries


def _box(_: object, points: Points) -> dict[str, Any]:
    x, y, width, height = box = _bounds(points)
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {"bbox": box, "segmentation": [corners], "area": width * height, "iscrowd": 0}


def _polygon(annotation: dict[str, Any], points: Points) -> dict[str, Any]:
    next_points = points[1:] + points[:1]
    signed_area = sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(points, next_points, strict=True)) / 2
    return {
        "points": annotation["points"],
        "bbox": _bounds(points),
        "segmentation": [[part for point in points for part in point]],
        "area": abs(signed_area),
        "iscrowd": 0,
    }


def _point(_: object, points: Points) -> dict[str, Any]:
    x, y = points[0]
    return {"keypoints": [x, y, 1], "num_keypoints": 1, "bbox": [x, y, 0, 0], "area": 0, "iscrowd": 0}


def _bounds(points: Points) -> list[float]:
    columns, rows = [x for x, _ in points], [y for _, y in points]
    left, top = min(columns), min(rows)
    return [left, top, max(columns) - left, max(rows) - top]


def _shape(item: Item, index: int) -> tuple[str, Points]:
    """Return the type and the points of an annotation."""
    assert item.annotations is not None
    annotation = item.annotations[index]
    kind, points = annotation.get("type"), annotation.get("points")
    if kind not in _MIN_POINTS:
        raise item.error(f"annotations[{index}].type: expected one of {', '.join(_MIN_POINTS)}, got {kind!r}")
    if not isinstance(points, list) or len(points) < _MIN_POINTS[kind] or not all(map(_is_point, points)):
        raise item.error(f"annotations[{index}].points: expected the points of a {kind}: [x, y], [x, y] and so on")
    return kind, [(x, y) for x, y, *_ in points]


def _is_point(point: object) -> bool:
    return isinstance(point, list) and len(point) > 1 and all(isinstance(part, int | float) for part in point)


class Yolo:
    """YOLO: one text file per image, with one line per box."""

    head = None
    numbered = False
    needs_size = True

    def __init__(self, categories: Categories, id_increment: int) -> None:
        self._categories = categories
        self._increment = id_increment

    def write(self, fetched: FetchedItem, folder: Path) -> Entries:
        """Write the text file, unless there are no annotations."""
        entries = Entries()
        lines = []
        for index in range(len(fetched.item.annotations or ())):
            kind, points = _shape(fetched.item, index)
            category = self._categories.of_annotation(fetched.item, index)
            if kind == "bbox":
                lines.append(self._line(fetched, category, points))
            else:
                entries.left_out[f"{kind}s"] += 1
        if fetched.item.annotations:
            write_file(folder / f"{fetched.item.stem}.txt", "".join(lines).encode())
        return entries

    def _line(self, fetched: FetchedItem, category: int, points: Points) -> str:
        if fetched.size is None:
            raise fetched.item.error("its image cannot be fetched, so its size is unknown; pass image_size=")
        width, height = fetched.size
        (x0, y0), (x1, y1) = [(x / width, y / height) for x, y in points[:2]]
        box_width, box_height = abs(x1 - x0), abs(y1 - y0)
        center_x, center_y = (x0 + x1) / 2, (y0 + y1) / 2
        return f"{category + self._increment} {center_x:.6f} {center_y:.6f} {box_width:.6f} {box_height:.6f}\n"

"""COCO and YOLO out of shapes drawn on images."""

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
_LEAST = {"bbox": 2, "polygon": 1, "point": 1, "polyline": 0}
"""Points that a shape has at least."""


class CocoShapes:
    """COCO instance out of boxes, polygons and points."""

    numbered = True
    needs_size = False

    def __init__(self, categories: Categories, info: Mapping[str, Any]) -> None:
        self.head: Mapping[str, Any] = {"info": info, "categories": categories.plain}
        self._categories = categories

    def write(self, fetched: FetchedItem, folder: Path) -> Entries:
        """Tell what goes into the JSON file."""
        entries = Entries(images=[image_entry(fetched)])
        for index, annotation in enumerate(fetched.item.annotations or ()):
            kind, points = _shape(fetched.item, index)
            category = self._categories.of_annotation(fetched.item, index)
            if kind == "polyline":
                entries.left_out["polylines"] += 1
                continue
            ours = {"bbox": _box, "polygon": _polygon, "point": _point}[kind](annotation, points)
            entries.annotations.append({"image_id": fetched.item.number, "category_id": category, **ours})
        return entries


def _box(_: object, points: Points) -> dict[str, Any]:
    x, y, width, height = box = _bounds(points)
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {"bbox": box, "segmentation": [corners], "area": width * height, "iscrowd": 0}


def _polygon(annotation: dict[str, Any], points: Points) -> dict[str, Any]:
    following = points[1:] + points[:1]
    twice = sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(points, following, strict=True))
    return {
        "points": annotation["points"],
        "bbox": _bounds(points),
        "segmentation": [[part for point in points for part in point]],
        "area": abs(twice) / 2,
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
    """Read the kind and the points of an annotation."""
    assert item.annotations is not None
    annotation = item.annotations[index]
    kind, points = annotation.get("type"), annotation.get("points")
    if kind not in _LEAST:
        raise item.error(f"annotations[{index}].type: expected one of {', '.join(_LEAST)}, got {kind!r}")
    if not isinstance(points, list) or len(points) < _LEAST[kind] or not all(map(_is_point, points)):
        raise item.error(f"annotations[{index}].points: expected those of a {kind}: [x, y], [x, y] and so on")
    return kind, [(x, y) for x, y, *_ in points]


def _is_point(point: object) -> bool:
    return isinstance(point, list) and len(point) > 1 and all(isinstance(part, int | float) for part in point)


class Yolo:
    """YOLO: a text file for each image, a line for each box."""

    head = None
    numbered = False
    needs_size = True

    def __init__(self, categories: Categories, id_increment: int) -> None:
        self._categories = categories
        self._increment = id_increment

    def write(self, fetched: FetchedItem, folder: Path) -> Entries:
        """Write the text file, unless nothing is annotated."""
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
            raise fetched.item.error("its image cannot be fetched, so its size is not known; say image_size=")
        width, height = fetched.size
        (x0, y0), (x1, y1) = [(x / width, y / height) for x, y in points[:2]]
        across, down = abs(x1 - x0), abs(y1 - y0)
        return f"{category + self._increment} {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {across:.6f} {down:.6f}\n"

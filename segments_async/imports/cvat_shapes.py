"""Read the shapes of CVAT's XML."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from segments_async._counting import counted
from segments_async.imports.reading import UnreadableError, box_of, numbers_of
from segments_async.imports.shapes import Box, Dot, Mask, Polygon, Polyline, Shape, SourceObject
from segments_async.imports.turned import ELLIPSES, TURNED, corners_of, ellipse_points, turned

if TYPE_CHECKING:
    from collections import Counter
    from xml.etree.ElementTree import Element

    from segments_async.imports.cvat_meta import CvatLabels
    from segments_async.imports.shapes import Point

CUBOIDS = "cuboids drawn in images"
POINT_SETS = "sets of points, imported as single points"
SKELETONS = "skeletons, imported as single points"
MAX_PIXELS = 2**30
"""Pixels of an image with masks; more would not fit into memory."""
BOX_EDGES = ("xtl", "ytl", "xbr", "ybr")
TAGS = frozenset({"box", "polygon", "polyline", "points", "ellipse", "mask", "cuboid", "skeleton"})


class CvatShapes:
    """
    Converts elements to objects.

    Args:
        labels: The labels of the file.
        size: The size of the image.
        changed: Counts of what is read in another form.
        left_out: Counts of what is left out.
    """

    def __init__(
        self, labels: CvatLabels, size: tuple[int, int] | None, changed: Counter[str], left_out: Counter[str]
    ) -> None:
        self._labels = labels
        self._size = size
        self._changed = changed
        self._left_out = left_out

    def objects_of(self, element: Element, label: str | None, group: str | None, where: str) -> list[SourceObject]:
        """Return the objects of an element; a skeleton becomes several."""
        category = self._labels.id_of(label)
        attributes = self._attributes_of(element, category)
        if (group or "0") != "0":
            attributes["group_id"] = int(group or 0)
        make = partial(SourceObject, category=category, where=where)
        shapes = self._shapes(element, category)
        found = [make(shape=shape, attributes={**attributes, **more} or None) for shape, more in shapes]
        for one in found:
            self._labels.note(category, one.attributes)
        return found

    def _attributes_of(self, element: Element, category: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for attribute in element.iterfind("attribute"):
            name, text = attribute.get("name"), (attribute.text or "").strip()
            if name:
                found[name] = self._labels.value(category, name, text)
        if element.get("occluded") == "1":
            found["occluded"] = True
        if (score := element.get("score")) is not None:
            [found["score"]] = numbers_of([score], "score")
        return found

    def _shapes(self, element: Element, category: int) -> list[tuple[Shape, dict[str, Any]]]:
        match element.tag:
            case "skeleton":
                return self._skeleton(element, category)
            case "points":
                points = points_in(element)
                self._changed[POINT_SETS] += len(points) > 1
                return [(Dot(point), {}) for point in points]
            case "cuboid":
                self._left_out[CUBOIDS] += 1
                return []
        return [(self._shape(element), {})]

    def _shape(self, element: Element) -> Shape:
        match element.tag:
            case "box":
                return self._box(element)
            case "ellipse":
                x, y, radius_x, radius_y = _numbers(element, ("cx", "cy", "rx", "ry"))
                self._changed[ELLIPSES] += 1
                return Polygon([ellipse_points((x, y), radius_x, radius_y, _rotation(element))], "ellipses")
            case "polygon":
                return Polygon([turned_points(element)])
            case "polyline":
                return Polyline(turned_points(element))
        return Mask(_mask(element, self._size))

    def _box(self, element: Element) -> Shape:
        box = box_of(*_numbers(element, BOX_EDGES))
        if not (degrees := _rotation(element)):
            return box
        self._changed[TURNED] += 1
        return Polygon([turned(corners_of(box), _center(corners_of(box)), degrees)], "turned boxes")

    def _skeleton(self, element: Element, category: int) -> list[tuple[Shape, dict[str, Any]]]:
        found: list[tuple[Shape, dict[str, Any]]] = []
        for child in element.iterfind("points"):
            if child.get("outside") != "1":
                more = {"keypoint": child.get("label") or "", **self._attributes_of(child, category)}
                found += [(Dot(point), more) for point in points_in(child)]
        self._changed[SKELETONS] += 1
        return found


def _numbers(element: Element, names: tuple[str, ...]) -> list[float]:
    missing = [name for name in names if element.get(name) is None]
    if missing:
        raise UnreadableError(f"<{element.tag}> has no {', '.join(missing)}")
    return numbers_of([element.get(name) for name in names], f"<{element.tag}>")


def _rotation(element: Element) -> float:
    """Return degrees, clockwise about the centre."""
    [degrees] = numbers_of([element.get("rotation") or 0], "rotation")
    return degrees % 360


def points_in(element: Element) -> list[Point]:
    """Return the points of ``points="x,y;x,y"``."""
    text = element.get("points")
    if not text:
        raise UnreadableError(f"<{element.tag}> has no points")
    pairs = [numbers_of(pair.split(","), f"points[{index}]", 2) for index, pair in enumerate(text.split(";"))]
    return [(x, y) for x, y in pairs]


def turned_points(element: Element) -> list[Point]:
    """Return points, turned about the centre of the box around them if the element says so."""
    points, degrees = points_in(element), _rotation(element)
    return turned(points, _center(points), degrees) if degrees else points


def _center(points: list[Point]) -> Point:
    columns, rows = zip(*points, strict=True)
    return (min(columns) + max(columns)) / 2, (min(rows) + max(rows)) / 2


def _mask(element: Element, size: tuple[int, int] | None) -> Any:
    if size is None:
        raise UnreadableError("<mask>: the size of the image is unknown")
    left, top, width, height = _numbers(element, ("left", "top", "width", "height"))
    counts = numbers_of((element.get("rle") or "").split(","), "rle")
    if width <= 0 or height <= 0 or any(count < 0 or count != int(count) for count in counts):
        raise UnreadableError("<mask>: expected whole numbers of 0 or more")
    if size[0] * size[1] > MAX_PIXELS:
        raise UnreadableError(f"<mask>: an image of {size[0]} x {size[1]} pixels is too large")
    if sum(counts) > width * height:
        raise UnreadableError(
            f"<mask>: {counted(int(sum(counts)), 'pixel')}, but its size is {int(width)} x {int(height)}"
        )
    if left + width > size[0] + width or top + height > size[1] + height or width > size[0] or height > size[1]:
        raise UnreadableError(f"<mask>: it lies outside the image of {size[0]} x {size[1]} pixels")
    return partial(_decode, [int(count) for count in counts], Box(left, top, left + width, top + height), size)


def _decode(counts: list[int], box: Box, size: tuple[int, int]) -> Any:
    """Return the pixels of run lengths inside a box, row by row, which start with pixels that are not set."""
    from segments_async.imports._numpy import np  # noqa: PLC0415 (an extra)

    left, top, right, bottom = (int(edge) for edge in (box.left, box.top, box.right, box.bottom))
    inside = np.zeros((right - left) * (bottom - top), np.bool_)
    runs = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    inside[: runs.size] = runs
    bits = np.zeros((size[1], size[0]), np.bool_)
    rows = slice(max(top, 0), min(bottom, size[1]))
    columns = slice(max(left, 0), min(right, size[0]))
    part = inside.reshape(bottom - top, right - left)
    bits[rows, columns] = part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return bits

"""Shapes in an image: whether they have an area, and the part inside the image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Point = tuple[float, float]
    Size = tuple[int, int]

MAX_COORDINATE = 1e9
"""Readers compute with floats, which cannot distinguish pixels far beyond this."""
MIN_POLYGON = 3


def is_sane(points: Sequence[Point]) -> bool:
    """Return whether all coordinates are finite and not beyond `MAX_COORDINATE`."""
    return all(abs(part) <= MAX_COORDINATE for point in points for part in point)  # False for NaN


def is_inside(points: Sequence[Point], size: Size) -> bool:
    """Return whether all points lie in an image, or on its edge."""
    width, height = size
    return all(0 <= x <= width and 0 <= y <= height for x, y in points)


def bounds(points: Sequence[Point]) -> list[float]:
    """Return COCO's ``[x, y, width, height]``."""
    columns, rows = [x for x, _ in points], [y for _, y in points]
    left, top = min(columns), min(rows)
    return [left, top, max(columns) - left, max(rows) - top]


def has_area(points: Sequence[Point]) -> bool:
    """Return whether a polygon is more than a line."""
    (x0, y0), *others = points
    x1, y1 = max(others, key=lambda point: math.dist(point, (x0, y0)), default=(x0, y0))
    return any((x1 - x0) * (y - y0) != (y1 - y0) * (x - x0) for x, y in others)


def clip_box(points: Sequence[Point], size: Size) -> list[Point]:
    """Return two corners of the part of a box that lies in an image; they may have no area."""
    return [(min(max(x, 0), size[0]), min(max(y, 0), size[1])) for x, y in points]


def clip_polygon(points: Sequence[Point], size: Size) -> list[Point]:
    """
    Return the part of a polygon that lies in an image: the algorithm of Sutherland and Hodgman.

    If it has several parts, they are joined along the edge of the image.
    """
    width, height = size
    edges: list[tuple[int, float, Callable[[float, float], bool]]] = [
        (0, 0, float.__ge__),
        (0, width, float.__le__),
        (1, 0, float.__ge__),
        (1, height, float.__le__),
    ]
    clipped = [(float(x), float(y)) for x, y in points]
    for axis, limit, is_in in edges:
        given, clipped = clipped, []
        for start, end in zip(given[-1:] + given[:-1], given, strict=True):
            if is_in(start[axis], float(limit)) != is_in(end[axis], float(limit)):
                clipped.append(_cross(start, end, axis, float(limit)))
            if is_in(end[axis], float(limit)):
                clipped.append(end)
    return clipped


def _cross(start: Point, end: Point, axis: int, limit: float) -> Point:
    other = 1 - axis
    part = (limit - start[axis]) / (end[axis] - start[axis])
    crossing = start[other] + part * (end[other] - start[other])
    return (limit, crossing) if axis == 0 else (crossing, limit)


def area(points: Sequence[Point]) -> float:
    """Return the area of a polygon; of one whose parts cancel each other out, such as an 8, its number of pixels."""
    following = [*points[1:], points[0]]
    signed = sum(x * next_y - next_x * y for (x, y), (next_x, next_y) in zip(points, following, strict=True)) / 2
    if signed:
        return abs(signed)
    left, top, width, height = bounds(points)
    image = Image.new("L", (math.ceil(width) + 1, math.ceil(height) + 1))
    ImageDraw.Draw(image).polygon([(x - left, y - top) for x, y in points], fill=1)
    return image.histogram()[1]

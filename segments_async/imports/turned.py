"""Shapes that are turned, or round: the points that they become."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from segments_async.imports.shapes import Box, Point

ROUND_POINTS = 36
"""Points of an ellipse or a circle: one each ten degrees."""
ELLIPSES = f"ellipses that became polygons of {ROUND_POINTS} points"
CIRCLES = f"circles that became polygons of {ROUND_POINTS} points"
TURNED = "turned boxes that became polygons of four points"


def turned(points: Iterable[Point], center: Point, degrees: float) -> list[Point]:
    """Turn points about a centre, clockwise as seen on the screen."""
    x0, y0 = center
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos) for x, y in points]


def corners_of(box: Box) -> list[Point]:
    """Return the corners of a box, clockwise from the top left."""
    return [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]


def ellipse_points(center: Point, radius_x: float, radius_y: float, degrees: float = 0) -> list[Point]:
    """Return points on an ellipse, clockwise from its right end."""
    angles = [2 * math.pi * number / ROUND_POINTS for number in range(ROUND_POINTS)]
    points = [(center[0] + radius_x * math.cos(angle), center[1] + radius_y * math.sin(angle)) for angle in angles]
    return turned(points, center, degrees) if degrees else points

"""The lines of YOLO's text files."""

from __future__ import annotations

import math

from attrs import field, frozen

from segments_async._counting import counted
from segments_async.imports.reading import UnreadableError

_BOX_NUMBERS = 4
_MIN_POLYGON_NUMBERS = 6
_MAX_FRACTION = 1e4
_MIN_DIGITS, _MAX_DIGITS = 4, 9
"""Decimal places that numbers are taken to have, at least and at most: 0.5 may be short for 0.5000."""


@frozen(kw_only=True)
class Line:
    """One object."""

    number: int
    """Its class."""
    box: tuple[float, ...] | None = None
    """Centre and size, as fractions of the image."""
    points: list[tuple[float, float]] = field(factory=list)
    """The points of a polygon, likewise."""
    keypoints: list[tuple[float, float, float]] = field(factory=list)
    """Each with its visibility."""
    confidence: float | None = None
    digits: int = 6
    """Decimal places of the numbers."""


def split_line(text: str, keypoints: tuple[int, int] | None = None) -> Line:
    """
    Read a line.

    Raises:
        UnreadableError: It is no object.
    """
    first, *rest = text.split()
    numbers = [_number(word) for word in [first, *rest]]
    number, values = numbers[0], numbers[1:]
    if number < 0 or number != int(number):
        raise UnreadableError(f"expected the number of a class, got {first!r}")
    expected = _BOX_NUMBERS + (keypoints[0] * keypoints[1] if keypoints else 0)
    confidence = None
    if len(values) % 2 and (keypoints is None or len(values) == expected + 1):
        confidence = values.pop()
    digits = max((len(word.partition(".")[2]) for word in rest if "e" not in word.lower()), default=_MAX_DIGITS)
    line = Line(number=int(number), confidence=confidence, digits=min(max(digits, _MIN_DIGITS), _MAX_DIGITS))
    if len(values) == _BOX_NUMBERS or (keypoints and len(values) == expected):
        box, more = tuple(values[:_BOX_NUMBERS]), values[_BOX_NUMBERS:]
        return Line(
            number=line.number,
            box=box,
            keypoints=_keypoints(more, keypoints[1]) if keypoints else [],
            confidence=confidence,
            digits=line.digits,
        )
    if keypoints or len(values) < _MIN_POLYGON_NUMBERS:
        raise UnreadableError(
            f"expected a class and {expected} numbers, or the points of a polygon, got {counted(len(rest), 'number')}"
        )
    points = list(zip(values[::2], values[1::2], strict=True))
    return Line(number=line.number, points=points, confidence=confidence, digits=line.digits)


def _keypoints(numbers: list[float], count: int) -> list[tuple[float, float, float]]:
    visible = [2.0] * len(numbers[::count]) if count == 2 else numbers[2::count]  # noqa: PLR2004
    return list(zip(numbers[::count], numbers[1::count], visible, strict=True))


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise UnreadableError(f"expected numbers, got {word!r}") from None
    if not math.isfinite(value) or abs(value) > _MAX_FRACTION:
        raise UnreadableError(f"expected fractions of the image, got {word!r}")
    return value


def pixels_of(center: float, size: float, side: int, digits: int) -> tuple[float, float]:
    """
    Return two edges of a box in pixels: the roundest numbers that give the fractions in the file.

    An edge that the rounding of the fractions moved out of the image is moved back; others stay outside.

    Example:
        >>> pixels_of(0.333333, 0.666667, 100, 6)
        (0.0, 66.6667)
        >>> pixels_of(1.2, 0.5, 64, 6)
        (60.8, 92.8)

    Args:
        center: The centre, as a fraction of the side.
        size: The size, likewise.
        side: Pixels.
        digits: Decimal places of the fractions.
    """
    low, high = (center - size / 2) * side, (center + size / 2) * side
    tolerance = 0.49 * 10.0**-digits
    slack = 2 * tolerance * side
    for places in range(_MAX_DIGITS):
        left = 0.0 if -slack <= low < 0 else round(low, places)
        right = float(side) if side < high <= side + slack else round(high, places)
        if abs((left + right) / 2 / side - center) < tolerance and abs((right - left) / side - size) < tolerance:
            return left, right
    if -slack <= low < 0:
        return 0.0, _far_edge(center, size, tolerance) * side
    if side < high <= side + slack:
        return side - _far_edge(1 - center, size, tolerance) * side, float(side)
    return low, high


def _far_edge(center: float, size: float, tolerance: float) -> float:
    """Return the other edge of a box that begins at 0, as a fraction: rounding moved its centre, its size, or both."""
    least = max(2 * (center - tolerance), size - tolerance)
    most = min(2 * (center + tolerance), size + tolerance)
    return (least + most) / 2

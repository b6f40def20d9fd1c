"""Helpers of the readers: check numbers and names, and turn what is wrong with one object into a problem."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from segments_async._caller_errors import describe
from segments_async._counting import counted
from segments_async._validators import is_count, is_number
from segments_async.errors import InputError
from segments_async.imports.shapes import Box, ImportProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from segments_async.imports.shapes import Point

MAX_COORDINATE = 1e9
"""Pixels; readers compute with floats, which cannot distinguish pixels far beyond this."""
MAX_SIDE = 1_000_000
"""Pixels of an image's width or height."""
_PLAIN = frozenset({float, int})
_MAX_ID = 2**53
"""Ids of categories are JSON numbers, which browsers read as floats."""


class UnreadableError(ValueError):
    """One object or one image of a file is broken; the message says how."""


@contextmanager
def note_problem(problems: list[ImportProblem], where: str, image: str | None = None) -> Iterator[None]:
    """Read one object; whatever this raises is recorded as a problem of that object alone."""
    try:
        yield
    except UnreadableError as error:
        problems.append(ImportProblem(where, str(error), image=image))
    except Exception as error:  # noqa: BLE001 (of whatever a file contains)
        problems.append(ImportProblem(where, f"cannot be read: {describe(error)}", image=image))


def mapping_of(value: Any) -> dict[str, Any]:
    """Return a JSON object; raise `UnreadableError` for any other value."""
    if not isinstance(value, dict):
        raise UnreadableError(f"expected an object, got {type(value).__name__}")
    return value


def text_of(value: Any, name: str) -> str:
    """Return a text that is not empty; a number is written as text."""
    if is_number(value):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise UnreadableError(f"{name}: {'missing' if value is None else f'expected a text, got {value!r}'}")
    return value


def key_of(value: Any) -> str | None:
    """
    Return the text of an id, equal for 7, 7.0 and "7", as files mix them; None if it cannot be an id.

    Example:
        >>> key_of(7.0)
        '7'
    """
    if isinstance(value, str):
        return value
    if not is_number(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def numbers_of(value: Any, name: str, count: int | None = None) -> list[float]:
    """Return a list of finite numbers, *count* if that is given; numbers in strings are read too."""
    if not isinstance(value, list | tuple) or (count is not None and len(value) != count):
        expected = "a list of numbers" if count is None else counted(count, "number")
        got = "nothing" if value is None else f"{len(value)}" if isinstance(value, list) else type(value).__name__
        raise UnreadableError(f"{name}: expected {expected}, got {got}")
    if _are_finite(value):
        return list(value)
    return [_number(part, f"{name}[{index}]") for index, part in enumerate(value)]


def _are_finite(values: Sequence[Any]) -> bool:
    """Whether all are finite numbers: quick, as most annotations are valid. A sum with NaN is NaN."""
    if not values or not _PLAIN.issuperset(map(type, values)):
        return not values
    return min(values) >= -MAX_COORDINATE and max(values) <= MAX_COORDINATE and not math.isnan(sum(values))


def _number(value: Any, name: str) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise UnreadableError(f"{name}: expected a number, got {value!r}") from None
    if not is_number(value) or not abs(value) <= MAX_COORDINATE:
        raise UnreadableError(f"{name}: expected a finite number of at most 1e9, got {value!r}")
    return value


def points_of(numbers: Sequence[float], name: str) -> list[Point]:
    """Return the points of a flat list ``x, y, x, y``."""
    if len(numbers) % 2:
        raise UnreadableError(f"{name}: expected pairs of x and y, got {counted(len(numbers), 'number')}")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def box_of(left: float, top: float, right: float, bottom: float) -> Box:
    """Return a box with its edges sorted; raises `UnreadableError` if it has no area."""
    if left == right or top == bottom:
        raise UnreadableError("the box has no area")
    return Box(min(left, right), min(top, bottom), max(left, right), max(top, bottom))


def box_or_none(given: Any) -> Box | None:
    """Return COCO's box, ``[x, y, width, height]``; None if there is none, or one without area, as around a point."""
    if given is None:
        return None
    x, y, width, height = numbers_of(given, "bbox", 4)
    return box_of(x, y, x + width, y + height) if width and height else None


def bounds_of(points: Iterable[Point]) -> Box | None:
    """Return the box around points; None if it has no area."""
    columns, rows = zip(*points, strict=True)
    box = Box(min(columns), min(rows), max(columns), max(rows))
    return box if box.left < box.right and box.top < box.bottom else None


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """Return the size of an image in pixels; None if a side is missing, 0 or not a number."""
    sides = [_side(width), _side(height)]
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def _side(value: Any) -> int:
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    is_side = is_number(value) and math.isfinite(value) and value == int(value) and 0 < value <= MAX_SIDE
    return int(value) if is_side else 0


def normalized(name: str) -> str:
    r"""
    Return the name of an image with ``/`` between folders, without what leads nowhere.

    Example:
        >>> normalized("./train\\\\rose.jpg")
        'train/rose.jpg'
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]
    return "/".join(parts)


class CategoryIds:
    """
    Give each category of a file an integer id: its own if it is one, else the next that is free.

    Args:
        keys: The ids in the file, of any type, in order.
    """

    def __init__(self, keys: Iterable[Any]) -> None:
        self._ids: dict[str | None, int] = {}
        given = list(keys)
        own = {key for key in given if is_count(key) and 0 <= key <= _MAX_ID}
        free = (number for number in range(1, len(given) + len(own) + 2) if number not in own)
        for key in given:
            text = key_of(key)
            if text is None or text in self._ids:
                problem = "a category has no id" if text is None else f"two categories have the id {key!r}"
                raise InputError(problem, path="categories")
            self._ids[text] = key if is_count(key) and key in own else next(free)

    def __getitem__(self, key: Any) -> int:
        """Return the id of a category; raises `UnreadableError` if there is no such category."""
        found = self._ids.get(key_of(key))
        if found is None:
            raise UnreadableError(f"there is no category {key!r}")
        return found

"""
Tracks of CVAT, frame by frame.

A shape of a track is valid from its frame to the next one that the track has. Between two keyframes it moves in a
straight line, and after the last one it stays until the end, as CVAT imports it. With ``outside``, the object is
absent. CVAT itself writes all frames; other tools often only keyframes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement

from segments_async.imports.cvat_shapes import points_in
from segments_async.imports.reading import numbers_of

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

HELD = "frames between keyframes whose shape is that of the keyframe before, as their points differ in number"
MOVED = "frames between keyframes whose shape is computed"
_NUMBERS = frozenset({"xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry"})
_TURN = 360


def parts_of(track: Element) -> list[list[Element]]:
    """
    Return the shapes of a track, and those of each point of a skeleton.

    CVAT writes each point of a skeleton as a track inside the track; its shapes become skeletons of one point.
    """
    inner = track.findall("track")
    own = [child for child in track if child.tag != "track" and not (inner and child.tag == "skeleton")]
    return [own, *([_skeleton(shape, part.get("label") or "") for shape in part] for part in inner)]


def _skeleton(shape: Element, label: str) -> Element:
    kept = {name: value for name, value in shape.attrib.items() if name in {"frame", "outside", "keyframe"}}
    found = Element("skeleton", kept)
    point = SubElement(found, shape.tag, {**shape.attrib, "label": label, "outside": "0"})
    point.extend(list(shape))
    return found


def whole_track(
    shapes: list[tuple[int, Element]], frames: int, changed: Counter[str]
) -> Iterator[tuple[int, Element, bool]]:
    """
    Yield the frames in which the object is present: the index, the shape, and whether it is a keyframe.

    Args:
        shapes: The shapes that the file has, sorted by the index of their frame.
        frames: How many frames there are.
        changed: Counts the frames whose shape is computed.
    """
    has_keyframes = any(_is_keyframe(shape) for _, shape in shapes)  # without any, all shapes are
    ends: list[tuple[int, Element | None]] = [*shapes, (frames, None)]
    for (index, shape), (next_index, next_shape) in pairwise(ends):
        if shape is None or shape.get("outside") == "1":
            continue
        yield index, shape, _is_keyframe(shape) or not has_keyframes
        for between in range(index + 1, next_index):
            if next_shape is None:
                yield between, shape, False
                continue
            moved = _between(shape, next_shape, (between - index) / (next_index - index))
            changed[HELD if moved is None else MOVED] += 1
            yield between, shape if moved is None else moved, False


def _is_keyframe(shape: Element) -> bool:
    return shape.get("keyframe", "1") == "1"


def _between(start: Element, end: Element, share: float) -> Element | None:
    """Return the shape between two others; None if their points differ in number."""
    if start.tag != end.tag or start.tag == "mask":
        return None
    found = Element(start.tag, dict(start.attrib))
    for name in _NUMBERS & start.attrib.keys() & end.attrib.keys():
        first, last = numbers_of([start.get(name), end.get(name)], name)
        found.set(name, repr(first + (last - first) * share))
    if "rotation" in start.attrib or "rotation" in end.attrib:
        first, last = numbers_of([start.get("rotation") or 0, end.get("rotation") or 0], "rotation")
        turn = (last - first + _TURN / 2) % _TURN - _TURN / 2
        found.set("rotation", repr(first + turn * share))
    if "points" in start.attrib:
        points = list(zip(points_in(start), points_in(end), strict=False))
        if len(points_in(start)) != len(points_in(end)):
            return None
        moved = [(x + (u - x) * share, y + (v - y) * share) for (x, y), (u, v) in points]
        found.set("points", ";".join(f"{x!r},{y!r}" for x, y in moved))
    others = {child.get("label"): child for child in end.iterfind("points")}
    for child in start:
        other = others.get(child.get("label")) if child.tag == "points" else None
        part = None if other is None else _between(child, other, share)
        found.append(child if part is None else part)
    return found


class TrackIds:
    """
    The ids of the tracks of a sequence: their own; the points of a skeleton get the next ones that are free.

    Args:
        own: All ids of the file.
    """

    def __init__(self, own: set[int]) -> None:
        self._own = own
        self._ids: dict[tuple[int, Any], int] = {}
        self._given: set[int] = set()

    def of(self, track: int, key: str | None, part: Any) -> int:
        """Return the id of a part of a track, which is the *track*-th of the file and has the id *key* there."""
        if (track, part) not in self._ids:
            own = int(key) if key is not None and key.isdecimal() else None
            if own is None or own in self._given:
                own = max(self._own | self._given, default=0) + 1
            self._given.add(own)
            self._ids[track, part] = own
        return self._ids[track, part]

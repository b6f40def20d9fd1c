"""
LabelMe: a JSON file for each image.

Source: github.com/wkentaro/labelme, and the fields that X-AnyLabeling adds. A turned rectangle becomes a polygon of
four points, a circle one of 36 points. Flags, ``group_id``, ``description`` and further fields of a shape become its
attributes, and the flags of an image attributes of the image. An image inside the file (``imageData``) is not imported.
"""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from segments_async._serialization.json import decode_json
from segments_async._validators import is_number
from segments_async.errors import DecodeError
from segments_async.imports.file_per_image import FilePerImage
from segments_async.imports.formats import Format
from segments_async.imports.reading import (
    UnreadableError,
    box_of,
    mapping_of,
    note_problem,
    numbers_of,
    size_of,
    text_of,
)
from segments_async.imports.shapes import Dot, Mask, Polygon, Polyline, Shape, SourceImage, SourceObject
from segments_async.imports.turned import CIRCLES, TURNED, ellipse_points

if TYPE_CHECKING:
    from pathlib import Path

    from segments_async.imports.peek import Peek
    from segments_async.imports.shapes import Point

EMBEDDED = "images inside the JSON files (imageData), which are not imported; pass images="
FIELDS = "fields {!r} of shapes"
FILE_FIELDS = "fields {!r} of files"
POINT_SETS = "sets of points, imported as single points"
_SHAPE_FIELDS = frozenset(
    {"label", "points", "shape_type", "flags", "attributes", "mask", "line_color", "fill_color", "group_id"}
)
_FILE_FIELDS = frozenset(
    {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", "lineColor", "fillColor"}
)
_CORNERS = 4
_PAIR = 2
_PROBED = 5
"""Maximum JSON files of a folder to inspect."""


class LabelMe(FilePerImage):
    """Reads a folder of JSON files, or one of them."""

    _suffix = ".json"

    def _image(self, file: Path) -> SourceImage:
        content = _read(file)
        if not isinstance(content.get("shapes"), list):
            raise UnreadableError("it has no list 'shapes'")
        image = SourceImage(name="", size=size_of(content.get("imageWidth"), content.get("imageHeight")))
        self._place(image, file, text_of(content.get("imagePath"), "imagePath"))
        if content.get("imageData") and image.file is None and self._user_folder is None:
            image.left_out[EMBEDDED] += 1
        image.image_attributes = dict(mapping_of(content.get("flags") or {})) or None
        for key in content.keys() - _FILE_FIELDS:
            image.left_out[FILE_FIELDS.format(key)] += int(bool(content[key]))
        for index, shape in enumerate(content["shapes"]):
            where = f"{self._shown(file)}: shapes[{index}]"
            with note_problem(image.problems, where, image.name):
                self._add(image, self._objects(mapping_of(shape), image, where))
        return image

    def _objects(self, shape: dict[str, Any], image: SourceImage, where: str) -> list[SourceObject]:
        found = _shapes_of(shape, image)
        attributes = _attributes_of(shape, image)
        make = partial(SourceObject, category=self._categories.id_of(shape.get("label")), where=where)
        return [make(shape=one, attributes=attributes or None) for one in found]


def _read(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    try:
        return mapping_of(decode_json(data))
    except DecodeError:  # another encoding, or NaN
        try:
            return mapping_of(json.loads(data))
        except ValueError as error:
            raise UnreadableError(f"is not JSON, or is truncated: {error}") from error


def _shapes_of(shape: dict[str, Any], image: SourceImage) -> list[Shape]:
    """Return the shapes of a shape of LabelMe; ``points`` are several."""
    points = _points_of(shape)
    kind = shape.get("shape_type") or "polygon"
    match kind:
        case "rectangle" | "rotation" | "oriented_rectangle":
            return [_rectangle(points, image)]
        case "circle":
            return [_circle(*_pair(points, kind), image)]
        case "mask":
            return [_mask(shape, points, image)]
        case "points":
            image.changed[POINT_SETS] += len(points) > 1
            return [Dot(point) for point in points]
    return [_simple(kind, points)]


def _simple(kind: str, points: list[Point]) -> Shape:
    match kind:
        case "polygon":
            return Polygon([points])
        case "line" | "linestrip":
            return Polyline(points)
        case "point":
            return Dot(points[0])
    raise UnreadableError(f"shape_type: LabelMe has no {kind!r}")


def _points_of(shape: dict[str, Any]) -> list[Point]:
    given = shape.get("points")
    if not isinstance(given, list) or not given:
        raise UnreadableError("points: missing")
    pairs = [numbers_of(point, f"points[{index}]", 2) for index, point in enumerate(given)]
    return [(x, y) for x, y in pairs]


def _pair(points: list[Point], kind: str) -> tuple[Point, Point]:
    if len(points) != _PAIR:
        raise UnreadableError(f"points: a {kind} has 2, got {len(points)}")
    return points[0], points[1]


def _rectangle(points: list[Point], image: SourceImage) -> Shape:
    if len(points) != _CORNERS:
        (left, top), (right, bottom) = _pair(points, "rectangle")
        return box_of(left, top, right, bottom)
    columns, rows = ({point[axis] for point in points} for axis in (0, 1))
    if len(columns) == len(rows) == _PAIR and len(set(points)) == _CORNERS:
        return box_of(min(columns), min(rows), max(columns), max(rows))
    image.changed[TURNED] += 1
    return Polygon([points], "turned boxes")


def _circle(center: Point, edge: Point, image: SourceImage) -> Shape:
    radius = math.dist(center, edge)
    if not radius:
        raise UnreadableError("the circle has no area")
    image.changed[CIRCLES] += 1
    return Polygon([ellipse_points(center, radius, radius)], "circles")


def _mask(shape: dict[str, Any], points: list[Point], image: SourceImage) -> Mask:
    (left, top), _ = _pair(points, "mask")
    data = text_of(shape.get("mask"), "mask")
    return Mask(partial(_decode, data, (round(left), round(top)), image))


def _decode(data: str, corner: tuple[int, int], image: SourceImage) -> Any:
    """Return the pixels of a mask, which is a PNG in base64 that begins at a corner."""
    from segments_async.imports.png_mask import placed_mask  # noqa: PLC0415 (an extra)

    return placed_mask(data, corner, image)


def _attributes_of(shape: dict[str, Any], image: SourceImage) -> dict[str, Any]:
    found: dict[str, Any] = {**mapping_of(shape.get("flags") or {}), **mapping_of(shape.get("attributes") or {})}
    group = shape.get("group_id")
    if group is not None:
        found["group_id"] = group
    for key, value in shape.items():
        if key in _SHAPE_FIELDS or value is None or value == "":
            continue
        if isinstance(value, str) or is_number(value) or value is True:
            found[key] = value
        elif value:
            image.left_out[FIELDS.format(key)] += 1
    return found


def _is_labelme(path: Path) -> bool:
    try:
        content = _read(path)
    except (OSError, UnreadableError):
        return False
    return isinstance(content.get("shapes"), list) and "imagePath" in content


def _recognizes(seen: Peek) -> bool:
    if seen.is_folder:
        files = [seen.path / name for name in seen.names if name.lower().endswith(".json")]
        return any(map(_is_labelme, files[:_PROBED]))
    first = seen.json.get("shapes")
    return {"shapes", "imagePath"} <= seen.json.keys() and (first is None or isinstance(first, dict))


FORMAT = Format(
    name="labelme",
    looks_like="a folder of JSON files, each with 'shapes' and 'imagePath', or one of them",
    recognizes=_recognizes,
    reader=LabelMe,
)

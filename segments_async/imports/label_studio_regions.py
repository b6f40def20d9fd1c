"""Read the regions of one annotation of Label Studio."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from segments_async.imports.reading import UnreadableError, box_of, mapping_of, note_problem, numbers_of, size_of
from segments_async.imports.shapes import Dot, Mask, Polygon, Polyline, Shape, SourceObject
from segments_async.imports.turned import ELLIPSES, TURNED, corners_of, ellipse_points, turned

if TYPE_CHECKING:
    from segments_async.imports.named_categories import NamedCategories
    from segments_async.imports.shapes import ImportProblem, Point

RELATIONS = "relations between regions"
PARENTS = "links of regions to their parents"
OTHER_RESULTS = "results of type {!r}"
MORE_LABELS = "regions of several labels: the first is the category, the attribute 'labels' has all"
_SHAPE_KEYS = ("rle", "imageDataURL", "radiusX", "points", "vertices", "height", "x")
"""What the value of a region contains, by which its shape is known."""
_ANSWERS = ("choices", "text", "rating", "number", "datetime", "taxonomy")
_DIGITS = 6
"""Decimals of a pixel that are kept: percents are written with about 14 digits."""


@define
class _Region:
    """The results with one id: a shape, its labels and what was asked about it."""

    where: str
    shape: dict[str, Any] | None = None
    labels: list[Any] = field(factory=list)
    attributes: dict[str, Any] = field(factory=dict)


class Regions:
    """
    The results of an annotation.

    Args:
        results: The ``result`` of the annotation.
        where: Its place, such as ``tasks[3].annotations[0]``.
        image: The name of the image, for problems.
    """

    def __init__(self, results: Any, where: str, image: str) -> None:
        if not isinstance(results, list):
            raise UnreadableError(f"result: expected a list, got {type(results).__name__}")
        self._image = image
        self._regions: dict[Any, _Region] = {}
        self.problems: list[ImportProblem] = []
        self.changed: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.answers: dict[str, Any] = {}
        """What was asked about the whole image."""
        self.size: tuple[int, int] | None = None
        for index, result in enumerate(results):
            place = f"{where}.result[{index}]"
            with note_problem(self.problems, place, image):
                self._add(mapping_of(result), index, place)

    def _add(self, result: dict[str, Any], index: int, where: str) -> None:
        kind = result.get("type")
        if kind == "relation":
            self.left_out[RELATIONS] += 1
            return
        value = mapping_of(result.get("value"))
        region = self._regions.setdefault(result.get("id") or f"#{index}", _Region(where))
        self.size = self.size or size_of(result.get("original_width"), result.get("original_height"))
        is_shape = any(key in value for key in _SHAPE_KEYS)
        names = [key for key in value if key.endswith("labels")]
        answers = [key for key in _ANSWERS if key in value]
        if is_shape and region.shape is None:
            region.shape = result
            if result.get("parentID"):
                self.left_out[PARENTS] += 1
        for key in names:
            region.labels += [name for name in value[key] if name not in region.labels]
        for key in answers:
            region.attributes[str(result.get("from_name") or key)] = _answer(value[key])
        if "score" in result and is_shape:
            [region.attributes["score"]] = numbers_of([result["score"]], "score")
        if text := mapping_of(result.get("meta") or {}).get("text"):
            region.attributes["text"] = _answer(text)
        if not (is_shape or answers):
            self.left_out[OTHER_RESULTS.format(kind)] += 1

    def objects(self, size: tuple[int, int] | None, categories: NamedCategories) -> list[SourceObject]:
        """Return the objects, and fill `answers`; *size* is that of the image, where the results do not state it."""
        found = []
        for region in self._regions.values():
            with note_problem(self.problems, region.where, self._image):
                if region.shape is not None:
                    found += self._object(region, region.shape, self.size or size, categories)
                elif region.attributes:
                    self.answers.update(region.attributes)
        return found

    def _object(
        self, region: _Region, result: dict[str, Any], size: tuple[int, int] | None, categories: NamedCategories
    ) -> list[SourceObject]:
        if result.get("image_rotation"):
            raise UnreadableError(f"image_rotation: {result['image_rotation']}; only upright images are read")
        if size is None:
            raise UnreadableError("original_width: missing; pass the folder of the images as 'images'")
        shape = self._shape(mapping_of(result["value"]), size)
        if shape is None:
            self.left_out[OTHER_RESULTS.format(result.get("type"))] += 1
            return []
        if not region.labels:
            raise UnreadableError("it has no label")
        if len(region.labels) > 1:
            self.changed[MORE_LABELS] += 1
            region.attributes["labels"] = ", ".join(map(str, region.labels))
        category = categories.id_of(region.labels[0])
        return [SourceObject(category=category, shape=shape, attributes=region.attributes or None, where=region.where)]

    def _shape(self, value: dict[str, Any], size: tuple[int, int]) -> Shape | None:
        """Return a shape in pixels; all coordinates are percents of the image."""
        kind = next(key for key in _SHAPE_KEYS if key in value)
        shape: Shape | None = None
        match kind:
            case "rle":
                shape = Mask(partial(_decode, value["rle"], size))
            case "radiusX":
                shape = self._ellipse(value, size)
            case "points":
                shape = Polygon([[_pixels(point, size, f"points[{i}]") for i, point in enumerate(value["points"])]])
            case "vertices":
                shape = _vector(value, size)
            case "height":
                shape = self._rectangle(value, size)
            case "x" if "y" in value:
                shape = Dot(_pixels([value["x"], value["y"]], size, "keypoint"))
        return shape

    def _rectangle(self, value: dict[str, Any], size: tuple[int, int]) -> Shape:
        x, y, width, height = _numbers(value, ("x", "y", "width", "height"))
        left, top = _pixels([x, y], size, "rectangle")
        right, bottom = _pixels([x + width, y + height], size, "rectangle")
        box = box_of(left, top, right, bottom)
        if not (degrees := _rotation(value)):
            return box
        self.changed[TURNED] += 1
        return Polygon([turned(corners_of(box), (left, top), degrees)], "turned boxes")

    def _ellipse(self, value: dict[str, Any], size: tuple[int, int]) -> Shape:
        x, y, *radii = _numbers(value, ("x", "y", "radiusX", "radiusY"))
        center, (radius_x, radius_y) = _pixels([x, y], size, "ellipse"), _pixels(radii, size, "ellipse")
        self.changed[ELLIPSES] += 1
        return Polygon([ellipse_points(center, radius_x, radius_y, _rotation(value))], "ellipses")


def _numbers(value: dict[str, Any], names: tuple[str, ...]) -> list[float]:
    return numbers_of([value.get(name) for name in names], "value")


def _rotation(value: dict[str, Any]) -> float:
    """Return degrees, clockwise: of a rectangle about its first corner, of an ellipse about its centre."""
    [degrees] = numbers_of([value.get("rotation") or 0], "rotation")
    return degrees % 360


def _pixels(percents: Any, size: tuple[int, int], name: str) -> Point:
    x, y = numbers_of(percents, name, 2)
    return round(x * size[0] / 100, _DIGITS), round(y * size[1] / 100, _DIGITS)


def _vector(value: dict[str, Any], size: tuple[int, int]) -> Shape | None:
    vertices = [mapping_of(vertex) for vertex in value["vertices"]]
    if any(vertex.get("isBezier") for vertex in vertices):
        return None
    points = [_pixels([vertex.get("x"), vertex.get("y")], size, f"vertices[{i}]") for i, vertex in enumerate(vertices)]
    return Polygon([points]) if value.get("closed") else Polyline(points)


def _answer(value: Any) -> Any:
    """Return an answer as one value: a list of texts is joined, and so is a path of a taxonomy."""
    if not isinstance(value, list):
        return value
    parts = [" / ".join(map(str, part)) if isinstance(part, list) else str(part) for part in value]
    return ", ".join(parts)


def _decode(rle: Any, size: tuple[int, int]) -> Any:
    from segments_async.imports.brush import brush_bits  # noqa: PLC0415 (an extra)

    return brush_bits(rle, size)

"""The rows of a label: one for each annotation, and one for a label without annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segments_async._arrow.columns import LABEL_COLUMNS
from segments_async.tables.moving import json_text, move, move_one, move_parts, rest_text, types_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from segments_async.tables.moving import Object, Row

MAX_REPEATED = 1_000
"""A longer `label_extra`, in characters, is only in the first row of its label."""
XYZ = ("x", "y", "z")
QUATERNION = ("qx", "qy", "qz", "qw")
SPEED = ("relative", "absolute")
BOX = ("x_min", "y_min", "x_max", "y_max")

_LABEL = types_of(
    LABEL_COLUMNS,
    [
        *("sample_uuid", "labelset", "label_type", "label_status", "score", "rating", "created_at", "created_by"),
        *("updated_at", "updated_by", "reviewed_at", "reviewed_by"),
    ],
)
_ANNOTATION = types_of(
    LABEL_COLUMNS,
    ["id", "category_id", "track_id", "is_keyframe", "index", "type", "points", "yaw", "attributes"],
)
_Place = tuple["Row", list["Object"]]
"""The columns of an image, a frame or a point cloud, and its annotations."""


def label_rows(label: Object, base: Row, categories: Mapping[int, str]) -> Iterator[Row]:
    """
    Yield the rows of a label.

    Args:
        label: The label as plain JSON, which is taken apart.
        base: Columns that the label itself does not have.
        categories: Names of categories by id.
    """
    common = dict(base)
    move(label, common, _LABEL)
    attributes = label.get("attributes")
    places = list(_places(attributes))
    if attributes == {"annotations": []}:
        del label["attributes"]  # what a row without `label_extra` means
    elif attributes is None:
        label["attributes"] = None
    extra = rest_text(label)
    is_first = True
    for place, objects in places:
        points = place.pop("point_annotations", None)
        for number, annotation in enumerate(objects):
            row = {**common, **place, "annotation_index": number}
            _move_annotation(annotation, row, categories)
            yield _with_extra(row, extra, points if number == 0 else None, is_first=is_first)
            is_first = False
        if not objects:
            yield _with_extra({**common, **place}, extra, points, is_first=True)
            return
    if is_first:
        yield _with_extra(common, extra, None, is_first=True)


def _with_extra(row: Row, extra: str | None, points: list[int] | None, *, is_first: bool) -> Row:
    if extra is not None and (is_first or len(extra) <= MAX_REPEATED):
        row["label_extra"] = extra
    if points is not None:
        row["point_annotations"] = points
    return row


def _places(attributes: Any) -> Iterator[_Place]:
    """Yield the places of a label that have annotations, and take these out of it; the others stay in it."""
    sensors = attributes.get("sensors") if type(attributes) is dict else None
    if type(sensors) is not list:
        yield from _places_of_sensor(attributes, {})
        return
    for number, sensor in enumerate(sensors):
        if type(sensor) is dict:
            row: Row = {"sensor_index": number}
            known = {key: sensor[key] for key in ("name", "task_type") if key in sensor}
            move_one(known, "name", row, "sensor", "text")
            move_one(known, "task_type", row, "sensor_type", "text")
            yield from _places_of_sensor(sensor.get("attributes"), row, is_sensor=True)


def _places_of_sensor(attributes: Any, row: Row, *, is_sensor: bool = False) -> Iterator[_Place]:
    if type(attributes) is not dict:
        return
    frames = attributes.get("frames")
    if type(frames) is not list:
        yield from _place(attributes, row, may_be_empty=not is_sensor)
        return
    for number, frame in enumerate(frames):
        if type(frame) is dict:
            yield from _place(frame, {**row, "frame": number}, may_be_empty=False)


def _place(owner: Object, row: Row, *, may_be_empty: bool) -> Iterator[_Place]:
    annotations = owner.get("annotations")
    if type(annotations) is not list or not (annotations or may_be_empty):
        return
    if any(type(annotation) is not dict for annotation in annotations):
        return
    owner["annotations"] = []
    bitmap = owner.get("segmentation_bitmap")
    if type(bitmap) is dict and bitmap.keys() == {"url"}:
        move_one(bitmap, "url", row, "bitmap_url", "text")
        if not bitmap:
            del owner["segmentation_bitmap"]
    move_one(owner, "point_annotations", row, "point_annotations", "integers")
    move_one(owner, "image_attributes", row, "image_attributes", "json")
    yield row, annotations


def _move_annotation(annotation: Object, row: Row, categories: Mapping[int, str]) -> None:
    corners = _corners(annotation)
    if corners is not None:
        row.update(zip(BOX, corners, strict=True))
        del annotation["points"]
    move(annotation, row, _ANNOTATION)
    if annotation:
        move_parts(annotation, "position", row, XYZ)
        move_parts(annotation, "dimensions", row, XYZ)
        move_parts(annotation, "rotation", row, QUATERNION)
        move_parts(annotation, "velocity", row, SPEED, nullable=["relative"])
        move_parts(annotation, "acceleration", row, SPEED, nullable=["relative"])
    if annotation:
        row["extra"] = json_text(annotation)
    if "category_id" in row:
        row["category"] = categories.get(row["category_id"])


def _corners(annotation: Object) -> list[float] | None:
    """Return the edges of a bounding box; None if it is no box, or if its corners are in another order."""
    points = annotation.get("points")
    if annotation.get("type") != "bbox" or type(points) is not list or len(points) != 2:  # noqa: PLR2004 (corners)
        return None
    try:
        (left, top), (right, bottom) = points
        edges = [left, top, right, bottom]
        if {type(edge) for edge in edges} <= {int, float} and left <= right and top <= bottom:
            return edges if all(map(_is_exact, edges)) else None
    except (TypeError, ValueError):
        pass
    return None


def _is_exact(edge: float) -> bool:
    return type(edge) is float or -(2**53) <= edge <= 2**53

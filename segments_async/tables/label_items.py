"""Make a label of its rows."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from segments_async.models import LabelPut
from segments_async.tables.label_rows import BOX, QUATERNION, SPEED, XYZ

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from segments_async.tables.categories import Categories
    from segments_async.tables.cells import TableRow

ScoreOf = Literal["same", "mean", "max", "min"]
"""How the score of a label follows from those of its rows."""
MAX_PLACES = 1_000_000
"""Frames or sensors of a label; a larger index is a mistake, such as a timestamp."""

_ANNOTATION_KEYS = ("id", "category_id", "track_id", "is_keyframe", "index", "type", "points", "yaw", "attributes")
_SIZE = ("width", "height")
_DESCRIBING = frozenset(
    {
        *_ANNOTATION_KEYS,
        *(*BOX, *_SIZE, "category", "extra", "annotation_index"),
        *(f"position_{axis}" for axis in XYZ),
    }
)
"""A row with one of these is an annotation."""
_PARTS = {
    "position": XYZ,
    "dimensions": XYZ,
    "rotation": QUATERNION,
    "velocity": SPEED,
    "acceleration": SPEED,
}
_ONE_SCORE = (
    '; a label has one score: pass score="mean", "max" or "min", or make it an attribute of each annotation with '
    'columns={"attributes.score": ...}'
)
_SCORES: Mapping[str, Callable[[list[float]], float]] = {
    "mean": lambda scores: sum(scores) / len(scores),
    "max": max,
    "min": min,
}
ATTRIBUTE = "attributes."
"""Before the name of an attribute that has a column of its own."""


@frozen
class LabelMaker:
    """
    Makes labels of rows.

    Args:
        categories: To find ids by name.
        uuids: Samples by name; None if rows have the uuid.
        score: How the score of a label follows from those of its rows.
    """

    categories: Categories
    uuids: Mapping[str, str] | None
    score: ScoreOf

    def make(self, rows: list[TableRow]) -> LabelPut:
        """
        Make the label of one sample in one labelset.

        Raises:
            InputError: A value is missing, or does not go with another one; `path` names the row.
        """
        first = rows[0]
        label: dict[str, Any] = _agreed(rows, "label_extra") or {}
        places = _Places(label.get("attributes"), is_new="attributes" not in label)
        for row in rows:
            self._add(row, places)
        extra_score = label.get("score")
        return LabelPut(
            self._uuid_of(first),
            places.finish(),
            labelset=_agreed(rows, "labelset"),
            label_status=_agreed(rows, "label_status"),
            score=extra_score if extra_score is not None else self._score_of(rows),
        )

    def _uuid_of(self, row: TableRow) -> str:
        if self.uuids is None:
            uuid: str | None = row.values.get("sample_uuid")
            if uuid is None:
                raise row.error("no sample", "sample_uuid")
            return uuid
        name = row.values.get("sample_name")
        if name is None:
            raise row.error("no sample", "sample_name")
        if name not in self.uuids:
            raise row.error(f"no sample has the name {name!r}", "sample_name")
        return self.uuids[name]

    def _score_of(self, rows: list[TableRow]) -> float | None:
        if self.score == "same":
            score: float | None = _agreed(rows, "score", _ONE_SCORE)
            return score
        scores = [row.values["score"] for row in rows if "score" in row.values]
        return _SCORES[self.score](scores) if scores else None

    def _add(self, row: TableRow, places: _Places) -> None:
        place = places.of(row)
        for name, key in (("image_attributes", "image_attributes"), ("point_annotations", "point_annotations")):
            places.set(row, place, name, key, row.values.get(name))
        url = row.values.get("bitmap_url")
        places.set(row, place, "bitmap_url", "segmentation_bitmap", None if url is None else {"url": url})
        if any(name in _DESCRIBING or name.startswith(ATTRIBUTE) for name in row.values):
            places.append(row, place, self._annotation(row))

    def _annotation(self, row: TableRow) -> dict[str, Any]:
        values = row.values
        annotation = {key: values[key] for key in _ANNOTATION_KEYS if key in values}
        _set_box(annotation, row)
        for name, parts in _PARTS.items():
            _set_parts(annotation, row, name, parts)
        if "position" in annotation:
            annotation.setdefault("type", "cuboid")
        attributes = {
            name.removeprefix(ATTRIBUTE): value for name, value in values.items() if name.startswith(ATTRIBUTE)
        }
        if attributes:
            annotation["attributes"] = {**annotation.get("attributes", {}), **attributes}
        annotation.update(values.get("extra", {}))
        self._set_category(annotation, row)
        if "annotation_index" not in values:  # else it was an annotation before, maybe of an unknown kind
            _check_complete(annotation, row)
        return annotation

    def _set_category(self, annotation: dict[str, Any], row: TableRow) -> None:
        name = row.values.get("category")
        if name is None or not (self.categories.names or "category_id" not in annotation):
            return
        try:
            id_ = self.categories.id_of(name)
        except ValueError as error:
            raise row.error(getattr(error, "problem", str(error)), "category") from None
        if annotation.setdefault("category_id", id_) != id_:
            raise row.error(f"category {name!r} has the id {id_}, not {annotation['category_id']}", "category_id")


def _check_complete(annotation: dict[str, Any], row: TableRow) -> None:
    if "category_id" not in annotation:
        raise row.error("no category", "category_id")
    if "points" in annotation and "type" not in annotation:
        raise row.error('points need a type, such as "polygon"', "type")


def _agreed(rows: list[TableRow], name: str, hint: str = "") -> Any:
    """Return the value that all rows of a label have, or do not have."""
    found: TableRow | None = None
    for row in rows:
        if name in row.values:
            if found is not None and row.values[name] != found.values[name]:
                both = f"{row.values[name]!r}, but {found.values[name]!r} in row {found.number} of the same label"
                raise row.error(f"{both}{hint}", name)
            found = found or row
    return None if found is None else found.values[name]


def _set_box(annotation: dict[str, Any], row: TableRow) -> None:
    given = [name for name in (*BOX, *_SIZE) if name in row.values]
    if not given:
        return
    if "points" in annotation:
        raise row.error("an annotation has either points or edges", given[0])
    box = {name: row.values[name] for name in given}
    for edge, start, size in (("x_max", "x_min", "width"), ("y_max", "y_min", "height")):
        if size in box and start in box and edge not in box:
            box[edge] = box[start] + box[size]
    missing = [name for name in BOX if name not in box]
    if missing:
        raise row.error(f"a box needs {', '.join(missing)} too", given[0])
    for low, high in (("x_min", "x_max"), ("y_min", "y_max")):
        if box[low] > box[high]:
            raise row.error(f"{low} {box[low]!r} is greater than {high} {box[high]!r}", low)
    annotation.setdefault("type", "bbox")
    annotation["points"] = [[box["x_min"], box["y_min"]], [box["x_max"], box["y_max"]]]


def _set_parts(annotation: dict[str, Any], row: TableRow, name: str, parts: tuple[str, ...]) -> None:
    found = {part: row.values.get(f"{name}_{part}") for part in parts}
    if all(value is None for value in found.values()):
        return
    missing = [part for part, value in found.items() if value is None and part != "relative"]
    if missing:
        raise row.error(f"{name} needs {', '.join(missing)} too", f"{name}_{missing[0]}")
    annotation[name] = found


class _Places:
    """The sensors and frames of a label, where its annotations go."""

    def __init__(self, attributes: Any, *, is_new: bool) -> None:
        self._attributes = {} if is_new else attributes
        self._is_new = is_new
        self._annotations: dict[int, list[tuple[TableRow, dict[str, Any]]]] = {}
        self._owners: dict[int, dict[str, Any]] = {}
        self._set_by: dict[tuple[int, str], TableRow] = {}

    def of(self, row: TableRow) -> Any:
        """Return the image, frame or point cloud of a row, which is made if it does not exist."""
        owner = self._attributes
        if not isinstance(owner, dict):
            return owner
        sensor, name = row.values.get("sensor_index"), row.values.get("sensor")
        if sensor is not None or name is not None:
            owner = _sensor_of(owner, row, sensor, name)
        frame = row.values.get("frame")
        return owner if frame is None else _item_of(owner, "frames", frame, row, "frame", {"annotations": []})

    def set(self, row: TableRow, owner: Any, name: str, key: str, value: Any) -> None:
        """Set a value of a place, which other rows may have set to the same."""
        if value is None:
            return
        _check_object(owner, row)
        if owner.setdefault(key, value) != value:
            before = self._set_by.get((id(owner), key))
            where = "label_extra" if before is None else f"row {before.number}"
            raise row.error(f"another value than in {where}, of the same image or frame", name)
        self._set_by[id(owner), key] = row

    def append(self, row: TableRow, owner: Any, annotation: dict[str, Any]) -> None:
        """Add an annotation to a place."""
        _check_object(owner, row)
        self._owners[id(owner)] = owner
        self._annotations.setdefault(id(owner), []).append((row, annotation))

    def finish(self) -> Any:
        """Return the attributes, with the annotations in order and with ids."""
        if self._is_new and not self._attributes.keys() & {"frames", "sensors"}:
            self._attributes.setdefault("annotations", [])
        taken = {a.get("id") for entries in self._annotations.values() for _, a in entries}
        free = (number for number in count(1) if number not in taken)
        for key, entries in self._annotations.items():
            if all("annotation_index" in row.values for row, _ in entries):
                entries.sort(key=lambda entry: entry[0].values["annotation_index"])
            for row, annotation in entries:
                if "id" not in annotation and "annotation_index" not in row.values:
                    annotation["id"] = annotation["track_id"] if "track_id" in annotation else next(free)
            self._owners[key]["annotations"] = [annotation for _, annotation in entries]
        return self._attributes


def _check_object(owner: Any, row: TableRow) -> None:
    if not isinstance(owner, dict):
        raise row.error("the label has no place for this row", "label_extra")


def _sensor_of(attributes: dict[str, Any], row: TableRow, index: int | None, name: str | None) -> Any:
    """Return the attributes of a sensor; without an index, sensors are in the order in which rows name them."""
    sensors = attributes.setdefault("sensors", [])
    if index is None:
        names = [sensor.get("name") for sensor in sensors if isinstance(sensor, dict)]
        index = names.index(name) if name in names else len(sensors)
    sensor = _item_of(attributes, "sensors", index, row, "sensor_index", {})
    _check_object(sensor, row)
    for key, column in (("name", "sensor"), ("task_type", "sensor_type")):
        value = row.values.get(column)
        if value is not None and sensor.setdefault(key, value) != value:
            raise row.error(f"sensor {index} has the {key} {sensor[key]!r}", column)
    if not isinstance(sensor.get("attributes"), dict):
        sensor["attributes"] = {}
    return sensor["attributes"]


def _item_of(owner: Any, key: str, index: int, row: TableRow, name: str, empty: dict[str, Any]) -> Any:
    _check_object(owner, row)
    items = owner.setdefault(key, [])
    if not isinstance(items, list):
        raise row.error("the label has no place for this row", "label_extra")
    if not 0 <= index < MAX_PLACES:
        raise row.error(f"expected an index from 0 to {MAX_PLACES - 1:,}, got {index:,}", name)
    while len(items) <= index:
        items.append({item: list(value) for item, value in empty.items()})
    return items[index]

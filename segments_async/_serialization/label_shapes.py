"""
Why JSON is not a label of a known type, which decides whether it is sent.

Reading keeps every shape, as the service adds types without notice. What is sent must fit one: the service stores any
JSON, and other programs may then be unable to read the dataset. Annotations of an unknown type are sent unchecked, and
so is the ``{}`` or ``[]`` that the service itself stores where nothing is labelled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from segments_async._serialization.converter import read_value
from segments_async._serialization.json import to_plain
from segments_async._serialization.mismatch import StructureError
from segments_async.models import (
    ImageSequenceVectorAnnotation,
    ImageVectorAnnotation,
    MultiSensorLabelAttributes,
    PointcloudCuboidAnnotation,
    PointcloudSequenceCuboidAnnotation,
    PointcloudSequenceVectorAnnotation,
    PointcloudVectorAnnotation,
)
from segments_async.models._base import Model
from segments_async.models.label_attributes import (
    FrameLabelAttributes,
    SequenceLabelAttributes,
    choose_label_attributes,
    class_of_task_type,
    kind_of_annotation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_SINGLE: dict[str, type[Model]] = {
    "image": ImageVectorAnnotation,
    "cuboid": PointcloudCuboidAnnotation,
    "vector": PointcloudVectorAnnotation,
}
_IN_SEQUENCE: dict[str, type[Model]] = {
    "image": ImageSequenceVectorAnnotation,
    "cuboid": PointcloudSequenceCuboidAnnotation,
    "vector": PointcloudSequenceVectorAnnotation,
}
_PARTS_OF_A_FRAME = ("annotations", "segmentation_bitmap", "point_annotations")
_SHAPES = frozenset({"points", "position", "dimensions"})
_NO_TYPE = "missing; only annotations of a segmentation ('segmentation_bitmap', 'point_annotations') have none"


def refuse_misfit(attributes: Any) -> None:
    """
    Refuse attributes of a label that were read as none of the known types.

    Args:
        attributes: As `read_value` returned them: a model, or the JSON that it kept.

    Raises:
        StructureError: They fit no type.
    """
    if isinstance(attributes, MultiSensorLabelAttributes):
        _each("sensors", attributes.sensors, _refuse_sensor)
    elif attributes and not isinstance(attributes, Model):
        _refuse_plain(to_plain(attributes))


def refuse_other_type(attributes: Any, task_type: str) -> None:
    """
    Refuse JSON that is not a label of *task_type*; an unknown task type has any.

    Raises:
        StructureError: It is not.
    """
    model = class_of_task_type(task_type)
    if model is None or _is_unlabelled(attributes, model):
        return
    other = choose_label_attributes({}, attributes)
    try:
        read_value(attributes, model)
    except StructureError as error:
        if other is None and error.is_of_unknown_kind:
            return
        if other not in (None, model):
            name = getattr(other, "__name__", "")
            raise StructureError(
                f"the task type is {task_type!r}: expected {model.__name__}, got what looks like {name}"
            ) from None
        raise


def _is_unlabelled(attributes: Any, model: type[Model]) -> bool:
    """Whether nothing is labelled in attributes that would be of *model*."""
    if not isinstance(attributes, dict):
        return False
    if issubclass(model, get_args(FrameLabelAttributes)):
        return attributes.get("annotations") == []
    frames = attributes.get("frames") if issubclass(model, get_args(SequenceLabelAttributes)) else None
    return isinstance(frames, list) and all(isinstance(one, dict) and one.get("annotations") == [] for one in frames)


def _refuse_sensor(sensor: Any) -> None:
    if sensor.attributes and not isinstance(sensor.attributes, Model):
        under("attributes", partial(refuse_other_type, sensor.attributes, sensor.task_type))


def _refuse_plain(attributes: Any) -> None:
    _require(attributes, dict, "an object")
    if "sensors" in attributes:
        read_value(attributes, MultiSensorLabelAttributes)
    elif "frames" in attributes:
        _require_at("frames", attributes["frames"], list, "a list")
        kinds: set[str] = set()
        _each("frames", attributes["frames"], partial(_refuse_frame, classes=_IN_SEQUENCE, kinds=kinds))
    elif any(part in attributes for part in _PARTS_OF_A_FRAME):
        _refuse_frame(attributes, classes=_SINGLE, kinds=set())
    elif "image_attributes" not in attributes:
        raise StructureError("expected an object with 'annotations', 'frames' or 'sensors'")


def _refuse_frame(frame: Any, *, classes: dict[str, type[Model]], kinds: set[str]) -> None:
    _require(frame, dict, "an object")
    annotations = frame.get("annotations")
    _require_at("annotations", annotations, list, "a list", missing="annotations" not in frame)
    _each("annotations", annotations, partial(_refuse_annotation, classes=classes, kinds=kinds))


def _refuse_annotation(annotation: Any, *, classes: dict[str, type[Model]], kinds: set[str]) -> None:
    """Refuse an annotation that does not fit its class, or those before it, whose *kinds* are collected."""
    _require(annotation, dict, "an object")
    if "type" not in annotation:
        if not _may_lack_type(annotation):
            under("type", partial(_fail, _NO_TYPE))
        return
    _require_at("type", annotation["type"], str, "a string")
    kind = kind_of_annotation(annotation)
    if kind is None:
        return
    read_value(annotation, classes[kind])
    if kind == "cuboid" or annotation["points"]:  # no points fit an image and a point cloud
        kinds.add(kind)
    if len(kinds) > 1 and "image" in kinds:
        under("type", partial(_fail, f"no type of label has {annotation['type']!r} beside the annotations before it"))


def _may_lack_type(annotation: dict[str, Any]) -> bool:
    """Whether it may be one of text (``start``, ``end``), or of a frame of a segmentation whose bitmap is missing."""
    if _SHAPES.isdisjoint(annotation):
        return "id" not in annotation or "track_id" in annotation
    return False


def _require(value: Any, kind: type, words: str) -> None:
    if type(value) is not kind:
        raise StructureError(f"expected {words}, got {'null' if value is None else type(value).__name__}")


def _require_at(step: str, value: Any, kind: type, words: str, *, missing: bool = False) -> None:
    under(step, partial(_fail, "missing") if missing else partial(_require, value, kind, words))


def _each(key: str, items: list[Any], refuse: Callable[[Any], None]) -> None:
    for index, item in enumerate(items):
        under(key, partial(under, index, partial(refuse, item)))


def under(step: str | int, refuse: Callable[[], None]) -> None:
    """Call *refuse*, and add *step* to the location of its StructureError."""
    try:
        refuse()
    except StructureError as error:
        error.steps.append(step)
        raise


def _fail(problem: str) -> None:
    raise StructureError(problem)

"""
The eleven shapes of label attributes, how they are told apart, and what they hold.

A tag tells: a label's ``label_type``, a sensor's ``task_type``. Without one, as in what a caller hands in, it is
the shape. Source: docs.segments.ai/reference/label-types, and the official SDK.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from attrs import define, field

from segments_async.models._base import Model, chosen_by, has_essentials
from segments_async.models.annotations import Annotation, Link
from segments_async.models.enums import ImageVectorAnnotationType, PointcloudCuboidAnnotationType, TaskType
from segments_async.models.image_labels import (
    ImageSegmentationLabelAttributes,
    ImageSequenceSegmentationFrame,
    ImageSequenceSegmentationLabelAttributes,
    ImageSequenceVectorLabelAttributes,
    ImageVectorFrame,
    ImageVectorLabelAttributes,
)
from segments_async.models.pointcloud_labels import (
    PointcloudCuboidLabelAttributes,
    PointcloudSegmentationFrame,
    PointcloudSegmentationLabelAttributes,
    PointcloudSequenceCuboidFrame,
    PointcloudSequenceCuboidLabelAttributes,
    PointcloudSequenceSegmentationLabelAttributes,
    PointcloudSequenceVectorFrame,
    PointcloudSequenceVectorLabelAttributes,
    PointcloudVectorLabelAttributes,
)

FrameLabelAttributes = (
    ImageSegmentationLabelAttributes
    | ImageVectorLabelAttributes
    | PointcloudCuboidLabelAttributes
    | PointcloudSegmentationLabelAttributes
    | PointcloudVectorLabelAttributes
)
"""The shapes of one image or one point cloud: they have `annotations`."""
SequenceLabelAttributes = (
    ImageSequenceSegmentationLabelAttributes
    | ImageSequenceVectorLabelAttributes
    | PointcloudSequenceCuboidLabelAttributes
    | PointcloudSequenceSegmentationLabelAttributes
    | PointcloudSequenceVectorLabelAttributes
)
"""The shapes of sequences: they have `frames`, which have `annotations`."""
_Frame = (
    ImageSequenceSegmentationFrame
    | ImageVectorFrame
    | PointcloudSegmentationFrame
    | PointcloudSequenceCuboidFrame
    | PointcloudSequenceVectorFrame
)

_BY_SENSOR_TAG: dict[str, type[Model]] = {
    TaskType.BBOXES: ImageVectorLabelAttributes,
    TaskType.IMAGE_SEGMENTATION_SEQUENCE: ImageSequenceSegmentationLabelAttributes,
    TaskType.IMAGE_VECTOR_SEQUENCE: ImageSequenceVectorLabelAttributes,
    TaskType.KEYPOINTS: ImageVectorLabelAttributes,
    TaskType.POINTCLOUD_CUBOID: PointcloudCuboidLabelAttributes,
    TaskType.POINTCLOUD_CUBOID_SEQUENCE: PointcloudSequenceCuboidLabelAttributes,
    TaskType.POINTCLOUD_SEGMENTATION: PointcloudSegmentationLabelAttributes,
    TaskType.POINTCLOUD_SEGMENTATION_SEQUENCE: PointcloudSequenceSegmentationLabelAttributes,
    TaskType.POINTCLOUD_VECTOR: PointcloudVectorLabelAttributes,
    TaskType.POINTCLOUD_VECTOR_SEQUENCE: PointcloudSequenceVectorLabelAttributes,
    TaskType.SEGMENTATION_BITMAP: ImageSegmentationLabelAttributes,
    TaskType.SEGMENTATION_BITMAP_HIGHRES: ImageSegmentationLabelAttributes,
    TaskType.VECTOR: ImageVectorLabelAttributes,
}


def _choose_sensor(sensor: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    tag = sensor.get("task_type")
    return _if_complete(_BY_SENSOR_TAG.get(tag) if isinstance(tag, str) else None, attributes)


@define(kw_only=True)
class LabelSensor(Model):
    """What was labelled of one sensor. Source: docs.segments.ai/reference/label-types."""

    name: str
    """The sensor's name, as in the sample."""
    task_type: str
    """One of `TaskType`; says what shape `attributes` have."""
    attributes: SequenceLabelAttributes | FrameLabelAttributes | dict[str, Any] | list[Any] = field(
        metadata=chosen_by(_choose_sensor)
    )
    """The label of this sensor; ``[]`` if it is unlabelled, JSON as it came if it is of an unknown shape."""


@define(kw_only=True)
class MultiSensorLabelAttributes(Model):
    """
    The labels of several sensors. Source: docs.segments.ai/reference/label-types.

    Example:
        >>> lidar = LabelSensor(name="Lidar", task_type="pointcloud-cuboid-sequence", attributes=[])
        >>> MultiSensorLabelAttributes(sensors=[lidar]).sensors[0].name
        'Lidar'
    """

    sensors: list[LabelSensor]
    """One for each sensor of the sample, in the sample's order: the service goes by it, not by the names."""
    links: list[Link] | None = None
    """Which objects belong together, across sensors too."""


LabelAttributes = (
    FrameLabelAttributes | SequenceLabelAttributes | MultiSensorLabelAttributes | dict[str, Any] | list[Any]
)
"""A known shape, or JSON as it came: an unknown shape, or the ``{}`` or ``[]`` of an unlabelled sample."""

_BY_TAG = {**_BY_SENSOR_TAG, TaskType.MULTISENSOR_SEQUENCE: MultiSensorLabelAttributes}


def choose_label_attributes(label: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    """Know label attributes by the label's type, or, where it is not told, by their shape; None leaves them plain."""
    tag = label.get("label_type")
    return _if_complete(_BY_TAG.get(tag) if isinstance(tag, str) and tag else _by_shape(attributes), attributes)


def _if_complete(model: type[Model] | None, attributes: Any) -> type[Model] | None:
    if model is None or not attributes:
        return None
    # What lacks an essential part is another shape; a list with something in it is a mistake to be reported.
    return model if has_essentials(attributes, model) or not isinstance(attributes, dict) else None


def _by_shape(attributes: Any) -> type[Model] | None:
    if not isinstance(attributes, dict):
        return None
    if isinstance(attributes.get("sensors"), list):
        return MultiSensorLabelAttributes
    frames = attributes.get("frames")
    if isinstance(frames, list):
        kind = _kind_of(frames)
        return None if kind is None else _BY_KIND[kind].sequence
    kind = _kind_of([attributes])
    return None if kind is None else _BY_KIND[kind].alone


class _Shapes(NamedTuple):
    alone: type[Model]
    sequence: type[Model]


_BY_KIND = {
    "bitmap": _Shapes(ImageSegmentationLabelAttributes, ImageSequenceSegmentationLabelAttributes),
    "points": _Shapes(PointcloudSegmentationLabelAttributes, PointcloudSequenceSegmentationLabelAttributes),
    "image": _Shapes(ImageVectorLabelAttributes, ImageSequenceVectorLabelAttributes),
    "cuboid": _Shapes(PointcloudCuboidLabelAttributes, PointcloudSequenceCuboidLabelAttributes),
    "vector": _Shapes(PointcloudVectorLabelAttributes, PointcloudSequenceVectorLabelAttributes),
}
"""How the kinds that `_kind_of` tells apart are labelled."""


def _kind_of(frames: list[Any]) -> str | None:
    kinds: set[str | None] = set()
    for frame in frames:
        if _part(frame, "segmentation_bitmap") is not None:
            return "bitmap"
        if _part(frame, "point_annotations") is not None:
            return "points"
        annotations = _part(frame, "annotations")
        if annotations is None:
            return None
        kinds.update(map(_kind_of_annotation, annotations if isinstance(annotations, list | tuple) else ()))
    if kinds == {"cuboid", "vector"}:  # what is drawn in a point cloud may stand beside boxes
        return "vector"
    return kinds.pop() if len(kinds) == 1 else None


def _kind_of_annotation(annotation: Any) -> str | None:
    word = _part(annotation, "type")
    if word in tuple(PointcloudCuboidAnnotationType):
        return "cuboid"
    if word not in tuple(ImageVectorAnnotationType):
        return None
    points = _part(annotation, "points")
    in_space = isinstance(points, list) and points and isinstance(points[0], list) and len(points[0]) > 2  # noqa: PLR2004
    return "vector" if in_space else "image"


def _part(thing: Any, key: str) -> Any:
    """Look into JSON, or into a model that a caller put among it."""
    return (
        thing.get(key) if isinstance(thing, dict) else getattr(thing, key, None) if isinstance(thing, Model) else None
    )


def annotations_of(
    attributes: LabelAttributes | None, sensor: str | None = None
) -> Iterator[tuple[str | None, int | None, Annotation]]:
    """Go through the annotations of known shapes, with the sensor and the frame that each is in."""
    if isinstance(attributes, MultiSensorLabelAttributes):
        for part in attributes.sensors:
            yield from annotations_of(part.attributes, part.name)
    elif isinstance(attributes, SequenceLabelAttributes):
        frames: Sequence[_Frame] = attributes.frames
        for index, frame in enumerate(frames):
            yield from _typed(frame.annotations, sensor, index)
    elif isinstance(attributes, FrameLabelAttributes):
        yield from _typed(attributes.annotations, sensor, None)


def _typed(
    annotations: Sequence[Annotation | dict[str, Any]], sensor: str | None, frame: int | None
) -> Iterator[tuple[str | None, int | None, Annotation]]:
    for annotation in annotations:
        if isinstance(annotation, Annotation):
            yield sensor, frame, annotation

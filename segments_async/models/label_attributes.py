"""
The eleven types of label attributes, and how to distinguish them.

The tag of a label (``label_type``) or of a sensor (``task_type``) determines the type. Without a tag, as in
arguments, the keys of the attributes determine it.

Source: docs.segments.ai/reference/label-types, and the official SDK.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from attrs import define, field

from segments_async.models._base import Model, chosen_by, has_required_keys
from segments_async.models._other_names import name_inner_fields, name_other_fields
from segments_async.models._typed import name_types, typed
from segments_async.models.annotations import Annotation, Link
from segments_async.models.enums import ImageVectorAnnotationType, PointcloudCuboidAnnotationType, TaskType
from segments_async.models.image_labels import (
    ImageSegmentationLabelAttributes,
    ImageSequenceSegmentationFrame,
    ImageSequenceSegmentationLabelAttributes,
    ImageSequenceVectorLabelAttributes,
    ImageVectorAnnotation,
    ImageVectorFrame,
    ImageVectorLabelAttributes,
)
from segments_async.models.pointcloud_labels import (
    PointcloudCuboidAnnotation,
    PointcloudCuboidLabelAttributes,
    PointcloudSegmentationFrame,
    PointcloudSegmentationLabelAttributes,
    PointcloudSequenceCuboidFrame,
    PointcloudSequenceCuboidLabelAttributes,
    PointcloudSequenceSegmentationLabelAttributes,
    PointcloudSequenceVectorFrame,
    PointcloudSequenceVectorLabelAttributes,
    PointcloudVectorAnnotation,
    PointcloudVectorLabelAttributes,
)

FrameLabelAttributes = (
    ImageSegmentationLabelAttributes
    | ImageVectorLabelAttributes
    | PointcloudCuboidLabelAttributes
    | PointcloudSegmentationLabelAttributes
    | PointcloudVectorLabelAttributes
)
"""Attributes of a single image or point cloud: they have `annotations`."""
SequenceLabelAttributes = (
    ImageSequenceSegmentationLabelAttributes
    | ImageSequenceVectorLabelAttributes
    | PointcloudSequenceCuboidLabelAttributes
    | PointcloudSequenceSegmentationLabelAttributes
    | PointcloudSequenceVectorLabelAttributes
)
"""Attributes of sequences: they have `frames`, which have `annotations`."""
_Frame = (
    ImageSequenceSegmentationFrame
    | ImageVectorFrame
    | PointcloudSegmentationFrame
    | PointcloudSequenceCuboidFrame
    | PointcloudSequenceVectorFrame
)

_CLASS_BY_TASK_TYPE: dict[str, type[Model]] = {
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


def _choose_sensor_attributes(sensor: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    tag = sensor.get("task_type")
    return _unless_incomplete(_CLASS_BY_TASK_TYPE.get(tag) if isinstance(tag, str) else None, attributes)


class HasSensorLabelAttributes:
    """Properties for the `attributes` of each type of label of one sensor; another one raises `WrongTypeError`."""

    __slots__ = ()

    @property
    def segmentation(self) -> "ImageSegmentationLabelAttributes":
        """The segmentation of an image."""
        return typed(self, "segmentation", ImageSegmentationLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def vector(self) -> "ImageVectorLabelAttributes":
        """The bounding boxes, polygons, polylines and points of an image."""
        return typed(self, "vector", ImageVectorLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def segmentation_sequence(self) -> "ImageSequenceSegmentationLabelAttributes":
        """The segmentation of a sequence of images."""
        return typed(self, "segmentation_sequence", ImageSequenceSegmentationLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def vector_sequence(self) -> "ImageSequenceVectorLabelAttributes":
        """The bounding boxes, polygons, polylines and points of a sequence of images."""
        return typed(self, "vector_sequence", ImageSequenceVectorLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def pointcloud_cuboid(self) -> "PointcloudCuboidLabelAttributes":
        """The cuboids of a point cloud."""
        return typed(self, "pointcloud_cuboid", PointcloudCuboidLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def pointcloud_segmentation(self) -> "PointcloudSegmentationLabelAttributes":
        """The segmentation of a point cloud."""
        return typed(self, "pointcloud_segmentation", PointcloudSegmentationLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def pointcloud_vector(self) -> "PointcloudVectorLabelAttributes":
        """The polygons, polylines and points of a point cloud."""
        return typed(self, "pointcloud_vector", PointcloudVectorLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def pointcloud_cuboid_sequence(self) -> "PointcloudSequenceCuboidLabelAttributes":
        """The cuboids of a sequence of point clouds."""
        return typed(self, "pointcloud_cuboid_sequence", PointcloudSequenceCuboidLabelAttributes, _PROPERTY_BY_CLASS)

    @property
    def pointcloud_segmentation_sequence(self) -> "PointcloudSequenceSegmentationLabelAttributes":
        """The segmentation of a sequence of point clouds."""
        return typed(
            self, "pointcloud_segmentation_sequence", PointcloudSequenceSegmentationLabelAttributes, _PROPERTY_BY_CLASS
        )

    @property
    def pointcloud_vector_sequence(self) -> "PointcloudSequenceVectorLabelAttributes":
        """The polygons, polylines and points of a sequence of point clouds."""
        return typed(self, "pointcloud_vector_sequence", PointcloudSequenceVectorLabelAttributes, _PROPERTY_BY_CLASS)


class HasLabelAttributes(HasSensorLabelAttributes):
    """Properties for the `attributes` of each type of label; another one raises `WrongTypeError`."""

    __slots__ = ()

    @property
    def multisensor(self) -> "MultiSensorLabelAttributes":
        """The labels of several sensors."""
        return typed(self, "multisensor", MultiSensorLabelAttributes, _PROPERTY_BY_CLASS)


@define(kw_only=True)
class LabelSensor(HasSensorLabelAttributes, Model):
    """The label of one sensor. Source: docs.segments.ai/reference/label-types."""

    name: str
    """The name of the sensor, as in the sample; empty if it has none, which joins it by position."""
    task_type: str
    """One of `TaskType`; determines the type of `attributes`."""
    attributes: SequenceLabelAttributes | FrameLabelAttributes | dict[str, Any] | list[Any] = field(
        metadata=chosen_by(_choose_sensor_attributes)
    )
    """The label of the sensor; ``[]`` if it is unlabelled, plain JSON if its type is unknown."""


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
    """
    One for each sensor of the sample, in the order of the sample: the service matches by order, not by name. This
    package matches by name (`Label.annotations`), and logs a warning where the two disagree.
    """
    links: list[Link] | None = None
    """Links between objects, also across sensors."""


_PROPERTY_BY_CLASS: dict[type[Model], str] = {
    ImageSegmentationLabelAttributes: "segmentation",
    ImageVectorLabelAttributes: "vector",
    ImageSequenceSegmentationLabelAttributes: "segmentation_sequence",
    ImageSequenceVectorLabelAttributes: "vector_sequence",
    PointcloudCuboidLabelAttributes: "pointcloud_cuboid",
    PointcloudSegmentationLabelAttributes: "pointcloud_segmentation",
    PointcloudVectorLabelAttributes: "pointcloud_vector",
    PointcloudSequenceCuboidLabelAttributes: "pointcloud_cuboid_sequence",
    PointcloudSequenceSegmentationLabelAttributes: "pointcloud_segmentation_sequence",
    PointcloudSequenceVectorLabelAttributes: "pointcloud_vector_sequence",
    MultiSensorLabelAttributes: "multisensor",
}

LabelAttributes = (
    FrameLabelAttributes | SequenceLabelAttributes | MultiSensorLabelAttributes | dict[str, Any] | list[Any]
)
"""Attributes of a known type, or plain JSON: an unknown type, or the ``{}`` or ``[]`` of an unlabelled sample."""

_CLASS_BY_LABEL_TYPE = {**_CLASS_BY_TASK_TYPE, TaskType.MULTISENSOR_SEQUENCE: MultiSensorLabelAttributes}
name_types(HasLabelAttributes, _CLASS_BY_LABEL_TYPE, _PROPERTY_BY_CLASS)
name_inner_fields(
    HasSensorLabelAttributes,
    {model: name for model, name in _PROPERTY_BY_CLASS.items() if hasattr(HasSensorLabelAttributes, name)},
)
name_inner_fields(HasLabelAttributes, _PROPERTY_BY_CLASS)
name_other_fields([Annotation, ImageVectorAnnotation, PointcloudCuboidAnnotation, PointcloudVectorAnnotation])
name_other_fields([*get_args(_Frame), *_PROPERTY_BY_CLASS])


def class_of_task_type(task_type: object) -> type[Model] | None:
    """Return the class of the labels of a task type; None if it is unknown."""
    return _CLASS_BY_LABEL_TYPE.get(task_type) if isinstance(task_type, str) else None


def choose_label_attributes(label: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    """Choose the class by the type of the label, or by the keys if it has none; None leaves plain JSON."""
    tag = label.get("label_type")
    return _unless_incomplete(
        _CLASS_BY_LABEL_TYPE.get(tag) if isinstance(tag, str) and tag else _choose_by_keys(attributes), attributes
    )


def _unless_incomplete(model: type[Model] | None, attributes: Any) -> type[Model] | None:
    if model is None or not attributes:
        return None
    # Without a required key, it is another type; a non-empty list is an error to report.
    return model if has_required_keys(attributes, model) or not isinstance(attributes, dict) else None


def _choose_by_keys(attributes: Any) -> type[Model] | None:
    if not isinstance(attributes, dict):
        return None
    if isinstance(attributes.get("sensors"), list):
        return MultiSensorLabelAttributes
    frames = attributes.get("frames")
    if isinstance(frames, list):
        kind = _kind_of(frames)
        return None if kind is None else _CLASSES_BY_KIND[kind].sequence
    kind = _kind_of([attributes])
    return None if kind is None else _CLASSES_BY_KIND[kind].frame


class _Classes(NamedTuple):
    frame: type[Model]
    sequence: type[Model]


_CLASSES_BY_KIND = {
    "bitmap": _Classes(ImageSegmentationLabelAttributes, ImageSequenceSegmentationLabelAttributes),
    "points": _Classes(PointcloudSegmentationLabelAttributes, PointcloudSequenceSegmentationLabelAttributes),
    "image": _Classes(ImageVectorLabelAttributes, ImageSequenceVectorLabelAttributes),
    "cuboid": _Classes(PointcloudCuboidLabelAttributes, PointcloudSequenceCuboidLabelAttributes),
    "vector": _Classes(PointcloudVectorLabelAttributes, PointcloudSequenceVectorLabelAttributes),
}
"""The classes for each result of `_kind_of`."""


def _kind_of(frames: list[Any]) -> str | None:
    kinds: set[str | None] = set()
    for frame in frames:
        if _get(frame, "segmentation_bitmap") is not None:
            return "bitmap"
        if _get(frame, "point_annotations") is not None:
            return "points"
        annotations = _get(frame, "annotations")
        if annotations is None:
            return None
        kinds.update(map(kind_of_annotation, annotations if isinstance(annotations, list | tuple) else ()))
    if kinds == {"cuboid", "vector"}:  # vector labels of point clouds may also contain cuboids
        return "vector"
    return kinds.pop() if len(kinds) == 1 else None


_CUBOID_TYPES = tuple(PointcloudCuboidAnnotationType)
_VECTOR_TYPES = tuple(ImageVectorAnnotationType)


def kind_of_annotation(annotation: Any) -> str | None:
    """Return ``"image"``, ``"cuboid"`` or ``"vector"`` (in 3D) by the type of an annotation; None if it is unknown."""
    annotation_type = _get(annotation, "type")
    if annotation_type in _CUBOID_TYPES:
        return "cuboid"
    if annotation_type not in _VECTOR_TYPES:
        return None
    points = _get(annotation, "points")
    is_3d = isinstance(points, list) and points and isinstance(points[0], list) and len(points[0]) > 2  # noqa: PLR2004
    return "vector" if is_3d else "image"


def _get(value: Any, key: str) -> Any:
    """Return the value of *key* in a JSON object, or of a field if the caller passed a model."""
    return (
        value.get(key) if isinstance(value, dict) else getattr(value, key, None) if isinstance(value, Model) else None
    )


def annotations_of(
    attributes: LabelAttributes | None, sensor: str | None = None
) -> Iterator[tuple[str | None, int | None, Annotation]]:
    """Iterate over the annotations of known types, with the sensor and the frame of each."""
    if isinstance(attributes, MultiSensorLabelAttributes):
        for sensor_label in attributes.sensors:
            yield from annotations_of(sensor_label.attributes, sensor_label.name)
    elif isinstance(attributes, SequenceLabelAttributes):
        frames: Sequence[_Frame] = attributes.frames
        for index, frame in enumerate(frames):
            yield from _iterate_models(frame.annotations, sensor, index)
    elif isinstance(attributes, FrameLabelAttributes):
        yield from _iterate_models(attributes.annotations, sensor, None)


def _iterate_models(
    annotations: Sequence[Annotation | dict[str, Any]], sensor: str | None, frame: int | None
) -> Iterator[tuple[str | None, int | None, Annotation]]:
    for annotation in annotations:
        if isinstance(annotation, Annotation):
            yield sensor, frame, annotation

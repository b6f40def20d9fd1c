"""Transform labels from world to ego coordinates, with the ego poses of a sample."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from itertools import zip_longest
from math import sqrt
from typing import Any

from attrs import frozen

from segments_async.errors import InputError
from segments_async.models.annotations import Annotation
from segments_async.models.geometry import XYZW, EgoPose
from segments_async.models.label_attributes import (
    FrameLabelAttributes,
    LabelAttributes,
    MultiSensorLabelAttributes,
    SequenceLabelAttributes,
)
from segments_async.models.labels import Label
from segments_async.models.pointcloud_labels import PointcloudCuboidAnnotation, PointcloudVectorAnnotation
from segments_async.models.sample_attributes import (
    MultiSensorSampleAttributes,
    PointcloudSampleAttributes,
    PointcloudSequenceSampleAttributes,
    SampleAttributes,
)
from segments_async.models.samples import Sample
from segments_async.models.sensors import join_sensors

_log = logging.getLogger("segments_async")

Annotations = Sequence[Annotation | dict[str, Any]]


def transform_to_ego(label: Label, sample: Sample) -> Label:
    """
    Transform cuboids and shapes in point clouds from world to ego coordinates.

    The position, yaw and rotation of cuboids and the points of shapes are transformed; the yaw is not normalized to -pi
    to pi. Segmented points and annotations on images have no world coordinates and stay unchanged. Frames without an
    ego pose stay in world coordinates, which is logged as a warning. The results equal those of
    ``get_label(transform_to_ego_coordinates=True)`` in the official SDK.

    Example:
        >>> pose = EgoPose(position=XYZ(10, 0, 0), heading=XYZW.from_yaw(0))
        >>> cloud = PointcloudSampleAttributes.from_url("https://example.com/0.pcd", ego_pose=pose)
        >>> car = PointcloudCuboidAnnotation.from_yaw((12, 1, 0), (4, 2, 1.5), id=1, category_id=1)
        >>> label = Label(attributes=PointcloudCuboidLabelAttributes(annotations=[car]))
        >>> transformed = transform_to_ego(label, Sample(uuid="", name="", attributes=cloud))
        >>> transformed.attributes.annotations[0].position.x
        2.0

    Args:
        label: A label in world coordinates; it is not changed.
        sample: The sample of the label: a point cloud, a sequence of point clouds, or a multi-sensor sample.

    Returns:
        A transformed copy of *label*.

    Raises:
        InputError: The label belongs to another sample, the sample is of another type, or a rotation is all zeros.
    """
    if label.sample_uuid is not None and label.sample_uuid != sample.uuid:
        raise InputError(f"the label belongs to sample {label.sample_uuid}, not to {sample.uuid}", path="sample")
    transformed = deepcopy(label)
    data = sample.attributes
    if isinstance(data, MultiSensorSampleAttributes):
        without_pose = _transform_sensors(transformed.attributes, data, sample.uuid)
    elif isinstance(data, PointcloudSampleAttributes | PointcloudSequenceSampleAttributes):
        without_pose = _transform(transformed.attributes, data)
    else:
        raise InputError("expected a point cloud, a sequence of point clouds or a multi-sensor sample", path="sample")
    if without_pose:
        _log.warning("%d frames of sample %s have no ego pose and stay in world coordinates", without_pose, sample.uuid)
    return transformed


def _transform_sensors(attributes: LabelAttributes | None, data: MultiSensorSampleAttributes, sample: str) -> int:
    if not isinstance(attributes, MultiSensorLabelAttributes):
        return 0
    joined = join_sensors(data.sensors, attributes.sensors, sample)
    return sum(_transform(label.attributes, sensor.attributes) for sensor, label in joined if label is not None)


def _transform(attributes: LabelAttributes | None, data: SampleAttributes | None) -> int:
    """Transform the annotations of frames that have a pose; return the number of frames without one."""
    frames: list[Annotations] = []
    poses: list[EgoPose | None] = []
    if isinstance(data, PointcloudSampleAttributes) and isinstance(attributes, FrameLabelAttributes):
        frames, poses = [attributes.annotations], [data.ego_pose]
    elif isinstance(data, PointcloudSequenceSampleAttributes) and isinstance(attributes, SequenceLabelAttributes):
        frames, poses = (
            [frame.annotations for frame in attributes.frames],
            [frame.ego_pose for frame in data.frames],
        )
    without_pose = 0
    for annotations, pose in zip_longest(frames, poses[: len(frames)]):
        if pose is None:
            without_pose += 1
        else:
            _EgoFrame.of(pose).transform(annotations)
    return without_pose


Triple = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


@frozen
class _EgoFrame:
    """An ego frame of reference: its origin and axes, in world coordinates."""

    origin: Triple
    axes: tuple[Triple, Triple, Triple]
    inverse: Quaternion
    yaw: float

    @classmethod
    def of(cls, pose: EgoPose) -> "_EgoFrame":
        x, y, z, w = _unit(pose.heading)
        axes = (
            (1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)),
            (2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)),
            (2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)),
        )
        origin = (pose.position.x, pose.position.y, pose.position.z)
        return cls(origin, axes, (-x, -y, -z, w), XYZW(x, y, z, w).yaw)

    def transform(self, annotations: Annotations) -> None:
        """Transform *annotations* from world coordinates to this frame, in place."""
        for annotation in annotations:
            if isinstance(annotation, PointcloudCuboidAnnotation):
                place = annotation.position
                place.x, place.y, place.z = self.coordinates(place.x, place.y, place.z)
                annotation.yaw -= self.yaw
                if annotation.rotation is not None:
                    rotated = _multiply(self.inverse, _unit(annotation.rotation))
                    annotation.rotation = XYZW(*rotated, extra=annotation.rotation.extra)
            elif isinstance(annotation, PointcloudVectorAnnotation):
                annotation.points = [
                    list(self.coordinates(*point)) if len(point) == len(self.origin) else point
                    for point in annotation.points
                ]

    def coordinates(self, x: float, y: float, z: float) -> Triple:
        """Transform a position from world coordinates to this frame."""
        dx, dy, dz = x - self.origin[0], y - self.origin[1], z - self.origin[2]
        first, second, third = (ax * dx + ay * dy + az * dz for ax, ay, az in self.axes)
        return first, second, third


def _unit(rotation: XYZW) -> Quaternion:
    x, y, z, w = rotation.qx, rotation.qy, rotation.qz, rotation.qw
    norm = sqrt(x * x + y * y + z * z + w * w)
    if norm == 0:
        raise InputError("a rotation cannot be all zeros", path="rotation")
    return x / norm, y / norm, z / norm, w / norm


def _multiply(first: Quaternion, second: Quaternion) -> Quaternion:
    """Multiply quaternions: rotate by *second*, then by *first*."""
    x1, y1, z1, w1 = first
    x2, y2, z2, w2 = second
    return (
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
    )

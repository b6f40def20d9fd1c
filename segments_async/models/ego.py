"""From world to ego coordinates, by the ego poses of a sample."""

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

_log = logging.getLogger("segments_async")

Annotations = Sequence[Annotation | dict[str, Any]]


def transform_to_ego(label: Label, sample: Sample) -> Label:
    """
    Move what is drawn in point clouds from world to ego coordinates.

    A cuboid's place, yaw and rotation, and the points of shapes are moved; the yaw is not brought back into -pi to pi.
    Segmented points and what is drawn on images have no world coordinates and stay. A frame without an ego pose stays
    in world coordinates, which is logged as a warning. The results are those of the official SDK's
    ``get_label(transform_to_ego_coordinates=True)``.

    Example:
        >>> pose = EgoPose(position=XYZ(10, 0, 0), heading=XYZW.from_yaw(0))
        >>> cloud = PointcloudSampleAttributes.from_url("https://example.com/0.pcd", ego_pose=pose)
        >>> car = PointcloudCuboidAnnotation.from_yaw((12, 1, 0), (4, 2, 1.5), id=1, category_id=1)
        >>> label = Label(attributes=PointcloudCuboidLabelAttributes(annotations=[car]))
        >>> moved = transform_to_ego(label, Sample(uuid="", name="", attributes=cloud))
        >>> moved.attributes.annotations[0].position.x
        2.0

    Args:
        label: Labels in world coordinates; it is not changed.
        sample: The sample it belongs to: a point cloud, a sequence of them, or several sensors.

    Returns:
        A copy.

    Raises:
        InputError: The label belongs to another sample, the sample is of another kind, or a rotation is all zeros.
    """
    if label.sample_uuid is not None and label.sample_uuid != sample.uuid:
        raise InputError(f"the label belongs to sample {label.sample_uuid}, not to {sample.uuid}", path="sample")
    moved = deepcopy(label)
    seen = sample.attributes
    if isinstance(seen, MultiSensorSampleAttributes):
        stayed = _move_sensors(moved.attributes, seen)
    elif isinstance(seen, PointcloudSampleAttributes | PointcloudSequenceSampleAttributes):
        stayed = _move(moved.attributes, seen)
    else:
        raise InputError("expected a point cloud, a sequence of point clouds or several sensors", path="sample")
    if stayed:
        _log.warning("%d frames of sample %s have no ego pose and stay in world coordinates", stayed, sample.uuid)
    return moved


def _move_sensors(attributes: LabelAttributes | None, seen: MultiSensorSampleAttributes) -> int:
    if not isinstance(attributes, MultiSensorLabelAttributes):
        return 0
    seen_by = {sensor.name: sensor.attributes for sensor in seen.sensors}
    return sum(_move(part.attributes, seen_by.get(part.name)) for part in attributes.sensors)


def _move(attributes: LabelAttributes | None, seen: SampleAttributes | None) -> int:
    """Move what is drawn in frames that have a pose; tell how many have none."""
    frames: list[Annotations] = []
    poses: list[EgoPose | None] = []
    if isinstance(seen, PointcloudSampleAttributes) and isinstance(attributes, FrameLabelAttributes):
        frames, poses = [attributes.annotations], [seen.ego_pose]
    elif isinstance(seen, PointcloudSequenceSampleAttributes) and isinstance(attributes, SequenceLabelAttributes):
        frames, poses = [frame.annotations for frame in attributes.frames], [frame.ego_pose for frame in seen.frames]
    stayed = 0
    for annotations, pose in zip_longest(frames, poses[: len(frames)]):
        if pose is None:
            stayed += 1
        else:
            _Frame.of(pose).take_in(annotations)
    return stayed


Triple = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


@frozen
class _Frame:
    """A frame of reference: where it is, and its axes, in world coordinates."""

    origin: Triple
    axes: tuple[Triple, Triple, Triple]
    inverse: Quaternion
    yaw: float

    @classmethod
    def of(cls, pose: EgoPose) -> "_Frame":
        x, y, z, w = _unit(pose.heading)
        axes = (
            (1 - 2 * (y * y + z * z), 2 * (x * y + z * w), 2 * (x * z - y * w)),
            (2 * (x * y - z * w), 1 - 2 * (x * x + z * z), 2 * (y * z + x * w)),
            (2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)),
        )
        origin = (pose.position.x, pose.position.y, pose.position.z)
        return cls(origin, axes, (-x, -y, -z, w), XYZW(x, y, z, w).yaw)

    def take_in(self, annotations: Annotations) -> None:
        """Move *annotations* from world coordinates into this frame."""
        for annotation in annotations:
            if isinstance(annotation, PointcloudCuboidAnnotation):
                place = annotation.position
                place.x, place.y, place.z = self.coordinates(place.x, place.y, place.z)
                annotation.yaw -= self.yaw
                if annotation.rotation is not None:
                    turned = _product(self.inverse, _unit(annotation.rotation))
                    annotation.rotation = XYZW(*turned, extra=annotation.rotation.extra)
            elif isinstance(annotation, PointcloudVectorAnnotation):
                annotation.points = [
                    list(self.coordinates(*point)) if len(point) == len(self.origin) else point
                    for point in annotation.points
                ]

    def coordinates(self, x: float, y: float, z: float) -> Triple:
        """Tell where a place in world coordinates is as seen from this frame."""
        dx, dy, dz = x - self.origin[0], y - self.origin[1], z - self.origin[2]
        first, second, third = (ax * dx + ay * dy + az * dz for ax, ay, az in self.axes)
        return first, second, third


def _unit(rotation: XYZW) -> Quaternion:
    x, y, z, w = rotation.qx, rotation.qy, rotation.qz, rotation.qw
    norm = sqrt(x * x + y * y + z * z + w * w)
    if norm == 0:
        raise InputError("a rotation cannot be all zeros", path="rotation")
    return x / norm, y / norm, z / norm, w / norm


def _product(first: Quaternion, second: Quaternion) -> Quaternion:
    """Turn by *second*, then by *first*."""
    x1, y1, z1, w1 = first
    x2, y2, z2, w2 = second
    return (
        w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
        w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
        w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
    )

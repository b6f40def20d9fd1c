"""Velocities and accelerations of cuboids in sequences."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from copy import deepcopy
from typing import TYPE_CHECKING

from attrs import frozen

from segments_async._validators import is_number
from segments_async.errors import InputError
from segments_async.models import (
    Acceleration,
    Label,
    MultiSensorLabelAttributes,
    MultiSensorSampleAttributes,
    PointcloudSequenceCuboidAnnotation,
    PointcloudSequenceCuboidLabelAttributes,
    PointcloudSequenceSampleAttributes,
    Velocity,
)
from segments_async.models.sensors import join_sensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from segments_async.models import PointcloudSampleAttributes, Sample

NANOSECONDS = 1_000_000_000.0
Triple = tuple[float, float, float]
Sequences = tuple[PointcloudSequenceCuboidLabelAttributes, PointcloudSequenceSampleAttributes]


def add_kinematics_to_label(
    label: Label, sample: Sample, *, timestamp_unit: float = NANOSECONDS, fps: float | None = None
) -> Label:
    """
    Compute velocities and accelerations of cuboids from their positions in the frames before.

    Example::

        label = add_kinematics_to_label(await client.labels.get(sample), sample)
        await client.labels.put(sample, "ground-truth", label.attributes)

    An object has a velocity from its second frame on, and an acceleration from its third. Values that are already there
    stay in the frames before. The results equal those of the official SDK, except for objects that are not in all
    frames: it takes the ego poses of other frames, and with `fps` a time that is too short.

    Args:
        label: The label of a sequence of point clouds with cuboids, or of several sensors; it is not changed.
        sample: Its sample, with ego poses for the relative values.
        timestamp_unit: Units of the timestamps in a second; by default they are nanoseconds.
        fps: Frames per second, for pairs of frames without timestamps.

    Returns:
        A copy of *label* with velocities and accelerations.

    Raises:
        InputError: The label belongs to another sample, or is of another type; timestamps do not increase, or are
            missing without *fps*.
    """
    for name, number in (("timestamp_unit", timestamp_unit), ("fps", 1 if fps is None else fps)):
        if not is_number(number) or not 0 < number < math.inf:
            raise InputError(f"expected a number above 0, got {number!r}", path=name)
    if not isinstance(label, Label):
        raise InputError(f"expected a Label, got {type(label).__name__}", path="label")
    if label.sample_uuid is not None and label.sample_uuid != sample.uuid:
        raise InputError(f"the label belongs to sample {label.sample_uuid}, not to {sample.uuid}", path="sample")
    copied = deepcopy(label)
    sequences = list(_sequences(copied, sample))
    if not sequences:
        raise InputError("expected the label of a sequence of point clouds with cuboids, and its sample", path="label")
    for attributes, data in sequences:
        timeline = _Timeline(attributes, data, timestamp_unit, fps)
        for track in _tracks(attributes):
            _add_to_track(track, timeline)
    return copied


def _sequences(label: Label, sample: Sample) -> Iterator[Sequences]:
    pairs: Iterable[tuple[object, object]] = [(label.attributes, sample.attributes)]
    if isinstance(label.attributes, MultiSensorLabelAttributes):
        if not isinstance(sample.attributes, MultiSensorSampleAttributes):
            return
        joined = join_sensors(sample.attributes.sensors, label.attributes.sensors, sample.uuid)
        pairs = [(found.attributes, sensor.attributes) for sensor, found in joined if found is not None]
    for attributes, data in pairs:
        if isinstance(attributes, PointcloudSequenceCuboidLabelAttributes) and isinstance(
            data, PointcloudSequenceSampleAttributes
        ):
            yield attributes, data


@frozen
class _Moment:
    """An object in a frame."""

    frame: int
    annotation: PointcloudSequenceCuboidAnnotation

    @property
    def position(self) -> Triple:
        place = self.annotation.position
        return place.x, place.y, place.z


def _tracks(attributes: PointcloudSequenceCuboidLabelAttributes) -> Iterable[list[_Moment]]:
    tracks: defaultdict[int, list[_Moment]] = defaultdict(list)
    for index, frame in enumerate(attributes.frames):
        for annotation in frame.annotations:
            tracks[annotation.track_id].append(_Moment(index, annotation))
    return tracks.values()


class _Timeline:
    """When the frames of a sequence were taken, and where the ego vehicle was."""

    def __init__(
        self,
        label: PointcloudSequenceCuboidLabelAttributes,
        data: PointcloudSequenceSampleAttributes,
        unit: float,
        fps: float | None,
    ) -> None:
        self._label = label.frames
        self._data = data.frames
        self._unit = unit
        self._fps = fps

    def _sample_frame(self, frame: int) -> PointcloudSampleAttributes | None:
        return self._data[frame] if frame < len(self._data) else None

    def _time(self, frame: int) -> float | None:
        data = self._sample_frame(frame)
        own = _as_number(self._label[frame].timestamp)
        return own if own is not None or data is None else _as_number(data.timestamp)

    def seconds(self, first: int, second: int) -> float:
        """Return the seconds between two frames."""
        start, end = self._time(first), self._time(second)
        if start is not None and end is not None:
            passed = (end - start) / self._unit
        elif self._fps is None:
            missing = first if start is None else second
            raise InputError("has no timestamp; pass fps", path=f"label.attributes.frames[{missing}].timestamp")
        else:
            passed = (second - first) / self._fps
        if not 0 < passed < math.inf:
            problem = f"timestamps must increase: {passed:g} seconds after frame {first}"
            raise InputError(problem, path=f"label.attributes.frames[{second}].timestamp")
        return passed

    def ego(self, frame: int) -> Triple | None:
        """Return the position of the ego vehicle; None without a pose."""
        data = self._sample_frame(frame)
        pose = None if data is None else data.ego_pose
        return None if pose is None else (pose.position.x, pose.position.y, pose.position.z)


def _as_number(timestamp: str | float | None) -> float | None:
    """Convert a timestamp; whole numbers stay exact, as nanoseconds since 1970 do not fit into a float."""
    if not isinstance(timestamp, str):
        return timestamp
    for kind in (int, float):
        try:
            return kind(timestamp)
        except ValueError:
            continue
    return None


def _add_to_track(moments: list[_Moment], timeline: _Timeline) -> None:
    before: tuple[Triple, Triple | None] | None = None
    for previous, current in itertools.pairwise(moments):
        seconds = timeline.seconds(previous.frame, current.frame)
        velocity = _rate(previous.position, current.position, seconds)
        start, end = timeline.ego(previous.frame), timeline.ego(current.frame)
        ego = None if start is None or end is None else _rate(start, end, seconds)
        current.annotation.velocity = Velocity(relative=_distance(velocity, ego), absolute=math.hypot(*velocity))
        if before is not None:
            change = _rate(before[0], velocity, seconds)
            ego_change = None if before[1] is None or ego is None else _rate(before[1], ego, seconds)
            relative = _distance(change, ego_change)
            current.annotation.acceleration = Acceleration(relative=relative, absolute=math.hypot(*change))
        before = velocity, ego


def _rate(first: Triple, second: Triple, seconds: float) -> Triple:
    x, y, z = ((end - start) / seconds for start, end in zip(first, second, strict=True))
    return x, y, z


def _distance(vector: Triple, other: Triple | None) -> float | None:
    return None if other is None else math.dist(vector, other)

"""The images of a sample, each with its part of the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from segments_async.models import (
    URL,
    CalibratedImage,
    ImageSampleAttributes,
    ImageSequenceSampleAttributes,
    MultiSensorLabelAttributes,
    MultiSensorSampleAttributes,
    PointcloudSampleAttributes,
    PointcloudSequenceSampleAttributes,
)
from segments_async.models.sensors import join_sensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from segments_async.models import Annotation


@frozen(kw_only=True)
class View:
    """One image of a sample."""

    image: URL | None
    """None for the sample as a whole."""
    label: Any = None
    """The part of the label for this image, or for the frame it belongs to."""
    sensor: str | None = None
    frame: int | None = None
    camera: CalibratedImage | None = None

    @property
    def bitmap(self) -> URL | None:
        """The bitmap of this image, if it has one."""
        bitmap = getattr(self.label, "segmentation_bitmap", None)
        return bitmap if isinstance(bitmap, URL) else None

    @property
    def annotations(self) -> Sequence[Annotation | dict[str, Any]]:
        """The annotations in this image, or in its point cloud."""
        return getattr(self.label, "annotations", None) or ()

    def __str__(self) -> str:
        """Format the sensor, the camera and the frame, for errors."""
        camera = None if self.camera is None else self.camera.name
        parts = {"sensor": self.sensor, "camera": camera, "frame": self.frame}
        return "".join(f", {kind} {name!r}" for kind, name in parts.items() if name is not None)


def views_of(attributes: object, label: object = None, *, sample: str = "") -> Iterator[View]:
    """
    Iterate over the images of a sample: frame by frame, and within a frame by sensor and camera.

    Args:
        attributes: The attributes of the sample.
        label: The attributes of its label.
        sample: Identifies the sample in warnings.
    """
    match attributes:
        case ImageSampleAttributes():
            yield View(image=attributes.image, label=label)
        case PointcloudSampleAttributes():
            for camera in attributes.images or ():
                yield View(image=camera, label=label, camera=camera)
        case ImageSequenceSampleAttributes() | PointcloudSequenceSampleAttributes():
            labels = getattr(label, "frames", None)
            for index, frame in enumerate(attributes.frames):
                for view in views_of(frame, _get(labels, index)):
                    yield evolve(view, frame=index)
        case MultiSensorSampleAttributes():
            yield from sorted(_views_of_sensors(attributes, label, sample), key=lambda view: view.frame or 0)
        case _:
            pass


def _views_of_sensors(attributes: MultiSensorSampleAttributes, label: object, sample: str) -> Iterator[View]:
    labels = label.sensors if isinstance(label, MultiSensorLabelAttributes) else ()
    for sensor, sensor_label in join_sensors(attributes.sensors, labels, sample):
        for view in views_of(sensor.attributes, None if sensor_label is None else sensor_label.attributes):
            yield evolve(view, sensor=sensor.name)


def _get(items: Sequence[Any] | None, index: int) -> Any:
    return items[index] if items is not None and index < len(items) else None

"""The images that a sample is made of, and what was labelled of each."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from segments_async.models import Annotation


@frozen(kw_only=True)
class View:
    """One image of a sample."""

    image: URL | None
    """None for a sample as a whole."""
    label: Any = None
    """What the label says of this image, or of the frame it belongs to."""
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
        """What was annotated in this image, or in the point cloud beside it."""
        return getattr(self.label, "annotations", None) or ()

    def __str__(self) -> str:
        """Say which of a sample's images it is."""
        camera = None if self.camera is None else self.camera.name
        named = {"sensor": self.sensor, "camera": camera, "frame": self.frame}
        return "".join(f", {word} {name!r}" for word, name in named.items() if name is not None)


def views_of(attributes: object, label: object = None) -> Iterator[View]:
    """
    Go through the images of a sample: frame by frame, and in each sensor by sensor, camera by camera.

    Args:
        attributes: The sample's.
        label: The attributes of its label.
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
                for view in views_of(frame, _at(labels, index)):
                    yield evolve(view, frame=index)
        case MultiSensorSampleAttributes():
            yield from sorted(_views_of_sensors(attributes, label), key=lambda view: view.frame or 0)
        case _:
            pass


def _views_of_sensors(attributes: MultiSensorSampleAttributes, label: object) -> Iterator[View]:
    """Go through the sensors, whose labels stand in the same order."""
    labels = label.sensors if isinstance(label, MultiSensorLabelAttributes) else None
    for index, sensor in enumerate(attributes.sensors):
        of_sensor = _at(labels, index)
        for view in views_of(sensor.attributes, None if of_sensor is None else of_sensor.attributes):
            yield evolve(view, sensor=sensor.name)


def _at(things: Sequence[Any] | None, index: int) -> Any:
    return things[index] if things is not None and index < len(things) else None

"""The data of samples: images, point clouds, sequences of them, and multi-sensor samples."""

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

from attrs import define, field

from segments_async.errors import InputError
from segments_async.models._base import Model, chosen_by, has_required_keys
from segments_async.models._other_names import name_inner_fields, name_other
from segments_async.models._typed import typed
from segments_async.models.cameras import CalibratedImage
from segments_async.models.enums import TaskType
from segments_async.models.geometry import Bounds, EgoPose
from segments_async.models.ortho_images import OrthoImage
from segments_async.models.urls import URL

T = TypeVar("T")


@define(kw_only=True)
class ImageSampleAttributes(Model):
    """An image. Source: API documentation, "POST .../samples"; docs.segments.ai/reference/sample-types."""

    image: URL
    """The address of the image."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """
        Create the attributes of an image at *url*.

        Example:
            >>> ImageSampleAttributes.from_url("https://example.com/image.png").image.url
            'https://example.com/image.png'

        Args:
            url: A URL that the service can read.

        Returns:
            The attributes, ready for ``samples.create``.
        """
        return cls(image=URL(url=url))


@define(kw_only=True)
class ImageFrame(ImageSampleAttributes):
    """A frame of an image sequence. Source: docs.segments.ai/reference/sample-types."""

    name: str | None = None
    """The name displayed in the label editor."""
    timestamp: str | float | None = None
    """When it was taken, in nanoseconds."""


@define(kw_only=True)
class ImageSequenceSampleAttributes(Model):
    """A sequence of images. Source: docs.segments.ai/reference/sample-types."""

    frames: list[ImageFrame]
    """The images, in order."""

    @classmethod
    def from_urls(cls, urls: Sequence[str], *, timestamps: Sequence[str | float] | None = None) -> Self:
        """
        Create the attributes of a sequence of images at *urls*.

        Example:
            >>> clip = ImageSequenceSampleAttributes.from_urls(["https://example.com/0.png"], timestamps=[0])
            >>> clip.frames[0].timestamp
            0

        Args:
            urls: URLs that the service can read, in order.
            timestamps: When each was taken, in nanoseconds; None if unknown.

        Raises:
            InputError: The numbers of timestamps and images differ.
        """
        times = _one_each(timestamps, urls, "timestamps")
        frames = [ImageFrame(image=URL(url=url), timestamp=time) for url, time in zip(urls, times, strict=True)]
        return cls(frames=frames)


@define(kw_only=True)
class PCD(URL):
    """The address of a point cloud. Source: docs.segments.ai/reference/sample-types."""

    type: str
    """The format of the file: one of `PCDType`."""


@define(kw_only=True)
class PointcloudSampleAttributes(Model):
    """
    A point cloud; also a frame of a sequence. Source: docs.segments.ai/reference/sample-types.

    The points are in ego coordinates, right-handed with z up. The service stores positions as 32-bit floats; to keep
    precision, subtract the first ego position from all ego positions.
    """

    pcd: PCD
    """The address of the point cloud."""
    images: list[CalibratedImage] | None = None
    """Camera images taken at the same time."""
    ego_pose: EgoPose | None = None
    """The transformation from ego to world coordinates; with it, static objects do not move in a sequence."""
    default_z: float | None = None
    """World z of the ground, on which new cuboids are placed, in the unit of the point cloud; 0 if not given."""
    name: str | None = None
    """The name displayed in the label editor."""
    timestamp: str | float | None = None
    """When it was taken, in nanoseconds; used for velocities and interpolation."""
    bounds: Bounds | None = None
    """The initial limiting cuboid."""
    ortho_images: list[OrthoImage] | None = None
    """Images displayed under it."""

    @classmethod
    def from_url(
        cls,
        url: str,
        type: str = "pcd",
        *,
        images: list[CalibratedImage] | None = None,
        ego_pose: EgoPose | None = None,
        timestamp: str | float | None = None,
    ) -> Self:
        """
        Create the attributes of a point cloud at *url*.

        Example:
            >>> PointcloudSampleAttributes.from_url("https://example.com/0.bin", "kitti").pcd.type
            'kitti'

        Args:
            url: A URL that the service can read.
            type: The format of the file: one of `PCDType`.
            images: Camera images taken at the same time.
            ego_pose: From ego to world coordinates.
            timestamp: When it was taken, in nanoseconds.

        Returns:
            The attributes, ready for ``samples.create``, or a frame of a sequence.
        """
        return cls(pcd=PCD(url=url, type=type), images=images, ego_pose=ego_pose, timestamp=timestamp)


@define(kw_only=True)
class PointcloudSequenceSampleAttributes(Model):
    """A sequence of point clouds. Source: docs.segments.ai/reference/sample-types."""

    frames: list[PointcloudSampleAttributes]
    """The point clouds, in order."""
    ortho_images: list[OrthoImage] | None = None
    """Images displayed under all frames."""

    @classmethod
    def from_urls(
        cls,
        urls: Sequence[str],
        type: str = "pcd",
        *,
        ego_poses: Sequence[EgoPose] | None = None,
        timestamps: Sequence[str | float] | None = None,
    ) -> Self:
        """
        Create the attributes of a sequence of point clouds at *urls*.

        Example:
            >>> urls = ["https://example.com/0.pcd", "https://example.com/1.pcd"]
            >>> len(PointcloudSequenceSampleAttributes.from_urls(urls, timestamps=[0, 100_000_000]).frames)
            2

        Args:
            urls: URLs that the service can read, in order.
            type: The format of the files: one of `PCDType`.
            ego_poses: From ego to world coordinates, one for each point cloud.
            timestamps: When each was taken, in nanoseconds.

        Raises:
            InputError: The numbers of poses or timestamps and point clouds differ.
        """
        poses, times = _one_each(ego_poses, urls, "ego_poses"), _one_each(timestamps, urls, "timestamps")
        return cls(
            frames=[
                PointcloudSampleAttributes.from_url(url, type, ego_pose=pose, timestamp=time)
                for url, pose, time in zip(urls, poses, times, strict=True)
            ]
        )


def _one_each(values: Sequence[T] | None, urls: Sequence[str], path: str) -> Sequence[T | None]:
    if isinstance(urls, str):
        raise InputError("expected a list of URLs, got a single string", path="urls")
    if values is not None and len(values) != len(urls):
        raise InputError(f"expected one value per url, got {len(values)} for {len(urls)}", path=path)
    return [None] * len(urls) if values is None else values


_POINTCLOUDS = {
    TaskType.POINTCLOUD_CUBOID,
    TaskType.POINTCLOUD_SEGMENTATION,
    TaskType.POINTCLOUD_VECTOR,
}
_POINTCLOUD_SEQUENCES = {
    TaskType.POINTCLOUD_CUBOID_SEQUENCE,
    TaskType.POINTCLOUD_SEGMENTATION_SEQUENCE,
    TaskType.POINTCLOUD_VECTOR_SEQUENCE,
}
_IMAGES = {
    TaskType.BBOXES,
    TaskType.KEYPOINTS,
    TaskType.SEGMENTATION_BITMAP,
    TaskType.SEGMENTATION_BITMAP_HIGHRES,
    TaskType.VECTOR,
}
_IMAGE_SEQUENCES = {
    TaskType.IMAGE_SEGMENTATION_SEQUENCE,
    TaskType.IMAGE_VECTOR_SEQUENCE,
}
_CLASS_BY_TASK_TYPE: dict[str, type[Model]] = {
    **dict.fromkeys(_IMAGES, ImageSampleAttributes),
    **dict.fromkeys(_IMAGE_SEQUENCES, ImageSequenceSampleAttributes),
    **dict.fromkeys(_POINTCLOUDS, PointcloudSampleAttributes),
    **dict.fromkeys(_POINTCLOUD_SEQUENCES, PointcloudSequenceSampleAttributes),
}


def _choose_sensor_attributes(sensor: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    tag = sensor.get("task_type")
    model = _CLASS_BY_TASK_TYPE.get(tag) if isinstance(tag, str) else None
    return model if model is not None and has_required_keys(attributes, model) else None


class HasSensorAttributes:
    """Properties for the `attributes` of each type of sensor; another one raises `WrongTypeError`."""

    __slots__ = ()

    @property
    def image(self) -> "URL":
        """The address of an image."""
        return typed(self, "image", ImageSampleAttributes, _PROPERTY_BY_CLASS).image

    @property
    def image_sequence(self) -> "ImageSequenceSampleAttributes":
        """The attributes of a sequence of images."""
        return typed(self, "image_sequence", ImageSequenceSampleAttributes, _PROPERTY_BY_CLASS)

    @property
    def pointcloud(self) -> "PointcloudSampleAttributes":
        """The attributes of a point cloud."""
        return typed(self, "pointcloud", PointcloudSampleAttributes, _PROPERTY_BY_CLASS)

    @property
    def pointcloud_sequence(self) -> "PointcloudSequenceSampleAttributes":
        """The attributes of a sequence of point clouds."""
        return typed(self, "pointcloud_sequence", PointcloudSequenceSampleAttributes, _PROPERTY_BY_CLASS)


class HasSampleAttributes(HasSensorAttributes):
    """Properties for the `attributes` of each type of sample; another one raises `WrongTypeError`."""

    __slots__ = ()

    @property
    def multisensor(self) -> "MultiSensorSampleAttributes":
        """The attributes of a multi-sensor sample."""
        return typed(self, "multisensor", MultiSensorSampleAttributes, _PROPERTY_BY_CLASS)


@define(kw_only=True)
class SampleSensor(HasSensorAttributes, Model):
    """One of the sensors of a sample. Source: docs.segments.ai/reference/sample-types."""

    name: str
    """The name of the sensor, such as ``"Lidar"``."""
    task_type: str
    """One of `TaskType`; determines the type of `attributes`."""
    attributes: (
        ImageSequenceSampleAttributes
        | PointcloudSequenceSampleAttributes
        | ImageSampleAttributes
        | PointcloudSampleAttributes
        | dict[str, Any]
    ) = field(metadata=chosen_by(_choose_sensor_attributes))
    """The data of the sensor; plain JSON if its type is unknown."""


@define(kw_only=True)
class MultiSensorSampleAttributes(Model):
    """
    The data of several sensors for one scene. Source: docs.segments.ai/reference/sample-types.

    Example:
        >>> lidar = PointcloudSequenceSampleAttributes.from_urls(["https://example.com/0.pcd"])
        >>> sensor = SampleSensor(name="Lidar", task_type="pointcloud-cuboid-sequence", attributes=lidar)
        >>> MultiSensorSampleAttributes(sensors=[sensor]).sensors[0].name
        'Lidar'
    """

    sensors: list[SampleSensor]
    """The sensors; labels contain them in the same order."""


_PROPERTY_BY_CLASS: dict[type[Model], str] = {
    ImageSampleAttributes: "image",
    ImageFrame: "image",
    ImageSequenceSampleAttributes: "image_sequence",
    PointcloudSampleAttributes: "pointcloud",
    PointcloudSequenceSampleAttributes: "pointcloud_sequence",
    MultiSensorSampleAttributes: "multisensor",
}

name_inner_fields(
    HasSensorAttributes,
    {model: name for model, name in _PROPERTY_BY_CLASS.items() if hasattr(HasSensorAttributes, name)},
)
name_inner_fields(HasSampleAttributes, _PROPERTY_BY_CLASS)
name_other(HasSensorAttributes, "url", "image.url")

SampleAttributes = (
    ImageSampleAttributes
    | ImageSequenceSampleAttributes
    | PointcloudSampleAttributes
    | PointcloudSequenceSampleAttributes
    | MultiSensorSampleAttributes
    | dict[str, Any]
)
"""Attributes of a known type, or plain JSON."""


def choose_sample_attributes(_sample: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    """Choose the class by the keys of the attributes, as they have no tag; None leaves plain JSON."""
    if not isinstance(attributes, dict):
        return None
    if attributes.get("image") is not None:
        return ImageSampleAttributes
    if attributes.get("pcd") is not None:
        return PointcloudSampleAttributes
    if attributes.get("sensors") is not None:
        return MultiSensorSampleAttributes
    frames = attributes.get("frames")
    if isinstance(frames, list) and frames:
        for key, model in _CLASS_BY_FRAME_KEY.items():
            if all(isinstance(frame, dict) and frame.get(key) is not None for frame in frames):
                return model
    return None


_CLASS_BY_FRAME_KEY: dict[str, type[Model]] = {
    "image": ImageSequenceSampleAttributes,
    "pcd": PointcloudSequenceSampleAttributes,
}

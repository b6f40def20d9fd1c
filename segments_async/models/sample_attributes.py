"""What is labelled: images, point clouds, sequences of them, and several sensors at once."""

from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

from attrs import define, field

from segments_async.errors import InputError
from segments_async.models._base import Model, chosen_by, has_essentials
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
    """Where the image is."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """
        Describe the image at *url*.

        Example:
            >>> ImageSampleAttributes.from_url("https://example.com/image.png").image.url
            'https://example.com/image.png'

        Args:
            url: An address the service can read.

        Returns:
            The attributes, ready for ``samples.create``.
        """
        return cls(image=URL(url=url))


@define(kw_only=True)
class ImageFrame(ImageSampleAttributes):
    """An image of a sequence. Source: docs.segments.ai/reference/sample-types."""

    name: str | None = None
    """Shown in the label editor."""
    timestamp: str | float | None = None
    """When it was taken, in nanoseconds."""


@define(kw_only=True)
class ImageSequenceSampleAttributes(Model):
    """Images one after the other. Source: docs.segments.ai/reference/sample-types."""

    frames: list[ImageFrame]
    """The images, in order."""

    @classmethod
    def from_urls(cls, urls: Sequence[str], *, timestamps: Sequence[str | float] | None = None) -> Self:
        """
        Describe the images at *urls*.

        Example:
            >>> clip = ImageSequenceSampleAttributes.from_urls(["https://example.com/0.png"], timestamps=[0])
            >>> clip.frames[0].timestamp
            0

        Args:
            urls: Addresses the service can read, in order.
            timestamps: When each was taken, in nanoseconds; None if that is not known.

        Raises:
            InputError: There are more or fewer timestamps than images.
        """
        times = _one_each(timestamps, urls, "timestamps")
        frames = [ImageFrame(image=URL(url=url), timestamp=time) for url, time in zip(urls, times, strict=True)]
        return cls(frames=frames)


@define(kw_only=True)
class PCD(URL):
    """Where a point cloud is. Source: docs.segments.ai/reference/sample-types."""

    type: str
    """The format of the file: one of `PCDType`."""


@define(kw_only=True)
class PointcloudSampleAttributes(Model):
    """
    A point cloud; also a frame of a sequence. Source: docs.segments.ai/reference/sample-types.

    Its points are in ego coordinates, right-handed with z up. The service keeps places as 32-bit floats, so it is
    best to subtract the first ego position from all of them.
    """

    pcd: PCD
    """Where the points are."""
    images: list[CalibratedImage] | None = None
    """Camera images of the same moment."""
    ego_pose: EgoPose | None = None
    """From ego to world coordinates, so that what stands still does so in a sequence."""
    default_z: float | None = None
    """World z of the ground on which new cuboids stand, in the unit of the point cloud; 0 if not given."""
    name: str | None = None
    """Shown in the label editor."""
    timestamp: str | float | None = None
    """When it was taken, in nanoseconds; velocities and interpolation go by it."""
    bounds: Bounds | None = None
    """Where the limiting cuboid starts."""
    ortho_images: list[OrthoImage] | None = None
    """Images that lie under it."""

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
        Describe the point cloud at *url*.

        Example:
            >>> PointcloudSampleAttributes.from_url("https://example.com/0.bin", "kitti").pcd.type
            'kitti'

        Args:
            url: An address the service can read.
            type: The format of the file: one of `PCDType`.
            images: Camera images of the same moment.
            ego_pose: From ego to world coordinates.
            timestamp: When it was taken, in nanoseconds.

        Returns:
            The attributes, ready for ``samples.create``, or a frame of a sequence.
        """
        return cls(pcd=PCD(url=url, type=type), images=images, ego_pose=ego_pose, timestamp=timestamp)


@define(kw_only=True)
class PointcloudSequenceSampleAttributes(Model):
    """Point clouds one after the other. Source: docs.segments.ai/reference/sample-types."""

    frames: list[PointcloudSampleAttributes]
    """The point clouds, in order."""
    ortho_images: list[OrthoImage] | None = None
    """Images that lie under all of them."""

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
        Describe the point clouds at *urls*.

        Example:
            >>> urls = ["https://example.com/0.pcd", "https://example.com/1.pcd"]
            >>> len(PointcloudSequenceSampleAttributes.from_urls(urls, timestamps=[0, 100_000_000]).frames)
            2

        Args:
            urls: Addresses the service can read, in order.
            type: The format of the files: one of `PCDType`.
            ego_poses: From ego to world coordinates, one for each.
            timestamps: When each was taken, in nanoseconds.

        Raises:
            InputError: There are more or fewer poses or timestamps than point clouds.
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
        raise InputError("expected a list of addresses, got one", path="urls")
    if values is not None and len(values) != len(urls):
        raise InputError(f"there are {len(values)} of them for {len(urls)} urls", path=path)
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
_BY_TAG: dict[str, type[Model]] = {
    **dict.fromkeys(_IMAGES, ImageSampleAttributes),
    **dict.fromkeys(_IMAGE_SEQUENCES, ImageSequenceSampleAttributes),
    **dict.fromkeys(_POINTCLOUDS, PointcloudSampleAttributes),
    **dict.fromkeys(_POINTCLOUD_SEQUENCES, PointcloudSequenceSampleAttributes),
}


def _choose_sensor(sensor: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    tag = sensor.get("task_type")
    model = _BY_TAG.get(tag) if isinstance(tag, str) else None
    return model if model is not None and has_essentials(attributes, model) else None


@define(kw_only=True)
class SampleSensor(Model):
    """One of the sensors of a sample. Source: docs.segments.ai/reference/sample-types."""

    name: str
    """The sensor's name, such as ``"Lidar"``."""
    task_type: str
    """One of `TaskType`; says what shape `attributes` have."""
    attributes: (
        ImageSequenceSampleAttributes
        | PointcloudSequenceSampleAttributes
        | ImageSampleAttributes
        | PointcloudSampleAttributes
        | dict[str, Any]
    ) = field(metadata=chosen_by(_choose_sensor))
    """What the sensor saw, or JSON as it came if that is of an unknown shape."""


@define(kw_only=True)
class MultiSensorSampleAttributes(Model):
    """
    What several sensors saw of one scene. Source: docs.segments.ai/reference/sample-types.

    Example:
        >>> lidar = PointcloudSequenceSampleAttributes.from_urls(["https://example.com/0.pcd"])
        >>> sensor = SampleSensor(name="Lidar", task_type="pointcloud-cuboid-sequence", attributes=lidar)
        >>> MultiSensorSampleAttributes(sensors=[sensor]).sensors[0].name
        'Lidar'
    """

    sensors: list[SampleSensor]
    """The sensors; a label names them in the same order."""


SampleAttributes = (
    ImageSampleAttributes
    | ImageSequenceSampleAttributes
    | PointcloudSampleAttributes
    | PointcloudSequenceSampleAttributes
    | MultiSensorSampleAttributes
    | dict[str, Any]
)
"""A known shape, or JSON as it came."""


def choose_sample_attributes(_sample: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    """Know sample attributes by their shape, as they carry no tag; None leaves them plain."""
    if not isinstance(attributes, dict):
        return None
    for key, model in _BY_KEY.items():
        if attributes.get(key) is not None:
            return model
    frames = attributes.get("frames")
    if isinstance(frames, list) and frames:
        for key, model in _BY_KEY_OF_FRAMES.items():
            if all(isinstance(frame, dict) and frame.get(key) is not None for frame in frames):
                return model
    return None


_BY_KEY: dict[str, type[Model]] = {
    "image": ImageSampleAttributes,
    "pcd": PointcloudSampleAttributes,
    "sensors": MultiSensorSampleAttributes,
}
_BY_KEY_OF_FRAMES: dict[str, type[Model]] = {
    "image": ImageSequenceSampleAttributes,
    "pcd": PointcloudSequenceSampleAttributes,
}

"""Labels of point clouds and of sequences of them. Source: docs.segments.ai/reference/label-types."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self

from attrs import define, field

from segments_async.models._base import Model, Tagged, known_values
from segments_async.models.annotations import Annotation, Link
from segments_async.models.enums import PointcloudCuboidAnnotationType, PointcloudVectorAnnotationType
from segments_async.models.geometry import XYZ, XYZW


@define(kw_only=True)
class PointcloudSegmentationAnnotation(Annotation):
    """An object in a segmented point cloud."""


@define(kw_only=True)
class PointcloudSegmentationLabelAttributes(Model):
    """The label of a segmented point cloud. Source: docs.segments.ai/reference/label-types."""

    annotations: list[PointcloudSegmentationAnnotation]
    """The objects that the values of `point_annotations` refer to."""
    point_annotations: list[int]
    """The annotation id of each point, in the order of the file; 0 is unlabelled."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole point cloud, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class PointcloudSequenceSegmentationAnnotation(PointcloudSegmentationAnnotation):
    """An object in a segmented frame."""

    track_id: int  # pyright: ignore[reportIncompatibleVariableOverride] - always present in sequences
    """Identifies the object in all frames and sensors."""
    is_keyframe: bool | None = None
    """Whether it was drawn in this frame rather than interpolated; False if not given."""


@define(kw_only=True)
class PointcloudSegmentationFrame(Model):
    """The label of a segmented frame. Source: docs.segments.ai/reference/label-types."""

    annotations: list[PointcloudSequenceSegmentationAnnotation]
    """The objects that the values of `point_annotations` refer to."""
    point_annotations: list[int]
    """The annotation id of each point, in the order of the file; 0 is unlabelled."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole frame, by name."""
    timestamp: str | float | None = None
    """The timestamp of the frame in the sample, in nanoseconds."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""


@define(kw_only=True)
class PointcloudSequenceSegmentationLabelAttributes(Model):
    """The label of a segmented sequence of point clouds. Source: docs.segments.ai/reference/label-types."""

    frames: list[PointcloudSegmentationFrame]
    """The labels of the frames, one for each frame of the sample, in order."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""


@define(kw_only=True)
class Velocity(Model):
    """The speed of an object. Source: the official SDK."""

    relative: float | None
    """Relative to the ego vehicle, in units of the point cloud per second; None without an ego pose."""
    absolute: float
    """In world coordinates, in units of the point cloud per second."""


@define(kw_only=True)
class Acceleration(Model):
    """The acceleration of an object. Source: the official SDK."""

    relative: float | None
    """Relative to the ego vehicle, in units of the point cloud per second squared; None without an ego pose."""
    absolute: float
    """In world coordinates, in units of the point cloud per second squared."""


@define(kw_only=True)
class PointcloudCuboidAnnotation(Annotation):
    """
    A cuboid in a point cloud. Source: docs.segments.ai/reference/label-types.

    Example:
        >>> car = PointcloudCuboidAnnotation.from_yaw((10, 2, 0.8), (4.5, 1.8, 1.6), 0.5, id=1, category_id=1)
        >>> car.dimensions.x
        4.5
    """

    type: str = field(default="cuboid", metadata=known_values(PointcloudCuboidAnnotationType))
    """One of `PointcloudCuboidAnnotationType`."""
    position: XYZ
    """The centre, in world coordinates (right-handed, z up), in the unit of the point cloud."""
    dimensions: XYZ
    """Length, width and height along the x, y and z axes of the cuboid, in the unit of the point cloud."""
    yaw: float
    """Rotation about z: radians, counter-clockwise as seen from above, -pi to pi; 0 faces +x, pi/2 faces +y."""
    rotation: XYZW | None = None
    """From cuboid to world coordinates; only in datasets whose cuboids can be rotated about all three axes."""
    velocity: Velocity | None = None
    """Its speed."""
    acceleration: Acceleration | None = None
    """Its acceleration."""

    @classmethod
    def from_yaw(
        cls,
        position: Sequence[float],
        dimensions: Sequence[float],
        yaw: float = 0.0,
        *,
        id: int,
        category_id: int,
        attributes: dict[str, Any] | None = None,
        track_id: int | None = None,
    ) -> Self:
        """
        Create an upright cuboid.

        Example:
            >>> PointcloudCuboidAnnotation.from_yaw((10, 2, 0.8), (4.5, 1.8, 1.6), id=1, category_id=1).position.z
            0.8

        Args:
            position: ``(x, y, z)`` of the centre, in world coordinates, in the unit of the point cloud.
            dimensions: ``(length, width, height)``, in the unit of the point cloud.
            yaw: Rotation about z: radians, counter-clockwise as seen from above, -pi to pi; 0 faces +x.
            id: Unique in its label.
            category_id: `TaskAttributeCategory.id` of its category.
            attributes: Values of the category's attributes, by name.
            track_id: In sequences, identifies the object in all frames.
        """
        return cls(
            id=id,
            category_id=category_id,
            position=XYZ(*position),
            dimensions=XYZ(*dimensions),
            yaw=yaw,
            attributes=attributes,
            track_id=track_id,
        )


@define(kw_only=True)
class PointcloudCuboidLabelAttributes(Model):
    """The label of a point cloud with cuboids. Source: docs.segments.ai/reference/label-types."""

    annotations: list[PointcloudCuboidAnnotation]
    """The cuboids."""
    links: list[Link] | None = None
    """Links between objects."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole point cloud, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""


@define(kw_only=True)
class PointcloudSequenceCuboidAnnotation(PointcloudCuboidAnnotation):
    """A cuboid in a frame. Source: docs.segments.ai/reference/label-types."""

    track_id: int  # pyright: ignore[reportIncompatibleVariableOverride] - always present in sequences
    """Identifies the object in all frames and sensors."""
    is_keyframe: bool | None = None
    """Whether it was drawn in this frame rather than interpolated; False if not given."""
    index: int | None = None
    """Index of its frame, from 0."""


@define(kw_only=True)
class PointcloudSequenceCuboidFrame(Model):
    """The label of a frame with cuboids. Source: docs.segments.ai/reference/label-types."""

    annotations: list[PointcloudSequenceCuboidAnnotation]
    """The cuboids."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole frame, by name."""
    timestamp: str | float | None = None
    """The timestamp of the frame in the sample, in nanoseconds."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""


@define(kw_only=True)
class PointcloudSequenceCuboidLabelAttributes(Model):
    """The label of a sequence of point clouds with cuboids. Source: docs.segments.ai/reference/label-types."""

    frames: list[PointcloudSequenceCuboidFrame]
    """The labels of the frames, one for each frame of the sample, in order."""
    links: list[Link] | None = None
    """Links between objects."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""


@define(kw_only=True)
class PointcloudVectorAnnotation(Annotation):
    """
    A shape drawn in a point cloud. Source: docs.segments.ai/reference/label-types.

    Example:
        >>> lane = [(0, 0, 0), (9, 0, 0.5)]
        >>> PointcloudVectorAnnotation.draw("polyline", lane, id=1, category_id=2).points[1]
        [9, 0, 0.5]
    """

    type: str = field(metadata=known_values(PointcloudVectorAnnotationType))
    """One of `PointcloudVectorAnnotationType`."""
    points: list[list[float]]
    """``[x, y, z]`` in world coordinates (right-handed, z up), in the unit of the point cloud."""

    @classmethod
    def draw(
        cls,
        type: str,
        points: Iterable[Sequence[float]],
        *,
        id: int,
        category_id: int,
        attributes: dict[str, Any] | None = None,
        track_id: int | None = None,
    ) -> Self:
        """
        Draw a polygon, a polyline or a point.

        Example:
            >>> PointcloudVectorAnnotation.draw("point", [(1, 2, 3)], id=1, category_id=2).points
            [[1, 2, 3]]

        Args:
            type: One of `PointcloudVectorAnnotationType`.
            points: ``(x, y, z)`` of each point, in world coordinates, in the unit of the point cloud.
            id: Unique in its label.
            category_id: `TaskAttributeCategory.id` of its category.
            attributes: Values of the category's attributes, by name.
            track_id: In sequences, identifies the object in all frames.

        Returns:
            The annotation.
        """
        return cls(
            id=id,
            category_id=category_id,
            type=type,
            points=[list(point) for point in points],
            attributes=attributes,
            track_id=track_id,
        )


@define(kw_only=True)
class PointcloudVectorLabelAttributes(Model):
    """Shapes and cuboids drawn in a point cloud. Source: docs.segments.ai/reference/label-types; the official SDK."""

    annotations: list[
        Annotated[
            PointcloudVectorAnnotation | PointcloudCuboidAnnotation | dict[str, Any],
            Tagged(
                "type",
                {
                    **dict.fromkeys(PointcloudVectorAnnotationType, PointcloudVectorAnnotation),
                    **dict.fromkeys(PointcloudCuboidAnnotationType, PointcloudCuboidAnnotation),
                },
            ),
        ]
    ]
    """The shapes and cuboids; one of an unknown type stays plain JSON."""
    links: list[Link] | None = None
    """Links between objects."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole point cloud, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class PointcloudSequenceVectorAnnotation(PointcloudVectorAnnotation):
    """A shape drawn in a frame. Source: docs.segments.ai/reference/label-types."""

    track_id: int  # pyright: ignore[reportIncompatibleVariableOverride] - always present in sequences
    """Identifies the object in all frames and sensors."""
    is_keyframe: bool | None = None
    """Whether it was drawn in this frame rather than interpolated; False if not given."""
    index: int | None = None
    """Index of its frame, from 0."""


@define(kw_only=True)
class PointcloudSequenceVectorFrame(Model):
    """Shapes and cuboids drawn in a frame. Source: docs.segments.ai/reference/label-types; the official SDK."""

    annotations: list[
        Annotated[
            PointcloudSequenceVectorAnnotation | PointcloudSequenceCuboidAnnotation | dict[str, Any],
            Tagged(
                "type",
                {
                    **dict.fromkeys(PointcloudVectorAnnotationType, PointcloudSequenceVectorAnnotation),
                    **dict.fromkeys(PointcloudCuboidAnnotationType, PointcloudSequenceCuboidAnnotation),
                },
            ),
        ]
    ]
    """The shapes and cuboids; one of an unknown type stays plain JSON."""
    links: list[Link] | None = None
    """Links between objects in this frame."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole frame, by name."""
    timestamp: str | float | None = None
    """The timestamp of the frame in the sample, in nanoseconds."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""


@define(kw_only=True)
class PointcloudSequenceVectorLabelAttributes(Model):
    """Shapes and cuboids drawn in frames. Source: docs.segments.ai/reference/label-types; the official SDK."""

    frames: list[PointcloudSequenceVectorFrame]
    """The labels of the frames, one for each frame of the sample, in order."""
    links: list[Link] | None = None
    """Links between objects."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""

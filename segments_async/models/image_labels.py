"""Labels of images and of sequences of images. Source: docs.segments.ai/reference/label-types."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

from attrs import define, field

from segments_async.models._base import Model, known_values
from segments_async.models.annotations import Annotation, Link
from segments_async.models.enums import ImageVectorAnnotationType
from segments_async.models.urls import URL


@define(kw_only=True)
class ImageSegmentationAnnotation(Annotation):
    """An object in a segmentation bitmap. Its `id` is the 24-bit RGB value of its pixels, with R as the lowest byte."""


@define(kw_only=True)
class ImageSegmentationLabelAttributes(Model):
    """Label of a segmented image. Source: docs.segments.ai/reference/label-types; API documentation, "GET /labels"."""

    annotations: list[ImageSegmentationAnnotation]
    """The objects that the values of the bitmap refer to."""
    segmentation_bitmap: URL
    """An RGBA PNG: alpha is 255, the RGB bits are the id of an annotation, and 0 is unlabelled."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole image, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class ImageSequenceSegmentationAnnotation(ImageSegmentationAnnotation):
    """An object in the segmentation bitmap of a frame."""

    track_id: int  # pyright: ignore[reportIncompatibleVariableOverride] - always present in sequences
    """Identifies the object in all frames and sensors."""
    is_keyframe: bool | None = None
    """Whether it was drawn in this frame rather than interpolated; False if not given."""


@define(kw_only=True)
class ImageSequenceSegmentationFrame(Model):
    """The label of a segmented frame. Source: docs.segments.ai/reference/label-types; the official SDK."""

    annotations: list[ImageSequenceSegmentationAnnotation]
    """The objects that the values of the bitmap refer to."""
    segmentation_bitmap: URL | None = None
    """As in `ImageSegmentationLabelAttributes`; None if the frame has no annotations."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole frame, by name."""
    timestamp: str | float | None = None
    """The timestamp of the frame in the sample, in nanoseconds."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class ImageSequenceSegmentationLabelAttributes(Model):
    """The label of a segmented sequence of images. Source: docs.segments.ai/reference/label-types."""

    frames: list[ImageSequenceSegmentationFrame]
    """The labels of the frames, one for each frame of the sample, in order."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class ImageVectorAnnotation(Annotation):
    """
    A shape drawn on an image. Source: docs.segments.ai/reference/label-types.

    Example:
        >>> ImageVectorAnnotation.bbox((90, 34), (12.5, 56), id=1, category_id=2).points
        [[12.5, 34], [90, 56]]
    """

    type: str = field(metadata=known_values(ImageVectorAnnotationType))
    """One of `ImageVectorAnnotationType`."""
    points: list[list[float]]
    """
    ``[x, y]`` in pixels from the top left corner, x right, y down; a bbox has its top left and bottom right corners.
    """

    @classmethod
    def bbox(
        cls,
        corner: Sequence[float],
        opposite: Sequence[float],
        *,
        id: int,
        category_id: int,
        attributes: dict[str, Any] | None = None,
        track_id: int | None = None,
    ) -> Self:
        """
        Draw a bounding box between two corners.

        Example:
            >>> ImageVectorAnnotation.bbox((12.5, 34), (90, 56), id=1, category_id=2).type
            'bbox'

        Args:
            corner: ``(x, y)`` of any corner, in pixels from the image's top left corner, y down.
            opposite: The opposite corner.
            id: Unique in its label.
            category_id: `TaskAttributeCategory.id` of its category.
            attributes: Values of the category's attributes, by name.
            track_id: In sequences, identifies the object in all frames.

        Returns:
            The annotation.
        """
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(corner, opposite, strict=True))
        return cls(
            id=id,
            category_id=category_id,
            type="bbox",
            points=[[left, top], [right, bottom]],
            attributes=attributes,
            track_id=track_id,
        )

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
            >>> ImageVectorAnnotation.draw("polygon", [(0, 0), (9, 0), (9, 5)], id=1, category_id=2).points[2]
            [9, 5]

        Args:
            type: One of `ImageVectorAnnotationType`; for a bounding box, use `bbox`, which sorts the corners.
            points: ``(x, y)`` of each point, in pixels from the image's top left corner, x right, y down. The last
                point of a polygon is connected to the first.
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
class ImageVectorLabelAttributes(Model):
    """Shapes drawn on an image. Source: docs.segments.ai/reference/label-types."""

    annotations: list[ImageVectorAnnotation]
    """The shapes."""
    links: list[Link] | None = None
    """Links between objects."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole image, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class ImageSequenceVectorAnnotation(ImageVectorAnnotation):
    """A shape drawn on a frame. Source: docs.segments.ai/reference/label-types."""

    track_id: int  # pyright: ignore[reportIncompatibleVariableOverride] - always present in sequences
    """Identifies the object in all frames and sensors."""
    is_keyframe: bool | None = None
    """Whether it was drawn in this frame rather than interpolated; False if not given."""


@define(kw_only=True)
class ImageVectorFrame(Model):
    """Shapes drawn on a frame. Source: docs.segments.ai/reference/label-types."""

    annotations: list[ImageSequenceVectorAnnotation]
    """The shapes."""
    timestamp: str | float | None = None
    """The timestamp of the frame in the sample, in nanoseconds."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole frame, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class ImageSequenceVectorLabelAttributes(Model):
    """Shapes drawn on frames. Source: docs.segments.ai/reference/label-types."""

    frames: list[ImageVectorFrame]
    """The labels of the frames, one for each frame of the sample, in order."""
    links: list[Link] | None = None
    """Links between objects."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.2"``."""

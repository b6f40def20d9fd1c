"""Labels and their attributes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by, has_essentials
from segments_async.models.urls import URL


@define(kw_only=True)
class ImageSegmentationAnnotation(Model):
    """An object in a segmentation bitmap. Source: docs.segments.ai/reference/label-types."""

    id: int
    """The value of the object's pixels: the 24 RGB bits, R lowest."""
    category_id: int
    """`TaskAttributeCategory.id` of what it is."""
    attributes: dict[str, Any] | None = None
    """Values of the category's attributes, by name."""


@define(kw_only=True)
class ImageSegmentationLabelAttributes(Model):
    """A segmented image. Source: docs.segments.ai/reference/label-types; API documentation, "GET /labels"."""

    annotations: list[ImageSegmentationAnnotation]
    """What the bitmap's values mean."""
    segmentation_bitmap: URL
    """An RGBA PNG: alpha 255 everywhere, the RGB bits are an annotation's id, 0 is unlabelled."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole image, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


@define(kw_only=True)
class ImageVectorAnnotation(Model):
    """A shape drawn on an image. Source: docs.segments.ai/reference/label-types."""

    id: int
    """Unique in its label."""
    category_id: int
    """`TaskAttributeCategory.id` of what it is."""
    type: str
    """``"bbox"``, ``"polygon"``, ``"polyline"`` or ``"point"``."""
    points: list[list[float]]
    """``[x, y]`` in pixels from the top left corner, y down; a bbox has its top left and bottom right."""
    attributes: dict[str, Any] | None = None
    """Values of the category's attributes, by name."""


@define(kw_only=True)
class ImageVectorLabelAttributes(Model):
    """Shapes drawn on an image. Source: docs.segments.ai/reference/label-types."""

    annotations: list[ImageVectorAnnotation]
    """The shapes."""
    links: list[dict[str, Any]] | None = None
    """Links between shapes: ``from_id``, ``to_id``, ``attributes``."""
    image_attributes: dict[str, Any] | None = None
    """Values of the attributes of the whole image, by name."""
    format_version: str | float | None = None
    """Version of this format, such as ``"0.1"``."""


LabelAttributes = ImageSegmentationLabelAttributes | ImageVectorLabelAttributes | dict[str, Any] | list[Any]
"""A known shape, or JSON as it came: an unknown shape, or the ``{}`` or ``[]`` of an unlabelled sample."""

_BY_TAG: dict[str, type[Model]] = {
    "bboxes": ImageVectorLabelAttributes,
    "keypoints": ImageVectorLabelAttributes,
    "segmentation-bitmap": ImageSegmentationLabelAttributes,
    "segmentation-bitmap-highres": ImageSegmentationLabelAttributes,
    "vector": ImageVectorLabelAttributes,
}
_IMAGE_SHAPES = ("bbox", "point", "polygon", "polyline")


def _choose_attributes(label: Mapping[str, Any], attributes: Any) -> type[Model] | None:
    tag = label.get("label_type")
    model = _BY_TAG.get(tag) if isinstance(tag, str) and tag else _by_shape(attributes)
    if model is None or not attributes:
        return None
    # What lacks an essential part is another shape; a list with something in it is a mistake to be reported.
    return model if has_essentials(attributes, model) or not isinstance(attributes, dict) else None


def _by_shape(attributes: Any) -> type[Model] | None:
    if not isinstance(attributes, dict):
        return None
    if "segmentation_bitmap" in attributes:
        return ImageSegmentationLabelAttributes
    annotations = attributes.get("annotations")
    if isinstance(annotations, list) and annotations and all(map(_is_image_shape, annotations)):
        return ImageVectorLabelAttributes
    return None


def _is_image_shape(annotation: Any) -> bool:
    if not isinstance(annotation, dict) or annotation.get("type") not in _IMAGE_SHAPES:
        return False
    points = annotation.get("points")
    # Point clouds have polygons too: their points have three coordinates.
    return not (isinstance(points, list) and points and isinstance(points[0], list) and len(points[0]) > 2)  # noqa: PLR2004


@define(kw_only=True)
class LabelSummary(Model):
    """What a list of samples tells about a label. Source: the official SDK."""

    label_status: str | None = None
    """One of `LabelStatus`."""
    score: float | None = None
    """How sure a prediction is."""
    updated_at: datetime | str | None = None
    """When it was last changed."""
    created_by: str | None = None
    """Username."""
    reviewed_by: str | None = None
    """Username."""


@define(kw_only=True)
class Label(Model):
    """A label of one sample in one labelset. Source: API documentation, "GET /labels"; the official SDK."""

    sample_uuid: str | None = None
    """The sample it belongs to; not always sent."""
    labelset: str | None = None
    """The labelset it belongs to; not always sent."""
    label_type: str | None = None
    """One of `TaskType`; says what shape `attributes` have."""
    label_status: str | None = None
    """One of `LabelStatus`."""
    attributes: LabelAttributes | None = field(default=None, metadata=chosen_by(_choose_attributes))
    """The label itself."""
    score: float | None = None
    """How sure a prediction is."""
    rating: float | None = None
    """A reviewer's stars."""
    created_at: datetime | str | None = None
    """When it was first saved."""
    created_by: str | None = None
    """Username."""
    updated_at: datetime | str | None = None
    """When it was last changed."""
    updated_by: str | None = None
    """Username."""
    reviewed_at: datetime | str | None = None
    """When it was last reviewed."""
    reviewed_by: str | None = None
    """Username."""


@define
class LabelPut(Model):
    """
    A label to put, for ``labels.put_many``.

    Example:
        >>> box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}
        >>> LabelPut("602a3eec-a61c-4a77-9fcc-3037ce5e9606", {"annotations": [box]}, score=0.9).score
        0.9
    """

    sample_uuid: str
    """The sample to label."""
    attributes: LabelAttributes | Mapping[str, Any] = field(metadata=chosen_by(_choose_attributes))
    """The label itself: a model, or JSON."""
    labelset: str | None = field(default=None, kw_only=True)
    """The labelset; None is the one that the call names."""
    label_status: str | None = field(default=None, kw_only=True)
    """One of `LabelStatus`; None is what the call sets."""
    score: float | None = field(default=None, kw_only=True)
    """How sure a prediction is."""

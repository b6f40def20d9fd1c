"""Labels."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by
from segments_async.models.annotations import Annotation
from segments_async.models.image_labels import ImageSegmentationAnnotation
from segments_async.models.label_attributes import LabelAttributes, annotations_of, choose_label_attributes

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments_async.models.assets import Asset


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
    attributes: LabelAttributes | None = field(default=None, metadata=chosen_by(choose_label_attributes))
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

    def annotations(self) -> Iterator[tuple[str | None, int | None, Annotation]]:
        """
        Go through what was annotated, whatever the label's type.

        Example:
            >>> boxes = ImageVectorLabelAttributes(
            ...     annotations=[ImageVectorAnnotation.bbox((12, 34), (56, 78), id=1, category_id=2)]
            ... )
            >>> for sensor, frame, annotation in Label(attributes=boxes).annotations():
            ...     print(sensor, frame, annotation.category_id)
            None None 2

        Yields:
            The sensor's name, the frame's index from 0 and the annotation itself, to read or to change. The first
            is None if the label is not of several sensors, the second if it is not of a sequence. What is
            unlabelled, or of a shape or a type that no class describes, yields nothing; it is in `attributes`.
        """
        yield from annotations_of(self.attributes)


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
    attributes: LabelAttributes | Mapping[str, Any] = field(metadata=chosen_by(choose_label_attributes))
    """The label itself: a model, or JSON."""
    labelset: str | None = field(default=None, kw_only=True)
    """The labelset; None is the one that the call names."""
    label_status: str | None = field(default=None, kw_only=True)
    """One of `LabelStatus`; None is what the call sets."""
    score: float | None = field(default=None, kw_only=True)
    """How sure a prediction is."""


@define
class BitmapPut:
    """
    An array of ids to put as a label, for ``labels.put_bitmaps``.

    Example:
        >>> BitmapPut("602a3eec-a61c-4a77-9fcc-3037ce5e9606", [[0, 1]], [{"id": 1, "category_id": 7}]).score
    """

    sample_uuid: str
    """The sample to label."""
    array: "npt.ArrayLike | Asset | None" = field(eq=False, repr=False)
    """
    Height x width of the image, integers of any type: each pixel's annotation id, 0 where nothing is labelled. An
    `Asset` is a bitmap that is up already; None stands in outcomes, where it was put.
    """
    annotations: Sequence[ImageSegmentationAnnotation | Mapping[str, Any]]
    """What the ids mean: models, or mappings with ``id``, ``category_id``, perhaps ``attributes``."""
    labelset: str | None = field(default=None, kw_only=True)
    """The labelset; None is the one that the call names."""
    image_attributes: Mapping[str, Any] | None = field(default=None, kw_only=True)
    """Values of the attributes of the whole image, by name."""
    label_status: str | None = field(default=None, kw_only=True)
    """One of `LabelStatus`; None is what the call sets."""
    score: float | None = field(default=None, kw_only=True)
    """How sure a prediction is."""

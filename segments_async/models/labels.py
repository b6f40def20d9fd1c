"""Labels and their summaries."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from attrs import define, field

from segments_async._misuse import OfficialNames, needs_parentheses
from segments_async.models._base import Model, chosen_by
from segments_async.models.annotations import Annotation
from segments_async.models.image_labels import ImageSegmentationAnnotation
from segments_async.models.label_attributes import (
    HasLabelAttributes,
    LabelAttributes,
    MultiSensorLabelAttributes,
    annotations_of,
    choose_label_attributes,
)
from segments_async.models.sample_attributes import MultiSensorSampleAttributes
from segments_async.models.sensors import SampleLike, join_sensors

if TYPE_CHECKING:
    import numpy.typing as npt

    from segments_async.models.assets import Asset


@define(kw_only=True)
class LabelSummary(Model):
    """The summary of a label in a list of samples. Source: the official SDK."""

    label_status: str | None = None
    """One of `LabelStatus`."""
    score: float | None = None
    """Confidence of a prediction."""
    updated_at: datetime | str | None = None
    """When it was last changed."""
    created_by: str | None = None
    """Username of the creator."""
    reviewed_by: str | None = None
    """Username of the reviewer."""


@define(kw_only=True)
class Label(OfficialNames, HasLabelAttributes, Model):
    """A label of one sample in one labelset. Source: API documentation, "GET /labels"; the official SDK."""

    sample_uuid: str | None = None
    """The sample it belongs to; not in the documented answers of the service, so keep the uuid that you asked with."""
    labelset: str | None = None
    """The labelset it belongs to; not always sent."""
    label_type: str | None = None
    """One of `TaskType`; determines the type of `attributes`."""
    label_status: str | None = None
    """One of `LabelStatus`."""
    attributes: LabelAttributes | None = field(default=None, metadata=chosen_by(choose_label_attributes))
    """The label itself."""
    score: float | None = None
    """Confidence of a prediction."""
    rating: float | None = None
    """The rating by a reviewer, in stars."""
    created_at: datetime | str | None = None
    """When it was first saved."""
    created_by: str | None = None
    """Username of the creator."""
    updated_at: datetime | str | None = None
    """When it was last changed."""
    updated_by: str | None = None
    """Username of who last changed it."""
    reviewed_at: datetime | str | None = None
    """When it was last reviewed."""
    reviewed_by: str | None = None
    """Username of the reviewer."""

    @needs_parentheses(
        "write 'for sensor, frame, annotation in label.annotations()', "
        "or 'label.vector.annotations[0]' and the like for an index"
    )
    def annotations(self, sample: SampleLike | None = None) -> Iterator[tuple[str | None, int | None, Annotation]]:
        """
        Iterate over the annotations of a label of any type.

        Example:
            >>> boxes = ImageVectorLabelAttributes(
            ...     annotations=[ImageVectorAnnotation.bbox((12, 34), (56, 78), id=1, category_id=2)]
            ... )
            >>> for sensor, frame, annotation in Label(attributes=boxes).annotations():
            ...     print(sensor, frame, annotation.category_id)
            None None 2

        Args:
            sample: The sample of the label, a `Sample` or a `ReleaseSample`. If it has several sensors, each annotation
                comes with the name that its sensor has in the sample: sensors are joined by name, or by position if the
                label has no names. Without it, the names are those in the label.

        Yields:
            The name of the sensor, the index of the frame (from 0) and the annotation itself, which may be changed.
            The name is None except in multi-sensor labels, and the index is None except in sequences. Unlabelled
            samples and labels or annotations of an unknown type yield nothing; see `attributes` for their JSON.
        """
        data = None if sample is None else sample.attributes
        if (
            sample is not None
            and isinstance(self.attributes, MultiSensorLabelAttributes)
            and (isinstance(data, MultiSensorSampleAttributes))
        ):
            for sensor, label in join_sensors(data.sensors, self.attributes.sensors, sample.uuid):
                if label is not None:
                    yield from annotations_of(label.attributes, sensor.name)
        else:
            yield from annotations_of(self.attributes)


@define
class LabelPut(Model):
    """
    A label to set, for ``labels.put_many``.

    Example:
        >>> box = {"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56], [90, 34]]}
        >>> LabelPut("602a3eec-a61c-4a77-9fcc-3037ce5e9606", {"annotations": [box]}, score=0.9).score
        0.9

    Args:
        sample_uuid: The sample to label.
        attributes: The label itself: a model, or JSON.
        labelset: None uses the labelset of the call.
        label_status: One of `LabelStatus`; None sets PRELABELED.
        score: Confidence of a prediction.
    """

    sample_uuid: str
    """The sample to label."""
    attributes: LabelAttributes | Mapping[str, Any] = field(metadata=chosen_by(choose_label_attributes))
    """The label itself: a model, or JSON."""
    labelset: str | None = field(default=None, kw_only=True)
    """The labelset; None uses the labelset of the call."""
    label_status: str | None = field(default=None, kw_only=True)
    """One of `LabelStatus`; None sets PRELABELED."""
    score: float | None = field(default=None, kw_only=True)
    """Confidence of a prediction."""


@define
class BitmapPut:
    """
    A segmentation label as an array of ids, for ``labels.put_bitmaps``.

    Example:
        >>> BitmapPut("602a3eec-a61c-4a77-9fcc-3037ce5e9606", [[0, 1]], [{"id": 1, "category_id": 7}]).score

    Args:
        sample_uuid: The sample to label.
        array: Height x width: the annotation id of each pixel, 0 if unlabelled; or an `Asset`, once uploaded.
        annotations: The objects of the ids: models, or mappings with ``id``, ``category_id`` and ``attributes``.
        labelset: None uses the labelset of the call.
        image_attributes: Values of the attributes of the whole image, by name.
        label_status: One of `LabelStatus`; None sets PRELABELED.
        score: Confidence of a prediction.
    """

    sample_uuid: str
    """The sample to label."""
    array: "npt.ArrayLike | Asset | None" = field(eq=False, repr=False)
    """
    The annotation id of each pixel, 0 if unlabelled: integers of any type, with the shape height x width of the image.
    An `Asset` is a bitmap that is already uploaded. In outcomes of bitmaps that were put, this is None.
    """
    annotations: Sequence[ImageSegmentationAnnotation | Mapping[str, Any]]
    """The objects of the ids: models, or mappings with ``id``, ``category_id`` and optional ``attributes``."""
    labelset: str | None = field(default=None, kw_only=True)
    """The labelset; None uses the labelset of the call."""
    image_attributes: Mapping[str, Any] | None = field(default=None, kw_only=True)
    """Values of the attributes of the whole image, by name."""
    label_status: str | None = field(default=None, kw_only=True)
    """One of `LabelStatus`; None sets PRELABELED."""
    score: float | None = field(default=None, kw_only=True)
    """Confidence of a prediction."""

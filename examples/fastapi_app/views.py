"""The JSON that the page receives: only the fields it displays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from segments_async.models import ImageSampleAttributes, ImageVectorAnnotation, Label, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SHAPES = 200
"""Maximum number of shapes drawn over a thumbnail."""


class ShapeView(BaseModel):
    """A shape to draw over the image."""

    kind: Literal["bbox", "polygon", "polyline", "point"]
    points: list[list[float]]
    """``[x, y]`` in pixels of the image."""


class LabelView(BaseModel):
    """A label, as the page displays it."""

    status: str
    """The label status, such as ``LABELED``."""
    objects: dict[str, int]
    """Number of objects by category name."""
    shapes: list[ShapeView]
    not_drawn: int = 0
    """Number of objects without a shape in `shapes`."""


class SampleView(BaseModel):
    """An image and its label."""

    uuid: str
    name: str
    image: str | None
    """URL of the image; None if the sample is not an image."""
    label: LabelView | None = None


class LabelChange(BaseModel):
    """A label that was created, updated or deleted."""

    uuid: str
    """The uuid of the sample."""
    label: LabelView | None


class SampleRemoved(BaseModel):
    """A sample that was deleted."""

    uuid: str


class PageData(BaseModel):
    """The initial content of the page, and the limits for its uploads."""

    dataset: str
    samples: list[SampleView]
    """The latest samples, newest first."""
    total: int
    """Number of samples in the dataset, with those that are not in `samples`."""
    position: int
    """The position from which to read `/events` without missing any."""
    plays_labeller: bool
    """Whether the page may request simulated labels."""
    max_files: int
    max_file_bytes: int
    max_body_bytes: int


def sample_view(sample: Sample, categories: Mapping[int, str]) -> SampleView:
    """Return what the page displays of *sample*."""
    image = sample.attributes.image.url if isinstance(sample.attributes, ImageSampleAttributes) else None
    label = label_view(sample.label, categories) if isinstance(sample.label, Label) else None
    return SampleView(uuid=sample.uuid, name=sample.name, image=image, label=label)


def label_view(label: Label, categories: Mapping[int, str]) -> LabelView:
    """Return what the page displays of *label*."""
    objects: dict[str, int] = {}
    shapes: list[ShapeView] = []
    for _, _, annotation in label.annotations():
        category = categories.get(annotation.category_id, f"category {annotation.category_id}")
        objects[category] = objects.get(category, 0) + 1
        if isinstance(annotation, ImageVectorAnnotation) and len(shapes) < MAX_SHAPES:
            shapes.append(ShapeView.model_validate({"kind": annotation.type, "points": annotation.points}))
    not_drawn = sum(objects.values()) - len(shapes)
    return LabelView(status=label.label_status or "LABELED", objects=objects, shapes=shapes, not_drawn=not_drawn)

"""What the page is told of samples and labels: no more than it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from segments_async.models import ImageSampleAttributes, ImageVectorAnnotation, Label, Sample

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SHAPES = 200
"""A thumbnail with more lines is no longer a picture."""


class ShapeShown(BaseModel):
    """A shape to draw over the image."""

    kind: Literal["bbox", "polygon", "polyline", "point"]
    points: list[list[float]]
    """``[x, y]`` in pixels of the image."""


class LabelShown(BaseModel):
    """What is known of a sample's label."""

    status: str
    """Such as ``LABELED``."""
    objects: dict[str, int]
    """How many there are of each category."""
    shapes: list[ShapeShown]


class SampleShown(BaseModel):
    """An image and its label."""

    uuid: str
    name: str
    image: str | None
    """Its address; None if the sample is no image."""
    label: LabelShown | None = None


class LabelChange(BaseModel):
    """A label that came, or that went."""

    uuid: str
    """The sample's."""
    label: LabelShown | None


class Gone(BaseModel):
    """A sample that was deleted."""

    uuid: str


class Album(BaseModel):
    """What the page shows first, and what it may send."""

    dataset: str
    samples: list[SampleShown]
    """The newest ones, newest first."""
    position: int
    """Where to listen to `/events` from, so that nothing is missed."""
    plays_labeller: bool
    """Whether the page may ask for labels."""
    max_files: int
    max_file_bytes: int
    max_body_bytes: int


def shown_sample(sample: Sample, categories: Mapping[int, str]) -> SampleShown:
    """Say what the page shows of *sample*."""
    image = sample.attributes.image.url if isinstance(sample.attributes, ImageSampleAttributes) else None
    label = shown_label(sample.label, categories) if isinstance(sample.label, Label) else None
    return SampleShown(uuid=sample.uuid, name=sample.name, image=image, label=label)


def shown_label(label: Label, categories: Mapping[int, str]) -> LabelShown:
    """Say what the page shows of *label*."""
    objects: dict[str, int] = {}
    shapes: list[ShapeShown] = []
    for _, _, annotation in label.annotations():
        category = categories.get(annotation.category_id, f"category {annotation.category_id}")
        objects[category] = objects.get(category, 0) + 1
        if isinstance(annotation, ImageVectorAnnotation) and len(shapes) < MAX_SHAPES:
            shapes.append(ShapeShown.model_validate({"kind": annotation.type, "points": annotation.points}))
    return LabelShown(status=label.label_status or "LABELED", objects=objects, shapes=shapes)

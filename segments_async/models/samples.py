"""Samples, the items that are labelled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from segments_async._misuse import OfficialNames
from segments_async.models._base import Model, chosen_by
from segments_async.models.issues import Issue
from segments_async.models.labels import Label, LabelSummary
from segments_async.models.sample_attributes import HasSampleAttributes, SampleAttributes, choose_sample_attributes


def _choose_label(_sample: Mapping[str, Any], label: Any) -> type[Model]:
    return Label if isinstance(label, dict) and "attributes" in label else LabelSummary


@define(kw_only=True)
class Sample(OfficialNames, HasSampleAttributes, Model):
    """A sample. Source: API documentation, "GET /samples", and the official SDK."""

    uuid: str
    """The identifier assigned by the service."""
    name: str
    """Unique in its dataset."""
    data_type: str | None = None
    """Always ``"IMAGE"`` so far, whatever the sample is."""
    attributes: SampleAttributes | None = field(default=None, metadata=chosen_by(choose_sample_attributes))
    """The data to label."""
    metadata: dict[str, Any] | None = None
    """Your own metadata, by key."""
    priority: float | None = None
    """Priority in the labelling queue: higher comes first."""
    assigned_labeler: str | None = None
    """Username of the labeler it is assigned to."""
    assigned_reviewer: str | None = None
    """Username of the reviewer it is assigned to."""
    readme: str | None = None
    """Markdown text, displayed next to the sample."""
    label: Label | LabelSummary | None = field(default=None, metadata=chosen_by(_choose_label))
    """Its label in the requested labelset; a summary, unless the full label was requested."""
    issues: list[Issue] | None = None
    """Issues that people reported about it."""
    created_at: datetime | str | None = None
    """When it was created."""
    created_by: str | None = None
    """Username of the creator."""
    dataset: str | None = None
    """``"owner/name"`` of its dataset."""
    dataset_full_name: str | None = None
    """``"owner/name"`` of its dataset."""


@define
class SampleCreate(Model):
    """
    A sample to create, for ``samples.create_many``.

    Example:
        >>> violet = ImageSampleAttributes.from_url("https://example.com/violet.jpg")
        >>> SampleCreate("violet.jpg", violet, metadata={"city": "London"}, priority=10).name
        'violet.jpg'

    Args:
        name: Unique in its dataset.
        attributes: The data to label: a model, or JSON.
        metadata: Your own metadata, by key.
        priority: Priority in the labelling queue: higher comes first; 0 if not given.
        assigned_labeler: Username of the labeler it is assigned to.
        assigned_reviewer: Username of the reviewer it is assigned to.
        readme: Markdown text, displayed next to the sample.
    """

    name: str
    """Unique in its dataset."""
    attributes: SampleAttributes | Mapping[str, Any] = field(metadata=chosen_by(choose_sample_attributes))
    """The data to label: a model, or JSON."""
    metadata: Mapping[str, Any] | None = field(default=None, kw_only=True)
    """Your own metadata, by key."""
    priority: float | None = field(default=None, kw_only=True)
    """Priority in the labelling queue: higher comes first; 0 if not given."""
    assigned_labeler: str | None = field(default=None, kw_only=True)
    """Username of the labeler it is assigned to."""
    assigned_reviewer: str | None = field(default=None, kw_only=True)
    """Username of the reviewer it is assigned to."""
    readme: str | None = field(default=None, kw_only=True)
    """Markdown text, displayed next to the sample."""

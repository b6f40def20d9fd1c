"""Samples."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by
from segments_async.models.issues import Issue
from segments_async.models.labels import Label, LabelSummary
from segments_async.models.sample_attributes import SampleAttributes, choose_sample_attributes


def _choose_label(_sample: Mapping[str, Any], label: Any) -> type[Model]:
    return Label if isinstance(label, dict) and "attributes" in label else LabelSummary


@define(kw_only=True)
class Sample(Model):
    """A sample. Source: API documentation, "GET /samples", and the official SDK."""

    uuid: str
    """The service's identifier."""
    name: str
    """Unique in its dataset."""
    data_type: str | None = None
    """Always ``"IMAGE"`` so far, whatever the sample is."""
    attributes: SampleAttributes | None = field(default=None, metadata=chosen_by(choose_sample_attributes))
    """What is labelled."""
    metadata: dict[str, Any] | None = None
    """Yours."""
    priority: float | None = None
    """Place in the labelling queue: higher comes first."""
    assigned_labeler: str | None = None
    """Username of who should label it."""
    assigned_reviewer: str | None = None
    """Username of who should review it."""
    readme: str | None = None
    """Markdown, shown beside the sample."""
    label: Label | LabelSummary | None = field(default=None, metadata=chosen_by(_choose_label))
    """Its label in the labelset that was asked for; a summary, unless the full label was asked for."""
    issues: list[Issue] | None = None
    """What people noted about it."""
    created_at: datetime | str | None = None
    """When it was made."""
    created_by: str | None = None
    """Username."""
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
    """

    name: str
    """Unique in its dataset."""
    attributes: SampleAttributes | Mapping[str, Any] = field(metadata=chosen_by(choose_sample_attributes))
    """What is labelled: a model, or JSON."""
    metadata: Mapping[str, Any] | None = field(default=None, kw_only=True)
    """Yours."""
    priority: float | None = field(default=None, kw_only=True)
    """Place in the labelling queue: higher comes first, 0 if not given."""
    assigned_labeler: str | None = field(default=None, kw_only=True)
    """Username of who should label it."""
    assigned_reviewer: str | None = field(default=None, kw_only=True)
    """Username of who should review it."""
    readme: str | None = field(default=None, kw_only=True)
    """Markdown, shown beside the sample."""

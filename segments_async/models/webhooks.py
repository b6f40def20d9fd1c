"""
Events that webhooks report.

Source: docs.segments.ai/how-to-integrate/webhooks. The `object` of an event is a model if it has all required keys of
the model, otherwise plain JSON.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by, has_required_keys
from segments_async.models.datasets import Dataset
from segments_async.models.issues import Issue
from segments_async.models.labels import Label
from segments_async.models.releases import Release
from segments_async.models.samples import Sample

Json = dict[str, Any] | list[Any] | str | float | bool | None
"""A plain JSON value."""


def _read_as(model: type[Model]) -> dict[str, Any]:
    def choose(_event: Mapping[str, Any], value: Any) -> type[Model] | None:
        return model if has_required_keys(value, model) else None

    return chosen_by(choose)


@define(kw_only=True)
class WebhookEvent(Model):
    """
    The base class of all events.

    Example:
        >>> SampleCreated(event_type="sample.created", dataset="jane/flowers").dataset
        'jane/flowers'
    """

    event_type: str
    """The type of the event, such as ``"sample.created"``."""
    created_at: datetime | str | None = None
    """When it happened."""
    api_version: str | None = None
    """Version of this format, such as ``"2021-08-01"``."""
    dataset: str | None = None
    """``"owner/name"`` of the dataset that the event concerns."""
    object: Any = None
    """The object that the event concerns: its current state, or its last state if it was deleted."""
    text: str | None = None
    """A human-readable description."""


@define(kw_only=True)
class UnknownEvent(WebhookEvent):
    """An event of an unknown type."""

    object: Json = None
    """The object that the event concerns, as JSON."""


@define(kw_only=True)
class _DatasetEvent(WebhookEvent):
    object: Dataset | Json = field(default=None, metadata=_read_as(Dataset))
    """The dataset."""


@define(kw_only=True)
class DatasetCreated(_DatasetEvent):
    """``dataset.created``: a dataset was created."""


@define(kw_only=True)
class DatasetUpdated(_DatasetEvent):
    """``dataset.updated``: a property of a dataset was changed."""


@define(kw_only=True)
class DatasetDeleted(_DatasetEvent):
    """``dataset.deleted``: a dataset was deleted, with all its content."""


@define(kw_only=True)
class _SampleEvent(WebhookEvent):
    object: Sample | Json = field(default=None, metadata=_read_as(Sample))
    """The sample."""


@define(kw_only=True)
class SampleCreated(_SampleEvent):
    """``sample.created``: a sample was created."""


@define(kw_only=True)
class SampleUpdated(_SampleEvent):
    """``sample.updated``: a property of a sample was changed."""


@define(kw_only=True)
class SampleDeleted(_SampleEvent):
    """``sample.deleted``: a sample was deleted, with its labels."""


@define(kw_only=True)
class _LabelEvent(WebhookEvent):
    object: Label | Json = field(default=None, metadata=_read_as(Label))
    """The label."""


@define(kw_only=True)
class LabelUpdated(_LabelEvent):
    """``label.updated``: a label was created or changed."""


@define(kw_only=True)
class LabelDeleted(_LabelEvent):
    """``label.deleted``: a label was deleted."""


@define(kw_only=True)
class _IssueEvent(WebhookEvent):
    object: Issue | Json = field(default=None, metadata=_read_as(Issue))
    """The issue."""


@define(kw_only=True)
class IssueCreated(_IssueEvent):
    """``issue.created``: an issue was created."""


@define(kw_only=True)
class IssueUpdated(_IssueEvent):
    """``issue.updated``: an issue received a reply, or a property of it was changed."""


@define(kw_only=True)
class ReleaseCreated(WebhookEvent):
    """``release.created``: a release is complete and can be downloaded."""

    object: Release | Json = field(default=None, metadata=_read_as(Release))
    """The release."""


EVENTS: dict[str, type[WebhookEvent]] = {
    "dataset.created": DatasetCreated,
    "dataset.deleted": DatasetDeleted,
    "dataset.updated": DatasetUpdated,
    "issue.created": IssueCreated,
    "issue.updated": IssueUpdated,
    "label.deleted": LabelDeleted,
    "label.updated": LabelUpdated,
    "release.created": ReleaseCreated,
    "sample.created": SampleCreated,
    "sample.deleted": SampleDeleted,
    "sample.updated": SampleUpdated,
}
"""The class of each event type."""

"""
Events that webhooks tell of.

Source: docs.segments.ai/how-to-integrate/webhooks. What an event says of its thing is a model where it has that
model's essentials, and JSON as it came elsewhere.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by, has_essentials
from segments_async.models.datasets import Dataset
from segments_async.models.issues import Issue
from segments_async.models.labels import Label
from segments_async.models.releases import Release
from segments_async.models.samples import Sample

Json = dict[str, Any] | list[Any] | str | float | bool | None
"""A JSON value as it came."""


def _as(model: type[Model]) -> dict[str, Any]:
    def choose(_event: Mapping[str, Any], thing: Any) -> type[Model] | None:
        return model if has_essentials(thing, model) else None

    return chosen_by(choose)


@define(kw_only=True)
class WebhookEvent(Model):
    """
    Something that happened; a subclass says what.

    Example:
        >>> SampleCreated(event_type="sample.created", dataset="jane/flowers").dataset
        'jane/flowers'
    """

    event_type: str
    """Such as ``"sample.created"``."""
    created_at: datetime | str | None = None
    """When it happened."""
    api_version: str | None = None
    """Version of this format, such as ``"2021-08-01"``."""
    dataset: str | None = None
    """``"owner/name"`` of the dataset it happened in."""
    object: Any = None
    """The thing it happened to, as it is now; a deleted one, as it was."""
    text: str | None = None
    """A sentence for people."""


@define(kw_only=True)
class UnknownEvent(WebhookEvent):
    """An event of a type that this version does not know."""

    object: Json = None
    """The thing it happened to, as JSON."""


@define(kw_only=True)
class _DatasetEvent(WebhookEvent):
    object: Dataset | Json = field(default=None, metadata=_as(Dataset))
    """The dataset."""


@define(kw_only=True)
class DatasetCreated(_DatasetEvent):
    """``dataset.created``: there is a new dataset."""


@define(kw_only=True)
class DatasetUpdated(_DatasetEvent):
    """``dataset.updated``: a property of a dataset has changed."""


@define(kw_only=True)
class DatasetDeleted(_DatasetEvent):
    """``dataset.deleted``: a dataset is gone, with all that was in it."""


@define(kw_only=True)
class _SampleEvent(WebhookEvent):
    object: Sample | Json = field(default=None, metadata=_as(Sample))
    """The sample."""


@define(kw_only=True)
class SampleCreated(_SampleEvent):
    """``sample.created``: there is a new sample."""


@define(kw_only=True)
class SampleUpdated(_SampleEvent):
    """``sample.updated``: a property of a sample has changed."""


@define(kw_only=True)
class SampleDeleted(_SampleEvent):
    """``sample.deleted``: a sample is gone, with its labels."""


@define(kw_only=True)
class _LabelEvent(WebhookEvent):
    object: Label | Json = field(default=None, metadata=_as(Label))
    """The label."""


@define(kw_only=True)
class LabelUpdated(_LabelEvent):
    """``label.updated``: a label was made or has changed."""


@define(kw_only=True)
class LabelDeleted(_LabelEvent):
    """``label.deleted``: a sample is unlabelled again."""


@define(kw_only=True)
class _IssueEvent(WebhookEvent):
    object: Issue | Json = field(default=None, metadata=_as(Issue))
    """The issue."""


@define(kw_only=True)
class IssueCreated(_IssueEvent):
    """``issue.created``: somebody noted something about a sample."""


@define(kw_only=True)
class IssueUpdated(_IssueEvent):
    """``issue.updated``: an issue got a reply, or a property of it has changed."""


@define(kw_only=True)
class ReleaseCreated(WebhookEvent):
    """``release.created``: a release is done, and can be downloaded."""

    object: Release | Json = field(default=None, metadata=_as(Release))
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
"""The class of each type of event."""

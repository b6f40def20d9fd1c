"""What stands in the file of a release."""

from datetime import datetime
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by
from segments_async.models.datasets import Labelset
from segments_async.models.labels import Label
from segments_async.models.sample_attributes import SampleAttributes, choose_sample_attributes
from segments_async.models.task_attributes import TaskAttributes
from segments_async.models.users import User


@define(kw_only=True)
class ReleaseDataset(Model):
    """The dataset that a release was made of, without its samples. Source: the file of a release (`api.md`)."""

    name: str
    """Unique among the datasets of its owner."""
    owner: str | User | None = None
    """The username of whom it belongs to."""
    task_type: str | None = None
    """One of `TaskType`; says what shape labels have."""
    task_attributes: TaskAttributes | None = None
    """Categories and attributes."""
    labelsets: list[Labelset] | None = None
    """The sets that the labels of each sample belong to."""


@define(kw_only=True)
class ReleaseHeader(Model):
    """All of a release's file but the samples. Source: the file of a release (`api.md`)."""

    name: str
    """The release's name."""
    dataset: ReleaseDataset
    """What it was made of."""
    description: str | None = None
    """A line for people."""
    created_at: datetime | str | None = None
    """When it was asked for."""


@define(kw_only=True)
class ReleaseSample(Model):
    """A sample in the file of a release. Source: the file of a release (`api.md`)."""

    uuid: str
    """The service's identifier."""
    name: str
    """Unique in its dataset."""
    attributes: SampleAttributes | None = field(default=None, metadata=chosen_by(choose_sample_attributes))
    """What is labelled."""
    metadata: dict[str, Any] | None = None
    """Yours."""
    labels: dict[str, Label | None] = field(factory=dict)
    """By the name of the labelset; None where it is not labelled."""

"""The content of a release file."""

from datetime import datetime
from typing import Any

from attrs import define, field

from segments_async.models._base import Model, chosen_by
from segments_async.models.datasets import Labelset
from segments_async.models.labels import Label
from segments_async.models.sample_attributes import HasSampleAttributes, SampleAttributes, choose_sample_attributes
from segments_async.models.task_attributes import TaskAttributes
from segments_async.models.users import User


@define(kw_only=True)
class ReleaseDataset(Model):
    """The dataset of a release, without its samples. Source: ``docs/service.md``, "Release file"."""

    name: str
    """Unique among the datasets of its owner."""
    owner: str | User | None = None
    """The username of the owner, or the owner."""
    task_type: str | None = None
    """One of `TaskType`; says what shape labels have."""
    task_attributes: TaskAttributes | None = None
    """Categories and attributes."""
    labelsets: list[Labelset] | None = None
    """The labelsets of the labels; not in files of older datasets."""


@define(kw_only=True)
class ReleaseHeader(Model):
    """The content of a release file without the samples. Source: ``docs/service.md``, "Release file"."""

    name: str
    """The name of the release."""
    dataset: ReleaseDataset
    """The dataset that it was created from."""
    description: str | None = None
    """A short description."""
    created_at: datetime | str | None = None
    """When it was requested."""


@define(kw_only=True)
class ReleaseSample(HasSampleAttributes, Model):
    """A sample in a release file. Source: ``docs/service.md``, "Release file"."""

    uuid: str | None = None
    """The identifier assigned by the service; not in every file."""
    name: str
    """Unique in its dataset."""
    attributes: SampleAttributes | None = field(default=None, metadata=chosen_by(choose_sample_attributes))
    """The data to label."""
    metadata: dict[str, Any] | None = None
    """Your own metadata, by key."""
    labels: dict[str, Label | None] = field(factory=dict)
    """The labels, by name of the labelset; None if the sample is not labelled in it."""

"""Datasets and their labelsets."""

from datetime import datetime
from typing import Any

from attrs import define

from segments_async.errors import InputError
from segments_async.models._base import Model
from segments_async.models.task_attributes import TaskAttributes
from segments_async.models.users import User

GROUND_TRUTH = "ground-truth"
"""The labelset that every dataset has."""


@define(kw_only=True)
class Labelset(Model):
    """A set of labels of a dataset, such as ``ground-truth``. Source: API documentation, "GET /datasets"."""

    name: str
    """Unique in its dataset."""
    description: str | None = None
    """A line for people."""
    is_groundtruth: bool | None = None
    """Whether this is the set that people label."""
    created_at: datetime | str | None = None
    """When it was made."""


@define(kw_only=True)
class Dataset(Model):
    """A dataset. Source: API documentation, "GET /datasets", and the official SDK."""

    name: str
    """Unique among the datasets of its owner."""
    full_name: str | None = None
    """``"owner/name"``; `identifier` is it even where the service leaves it out."""
    description: str | None = None
    """A line for people."""
    data_type: str | None = None
    """Always ``"IMAGE"`` so far, whatever the samples are."""
    category: str | None = None
    """One of `Category`, or ``custom-...``."""
    public: bool | None = None
    """Whether everyone may see it."""
    archived: bool | None = None
    """Whether it is put away."""
    owner: User | None = None
    """The user or organisation it belongs to."""
    cloned_from: str | None = None
    """The dataset it is a clone of."""
    created_at: datetime | str | None = None
    """When it was made."""
    task_type: str | None = None
    """One of `TaskType`; ``""`` if none is set."""
    task_attributes: TaskAttributes | None = None
    """Categories and attributes; lists of datasets leave them out."""
    labelsets: list[Labelset] | None = None
    """Its labelsets; lists of datasets leave them out."""
    label_stats: dict[str, Any] | None = None
    """Number of labels by status."""
    role: str | None = None
    """What the key's user may do here: one of `Role`."""
    readme: str | None = None
    """Markdown, shown on the overview tab."""
    metadata: dict[str, Any] | None = None
    """Yours."""
    collaborators_count: int | None = None
    """Number of collaborators."""
    samples_count: int | str | None = None
    """Number of samples; the service may send it as text."""
    insights_urls: dict[str, Any] | None = None
    """Dashboards, by name."""
    region_of_interest: dict[str, Any] | None = None
    """Where to label in 3D, as the service defines it."""
    labeling_inactivity_timeout_seconds: int | None = None
    """Seconds without input after which the labelling time stops."""
    noncollaborator_can_label: bool | None = None
    """Whether others may label."""
    noncollaborator_can_review: bool | None = None
    """Whether others may review."""
    enable_skip_labeling: bool | None = None
    """Whether a labeler may skip a sample."""
    enable_skip_reviewing: bool | None = None
    """Whether a reviewer may skip a sample."""
    enable_ratings: bool | None = None
    """Whether labels get stars."""
    enable_save_button: bool | None = None
    """Whether work can be saved without submitting it."""
    enable_label_status_verified: bool | None = None
    """Whether labels can be VERIFIED."""
    enable_confirm_on_submit: bool | None = None
    """Whether submitting asks for confirmation."""
    enable_same_dimensions_track_constraint: bool | None = None
    """Whether cuboids of a track share their dimensions."""
    enable_interpolation: bool | None = None
    """Whether frames between keyframes are filled in."""
    enable_extrapolation: bool | None = None
    """Whether frames after the last keyframe are filled in."""
    use_timestamps_for_interpolation: bool | None = None
    """Whether interpolation goes by time, not by frame."""
    enable_3d_cuboid_rotation: bool | None = None
    """Whether cuboids turn about all three axes."""
    enable_3d_region_of_interest: bool | None = None
    """Whether `region_of_interest` is in use."""
    enable_object_linking: bool | None = None
    """Whether objects can be linked."""
    enable_object_link_category_restrictions: bool | None = None
    """Whether categories restrict what can be linked."""

    @property
    def identifier(self) -> str:
        """
        ``"owner/name"``, as every call takes it.

        Example:
            >>> Dataset(name="flowers", owner=User(username="jane")).identifier
            'jane/flowers'

        Raises:
            InputError: The dataset carries neither a full name nor its owner.
        """
        if self.full_name is not None:
            return self.full_name
        if self.owner is None:
            raise InputError(f"dataset {self.name!r} has neither full_name nor owner; name it as 'owner/name'")
        return f"{self.owner.username}/{self.name}"

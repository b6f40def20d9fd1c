"""Datasets and their labelsets."""

from datetime import datetime
from typing import Any

from attrs import define

from segments_async._misuse import OfficialNames
from segments_async.errors import InputError
from segments_async.models._base import Model
from segments_async.models.task_attributes import TaskAttributes
from segments_async.models.users import User

GROUND_TRUTH = "ground-truth"
"""The name of the labelset that every dataset has."""


@define(kw_only=True)
class Labelset(OfficialNames, Model):
    """A set of labels of a dataset, such as ``ground-truth``. Source: API documentation, "GET /datasets"."""

    name: str
    """Unique in its dataset."""
    description: str | None = None
    """A short description."""
    is_groundtruth: bool | None = None
    """Whether this is the labelset for the labels that people draw."""
    created_at: datetime | str | None = None
    """When it was created."""


@define(kw_only=True)
class Dataset(OfficialNames, Model):
    """A dataset. Source: API documentation, "GET /datasets", and the official SDK."""

    name: str
    """Unique among the datasets of its owner."""
    full_name: str | None = None
    """``"owner/name"``; `identifier` is available even if the service does not send this."""
    description: str | None = None
    """A short description."""
    data_type: str | None = None
    """Always ``"IMAGE"`` so far, whatever the samples are."""
    category: str | None = None
    """One of `Category`, or ``custom-...``."""
    public: bool | None = None
    """Whether everyone can see it."""
    archived: bool | None = None
    """Whether it is archived."""
    owner: User | None = None
    """The user or organisation that owns it."""
    cloned_from: str | None = None
    """The dataset it is a clone of."""
    created_at: datetime | str | None = None
    """When it was created."""
    task_type: str | None = None
    """One of `TaskType`; ``""`` if none is set."""
    task_attributes: TaskAttributes | None = None
    """Categories and attributes; not contained in lists of datasets."""
    labelsets: list[Labelset] | None = None
    """Its labelsets; not contained in lists of datasets."""
    label_stats: dict[str, Any] | None = None
    """Number of labels by status."""
    role: str | None = None
    """The role of the API key's user in the dataset: one of `Role`."""
    readme: str | None = None
    """Markdown text, displayed on the overview tab."""
    metadata: dict[str, Any] | None = None
    """Your own metadata, by key."""
    tags: list[str | dict[str, Any]] | None = None
    """Its tags, as text; or as objects, should the service send these."""
    collaborators_count: int | None = None
    """Number of collaborators."""
    samples_count: int | str | None = None
    """Number of samples; the service may send it as a string."""
    insights_urls: dict[str, Any] | None = None
    """URLs of dashboards, by name."""
    region_of_interest: dict[str, Any] | None = None
    """The region to label in 3D, in the format of the service."""
    labeling_inactivity_timeout_seconds: int | None = None
    """Seconds without input after which the labelling timer stops."""
    noncollaborator_can_label: bool | None = None
    """Whether users who are not collaborators may label."""
    noncollaborator_can_review: bool | None = None
    """Whether users who are not collaborators may review."""
    enable_skip_labeling: bool | None = None
    """Whether a labeler may skip a sample."""
    enable_skip_reviewing: bool | None = None
    """Whether a reviewer may skip a sample."""
    enable_ratings: bool | None = None
    """Whether labels can be rated with stars."""
    enable_save_button: bool | None = None
    """Whether a label can be saved without submitting it."""
    enable_label_status_verified: bool | None = None
    """Whether labels can be VERIFIED."""
    enable_confirm_on_submit: bool | None = None
    """Whether submitting asks for confirmation."""
    enable_same_dimensions_track_constraint: bool | None = None
    """Whether all cuboids of a track have the same dimensions."""
    enable_interpolation: bool | None = None
    """Whether annotations are interpolated between keyframes."""
    enable_extrapolation: bool | None = None
    """Whether annotations are extrapolated after the last keyframe."""
    use_timestamps_for_interpolation: bool | None = None
    """Whether interpolation uses timestamps instead of frame indices."""
    enable_3d_cuboid_rotation: bool | None = None
    """Whether cuboids can be rotated about all three axes."""
    enable_3d_region_of_interest: bool | None = None
    """Whether `region_of_interest` is enabled."""
    enable_object_linking: bool | None = None
    """Whether objects can be linked."""
    enable_object_link_category_restrictions: bool | None = None
    """Whether categories restrict what can be linked."""

    @property
    def identifier(self) -> str:
        """
        The dataset as ``"owner/name"``, as all calls accept it.

        Example:
            >>> Dataset(name="flowers", owner=User(username="jane")).identifier
            'jane/flowers'

        Raises:
            InputError: The dataset has neither a full name nor an owner.
        """
        if self.full_name is not None:
            return self.full_name
        if self.owner is None:
            raise InputError(f"dataset {self.name!r} has neither full_name nor owner; pass 'owner/name' instead")
        return f"{self.owner.username}/{self.name}"

"""Keyword arguments of creating and updating, under the service's own names."""

from collections.abc import Mapping
from typing import Any, TypedDict

from segments_async.models.samples import SampleAttributes
from segments_async.models.task_attributes import TaskAttributes


class DatasetSettings(TypedDict, total=False):
    """
    What can be set on a dataset. In ``create``, None is not sent; in ``update``, None is null.

    Source: API documentation, "POST /user/datasets", and the official SDK.
    """

    description: str | None
    """A line for people."""
    task_type: str | None
    """What is labelled: one of `TaskType`."""
    task_attributes: TaskAttributes | Mapping[str, Any] | None
    """Categories and attributes."""
    category: str | None
    """One of `Category`, or ``custom-...``."""
    public: bool | None
    """Whether everyone may see it."""
    readme: str | None
    """Markdown, shown on the overview tab."""
    metadata: Mapping[str, Any] | None
    """Yours."""
    archived: bool | None
    """Whether it is put away."""
    labeling_inactivity_timeout_seconds: int | None
    """Seconds without input after which the labelling time stops; the official SDK sends 300."""
    region_of_interest: Mapping[str, Any] | None
    """Where to label in 3D, as the service defines it."""
    noncollaborator_can_label: bool | None
    """Whether others may label."""
    noncollaborator_can_review: bool | None
    """Whether others may review."""
    enable_skip_labeling: bool | None
    """Whether a labeler may skip a sample; the service's default is True."""
    enable_skip_reviewing: bool | None
    """Whether a reviewer may skip a sample; the service's default is False."""
    enable_ratings: bool | None
    """Whether labels get stars; the service's default is False."""
    enable_save_button: bool | None
    """Whether work can be saved without submitting it."""
    enable_label_status_verified: bool | None
    """Whether labels can be VERIFIED."""
    enable_confirm_on_submit: bool | None
    """Whether submitting asks for confirmation (``enable_confirm_on_commit`` in the official SDK)."""
    enable_same_dimensions_track_constraint: bool | None
    """Whether cuboids of a track share their dimensions."""
    enable_interpolation: bool | None
    """Whether frames between keyframes are filled in."""
    enable_extrapolation: bool | None
    """Whether frames after the last keyframe are filled in."""
    use_timestamps_for_interpolation: bool | None
    """Whether interpolation goes by time, not by frame."""
    enable_3d_cuboid_rotation: bool | None
    """Whether cuboids turn about all three axes."""
    enable_3d_region_of_interest: bool | None
    """Whether `region_of_interest` is in use."""
    enable_object_linking: bool | None
    """Whether objects can be linked."""
    enable_object_link_category_restrictions: bool | None
    """Whether categories restrict what can be linked."""


class DatasetChanges(DatasetSettings, total=False):
    """
    What can be changed on a dataset. What is not named stays, and None is null.

    Source: API documentation, "PATCH /datasets".
    """

    name: str
    """Unique among the datasets of its owner."""


class SampleSettings(TypedDict, total=False):
    """
    What can be set on a sample besides its name and attributes. None is not sent.

    Source: API documentation, "POST .../samples", and the official SDK.
    """

    metadata: Mapping[str, Any] | None
    """Yours."""
    priority: float | None
    """Place in the labelling queue: higher comes first, 0 if not given."""
    assigned_labeler: str | None
    """Username of who should label it; None in ``update`` assigns nobody."""
    assigned_reviewer: str | None
    """Username of who should review it; None in ``update`` assigns nobody."""
    readme: str | None
    """Markdown, shown beside the sample."""


class SampleChanges(SampleSettings, total=False):
    """
    What can be changed on a sample. What is not named stays, and None is null.

    Source: API documentation, "PATCH /samples", and the official SDK.
    """

    name: str
    """Unique in its dataset."""
    attributes: SampleAttributes | Mapping[str, Any]
    """What is labelled."""

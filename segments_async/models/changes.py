"""Keyword arguments of creating and updating, under the service's own names."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from attrs import define

from segments_async.models.issues import IssueAnchor
from segments_async.models.label_attributes import LabelAttributes
from segments_async.models.sample_attributes import SampleAttributes
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


class LabelChanges(TypedDict, total=False):
    """
    What can be changed on a label. What is not named stays, and None is null.

    Source: the official SDK.
    """

    attributes: LabelAttributes | Mapping[str, Any]
    """The label itself."""
    label_status: str | None
    """One of `LabelStatus`."""
    score: float | None
    """How sure a prediction is."""


@define(init=False)
class SampleUpdate:
    """
    A change of a sample, for ``samples.update_many``: what is not named stays, and None is null.

    Example:
        >>> SampleUpdate("602a3eec-a61c-4a77-9fcc-3037ce5e9606", priority=10, assigned_labeler=None).changes
        {'priority': 10, 'assigned_labeler': None}

    Raises:
        TypeError: A change is not known.
    """

    uuid: str
    """The sample to change."""
    changes: SampleChanges
    """What becomes of it."""

    def __init__(self, uuid: str, **changes: Unpack[SampleChanges]) -> None:
        _check_known(changes, SampleChanges, "SampleUpdate()")
        self.uuid = uuid
        self.changes = changes


@define(init=False)
class LabelUpdate:
    """
    A change of a label, for ``labels.update_many``: what is not named stays, and None is null.

    Example:
        >>> LabelUpdate("602a3eec-a61c-4a77-9fcc-3037ce5e9606", label_status="REVIEWED").changes
        {'label_status': 'REVIEWED'}

    Raises:
        TypeError: A change is not known.
    """

    sample_uuid: str
    """The sample whose label is to change."""
    labelset: str | None
    """The labelset; None is the one that the call names."""
    changes: LabelChanges
    """What becomes of it."""

    def __init__(self, sample_uuid: str, *, labelset: str | None = None, **changes: Unpack[LabelChanges]) -> None:
        _check_known(changes, LabelChanges, "LabelUpdate()")
        self.sample_uuid = sample_uuid
        self.labelset = labelset
        self.changes = changes


def _check_known(changes: Mapping[str, Any], known: type, call: str) -> None:
    for key in changes:
        if key not in known.__annotations__:
            raise TypeError(f"{call} got an unexpected keyword argument {key!r}")


class IssueChanges(TypedDict, total=False):
    """
    What can be changed on an issue. What is not named stays, and None is null.

    Source: the official SDK.
    """

    description: str
    """What is the matter."""
    status: str
    """One of `IssueStatus`."""
    anchor: IssueAnchor | Mapping[str, Any] | None
    """What it points to."""

"""Keyword arguments for creating and updating, with the names that the service uses."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, TypedDict, Unpack

from attrs import define

from segments_async.models._base import TypeOfRoutes
from segments_async.models.issues import IssueAnchor
from segments_async.models.label_attributes import LabelAttributes
from segments_async.models.sample_attributes import SampleAttributes
from segments_async.models.task_attributes import TaskAttributes


class DatasetSettings(TypedDict, total=False):
    """
    Settings of a dataset. In ``create``, None is not sent; in ``update``, None is sent as null.

    Source: API documentation, "POST /user/datasets", and the official SDK.
    """

    description: str | None
    """A short description."""
    task_type: str | None
    """The type of labels: one of `TaskType`. ``create`` sends ``segmentation-bitmap`` if it is not given."""
    task_attributes: TaskAttributes | Mapping[str, Any] | None
    """
    Categories and attributes, such as ``{"format_version": "0.1", "categories": [{"name": "rose", "id": 1}]}``.
    ``create`` sends one category, "object" with the id 1, if it is not given.
    """
    category: str | None
    """What it is about: one of `Category`, or ``custom-...``. ``create`` sends ``other`` if it is not given."""
    public: bool | None
    """Whether everyone can see it. ``create`` sends False if it is not given."""
    readme: str | None
    """Markdown text, displayed on the overview tab."""
    metadata: Mapping[str, Any] | None
    """Your own metadata, by key."""
    tags: Sequence[str | Mapping[str, Any]] | None
    """Its tags, as text, or as the service returned them."""
    archived: bool | None
    """Whether it is archived."""
    labeling_inactivity_timeout_seconds: int | None
    """Seconds without input after which the labelling timer stops; the official SDK sends 300."""
    region_of_interest: Mapping[str, Any] | None
    """The region to label in 3D, in the format of the service."""
    noncollaborator_can_label: bool | None
    """Whether users who are not collaborators may label."""
    noncollaborator_can_review: bool | None
    """Whether users who are not collaborators may review."""
    enable_skip_labeling: bool | None
    """Whether a labeler may skip a sample; the service's default is True."""
    enable_skip_reviewing: bool | None
    """Whether a reviewer may skip a sample; the service's default is False."""
    enable_ratings: bool | None
    """Whether labels can be rated with stars; the service's default is False."""
    enable_save_button: bool | None
    """Whether a label can be saved without submitting it."""
    enable_label_status_verified: bool | None
    """Whether labels can be VERIFIED."""
    enable_confirm_on_submit: bool | None
    """Whether submitting asks for confirmation (``enable_confirm_on_commit`` in the official SDK)."""
    enable_same_dimensions_track_constraint: bool | None
    """Whether all cuboids of a track have the same dimensions."""
    enable_interpolation: bool | None
    """Whether annotations are interpolated between keyframes."""
    enable_extrapolation: bool | None
    """Whether annotations are extrapolated after the last keyframe."""
    use_timestamps_for_interpolation: bool | None
    """Whether interpolation uses timestamps instead of frame indices."""
    enable_3d_cuboid_rotation: bool | None
    """Whether cuboids can be rotated about all three axes."""
    enable_3d_region_of_interest: bool | None
    """Whether `region_of_interest` is enabled."""
    enable_object_linking: bool | None
    """Whether objects can be linked."""
    enable_object_link_category_restrictions: bool | None
    """Whether categories restrict what can be linked."""


class DatasetChanges(DatasetSettings, total=False):
    """
    Changes of a dataset. Omitted keys stay unchanged; None is sent as null.

    Source: API documentation, "PATCH /datasets".
    """

    name: str
    """Unique among the datasets of its owner."""


class SampleSettings(TypedDict, total=False):
    """
    Settings of a sample, besides its name and attributes. None is not sent.

    Source: API documentation, "POST .../samples", and the official SDK.
    """

    metadata: Mapping[str, Any] | None
    """Your own metadata, by key."""
    priority: float | None
    """Priority in the labelling queue: higher comes first; 0 if not given."""
    assigned_labeler: str | None
    """Username of the labeler to assign; None in ``update`` removes the assignment."""
    assigned_reviewer: str | None
    """Username of the reviewer to assign; None in ``update`` removes the assignment."""
    readme: str | None
    """Markdown text, displayed next to the sample."""


class SampleChanges(SampleSettings, total=False):
    """
    Changes of a sample. Omitted keys stay unchanged; None is sent as null.

    Source: API documentation, "PATCH /samples", and the official SDK.
    """

    name: str
    """Unique in its dataset."""
    attributes: SampleAttributes | Mapping[str, Any]
    """The data to label."""


class LabelChanges(TypedDict, total=False):
    """
    Changes of a label. Omitted keys stay unchanged; None is sent as null.

    Source: the official SDK.
    """

    attributes: LabelAttributes | Mapping[str, Any]
    """The label itself."""
    label_status: str | None
    """One of `LabelStatus`."""
    score: float | None
    """Confidence of a prediction."""


class _Change(TypeOfRoutes):
    """A set of changes, which is a type of FastAPI's routes, as models are."""

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        # By its name, for the reasons that `Model` has.
        return import_module("segments_async._wire.pydantic_changes").core_schema_of(cls)


@define(init=False)
class SampleUpdate(_Change):
    """
    A change of a sample, for ``samples.update_many``. Omitted keys stay unchanged; None is sent as null.

    Example:
        >>> SampleUpdate("602a3eec-a61c-4a77-9fcc-3037ce5e9606", priority=10, assigned_labeler=None).changes
        {'priority': 10, 'assigned_labeler': None}

    Args:
        uuid: The sample to change.
        changes: Keys of `SampleChanges`, explained there: ``metadata``, ``priority``, ``assigned_labeler``,
            ``assigned_reviewer``, ``readme``, ``name``, ``attributes``.

    Raises:
        TypeError: A keyword argument is unknown.
    """

    uuid: str
    """The sample to change."""
    changes: SampleChanges
    """The keys to change and their new values."""

    def __init__(self, uuid: str, **changes: Unpack[SampleChanges]) -> None:
        _check_known(changes, SampleChanges, "SampleUpdate()")
        self.uuid = uuid
        self.changes = changes


@define(init=False)
class LabelUpdate(_Change):
    """
    A change of a label, for ``labels.update_many``. Omitted keys stay unchanged; None is sent as null.

    Example:
        >>> LabelUpdate("602a3eec-a61c-4a77-9fcc-3037ce5e9606", label_status="REVIEWED").changes
        {'label_status': 'REVIEWED'}

    Args:
        sample_uuid: The sample whose label to change.
        labelset: None uses the labelset of the call.
        changes: Keys of `LabelChanges`, explained there: ``attributes``, ``label_status``, ``score``.

    Raises:
        TypeError: A keyword argument is unknown.
    """

    sample_uuid: str
    """The sample whose label to change."""
    labelset: str | None
    """The labelset; None uses the labelset of the call."""
    changes: LabelChanges
    """The keys to change and their new values."""

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
    Changes of an issue. Omitted keys stay unchanged; None is sent as null.

    Source: the official SDK.
    """

    description: str
    """A description of the issue."""
    status: str
    """One of `IssueStatus`."""
    anchor: IssueAnchor | Mapping[str, Any] | None
    """The location it refers to."""
    tags: Sequence[str | Mapping[str, Any]] | None
    """Its tags, as text, or as the service returned them."""

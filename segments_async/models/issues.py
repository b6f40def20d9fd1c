"""Issues that people report about samples, and the locations they refer to."""

from datetime import datetime
from typing import Annotated, Any

from attrs import define, field

from segments_async._misuse import OfficialNames
from segments_async.models._base import Model, Tagged, wire_name


@define(kw_only=True)
class IssueLocation2D(Model):
    """
    A point in an image.

    Source: the official SDK, where it is called IssueAnchor2DCoordinates. The SDK does not document the unit; it is
    assumed to be that of annotations.
    """

    x: float
    """Pixels from the left."""
    y: float
    """Pixels from the top."""
    type: str = "2d"
    """Always ``"2d"``."""


@define(kw_only=True)
class IssueLocation3D(Model):
    """
    A point in a point cloud.

    Source: the official SDK, where it is called IssueAnchor3DCoordinates. The SDK does not document the frame of
    reference; it is assumed to be that of annotations.
    """

    x: float
    """In world coordinates, in the unit of the point cloud."""
    y: float
    """In world coordinates, in the unit of the point cloud."""
    z: float
    """In world coordinates, in the unit of the point cloud."""
    type: str = "3d"
    """Always ``"3d"``."""


@define(kw_only=True)
class IssueBasicAnchor(Model):
    """A frame, a sensor or the sample as a whole. Source: the official SDK."""

    sensor: str | None = None
    """Name of the sensor, in a multi-sensor sample."""
    frame: int | None = None
    """Index of the frame, in a sequence."""
    type: str = "basic"
    """Always ``"basic"``."""


@define(kw_only=True)
class IssueTrackAnchor(Model):
    """An object, tracked through the frames. Source: the official SDK."""

    track_number: int = field(metadata=wire_name("trackNumber"))
    """Number of the track; assumed to be the `track_id` of its annotations."""
    track_attribute: str | None = field(default=None, metadata=wire_name("trackAttribute"))
    """The attribute of the object that it refers to."""
    sensor: str | None = None
    """Name of the sensor, in a multi-sensor sample."""
    frame: int | None = None
    """Index of the frame, in a sequence."""
    type: str = "track"
    """Always ``"track"``."""


@define(kw_only=True)
class IssueSceneAttributeAnchor(Model):
    """An attribute of the whole scene. Source: the official SDK."""

    scene_attribute: str = field(metadata=wire_name("sceneAttribute"))
    """The attribute that it refers to."""
    sensor: str | None = None
    """Name of the sensor, in a multi-sensor sample."""
    frame: int | None = None
    """Index of the frame, in a sequence."""
    type: str = "sceneAttribute"
    """Always ``"sceneAttribute"``."""


@define(kw_only=True)
class IssueLocationAnchor(Model):
    """A location in the image or the point cloud. Source: the official SDK."""

    location: Annotated[
        IssueLocation2D | IssueLocation3D | dict[str, Any],
        Tagged("type", {"2d": IssueLocation2D, "3d": IssueLocation3D}),
    ]
    """The location."""
    sensor: str | None = None
    """Name of the sensor, in a multi-sensor sample."""
    frame: int | None = None
    """Index of the frame, in a sequence."""
    type: str = "location"
    """Always ``"location"``."""


IssueAnchor = Annotated[
    IssueBasicAnchor | IssueTrackAnchor | IssueSceneAttributeAnchor | IssueLocationAnchor | dict[str, Any],
    Tagged(
        "type",
        {
            "basic": IssueBasicAnchor,
            "location": IssueLocationAnchor,
            "sceneAttribute": IssueSceneAttributeAnchor,
            "track": IssueTrackAnchor,
        },
    ),
]
"""The location that an issue refers to, determined by its ``type``; an unknown one stays plain JSON."""


@define(kw_only=True)
class IssueComment(Model):
    """A comment on an issue. Source: the official SDK."""

    text: str
    """The text of the comment."""
    created_at: datetime | str | None = None
    """When it was written."""
    created_by: str | None = None
    """Username of the creator."""


@define(kw_only=True)
class Issue(OfficialNames, Model):
    """An issue that was reported about a sample. Source: the official SDK."""

    uuid: str
    """The identifier assigned by the service."""
    description: str | None = None
    """A description of the issue."""
    status: str | None = None
    """One of `IssueStatus`."""
    anchor: IssueAnchor | None = None
    """The location it refers to; None if that is the whole sample."""
    tags: list[str | dict[str, Any]] | None = None
    """Its tags, as text; or as objects, should the service send these."""
    comments: list[IssueComment] | None = None
    """Comments from the label editor."""
    sample_uuid: str | None = None
    """The sample it belongs to."""
    sample_name: str | None = None
    """The name of that sample."""
    created_at: datetime | str | None = None
    """When it was created."""
    created_by: str | None = None
    """Username of the creator."""
    updated_at: datetime | str | None = None
    """When it was last changed."""
    updated_by: str | None = None
    """Username of who last changed it."""

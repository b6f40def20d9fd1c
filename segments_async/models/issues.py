"""Issues: what people note about samples, and where in a sample they point."""

from datetime import datetime
from typing import Annotated, Any

from attrs import define, field

from segments_async.models._base import Model, Tagged, wire_name


@define(kw_only=True)
class IssueLocation2D(Model):
    """
    A point in an image.

    Source: the official SDK (there called IssueAnchor2DCoordinates), which names no unit; taken to be that of
    annotations.
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

    Source: the official SDK (there called IssueAnchor3DCoordinates), which names no frame; taken to be that of
    annotations.
    """

    x: float
    """World frame, in the unit of the point cloud."""
    y: float
    """World frame, in the unit of the point cloud."""
    z: float
    """World frame, in the unit of the point cloud."""
    type: str = "3d"
    """Always ``"3d"``."""


@define(kw_only=True)
class IssueBasicAnchor(Model):
    """A frame, a sensor or the sample as a whole. Source: the official SDK."""

    sensor: str | None = None
    """Name of the sensor, in a sample of several."""
    frame: int | None = None
    """Index of the frame, in a sequence."""
    type: str = "basic"
    """Always ``"basic"``."""


@define(kw_only=True)
class IssueTrackAnchor(Model):
    """An object, followed through the frames. Source: the official SDK."""

    track_number: int = field(metadata=wire_name("trackNumber"))
    """Number of the track, which is taken to be the `track_id` of its annotations."""
    track_attribute: str | None = field(default=None, metadata=wire_name("trackAttribute"))
    """The attribute of the object that is meant."""
    sensor: str | None = None
    """Name of the sensor, in a sample of several."""
    frame: int | None = None
    """Index of the frame, in a sequence."""
    type: str = "track"
    """Always ``"track"``."""


@define(kw_only=True)
class IssueSceneAttributeAnchor(Model):
    """An attribute of the whole scene. Source: the official SDK."""

    scene_attribute: str = field(metadata=wire_name("sceneAttribute"))
    """The attribute that is meant."""
    sensor: str | None = None
    """Name of the sensor, in a sample of several."""
    frame: int | None = None
    """Index of the frame, in a sequence."""
    type: str = "sceneAttribute"
    """Always ``"sceneAttribute"``."""


@define(kw_only=True)
class IssueLocationAnchor(Model):
    """A place in the image or the point cloud. Source: the official SDK."""

    location: Annotated[
        IssueLocation2D | IssueLocation3D | dict[str, Any],
        Tagged("type", {"2d": IssueLocation2D, "3d": IssueLocation3D}),
    ]
    """Where it is."""
    sensor: str | None = None
    """Name of the sensor, in a sample of several."""
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
"""What an issue points to, chosen by its ``type``; one that this version does not know is JSON as it came."""


@define(kw_only=True)
class IssueComment(Model):
    """What somebody said about an issue. Source: the official SDK."""

    text: str
    """What was said."""
    created_at: datetime | str | None = None
    """When it was said."""
    created_by: str | None = None
    """Username."""


@define(kw_only=True)
class Issue(Model):
    """What somebody noted about a sample. Source: the official SDK."""

    uuid: str
    """The service's identifier."""
    description: str | None = None
    """What is the matter."""
    status: str | None = None
    """One of `IssueStatus`."""
    anchor: IssueAnchor | None = None
    """What it points to; None if that is the sample."""
    comments: list[IssueComment] | None = None
    """What people said about it since, in the label editor."""
    sample_uuid: str | None = None
    """The sample it belongs to."""
    sample_name: str | None = None
    """The name of that sample."""
    created_at: datetime | str | None = None
    """When it was noted."""
    created_by: str | None = None
    """Username."""
    updated_at: datetime | str | None = None
    """When it was last changed."""
    updated_by: str | None = None
    """Username."""
